"""Passwords that nobody knows: made, sent once, and forgotten. They are never shown, logged or kept, so there is nothing to hand over.

Whoever owns the account gets in again by a pass that a person issues to them, or by self-service with methods that are theirs.
"""

from __future__ import annotations

import secrets
import string

_KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!#%+-.:=?@_")
_LENGTH = 64


def unknown_to_all() -> str:
    """A random password of 64 characters with all four kinds, which the rules of Entra ID want three of."""
    chosen = [secrets.choice(kind) for kind in _KINDS]
    chosen += [secrets.choice("".join(_KINDS)) for _ in range(_LENGTH - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)
