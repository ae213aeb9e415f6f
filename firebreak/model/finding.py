"""What an assessment says, and how sure it is."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A claim with its proof: `event_ids` are eventDataIds of the activity log, `resources` are ARM ids, `reasons` read as sentences."""

    id: str
    step: str
    title: str
    severity: Severity
    reasons: tuple[str, ...]
    event_ids: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    actor: str = ""
    address: str = ""
    techniques: tuple[str, ...] = ()


class NotLookedAt(msgspec.Struct, frozen=True):
    """Something in scope that was not read, and why. Never the same as "nothing there"."""

    what: str
    why: str
