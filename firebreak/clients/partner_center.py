"""Partner Center REST: customers, subscriptions, entitlements, audit records; cancel and reactivate.

    items = await partner_center.list(f"/v1/customers/{customer}/subscriptions/{plan}/azureEntitlements")
    await hands.partner_center.post(f"{entitlement}/cancel", {"cancellationReason": "compromise"}, request_id=action_id)

Answers come with keys in camelCase or PascalCase by service and age: they are returned with camelCase keys. `MS-RequestId` is the
idempotency key: the caller gives the same one when it repeats a write whose answer never came.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from typing import Any

from firebreak.clients.addresses import address, following
from firebreak.clients.channel import Channel
from firebreak.clients.failures import error_of, is_absent, unreadable
from firebreak.clients.policies.exchange import Call, Reply, encode
from firebreak.clients.policies.redaction import shown
from firebreak.clients.policies.request_ids import correlation_guid
from firebreak.errors import ScopeError
from firebreak.model.clouds import MaySend
from firebreak.model.step import Sent

_PATH = re.compile(r"/(v1|auditactivity/v1|webhooks/v1)(/[^/\\?#%\x00-\x1f\x7f]+)+")
_HEADERS = {
    "Accept": "application/json",
    "MS-Contract-Version": "v1",
    "MS-PartnerCenter-Application": "Firebreak",
    "X-Locale": "en-US",
}
_PROFILE = "/v1/profiles/organization"
# Types of alerts since 2024: https://learn.microsoft.com/partner-center/developer/get-fraud-events
_NEW_EVENTS = {"X-NewEventsModel": "true"}


class PartnerCenterRead:
    """`JsonReader` for Partner Center."""

    def __init__(self, channel: Channel, base: str, *, max_pages: int) -> None:
        self._channel = channel
        self._base = base
        self._max_pages = max_pages

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """Return the document with camelCase keys, or None when it is not there."""
        call = Call("GET", _url(self._base, path, params), dict(_HEADERS), is_read=True)
        reply = await self._channel.send(call)
        if is_absent(reply) or reply.status == 204:
            return None
        document = _document(call, reply)
        if not isinstance(document, dict):
            raise unreadable(call, "JSON of the wrong kind")
        return document

    async def list(self, path: str, params: Mapping[str, str] | None = None) -> builtins.list[dict[str, Any]]:
        """Return the items of all pages. The next page needs the link's headers too: without them page one comes again."""
        own = _HEADERS | (_NEW_EVENTS if path.lower().startswith("/v1/fraudevents") else {})
        url, headers = _url(self._base, path, params), dict(own)
        found, seen = builtins.list[dict[str, Any]](), set[tuple[str, str]]()
        while True:
            call = Call("GET", url, dict(headers), is_read=True)
            document = _document(call, await self._channel.send(call))
            items = document.get("items") if isinstance(document, dict) else document
            if not isinstance(items, builtins.list) or not all(isinstance(item, dict) for item in items):
                raise unreadable(call, 'a list without "items"')
            found += items
            link = ((document.get("links") or {}).get("next") or {}) if isinstance(document, dict) else {}
            if not link.get("uri"):
                return found
            url = self._next_url(str(link["uri"]))
            extra = {
                str(h["key"]): str(h["value"])
                for h in link.get("headers") or ()
                if isinstance(h, dict) and "key" in h and "value" in h
            }
            # Only continuation headers: an answer must not be able to set Authorization or a method override.
            headers = own | {k: v for k, v in extra.items() if k.lower() == "ms-continuationtoken" and v.isprintable()}
            page = (url, headers.get("MS-ContinuationToken", ""))
            if page in seen or len(seen) >= self._max_pages:
                raise unreadable(call, "pages that never end")
            seen.add(page)

    async def second_factor(self) -> bool | None:
        """Ask the organization's profile with `ValidateMfa`, and return what the answer's header says; None when it says nothing.

        Only answers to sign-ins on behalf of a person do. The header is not part of recorded evidence, so a replay says nothing either.
        """
        call = Call("GET", _url(self._base, _PROFILE, None), {**_HEADERS, "ValidateMfa": "true"}, is_read=True)
        reply = await self._channel.send(call)
        if reply.status >= 300:
            raise error_of(call, reply)
        return {"true": True, "false": False}.get(reply.headers.get("isMfaCompliant", "").strip().lower())

    async def names(self, path: str) -> builtins.list[str]:
        """Return a list of plain words, as the events are that a webhook can be registered for."""
        call = Call("GET", _url(self._base, path, None), dict(_HEADERS), is_read=True)
        document = _document(call, await self._channel.send(call))
        if not isinstance(document, builtins.list) or not all(isinstance(one, str) for one in document):
            raise unreadable(call, "no list of words")
        return document

    def _next_url(self, uri: str) -> str:
        """Links are relative to `/v1`; some services answer them with it, some as whole addresses."""
        if not uri.startswith("/"):
            return following(self._base, uri)
        path = uri if uri.startswith(("/v1/", "/auditactivity/")) else f"/v1{uri}"
        return following(self._base, self._base + path)


