"""SharedKey: the signature of a request under an account key, as the storage services define it.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key (version 2015-02-21 and later)
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256
from urllib.parse import parse_qsl, quote, urlsplit

_STANDARD = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def canonical_headers(headers: dict[str, str]) -> str:
    """Every `x-ms-` header, sorted, `name:value` and a newline each; white space around and inside values is folded."""
    rows = sorted(
        (name.lower(), " ".join(value.split())) for name, value in headers.items() if name.lower().startswith("x-ms-")
    )
    return "".join(f"{name}:{value}\n" for name, value in rows)


def canonical_resource(account: str, path: str, query: list[tuple[str, str]]) -> str:
    """`/account/path` as encoded in the request, then every query parameter in lower case, sorted, values of one name joined."""
    values: dict[str, list[str]] = {}
    for name, value in query:
        values.setdefault(name.lower(), []).append(value)
    return f"/{account}{path}" + "".join(f"\n{name}:{','.join(sorted(values[name]))}" for name in sorted(values))


def string_to_sign(method: str, headers: dict[str, str], resource: str) -> str:
    """What is signed. `headers` are by lower-case name; a zero length is empty, and so is the date when `x-ms-date` is there."""
    values = {name: headers.get(name, "") for name in _STANDARD}
    if values["content-length"] == "0":
        values["content-length"] = ""
    if headers.get("x-ms-date"):
        values["date"] = ""
    return "\n".join([method, *(values[name] for name in _STANDARD)]) + "\n" + canonical_headers(headers) + resource


def sign(key: str, text: str) -> str:
    """The base64 HMAC-SHA256 of the text under a base64 account key."""
    return b64encode(hmac.new(b64decode(key), text.encode(), sha256).digest()).decode()


def is_signed(keys: list[str], account: str, method: str, target: str, headers: dict[str, str], signature: str) -> bool:
    """Whether `signature` is right under one of the keys. `target` is path and query as sent.

    Here an account's endpoint has a path (`/blob/{account}`), in the cloud it has none: a signature over the path behind the endpoint,
    which is what the same client would sign there, is as good as one over the whole path.
    """
    parts = urlsplit(target)
    query = parse_qsl(parts.query, keep_blank_values=True)
    prefix = f"/blob/{account}"
    behind = parts.path[len(prefix) :] if parts.path.lower().startswith(prefix.lower()) else parts.path
    candidates = {p for path in (parts.path, behind) for p in (path, path or "/", quote(path, safe="/%()$=',~-_.!*"))}
    for path in sorted(candidates):
        text = string_to_sign(method, headers, canonical_resource(account, path, query))
        if any(hmac.compare_digest(sign(key, text), signature) for key in keys):
            return True
    return False
