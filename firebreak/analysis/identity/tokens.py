"""One access token under two names: the claim `uti` in the activity log, and `uniqueTokenIdentifier` in the sign-in log.

The claim is compared as it stands, case and all. It is also a GUID in base64url (Azure writes the GUID's bytes in Microsoft's mixed order),
and older records of the sign-in log hold base64 of the GUID's text; so both are brought to GUIDs too. The id is random, so an accidental
match is out of the question, and no match proves nothing: tokens issued by a person's home tenant never show in the customer's log.
https://learn.microsoft.com/entra/identity/authentication/how-to-authentication-track-linkable-identifiers
"""

from __future__ import annotations

import base64
import binascii
import re
from uuid import UUID

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{22,48}={0,2}")


def names_of(token: str) -> frozenset[str]:
    """Return every name of the token with this id: two ids belong to one token when their names meet."""
    text = token.strip()
    if not text:
        return frozenset()
    if _GUID.fullmatch(text):
        return frozenset({text, text.lower()})
    names = {text}
    if _ENCODED.fullmatch(text):
        raw = _decoded(text)
        if len(raw) == 16:
            names |= {str(UUID(bytes_le=raw)), str(UUID(bytes=raw))}
        elif len(raw) == 36 and _GUID.fullmatch(inner := raw.decode("ascii", "replace")):
            names.add(inner.lower())
    return frozenset(names)


def _decoded(text: str) -> bytes:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
