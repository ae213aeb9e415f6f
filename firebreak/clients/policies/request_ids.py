"""Ids on every request, so that one call can be found in Azure's logs and an incident in the customer's activity log."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from firebreak.clients.policies.exchange import Call, Reply, Send

_INCIDENTS = uuid.UUID("6c1f1f5e-4c57-4f0e-9f5f-0f7a5f1b2e11")


def correlation_guid(text: str) -> str:
    """Return `text` when it is a GUID, else one that always stands for it: the headers take nothing else."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid5(_INCIDENTS, text))


class RequestIds:
    """Sets a fresh client request id per call (kept by its retries) and the incident's correlation id.

    `names` are the two header names of the service: Azure Resource Manager's by default.
    """

    def __init__(
        self,
        correlation_id: str,
        *,
        names: tuple[str, str] = ("x-ms-client-request-id", "x-ms-correlation-request-id"),
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._correlation_id = correlation_guid(correlation_id)
        self._request_name, self._correlation_name = names
        self._new_id = new_id

    async def __call__(self, call: Call, send: Send) -> Reply:
        if not call.headers.get(self._request_name):
            call.headers[self._request_name] = self._new_id()
        if self._correlation_name and not call.headers.get(self._correlation_name):
            call.headers[self._correlation_name] = self._correlation_id
        return await send(call)
