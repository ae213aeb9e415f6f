"""Delete managed disks that the attacker left unattached, each after a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, Disk, DiskFacts
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import disks
from tasks.judged import Judged
from tasks.words import name_of, plain

STEP = Step(
    id="eradicate.delete_unattached_disks",
    title="Delete the attacker's unattached disks",
    effect=Effect.IRREVERSIBLE,
    description="Takes a snapshot of each unattached managed disk judged the attacker's, then deletes the disk.",
    permissions=disks.PERMISSIONS,
    guidance=("S49", "S55", "S58", "S62"),
    needs=(DiskFacts, Attribution),
    parameters=disks.PARAMETERS,
)


def plan(case: Case) -> list[Action | NoOp]:
    judged = Judged(case)
    planned: list[Action | NoOp] = []
    for disk in sorted(case[DiskFacts].disks, key=lambda d: d.id.lower()):
        if keep := _keep(disk, case, judged):
            planned.append(NoOp(step=STEP.id, target=disk.id, reason=keep))
            continue
        snapshot = disks.snapshot_of(disk, STEP.id, case, judged.reasons(disk.id)[:1])
        planned.extend((snapshot, disks.deletion_of(disk, STEP.id, judged, snapshot)))
    return planned


def _keep(disk: Disk, case: Case, judged: Judged) -> str:
    if disk.attached_to:
        return f"Attached to {name_of(disk.attached_to[0])}: it goes with its machine or stays."
    if exclusion := disks.excluded(disk):
        return exclusion
    if disk.state.lower() != "unattached":
        return f"Its state is {plain(disk.state, 40)}, not Unattached."
    return judged.keep_out(disk.id, deleting=True) or disks.missing_group(case, STEP.id)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    return await disks.look_at_disks(actions, eyes)


async def apply(action: Action, hands: Hands) -> Sent:
    return await disks.change_disk(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Create the disk again from its snapshot."""
    return disks.restoration_of(action, prior)
