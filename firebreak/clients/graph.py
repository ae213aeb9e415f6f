"""Microsoft Graph: the customer's directory, and the partner's security alerts and delegated relationships.

    users = await graph.list("/v1.0/users", {"$select": "id,userPrincipalName"})
    alert = await graph.get(f"/beta/security/partner/securityAlerts/{alert_id}")
    async for page in graph.pages("/v1.0/auditLogs/directoryAudits", {"$filter": "..."}): ...

The path decides the tenant of the token: `/security/partner`, `/tenantRelationships` and `/reports/partners` are the partner's, all else is the
customer's.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from firebreak.clients.addresses import address, following
from firebreak.clients.channel import Channel
from firebreak.clients.failures import error_of, is_absent, object_of, unreadable
from firebreak.clients.policies.exchange import Call, encode
from firebreak.clients.policies.redaction import shown
from firebreak.errors import ScopeError
from firebreak.model.clouds import MaySend
from firebreak.model.step import Sent

_PATH = re.compile(r"/(v1\.0|beta)(/[^/\\?#%\x00-\x1f\x7f]+)+")
_PARTNERS = re.compile(r"/(v1\.0|beta)/(security/partner|tenantrelationships|reports/partners)(/|$)", re.IGNORECASE)


def is_partners(url: str, base: str) -> bool:
    """Whether the call belongs to the partner's tenant rather than the customer's."""
    return _PARTNERS.match(urlsplit(url).path.removeprefix(urlsplit(base).path)) is not None


class GraphRead:
    """`GraphReader`. `patience` bounds one request with all its repetitions, in seconds; 0 leaves it to the channel."""

    def __init__(self, channel: Channel, base: str, *, max_pages: int, patience: float = 0.0) -> None:
        self._channel = channel
        self._base = base
        self._max_pages = max_pages
        self._patience = patience

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """Return the document, or None when it is not there."""
        call = self._call(_url(self._base, path, params))
        reply = await self._channel.send(call)
        if is_absent(reply) or reply.status == 204:
            return None
        return object_of(call, reply)

    async def list(
        self, path: str, params: Mapping[str, str] | None = None, *, eventual: bool = False
    ) -> builtins.list[dict[str, Any]]:
        """Return all pages as one list; `eventual` as in `pages`."""
        return [item async for page in self.pages(path, params, eventual=eventual) for item in page]

    async def pages(
        self, path: str, params: Mapping[str, str] | None = None, *, eventual: bool = False
    ) -> AsyncIterator[builtins.list[dict[str, Any]]]:
        """Yield page after page, following `@odata.nextLink` on this service only. A list that is not there is an error, not an empty one.

        `eventual` asks for the index that advanced queries need (header `ConsistencyLevel`, and `$count=true` in the query), which lags by
        some seconds: https://learn.microsoft.com/graph/aad-advanced-queries
        """
        query = {**(params or {}), "$count": "true"} if eventual else params
        url, seen = _url(self._base, path, query), set[str]()
        while True:
            call = self._call(url)
            if eventual:
                call.headers["ConsistencyLevel"] = "eventual"
            document = object_of(call, await self._channel.send(call))
            value = document.get("value")
            if not isinstance(value, builtins.list) or not all(isinstance(item, dict) for item in value):
                raise unreadable(call, 'a list without "value"')
            yield value
            link = document.get("@odata.nextLink")
            if not link:
                return
            url = following(self._base, str(link))
            if url in seen or len(seen) >= self._max_pages:
                raise unreadable(call, "pages that never end")
            seen.add(url)

    def _call(self, url: str) -> Call:
        return Call("GET", url, {"Accept": "application/json"}, is_read=True, patience=self._patience)

    async def names_of(self, object_ids: builtins.list[str]) -> builtins.list[dict[str, Any]]:
        """Return the directory objects of these ids (a read that is a POST), a thousand at a time; unknown ids are left out."""
        found: builtins.list[dict[str, Any]] = []
        for start in range(0, len(object_ids), 1000):
            body = encode({"ids": object_ids[start : start + 1000]})
            headers = {"Accept": "application/json", "Content-Type": "application/json"}
            call = Call(
                "POST", _url(self._base, "/v1.0/directoryObjects/getByIds", None), headers, content=body, is_read=True
            )
            document = object_of(call, await self._channel.send(call))
            if not isinstance(document.get("value"), builtins.list):
                raise unreadable(call, 'a list without "value"')
            found += document["value"]
        return found


class GraphWrite:
    """`GraphWriter`. Graph has no idempotency key: `request_id` becomes the client request id."""

    def __init__(self, channel: Channel, base: str, may_send: MaySend | None = None) -> None:
        self._channel = channel
        self._base = base
        self._may_send = may_send

    def fenced(self, may_send: MaySend) -> GraphWrite:
        """The same writer behind a fence."""
        return GraphWrite(self._channel, self._base, may_send)

    async def post(self, path: str, body: Mapping[str, Any] | None, *, request_id: str) -> Sent:
        return await self._send("POST", path, body, request_id, "")

    async def patch(self, path: str, body: Mapping[str, Any], *, request_id: str, etag: str = "") -> Sent:
        return await self._send("PATCH", path, body, request_id, etag)

    async def delete(self, path: str, *, request_id: str) -> Sent:
        return await self._send("DELETE", path, None, request_id, "")

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None, request_id: str, etag: str) -> Sent:
        headers = {"Accept": "application/json", "client-request-id": request_id}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if etag:
            headers["If-Match"] = etag
        content = b"" if body is None else encode(body)
        call = Call(method, _url(self._base, path, None), headers, content=content, may_send=self._may_send)
        reply = await self._channel.send(call)
        if reply.status >= 300:
            raise error_of(call, reply)
        return Sent(status=reply.status, request_id=reply.request_id)


def _url(base: str, path: str, params: Mapping[str, str] | None) -> str:
    if not _PATH.fullmatch(path) or any(not segment.strip(". ") for segment in path.split("/")[1:]):
        raise ScopeError(
            f"{shown(path)!r} is not a plain Graph path.", hint="Use the form /v1.0/users; queries go into params."
        )
    return address(base, path, params or {})
