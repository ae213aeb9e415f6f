"""Addresses taken apart and put together: origins compared, segments quoted. No request is built from text in any other way."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode, urljoin, urlsplit

from firebreak.clients.policies.redaction import shown_url
from firebreak.errors import ScopeError

_PORTS = {"https": 443, "http": 80}
# RFC 3986 pchar without the percent sign: a name with any other character is encoded, never passed on.
_SEGMENT_SAFE = "-._~!$&'()*+,;=:@"


def origin_of(url: str) -> tuple[str, str, int]:
    """Return (scheme, host, port), lower-case, with the scheme's port when none is named. A malformed port or user info gives a port of -1,
    so that it equals no origin."""
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS.get(parts.scheme.lower(), -1)
    except ValueError:
        port = -1
    if "@" in parts.netloc or "\\" in url or any(ord(c) <= 32 for c in url):
        port = -1
    return parts.scheme.lower(), (parts.hostname or "").lower(), port


def quoted_path(path: str) -> str:
    """Quote each segment of a decoded path."""
    return "/".join(quote(segment, safe=_SEGMENT_SAFE) for segment in path.split("/"))


def address(base: str, path: str, params: Mapping[str, str]) -> str:
    """Return `base` + quoted `path` + query. `path` is decoded and begins with a slash."""
    query = urlencode(dict(params), quote_via=quote, safe="-._~:$'()*,/@!")
    return f"{base}{quoted_path(path)}" + (f"?{query}" if query else "")


def following(base: str, link: str) -> str:
    """Return a link that the service sent, verbatim, when it stays on the service.

    Raises:
        ScopeError: another scheme, host or port, or a trick in it.
    """
    link = urljoin(base + "/", link) if link.startswith("/") and not link.startswith("//") else link
    if origin_of(link) != origin_of(base):
        raise ScopeError(
            f"A link to {shown_url(link)} was not followed: it leaves {shown_url(base)}.",
            hint="Nothing was sent there. Keep the answer as evidence and look at who could change it.",
        )
    return link
