"""What a run knows of one action on its way, and whether its target can be judged now."""

from __future__ import annotations

from datetime import datetime

from firebreak.execution.looking import Unreadable
from firebreak.model.plan import Action
from firebreak.model.step import Target


class Flight:
    """What this run knows of one action on its way.

    `sure`: the cloud accepted it, so the request did arrive. `unsent`: it certainly had no effect (no connection, throttled).
    `may_be_sent`: an approved plan asks for it; without, it is only looked after. `attempt` counts over all runs, `sent_here` in this one.
    """

    def __init__(self, action: Action, *, attempt: int = 0, started_at: datetime | None = None) -> None:
        self.action = action
        self.attempt = attempt
        self.sent_here = 0
        self.started_at = started_at
        self.sure = False
        self.unsent = False
        self.operation_url = ""
        self.not_so_looks = 0
        self.failed_looks = 0
        self.may_be_sent = True
        self.problem = ""


def must_wait(target: Target | Unreadable) -> bool:
    """Whether a target cannot be judged yet: Azure is at it, or cannot be reached for the moment."""
    if isinstance(target, Unreadable):
        return target.passing
    return target.in_progress and not target.already_so
