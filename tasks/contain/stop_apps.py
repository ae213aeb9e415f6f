"""Stop the attacker's web and function apps. The plan under them is billed until eradication deletes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution
from firebreak.model.plan import Action, NoOp
from firebreak.model.platform import Kind, PlatformCompute
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.platform_stops import Stop, Stops

STEP = Step(
    id="contain.stop_apps",
    title="Stop apps and functions the attacker created",
    effect=Effect.REVERSIBLE,
    description=(
        "Stops web apps, function apps and their slots judged the attacker's: nothing of them runs or answers any more. An App Service plan "
        "cannot be stopped; it is deleted with the attacker's resources."
    ),
    permissions=(
        "Microsoft.Web/sites/read",
        "Microsoft.Web/sites/stop/action",
        "Microsoft.Web/sites/start/action",
        "Microsoft.Web/sites/slots/read",
        "Microsoft.Web/sites/slots/stop/action",
        "Microsoft.Web/sites/slots/start/action",
    ),
    guidance=("S04", "S54", "S57", "S101"),
    needs=(PlatformCompute, Attribution),
    comes_after=("contain.block_creation",),
)

_STOPS = Stops(
    STEP.id,
    Stop(kind=Kind.SITE, warning="It answers no more requests and runs no more functions; its files stay."),
)


def plan(case: Case) -> list[Action | NoOp]:
    return _STOPS.plan(case)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    return await _STOPS.look(actions, eyes)


async def apply(action: Action, hands: Hands) -> Sent:
    return await _STOPS.apply(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Start again what ran before."""
    return _STOPS.undo(action, prior)
