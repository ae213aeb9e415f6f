"""The storage data plane, for page blobs that serve as unmanaged disks: list, look, snapshot, delete.

Endpoints and blob addresses come from Azure's answers about an attacked tenant, so a token is only sent to hosts of the cloud's own
storage suffixes (or, with the simulator, to the simulator). XML with a document type is refused unread.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit
from xml.etree import ElementTree

from firebreak.clients.addresses import origin_of
from firebreak.clients.channel import Channel
from firebreak.clients.failures import error_of, unreadable
from firebreak.clients.policies.exchange import Call, Reply
from firebreak.clients.policies.redaction import shown, shown_url
from firebreak.errors import RemoteError, ScopeError
from firebreak.model.clouds import MaySend
from firebreak.model.step import Sent

_VERSION = "2024-11-04"
_CONTAINER = re.compile(r"(\$[a-z]+|[a-z0-9](-?[a-z0-9])+)", re.IGNORECASE)
_LARGEST_XML = 64 * 1024 * 1024


class StorageHosts:
    """Where blobs may be: the cloud's storage suffixes, and extra origins (the simulator's)."""

    def __init__(self, suffixes: Sequence[str], origins: Sequence[str] = ()) -> None:
        self._suffixes = tuple(f".{suffix.lower().strip('.')}" for suffix in suffixes)
        self._origins = frozenset(origin_of(origin) for origin in origins)

    def check(self, url: str) -> str:
        """Return `url` without its trailing slash.

        Raises:
            ScopeError: not https, not storage of this cloud, or with a query (a SAS) or a trick in it.
        """
        scheme, host, port = origin_of(url)
        parts = urlsplit(url)
        known = (scheme, host, port) in self._origins or (
            scheme == "https"
            and port == 443
            and host.endswith(self._suffixes)
            and re.fullmatch(r"[a-z0-9.-]+", host) is not None
        )
        tricky = parts.query or parts.fragment or ".." in parts.path.split("/") or "//" in parts.path
        if not known or tricky:
            raise ScopeError(
                f"{shown_url(url.partition('?')[0])} is not a plain address of this cloud's storage.",
                hint="No token was sent there.",
            )
        return url.rstrip("/")

    def place(self, url: str) -> tuple[str, str]:
        """Return (container, blob name) of a blob's address; an extra origin has the account in its path, as in `/blob/acct/vhds/a.vhd`."""
        path = unquote(urlsplit(url).path).lstrip("/")
        if origin_of(url) in self._origins:
            path = path.partition("/")[2].partition("/")[2]
        container, _, name = path.partition("/")
        return container, name


class BlobRead:
    """`BlobReader` over the data plane."""

    def __init__(self, channel: Channel, hosts: StorageHosts, *, max_pages: int) -> None:
        self._channel = channel
        self._hosts = hosts
        self._max_pages = max_pages

    async def page_blobs(self, endpoint: str) -> list[dict[str, Any]]:
        """Return every page blob of an account, of all its containers."""
        base = self._hosts.check(endpoint)
        found: list[dict[str, Any]] = []
        async for entry in self._entries(base, {"comp": "list"}, "Containers/Container"):
            name = entry.findtext("Name") or ""
            if not _CONTAINER.fullmatch(name):
                continue
            container = f"{base}/{quote(name)}"
            async for blob in self._entries(container, {"restype": "container", "comp": "list"}, "Blobs/Blob"):
                if (blob.findtext("Properties/BlobType") or "") == "PageBlob":
                    found.append(_listed(blob, container, name))
        return found

    async def blob(self, url: str) -> dict[str, Any] | None:
        """Return one blob as it is now, None when it is not there."""
        call = Call("HEAD", self._hosts.check(url), _headers(), is_read=True)
        reply = await self._channel.send(call)
        if reply.status == 404:
            return None
        if reply.status >= 300:
            raise error_of(call, reply)
        return _looked_at(url, reply, self._hosts)

    async def _entries(self, url: str, query: dict[str, str], place: str) -> Any:
        marker, seen = "", set[str]()
        while True:
            call = Call(
                "GET", f"{url}?{urlencode(query | ({'marker': marker} if marker else {}))}", _headers(), is_read=True
            )
            reply = await self._channel.send(call)
            if reply.status >= 300:
                raise error_of(call, reply)
            root = _xml(call, reply)
            for entry in root.findall(place):
                yield entry
            marker = root.findtext("NextMarker") or ""
            if not marker:
                return
            if marker in seen or len(seen) >= self._max_pages:
                raise unreadable(call, "pages that never end")
            seen.add(marker)


