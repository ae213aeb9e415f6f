"""Deliveries to the intake are signed: HMAC-SHA256 over a time stamp and the raw body, with this installation's key. Pure."""

from __future__ import annotations

import hashlib
import hmac

OLDEST_SECONDS = 300
TIME_HEADER = "X-Firebreak-Time"
SIGNATURE_HEADER = "X-Firebreak-Signature"


def sign(key: bytes, body: bytes, at: int) -> dict[str, str]:
    """Return the headers of a delivery signed at `at` (seconds since 1970)."""
    mac = hmac.new(key, str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
    return {TIME_HEADER: str(at), SIGNATURE_HEADER: f"sha256={mac}", "Content-Type": "application/json"}


def why_refused(key: bytes, body: bytes, at: str | None, signature: str | None, now: float) -> str:
    """Say why a delivery is not authentic, "" when it is."""
    if not at or not signature:
        return f"{TIME_HEADER} and {SIGNATURE_HEADER} are required"
    if not (at.isascii() and at.isdigit() and len(at) < 12) or abs(now - int(at)) > OLDEST_SECONDS:
        return f"{TIME_HEADER} is not within {OLDEST_SECONDS} seconds of now"
    expected = sign(key, body, int(at))[SIGNATURE_HEADER]
    return "" if hmac.compare_digest(expected.encode(), signature.encode()) else "the signature does not match"
