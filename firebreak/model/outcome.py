"""How an action ended, and what reading the world again said of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

STALE = "Stale: "  # how the reason of an action begins that was refused because the world is no longer as approved
PROTECTED_SINCE = "protected since the plan was made."


class ActionState(StrEnum):
    """Journal states in the order they may follow: intended, started, then one of the rest."""

    INTENDED = "intended"
    STARTED = "started"
    DONE = "done"
    ALREADY_SO = "already_so"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    LEFT_OUT = "left_out"

    @property
    def is_final(self) -> bool:
        return self not in (ActionState.INTENDED, ActionState.STARTED)

    @property
    def is_good(self) -> bool:
        return self in (ActionState.DONE, ActionState.ALREADY_SO)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one action. `reason` is empty only for DONE. `state_read_back` is what `look` said afterwards."""

    action_id: str
    state: ActionState
    reason: str = ""
    state_read_back: str = ""
    request_id: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_stale(self) -> bool:
        """Whether it was refused because its target changed, or was protected, after the plan was made: a fresh plan is worth making."""
        return self.state is ActionState.REFUSED and self.reason.startswith(STALE)
