"""Seals on values of the store: whoever can write to the database, but has not the key, cannot make one. Only what goes without people needs them."""

from __future__ import annotations

import hmac

from firebreak.engine.room import EngineRoom


def seal(room: EngineRoom, incident: str, what: str, value: object) -> None:
    """Remember that this engine made `value`; a later seal of the same `what` replaces the earlier one."""
    room.store.values.set(incident, f"seal-{what}", room.approvers.seal([incident, what, value]))


def is_sealed(room: EngineRoom, incident: str, what: str, value: object) -> bool:
    """Whether this engine made `value`, for this incident, as `what`."""
    kept = str(room.store.values.get(incident, f"seal-{what}") or "")
    return hmac.compare_digest(kept, room.approvers.seal([incident, what, value]))