class PartnerCenterWrite:
    """`JsonWriter` for Partner Center."""

    def __init__(self, channel: Channel, base: str, may_send: MaySend | None = None) -> None:
        self._channel = channel
        self._base = base
        self._may_send = may_send

    def fenced(self, may_send: MaySend) -> PartnerCenterWrite:
        """The same writer behind a fence."""
        return PartnerCenterWrite(self._channel, self._base, may_send)

    async def post(self, path: str, body: Mapping[str, Any] | None, *, request_id: str) -> Sent:
        return await self._send("POST", path, body, request_id, "")

    async def post_for(self, path: str, body: Mapping[str, Any] | None, *, request_id: str) -> dict[str, Any]:
        """A POST whose answer matters: return it with camelCase keys."""
        call, reply = await self._exchange("POST", path, body, request_id, "")
        document = _document(call, reply)
        if not isinstance(document, dict):
            raise unreadable(call, "JSON of the wrong kind")
        return document

    async def put(self, path: str, body: Mapping[str, Any], *, request_id: str) -> Sent:
        return await self._send("PUT", path, body, request_id, "")

    async def patch(self, path: str, body: Mapping[str, Any], *, request_id: str, etag: str = "") -> Sent:
        return await self._send("PATCH", path, body, request_id, etag)

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None, request_id: str, etag: str) -> Sent:
        call, reply = await self._exchange(method, path, body, request_id, etag)
        if reply.status >= 300:
            raise error_of(call, reply)
        return Sent(status=reply.status, request_id=reply.request_id, note="accepted" if reply.status == 202 else "")

    async def _exchange(
        self, method: str, path: str, body: Mapping[str, Any] | None, request_id: str, etag: str
    ) -> tuple[Call, Reply]:
        headers = _HEADERS | {"MS-RequestId": correlation_guid(request_id)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if etag:
            headers["If-Match"] = etag
        content = b"" if body is None else encode(body)
        call = Call(method, _url(self._base, path, None), headers, content=content, may_send=self._may_send)
        return call, await self._channel.send(call)


def camel(value: Any) -> Any:
    """Return a document with every key's first letter in lower case, at every depth; clashing keys keep the one already in camelCase."""
    if isinstance(value, dict):
        renamed = {key[:1].lower() + key[1:]: camel(item) for key, item in value.items() if key[:1].isupper()}
        return renamed | {key: camel(item) for key, item in value.items() if not key[:1].isupper()}
    if isinstance(value, list):
        return [camel(item) for item in value]
    return value


def _url(base: str, path: str, params: Mapping[str, str] | None) -> str:
    if not _PATH.fullmatch(path) or any(not segment.strip(". ") for segment in path.split("/")[1:]):
        raise ScopeError(
            f"{shown(path)!r} is not a plain Partner Center path.",
            hint="Use the form /v1/customers/...; queries go into params.",
        )
    return address(base, path, params or {})


def _document(call: Call, reply: Reply) -> Any:
    if reply.status >= 300:
        raise error_of(call, reply)
    try:
        return camel(reply.json())
    except ValueError as exc:
        raise unreadable(call, "no JSON") from exc
