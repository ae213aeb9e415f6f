"""Stop the attacker's container groups: the charge for cores and memory ends."""

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
    id="contain.stop_container_groups",
    title="Stop container groups the attacker created",
    effect=Effect.REVERSIBLE,
    description=(
        "Stops container groups judged the attacker's. What their containers wrote to their own disk is lost, and the address may change."
    ),
    permissions=(
        "Microsoft.ContainerInstance/containerGroups/read",
        "Microsoft.ContainerInstance/containerGroups/stop/action",
        "Microsoft.ContainerInstance/containerGroups/start/action",
    ),
    guidance=("S04", "S54", "S57", "S101"),
    needs=(PlatformCompute, Attribution),
    comes_after=("contain.block_creation",),
)

_STOPS = Stops(
    STEP.id,
    Stop(kind=Kind.CONTAINER_GROUP, warning="What its containers hold in memory and on their own disk is lost."),
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
