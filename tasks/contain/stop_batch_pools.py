"""Scale the attacker's Batch pools down to nothing. Jobs stay in the account, without a node to run on.

A pool is changed with a write, which a block of new compute that names pools refuses: this step stands before it in a playbook.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution
from firebreak.model.plan import Action, NoOp
from firebreak.model.platform import Compute, Kind, PlatformCompute
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import absent, known, moment
from tasks.judged import Judged, id_of_this_time
from tasks.platform import at, described
from tasks.platform_stops import Stop, Stops, documents_of, like
from tasks.words import plain

HALT = "batch_pool.stop_resize"

STEP = Step(
    id="contain.stop_batch_pools",
    title="Scale down Batch pools the attacker created",
    effect=Effect.REVERSIBLE,
    description=(
        "Gives pools judged the attacker's a fixed size of no nodes, whatever sized them before; a resize that is under way is stopped first. "
        "Tasks that run are ended and go back into their queue. Stands before the block of new compute in a playbook, which may refuse the change."
    ),
    permissions=(
        "Microsoft.Batch/batchAccounts/pools/read",
        "Microsoft.Batch/batchAccounts/pools/write",
    ),
    guidance=("S04", "S54", "S57", "S101"),
    needs=(PlatformCompute, Attribution),
)

_NONE = {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0, "nodeDeallocationOption": "Terminate"}
_STOPS = Stops(
    STEP.id,
    Stop(
        kind=Kind.BATCH_POOL,
        warning="Its tasks are ended at once; its jobs stay, and run on no other pool.",
        nothing={"properties": {"scaleSettings": {"fixedScale": _NONE}}},
    ),
)


def plan(case: Case) -> list[Action | NoOp]:
    judged = Judged(case)
    planned: list[Action | NoOp] = []
    for pool, keep in _STOPS.of(case):
        if keep:
            planned.append(NoOp(step=STEP.id, target=pool.id, reason=keep))
            continue
        halts = [_halt(pool, judged)] if pool.is_resizing else []
        planned += [*halts, _STOPS.stop(pool, judged, after=[halt.id for halt in halts])]
    return planned


def _halt(pool: Compute, judged: Judged) -> Action:
    return Action(
        id=id_of_this_time(judged.case, STEP.id, HALT, pool.id),
        step=STEP.id,
        kind=HALT,
        target=pool.id,
        title=f"Stop the resize of Batch pool {plain(pool.name, 60)} that is under way",
        effect=Effect.REVERSIBLE,
        reasons=("Azure refuses another size while a pool is being resized.", *judged.reasons(pool.id)),
        fingerprint=known({"created": moment(pool.created_at)}),
        params={"kind": str(pool.kind), "version": pool.version},
        region=pool.region,
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    halts = [action for action in actions if action.kind == HALT]
    documents = await documents_of(halts, eyes)
    found = {}
    for action in halts:
        document = documents[action.id]
        pool = described(document, like(action)) if document is not None else None
        found[action.id] = (
            absent(action)
            if pool is None
            else Target(
                exists=True,
                already_so=not pool.is_resizing,
                state="resizing" if pool.is_resizing else "steady",
                fingerprint=known({"created": moment(at(document))}),
            )
        )
    return found | await _STOPS.look([action for action in actions if action.kind != HALT], eyes)


async def apply(action: Action, hands: Hands) -> Sent:
    if action.kind == HALT:
        return await hands.arm.post(f"{action.target}/stopResize", str(action.params["version"]), None)
    return await _STOPS.apply(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Give the pool its former scale settings."""
    if action.kind == HALT:
        reason = (
            "A resize that was stopped is not taken up again; the pool's former settings are put back by themselves."
        )
        return NoOp(step=STEP.id, target=action.target, reason=reason)
    return _STOPS.undo(action, prior)
