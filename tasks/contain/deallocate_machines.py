"""Deallocate the attacker's virtual machines: the compute charge stops, disks and evidence stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, Inventory, Machine
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import COMPUTE, absent, items_at, known, look_at, text_at
from tasks.judged import Judged, id_of_this_time
from tasks.network import Ways
from tasks.words import name_of, per_hour, plain

DEALLOCATE = "machine.deallocate"
START = "machine.start"
_LIST = "providers/Microsoft.Compute/virtualMachines"

STEP = Step(
    id="contain.deallocate_machines",
    title="Deallocate virtual machines the attacker created",
    effect=Effect.REVERSIBLE,
    description="Deallocates (not just stops) machines judged the attacker's. Memory and temporary disk are lost, dynamic addresses released.",
    permissions=(
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachines/deallocate/action",
        "Microsoft.Compute/virtualMachines/start/action",
    ),
    guidance=("S04", "S54", "S57", "S101"),
    needs=(Inventory, Attribution),
    comes_after=("contain.block_creation",),
)


def plan(case: Case) -> list[Action | NoOp]:
    judged, ways = Judged(case), Ways(case)
    inventory = case[Inventory]
    managed = {s.id.lower(): s.managed_by for s in inventory.scale_sets if s.managed_by}
    planned: list[Action | NoOp] = []
    for machine in sorted(inventory.machines, key=lambda m: m.id.lower()):
        keep = judged.keep_out(machine.id)
        if not keep and machine.scale_set.lower() in managed:
            keep = f"Node of cluster {name_of(managed[machine.scale_set.lower()])}: stop it through the cluster."
        if not keep and machine.power in ("deallocated", "deallocating"):
            keep = f"Already {machine.power}: costs no compute."
        planned.append(
            NoOp(step=STEP.id, target=machine.id, reason=keep) if keep else _deallocate(machine, judged, ways)
        )
    return sorted(planned, key=_dearest_first)


def _dearest_first(entry: Action | NoOp) -> tuple[int, Any, str]:
    if isinstance(entry, NoOp):
        return (1, 0, entry.target.lower())
    return (0, -(entry.per_hour or 0), entry.target.lower())


def _deallocate(machine: Machine, judged: Judged, ways: Ways) -> Action:
    cost = judged.per_hour(machine.id)
    stopped = ("Stopped from inside, but still billed until it is deallocated.",) if machine.power == "stopped" else ()
    return Action(
        id=id_of_this_time(judged.case, STEP.id, DEALLOCATE, machine.id),
        step=STEP.id,
        kind=DEALLOCATE,
        target=machine.id,
        title=f"Deallocate {plain(machine.name)} ({plain(machine.size, 40)}, {machine.region}){per_hour(cost, judged.currency)}",
        effect=Effect.REVERSIBLE,
        reasons=(*stopped, *ways.reasons(machine.id, judged.reasons(machine.id))),
        fingerprint=known({"vmId": machine.vm_id.lower()}),
        per_hour=cost,
        region=machine.region,
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    targets = await look_at(
        actions,
        eyes,
        _judge,
        version=COMPUTE,
        list_path=_LIST,
        list_params={"statusOnly": "true"},
        get_params={"$expand": "instanceView"},
    )
    # A status-only list may leave the model out, and with it the identity: what may be sent is compared with the list of models.
    unsure = [
        a for a in actions if _may_be_sent(targets[a.id]) and "vmId" in a.fingerprint and not targets[a.id].fingerprint
    ]
    if not unsure:
        return targets
    rows = await eyes.arm.list(f"/subscriptions/{eyes.arm.subscription_id}/{_LIST}", COMPUTE)
    told = {text_at(row, "id").lower(): text_at(row, "properties", "vmId").lower() for row in rows}
    return targets | {
        a.id: msgspec.structs.replace(targets[a.id], fingerprint=known({"vmId": told.get(a.target.lower(), "")}))
        for a in unsure
    }


def _may_be_sent(target: Target) -> bool:
    return target.exists and not target.already_so and not target.in_progress


def _judge(action: Action, document: dict[str, Any] | None) -> Target:
    if document is None:
        if action.kind == DEALLOCATE:
            return absent(action)
        return Target(exists=False, already_so=False, state="absent")
    power = power_of(items_at(document, "properties", "instanceView", "statuses"))
    wanted, on_the_way = ("running", "starting") if action.kind == START else ("deallocated", "deallocating")
    return Target(
        exists=True,
        already_so=power == wanted,
        in_progress=power == on_the_way,
        state=power,
        fingerprint=known({"vmId": text_at(document, "properties", "vmId").lower()}),
        prior={"power": power},
    )


def power_of(statuses: Sequence[Any]) -> str:
    """Return the power state among an instance view's statuses, "unknown" when none is told."""
    codes = [text_at(status, "code") for status in statuses]
    return next((code.split("/", 1)[1].lower() for code in codes if code.lower().startswith("powerstate/")), "unknown")


async def apply(action: Action, hands: Hands) -> Sent:
    verb = "start" if action.kind == START else "deallocate"
    return await hands.arm.post(f"{action.target}/{verb}", COMPUTE)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Start it again when it was running, deallocate it again when it was not."""
    power = str(prior.get("power") or "unknown")
    was_running = power in ("running", "starting")
    if action.kind == DEALLOCATE and not was_running:
        reason = f"It was {plain(power, 40)} before, not running: it is not started."
        return NoOp(step=STEP.id, target=action.target, reason=reason)
    if action.kind == START and was_running:
        return None
    kind, title, reason = (
        (START, "Start {} again", "It was running before it was deallocated; it is billed again from now on.")
        if action.kind == DEALLOCATE
        else (
            DEALLOCATE,
            "Deallocate {} again",
            "It was deallocated before it was started; its compute costs nothing then.",
        )
    )
    return Action(
        id=action_id(STEP.id, kind, action.target),
        step=STEP.id,
        kind=kind,
        target=action.target,
        title=title.format(name_of(action.target)),
        effect=Effect.REVERSIBLE,
        reasons=(reason,),
        fingerprint=action.fingerprint,
        per_hour=action.per_hour,
        region=action.region,
    )
