"""Canonical JSON: sorted keys, UTF-8, no white space, Decimals and times as strings; the only form digests are taken of."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec


def canonical_bytes(value: Any) -> bytes:
    """Return the one byte string that stands for `value`.

    Raises:
        TypeError: the value holds a float; money and shares are `Decimal`, so that equal plans have equal bytes.
    """
    plain = msgspec.to_builtins(value, str_keys=True)
    _refuse_floats(plain)
    return msgspec.json.encode(plain, order="sorted")


def digest_of(value: Any) -> str:
    """Return the SHA-256 of the canonical bytes, as 64 lower-case hex digits."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError(f"A digest over the float {value!r} is not stable; use Decimal or str.")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_floats(item)