class BlobWrite:
    """`BlobWriter` over the data plane."""

    def __init__(self, channel: Channel, hosts: StorageHosts, may_send: MaySend | None = None) -> None:
        self._channel = channel
        self._hosts = hosts
        self._may_send = may_send

    def fenced(self, may_send: MaySend) -> BlobWrite:
        """The same writer behind a fence."""
        return BlobWrite(self._channel, self._hosts, may_send)

    async def snapshot(self, url: str) -> Sent:
        """Make a snapshot of the blob; its time is in `note`."""
        reply = await self._send(Call("PUT", f"{self._hosts.check(url)}?comp=snapshot", _headers()))
        return Sent(status=reply.status, request_id=reply.request_id, note=reply.headers.get("x-ms-snapshot") or "")

    async def delete(self, url: str, etag: str) -> Sent:
        """Delete the blob if it still has this etag. A blob with snapshots is refused by the service: they would go with it."""
        reply = await self._send(Call("DELETE", self._hosts.check(url), _headers() | {"If-Match": f'"{_etag(etag)}"'}))
        return Sent(status=reply.status, request_id=reply.request_id)

    async def _send(self, call: Call) -> Reply:
        call.may_send = self._may_send
        reply = await self._channel.send(call)
        if reply.status >= 300:
            raise error_of(call, reply)
        return reply


def _headers() -> dict[str, str]:
    return {"x-ms-version": _VERSION, "Accept": "application/xml"}


def _xml(call: Call, reply: Reply) -> ElementTree.Element:
    content = reply.content.removeprefix(b"\xef\xbb\xbf")
    head = content[:200].lstrip()
    if b"<!" in content or len(content) > _LARGEST_XML or not head.startswith(b"<"):
        raise unreadable(call, "XML with a document type, or none at all")
    try:
        return ElementTree.fromstring(content)  # noqa: S314 - no document type, so no entities
    except ElementTree.ParseError as exc:
        raise unreadable(call, "XML that is cut off or malformed") from exc


def _listed(blob: ElementTree.Element, container_url: str, container: str) -> dict[str, Any]:
    name = blob.findtext("Name") or ""
    told = {child.tag.lower(): child.text or "" for child in blob.find("Properties") or ()}
    return {
        "name": name,
        "container": container,
        "url": f"{container_url}/{quote(name, safe='/-._~!$&()*+,;=:@')}",
        "size": _size(told.get("content-length", "")),
        "leased": told.get("leasestatus") == "locked" or told.get("leasestate") in ("leased", "breaking"),
        "etag": _etag(told.get("etag", "")),
        "created_at": _iso(told.get("creation-time", "")),
        "blob_type": told.get("blobtype", ""),
    }


def _looked_at(url: str, reply: Reply, hosts: StorageHosts) -> dict[str, Any]:
    container, name = hosts.place(url)
    return {
        "name": name,
        "container": container,
        "url": url,
        "size": _size(reply.headers.get("Content-Length") or ""),
        "leased": reply.headers.get("x-ms-lease-status") == "locked"
        or reply.headers.get("x-ms-lease-state") in ("leased", "breaking"),
        "etag": _etag(reply.headers.get("ETag") or ""),
        "created_at": _iso(reply.headers.get("x-ms-creation-time") or ""),
        "blob_type": reply.headers.get("x-ms-blob-type") or "",
    }


def _etag(text: str) -> str:
    """Lists answer etags bare, headers answer them in quotes; bare ones can be compared."""
    return text.removeprefix("W/").strip('"')


def _size(text: str) -> int:
    if not text.isdecimal():
        raise RemoteError(f"A blob's size {shown(text, 40)!r} is no number.", hint="The raw answer is in the evidence.")
    return int(text[:18])


def _iso(text: str) -> str:
    """Storage writes times as in e-mail; a text that is none is returned as it is."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, TypeError):
        return shown(text, 60)
