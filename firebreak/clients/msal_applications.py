"""MSAL's confidential client over one of our own transports, so that the network, proxies, TLS and tests are the same for it as for all else.

MSAL is synchronous: it runs in a thread, and what it sends is sent by the event loop that started it.

    applications = MsalApplications(settings.cloud, client_id, client_secret, transport)
    answer = await applications.call(tenant_id, lambda app: app.acquire_token_by_refresh_token(token, scopes))
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import msal
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError

from firebreak.settings import CloudSettings

_SECONDS = 30.0
# Raised by httpx before a request has left.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class _Sender:
    """What MSAL calls its `http_client`: called in MSAL's thread, sends in the loop's."""

    def __init__(self, client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client, self._loop = client, loop

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        return self._sent(self._client.post(url, params=params, data=data, headers=headers))

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        return self._sent(self._client.get(url, params=params, headers=headers))

    def close(self) -> None:
        """The client belongs to `MsalApplications`."""

    def _sent(self, request: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
        return asyncio.run_coroutine_threadsafe(request, self._loop).result()


class MsalApplications:
    """One application's MSAL clients, one per tenant, made on first use. Belongs to one event loop; close it when done."""

    def __init__(
        self, cloud: CloudSettings, client_id: str, client_secret: str, transport: httpx.AsyncBaseTransport
    ) -> None:
        self._cloud, self._client_id, self._client_secret = cloud, client_id, client_secret
        self._http = httpx.AsyncClient(transport=transport, follow_redirects=False, timeout=_SECONDS)
        self._made: dict[str, msal.ConfidentialClientApplication] = {}

    async def call(
        self, tenant_id: str, ask: Callable[[msal.ConfidentialClientApplication], dict[str, Any]]
    ) -> dict[str, Any]:
        """Let MSAL do something in a tenant and return its answer, which may be a refusal (`error`).

        Raises:
            ClientAuthenticationError: there is no such tenant.
            ServiceRequestError, ServiceResponseError: the authority was not reached, or did not answer.
        """
        sender = _Sender(self._http, asyncio.get_running_loop())
        try:
            return await asyncio.to_thread(lambda: ask(self._application(tenant_id, sender)))
        except _NOT_SENT as exc:
            raise ServiceRequestError("the sign-in service was not reached", error=exc) from exc
        except httpx.TransportError as exc:
            raise ServiceResponseError("the sign-in service did not answer", error=exc) from exc
        except ValueError as exc:
            # How MSAL tells that the tenant's endpoints are not there: the authority's own words are in what it was raised from.
            raise ClientAuthenticationError(_own_words(exc)) from exc

    async def close(self) -> None:
        await self._http.aclose()

    def _application(self, tenant_id: str, sender: _Sender) -> msal.ConfidentialClientApplication:
        if tenant_id not in self._made:
            self._made[tenant_id] = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=self._client_secret,
                authority=f"{self._cloud.login}/{tenant_id}",
                http_client=sender,
                instance_discovery=False,
            )
        return self._made[tenant_id]


def _own_words(exc: BaseException) -> str:
    seen: BaseException | None = exc
    while seen is not None:
        if (at := str(seen).find("AADSTS")) >= 0:
            return str(seen)[at:]
        seen = seen.__cause__ or seen.__context__
    return str(exc)
