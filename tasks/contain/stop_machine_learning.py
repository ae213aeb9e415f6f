"""Stop the attacker's Machine Learning instances and scale clusters down to nothing.

A cluster is changed with a write, which the deny policy of `contain.block_creation` refuses: this step stands before it in a playbook.
"""

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
    id="contain.stop_machine_learning",
    title="Stop Machine Learning computes the attacker created",
    effect=Effect.REVERSIBLE,
    description=(
        "Stops compute instances and sets clusters judged the attacker's to a maximum of no nodes. Stands before the block of new compute in a "
        "playbook, which would refuse the change of a cluster; a node leaves when its job has ended."
    ),
    permissions=(
        "Microsoft.MachineLearningServices/workspaces/computes/read",
        "Microsoft.MachineLearningServices/workspaces/computes/write",
        "Microsoft.MachineLearningServices/workspaces/computes/stop/action",
        "Microsoft.MachineLearningServices/workspaces/computes/start/action",
    ),
    guidance=("S04", "S54", "S57", "S101"),
    needs=(PlatformCompute, Attribution),
)

_STOPS = Stops(
    STEP.id,
    Stop(kind=Kind.ML_INSTANCE, warning="What it holds in memory is lost; its disk stays."),
    Stop(
        kind=Kind.ML_CLUSTER,
        warning="Nodes without a job leave at once.",
        nothing={"properties": {"properties": {"scaleSettings": {"minNodeCount": 0, "maxNodeCount": 0}}}},
    ),
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
