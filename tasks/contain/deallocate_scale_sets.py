"""Deallocate the instances of the attacker's scale sets. Scale sets that belong to a cluster are left to the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, Inventory, ScaleSet
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import COMPUTE, absent, items_at, known, read_all, text_at
from tasks.judged import Judged, id_of_this_time
from tasks.network import Ways
from tasks.words import name_of, per_hour, plain

DEALLOCATE = "scale_set.deallocate"
START = "scale_set.start"
ALL_THERE = "all there"

STEP = Step(
    id="contain.deallocate_scale_sets",
    title="Deallocate scale sets the attacker created",
    effect=Effect.REVERSIBLE,
    description="Deallocates all instances of scale sets judged the attacker's. Temporary disks are lost.",
    permissions=(
        "Microsoft.Compute/virtualMachineScaleSets/read",
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
        "Microsoft.Compute/virtualMachineScaleSets/deallocate/action",
        "Microsoft.Compute/virtualMachineScaleSets/start/action",
    ),
    guidance=("S04", "S54", "S57", "S101"),
    needs=(Inventory, Attribution),
    comes_after=("contain.block_creation",),
)


def plan(case: Case) -> list[Action | NoOp]:
    judged, ways = Judged(case), Ways(case)
    planned: list[tuple[Any, Action | NoOp]] = []
    for scale_set in sorted(case[Inventory].scale_sets, key=lambda s: s.id.lower()):
        keep = _keep(scale_set, judged)
        cost = judged.per_hour(scale_set.id)
        entry = NoOp(step=STEP.id, target=scale_set.id, reason=keep) if keep else _deallocate(scale_set, judged, ways)
        planned.append(((bool(keep), -(cost or 0), scale_set.id.lower()), entry))
    return [entry for _, entry in sorted(planned, key=lambda pair: pair[0])]


def _keep(scale_set: ScaleSet, judged: Judged) -> str:
    if scale_set.managed_by:
        return (
            f"Belongs to {plain(scale_set.managed_by.rsplit('/', 1)[-1])}, which would start it again: stop it there."
        )
    keep = judged.keep_out(scale_set.id)
    if keep:
        return keep
    if scale_set.flexible:
        return "Flexible: its instances are planned as virtual machines."
    if scale_set.power and all(power in ("deallocated", "deallocating") for power in scale_set.power.values()):
        return "All instances are deallocated: they cost no compute."
    if scale_set.capacity == 0 and not scale_set.power:
        return "It has no instances."
    return ""


def _deallocate(scale_set: ScaleSet, judged: Judged, ways: Ways) -> Action:
    cost = judged.per_hour(scale_set.id)
    count = len(scale_set.power) or scale_set.capacity
    billed = sum(1 for power in scale_set.power.values() if power not in ("deallocated", "deallocating")) or count
    return Action(
        id=id_of_this_time(judged.case, STEP.id, DEALLOCATE, scale_set.id),
        step=STEP.id,
        kind=DEALLOCATE,
        target=scale_set.id,
        title=(
            f"Deallocate scale set {plain(scale_set.name)} ({billed} of {count} instances billed, {plain(scale_set.size, 40)}, "
            f"{scale_set.region}){per_hour(cost, judged.currency)}"
        ),
        effect=Effect.REVERSIBLE,
        reasons=ways.reasons(scale_set.id, judged.reasons(scale_set.id)),
        fingerprint=known({"uniqueId": scale_set.unique_id.lower()}),
        per_hour=cost,
        region=scale_set.region,
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    documents = await read_all(eyes, (action.target for action in actions), COMPUTE)
    targets = await asyncio.gather(*(_look(action, documents[action.target.lower()], eyes) for action in actions))
    return {action.id: target for action, target in zip(actions, targets, strict=True)}


async def _look(action: Action, document: dict[str, Any] | None, eyes: Eyes) -> Target:
    if document is None:
        return absent(action) if action.kind == DEALLOCATE else Target(exists=False, already_so=False, state="absent")
    instances = await eyes.arm.list(f"{action.target}/virtualMachines", COMPUTE, {"$expand": "instanceView"})
    named = {str(one) for one in action.params.get("instances", ())}
    power_of = {
        text_at(instance, "instanceId"): _power(items_at(instance, "properties", "instanceView", "statuses"))
        for instance in instances
    }
    powers = [power for instance, power in power_of.items() if not named or instance in named]
    gone = sorted(named - set(power_of))
    wanted, on_the_way = ("running", "starting") if action.kind == START else ("deallocated", "deallocating")
    settled = all(power == wanted for power in powers) and not gone
    return Target(
        exists=True,
        already_so=settled,
        in_progress=not settled and all(power in (wanted, on_the_way) for power in powers),
        state=", ".join(f"{powers.count(power)} {power}" for power in sorted(set(powers))) or "no instances",
        fingerprint=known({"uniqueId": text_at(document, "properties", "uniqueId").lower()})
        | {"instances": f"{len(gone)} of {len(named)} no longer there" if gone else ALL_THERE},
        prior={"running": sorted(i for i, power in power_of.items() if power in ("running", "starting"))},
    )


def _power(statuses: Sequence[Any]) -> str:
    codes = [text_at(status, "code").lower() for status in statuses]
    return next((code.removeprefix("powerstate/") for code in codes if code.startswith("powerstate/")), "unknown")


async def apply(action: Action, hands: Hands) -> Sent:
    verb = "start" if action.kind == START else "deallocate"
    instances = action.params.get("instances")
    return await hands.arm.post(f"{action.target}/{verb}", COMPUTE, {"instanceIds": instances} if instances else None)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Start exactly the instances that were running; deallocate exactly those again that an undo started."""
    running = prior.get("running")
    if not isinstance(running, list):
        return None
    before = {str(instance) for instance in running}
    if action.kind == DEALLOCATE:
        if not before:
            return NoOp(step=STEP.id, target=action.target, reason="No instance was running before: none is started.")
        kind, title, instances = START, "Start {} instances of scale set {} again", sorted(before)
        reason = "They were running before they were deallocated; they are billed again from now on."
    else:
        instances = sorted({str(one) for one in action.params.get("instances", ())} - before)
        if not instances:
            return None
        kind, title = DEALLOCATE, "Deallocate {} instances of scale set {} again"
        reason = "They were deallocated before they were started; their compute costs nothing then."
    return Action(
        id=action_id(STEP.id, kind, action.target),
        step=STEP.id,
        kind=kind,
        target=action.target,
        title=title.format(len(instances), name_of(action.target)),
        effect=Effect.REVERSIBLE,
        reasons=(reason,),
        fingerprint=action.fingerprint | {"instances": ALL_THERE},
        params={"instances": instances},
        per_hour=action.per_hour,
        region=action.region,
    )
