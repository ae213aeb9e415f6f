"""One hash over the whole state of a world: two worlds with the same fingerprint are the same, byte for byte."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from azure_simulator.world import World

TABLES = (
    "subscriptions",
    "groups",
    "resources",
    "role_definitions",
    "role_assignments",
    "locks",
    "policy_definitions",
    "policy_assignments",
    "budgets",
    "quotas",
    "support_tickets",
    "quota_requests",
    "blobs",
)
ROWS = ("principals", "events", "costs", "prices", "registered_providers", "partner", "alerts", "truth")


def fingerprint(world: World) -> str:
    """The SHA-256, in hexadecimal, of everything that a scenario fills; order counts, except in sets."""
    world.fill()
    digest = hashlib.sha256()
    for name in TABLES:
        digest.update(_text(list(getattr(world, name).items())))
    for name in ROWS:
        digest.update(_text(getattr(world, name)))
    for name, table in sorted(world.tables.items()):
        if table:  # a table is made by being asked for
            digest.update(_text([name, list(table.items())]))
    return digest.hexdigest()


def _text(value: Any) -> bytes:
    return json.dumps(value, default=_plain, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no place in a world's state.")
