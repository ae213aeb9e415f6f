"""Azure Resource Manager, for reading (`ArmRead`) and for writing (`ArmWrite`): two types over the same pipelines.

    disks = await arm.list(f"/subscriptions/{subscription}/providers/Microsoft.Compute/disks", "2026-03-02")
    sent = await hands.arm.post(f"{machine}/deallocate", "2026-04-01")      # sent.operation_url follows the operation

Paths are decoded ARM ids; they are checked against the incident's subscription and quoted here. Fractions in answers are `Decimal`.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from firebreak.clients.addresses import address, following
from firebreak.clients.failures import error_of, is_absent, object_of, unreadable
from firebreak.clients.management import Management
from firebreak.clients.policies.exchange import Call, Reply, decode, encode, without_mark
from firebreak.clients.policies.mode_guard import ARM_READ_POSTS, ModeGuard
from firebreak.clients.policies.redaction import shown
from firebreak.clients.scope import Scope
from firebreak.errors import ScopeError, WriteRefusedError
from firebreak.model.clouds import MaySend
from firebreak.model.mode import Mode
from firebreak.model.step import Sent

_FINAL = {"succeeded": "Succeeded", "failed": "Failed", "canceled": "Canceled", "cancelled": "Canceled"}


class _Page(msgspec.Struct):
    value: msgspec.Raw
    next_link: Any = msgspec.field(name="nextLink", default=None)


class _Object(msgspec.Struct):
    """Any object."""


_page = msgspec.json.Decoder(_Page).decode
_objects = msgspec.json.Decoder(builtins.list[_Object]).decode


class ArmRead:
    """`ArmReader` over the management clients. Answers are handed to the recorder before they are returned."""

    def __init__(self, management: Management, scope: Scope, *, max_pages: int) -> None:
        self._management = management
        self._scope = scope
        self._max_pages = max_pages
        self._reads = ModeGuard(Mode.DRY_RUN, base=management.base, read_posts=ARM_READ_POSTS)
        self.subscription_id = scope.subscription_id

    async def get(self, path: str, api_version: str, params: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """Return the document, or None when it is not there. A subscription that cannot be seen is an error, not None."""
        call = self._call("GET", path, api_version, params)
        reply = await self._management.send(call)
        if is_absent(reply) or reply.status == 204:
            return None
        return object_of(call, reply)

    async def pages(
        self, path: str, api_version: str, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[builtins.list[dict[str, Any]]]:
        """Yield the pages of a list, following `nextLink` as long as it stays on the service and in the subscription."""
        async for page in self.raw_pages(path, api_version, params):
            yield decode(page)

    async def raw_pages(
        self, path: str, api_version: str, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the pages of a list as `pages` does, each as it came: the JSON text of a list of objects.

        For long lists of which little counts: taking every value out of a page costs ten times as much as looking for a few.
        """
        call = self._call("GET", path, api_version, params)
        seen: set[str] = set()
        while True:
            reply = await self._management.send(call)
            if reply.status >= 300:
                raise error_of(call, reply)
            try:
                page = _page(without_mark(reply.content))
                _objects(page.value)
            except msgspec.ValidationError as exc:
                raise unreadable(call, 'a list without "value"') from exc
            except ValueError as exc:
                raise unreadable(call, "no JSON") from exc
            yield bytes(page.value)
            if not page.next_link:
                return
            call = self._next(call, page.next_link, seen)

    async def list(
        self, path: str, api_version: str, params: Mapping[str, str] | None = None
    ) -> builtins.list[dict[str, Any]]:
        """Return all pages as one list."""
        return [item async for page in self.pages(path, api_version, params) for item in page]

    async def query(self, path: str, api_version: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the answer of a read-only POST with the rows of all pages; None when the service has no data.

        Raises:
            WriteRefusedError: the path is not on the list of read-only POSTs, whatever the mode.
            ScopeError: a Resource Graph query that names more than the incident's subscription.
        """
        self._scope.query(path, body)
        call = self._call("POST", path, api_version, None)
        if not self._reads.is_read("POST", call.url, {}):
            raise WriteRefusedError(
                f"POST {path} is not one of the read-only queries.",
                hint="What changes something is sent by a changing step.",
            )
        call.content = encode(body)
        call.headers["Content-Type"] = "application/json"
        reply = await self._management.send(call)
        if reply.status == 204:
            return None
        document = object_of(call, reply)
        if isinstance(document.get("properties"), dict):
            return await self._all_rows(call, document)
        return await self._all_data(call, document, body)

    async def _all_rows(self, call: Call, document: dict[str, Any]) -> dict[str, Any]:
        """Cost Management: the next page is the same body, POSTed to `properties.nextLink`."""
        properties = dict(document["properties"])
        rows = builtins.list(properties.get("rows") or ())
        seen: set[str] = set()
        link = properties.get("nextLink")
        while link:
            call = self._next(call, link, seen)
            page = object_of(call, await self._management.send(call)).get("properties")
            if not isinstance(page, dict) or not isinstance(page.get("rows"), builtins.list):
                raise unreadable(call, "a page of a query without rows")
            rows += page["rows"]
            link = page.get("nextLink")
        return {**document, "properties": {**properties, "rows": rows, "nextLink": None}}

    async def _all_data(self, call: Call, document: dict[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        """Resource Graph: the next page is the same query with `$skipToken` in its options."""
        if not isinstance(document.get("data"), builtins.list):
            return document
        data = builtins.list(document["data"])
        token, seen = document.get("$skipToken"), set[str]()
        while token:
            if token in seen or len(seen) >= self._max_pages:
                raise unreadable(call, "pages that never end")
            seen.add(token)
            call = self._repeat(call, call.url)
            call.content = encode({**body, "options": {**(body.get("options") or {}), "$skipToken": token}})
            page = object_of(call, await self._management.send(call))
            if not isinstance(page.get("data"), builtins.list):
                raise unreadable(call, "a page of a query without data")
            data += page["data"]
            token = page.get("$skipToken")
        return {**{k: v for k, v in document.items() if k != "$skipToken"}, "data": data, "count": len(data)}

    def _call(self, method: str, path: str, api_version: str, params: Mapping[str, str] | None) -> Call:
        url = address(self._management.base, self._scope.readable(path), {**(params or {}), "api-version": api_version})
        return Call(method, url, {}, is_read=True)

    def _next(self, call: Call, link: Any, seen: set[str]) -> Call:
        if not isinstance(link, str):
            raise unreadable(call, "a nextLink that is no text")
        url = following(self._management.base, link)
        self._scope.link(urlsplit(url).path)
        if url in seen or len(seen) >= self._max_pages:
            raise unreadable(call, "pages that never end")
        seen.add(url)
        return self._repeat(call, url)

    @staticmethod
    def _repeat(call: Call, url: str) -> Call:
        kept = {k: v for k, v in call.headers.items() if k.lower() == "content-type"}
        return Call(call.method, url, kept, content=call.content, is_read=True)


class ArmWrite:
    """`ArmWriter` over the management clients: one request per call, never repeated after it may have had effect."""

    def __init__(self, management: Management, scope: Scope, may_send: MaySend | None = None) -> None:
        self._management = management
        self._scope = scope
        self._may_send = may_send

    def fenced(self, may_send: MaySend) -> ArmWrite:
        """The same writer behind a fence; following operations is not fenced."""
        return ArmWrite(self._management, self._scope, may_send)

    async def put(self, path: str, api_version: str, body: Mapping[str, Any]) -> Sent:
        return await self._send("PUT", path, api_version, body)

    async def patch(self, path: str, api_version: str, body: Mapping[str, Any]) -> Sent:
        return await self._send("PATCH", path, api_version, body)

    async def post(
        self,
        path: str,
        api_version: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Sent:
        return await self._send("POST", path, api_version, body, params)

    async def delete(self, path: str, api_version: str, params: Mapping[str, str] | None = None) -> Sent:
        return await self._send("DELETE", path, api_version, None, params)

    async def operation(self, operation_url: str) -> dict[str, Any]:
        """Return where a long-running operation stands: `{"status": "InProgress|Succeeded|Failed|Canceled", "error": {...}?}`.

        Raises:
            ScopeError: the address is not on the configured service or not in the subscription.
            RejectedError: the operation is not known any more; read its target instead.
        """
        url = following(self._management.base, operation_url)
        self._scope.link(urlsplit(url).path)
        # The result of an operation may hold a secret (beginGetAccess answers a SAS), so it is not recorded.
        call = Call("GET", url, {}, is_read=True, records=False)
        reply = await self._management.send(call)
        if reply.status == 202:
            return {"status": "InProgress"}
        if reply.status == 204 or (reply.status == 200 and not reply.content.strip()):
            return {"status": "Succeeded"}
        document = object_of(call, reply)
        status = document.get("status")
        if not isinstance(status, str):
            properties = document.get("properties")
            status = properties.get("provisioningState") if isinstance(properties, dict) else None
        if not isinstance(status, str):
            return {"status": "Succeeded"}
        found: dict[str, Any] = {"status": _FINAL.get(status.lower(), "InProgress")}
        if isinstance(document.get("error"), dict):
            error = document["error"]
            found["error"] = {name: shown(str(error.get(name) or "")) for name in ("code", "message")}
        return found

    async def _send(
        self,
        method: str,
        path: str,
        api_version: str,
        body: Mapping[str, Any] | None,
        params: Mapping[str, str] | None = None,
    ) -> Sent:
        url = address(self._management.base, self._scope.writable(path), {**(params or {}), "api-version": api_version})
        headers = {} if body is None else {"Content-Type": "application/json"}
        content = b"" if body is None else encode(body)
        call = Call(method, url, headers, content=content, may_send=self._may_send)
        reply = await self._management.send(call)
        if reply.status >= 300:
            raise error_of(call, reply)
        return self._sent(reply)

    def _sent(self, reply: Reply) -> Sent:
        link = (
            reply.headers.get("Azure-AsyncOperation")
            or (reply.headers.get("Location") if reply.status == 202 else "")
            or ""
        )
        note = ""
        if link:
            try:
                link = following(self._management.base, link)
                self._scope.link(urlsplit(link).path)
            except ScopeError as exc:
                # The write had effect; only its link is bad. The caller reads the target instead.
                link, note = "", exc.message
        return Sent(status=reply.status, request_id=reply.request_id, operation_url=link, note=note)
