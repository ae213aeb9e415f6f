"""Stop the attacker's Kubernetes clusters as a whole. Their node scale sets are never touched behind the cluster's back: it would put them back."""

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
    id="contain.stop_clusters",
    title="Stop Kubernetes clusters the attacker created",
    effect=Effect.REVERSIBLE,
    description=(
        "Stops managed clusters judged the attacker's: their control plane and all nodes. What ran in them is kept in the cluster's state and "
        "comes back with a start."
    ),
    permissions=(
        "Microsoft.ContainerService/managedClusters/read",
        "Microsoft.ContainerService/managedClusters/stop/action",
        "Microsoft.ContainerService/managedClusters/start/action",
    ),
    guidance=("S04", "S54", "S57", "S101"),
    needs=(PlatformCompute, Attribution),
    comes_after=("contain.block_creation",),
)

_STOPS = Stops(
    STEP.id,
    Stop(kind=Kind.CLUSTER, warning="Its nodes are deallocated with it; their temporary disks are lost."),
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
