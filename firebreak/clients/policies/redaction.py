"""No secret in a log line, an error message or a recorded body (P11): one list of what a secret looks like, used everywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from urllib.parse import quote, quote_plus, urlsplit

from firebreak.model.texts import cut

_MARK = "[redacted]"
_LIMIT = 400

_JSON_KEYS = (
    "accessSAS|accountSasToken|serviceSasToken|access_token|refresh_token|id_token|client_secret|client_assertion|clientSecret|secretText|"
    "secretValue|password|adminPassword|primaryKey|secondaryKey|primaryConnectionString|secondaryConnectionString|connectionString|"
    "accountKey|sharedKey|storageAccountAccessKey|customData|userData"
)
_IN_JSON = re.compile(rf'("(?:{_JSON_KEYS})"\s*:\s*")((?:[^"\\]|\\.)+)(")', re.IGNORECASE)
_FORM_KEYS = "sig|client_secret|client_assertion|refresh_token|access_token|password|code"
_IN_FORM = re.compile(rf"((?:^|[?&;\s\"'])(?:{_FORM_KEYS})=)[^&\s\"'<>;\\]+", re.IGNORECASE)
_IN_ESCAPED_URL = re.compile(r"((?:%26|%3F|\\u0026|&amp;)sig(?:=|%3D))[^&\s\"'<>;\\]+", re.IGNORECASE)
_ACCOUNT_KEY = re.compile(r"((?:AccountKey|SharedAccessKey|SharedAccessSignature)=)[^;\s\"']+", re.IGNORECASE)
_BEARER = re.compile(r"\b((?:Bearer|Basic|SharedKey)\s+)[A-Za-z0-9+/=._~:-]{8,}", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
# A pattern is run only where one of its words stands: bodies of a megabyte without any secret are the usual case. Before the words come
# fragments that stand in all of them, for looking through such a body once per word costs more than all the rest of reading it. A
# fragment must not stand in every answer either, as "token" does in a page's `$skiptoken`.
_RULES: tuple[tuple[tuple[str, ...], tuple[str, ...], re.Pattern[str], str], ...] = (
    (
        (
            *("_token", "sastoken", "secret", "password", "assertion", "accesssas", "arykey", "accountkey"),
            *("sharedkey", "accesskey", "connectionstring", "customdata", "userdata"),
        ),
        tuple(f'"{key.lower()}"' for key in _JSON_KEYS.split("|")),
        _IN_JSON,
        rf"\1{_MARK}\3",
    ),
    (
        ("_token", "secret", "password", "assertion", "sig=", "code="),
        tuple(f"{key}=" for key in _FORM_KEYS.split("|")),
        _IN_FORM,
        rf"\1{_MARK}",
    ),
    (("sig=", "sig%3d"), ("%26sig", "%3fsig", "u0026sig", "&amp;sig"), _IN_ESCAPED_URL, rf"\1{_MARK}"),
    (
        ("accountkey", "accesskey", "accesssignature"),
        ("accountkey=", "sharedaccesskey=", "sharedaccesssignature="),
        _ACCOUNT_KEY,
        rf"\1{_MARK}",
    ),
    (("bearer", "basic", "sharedkey"), ("bearer", "basic", "sharedkey"), _BEARER, rf"\1{_MARK}"),
    (("eyj",), ("eyj",), _JWT, _MARK),
)
_FRAGMENTS = sorted({fragment for fragments, _, _, _ in _RULES for fragment in fragments})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")


_SHORTEST_KNOWN = 8
_known: tuple[str, ...] = ()
# Digests of bodies in which nothing was found. A page is often read again as it was, and looking through a megabyte anew for every
# fragment costs twenty times its digest.
_LARGE = 4096
_MOST_CLEAN = 10_000
_clean: set[bytes] = set()


def know_secret(value: str) -> None:
    """Have a secret of this process taken out wherever it turns up, also without a word that gives it away: as it is, and as URLs, JSON
    and base64 write it. Values shorter than 8 characters are passed over.
    """
    global _known
    value = value.strip()
    if len(value) < _SHORTEST_KNOWN or value in _known:
        return
    coded = base64.b64encode(value.encode()).decode()
    spellings = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], coded.rstrip("=")}
    # The longest first: a spelling may hold another.
    _known = tuple(sorted({*_known, *spellings}, key=len, reverse=True))
    _clean.clear()


def without_secrets(text: str) -> str:
    """Return `text` with every token, key, SAS signature and password replaced by a mark; all else stays byte for byte."""
    for value in _known:
        if value in text:
            text = text.replace(value, _MARK)
    lowered = text.lower()
    found = {fragment for fragment in _FRAGMENTS if fragment in lowered}
    for fragments, words, pattern, replacement in _RULES if found else ():
        if not found.isdisjoint(fragments) and any(word in lowered for word in words):
            text = pattern.sub(replacement, text)
    return text


def body_without_secrets(content: bytes) -> tuple[bytes, bool]:
    """Return a body for keeping, and whether anything was taken out. Bytes that are not UTF-8 are kept as they are."""
    digest = hashlib.sha256(content).digest() if len(content) > _LARGE else b""
    if digest in _clean:
        return content, False
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return content, False
    known = _known
    clean = without_secrets(text)
    if clean != text:
        return clean.encode("utf-8"), True
    if digest and known is _known:  # else another thread has learnt of a secret meanwhile
        if len(_clean) >= _MOST_CLEAN:
            _clean.clear()
        _clean.add(digest)
    return content, False


def shown(text: str, limit: int = _LIMIT) -> str:
    """Return hostile text fit for a message: no secrets, no control or direction characters, at most `limit` characters."""
    clean = _CONTROL.sub(" ", without_secrets(text)).strip()
    return cut(clean, limit)


def shown_url(url: str) -> str:
    """Return a URL fit for a message: user info and secrets out, the query kept, at most 2,000 characters."""
    return shown(recorded_url(url), 2000)


def recorded_url(url: str) -> str:
    """Return a URL as it stands in a manifest: whole, for a replay finds the answer by it, but without user info and secrets."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    clean = _CONTROL.sub(" ", without_secrets(parts._replace(netloc=host, fragment="").geturl()))
    return clean.strip()


class SecretFilter(logging.Filter):
    """Cleans log records of libraries that print URLs; it never drops a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = without_secrets(record.getMessage())
        record.args = ()
        return True


def clean_library_logs() -> None:
    """Put the filter on the loggers of the HTTP and Azure libraries, once."""
    for name in (
        "httpx",
        "azure.core.pipeline.policies.http_logging_policy",
        "azure.identity",
        "azure.identity.aio",
        "msal",
    ):
        logger = logging.getLogger(name)
        if not any(isinstance(item, SecretFilter) for item in logger.filters):
            logger.addFilter(SecretFilter())
