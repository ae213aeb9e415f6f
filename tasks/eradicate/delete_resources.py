"""Delete the attacker's machines and scale sets, then what hung on them, each disk after a snapshot.

Order inside: snapshots; machines and scale sets; what platform services run (where that was read); network interfaces and disks; addresses; networks; at last groups that are the attacker's
and empty by then. A machine with anything on it that must stay is not deleted: Azure may delete attached things with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, DiskFacts, Inventory
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import disks
from tasks.platform_removal import DELETES, HOLDERS, PERMISSIONS, QUERY
from tasks.removal import GROUP, MACHINE, SCALE_SET, VERSIONS, Removal
from tasks.removed import look_at_removals, version_of

STEP = Step(
    id="eradicate.delete_resources",
    title="Delete the attacker's machines and what belongs to them",
    effect=Effect.IRREVERSIBLE,
    description=(
        "Deletes machines, scale sets, disks (after snapshots), platform compute, interfaces, addresses and networks judged the attacker's, "
        "one by one."
    ),
    permissions=tuple(
        sorted(
            {
                *disks.PERMISSIONS,
                *PERMISSIONS,
                "Microsoft.Compute/virtualMachines/read",
                "Microsoft.Compute/virtualMachines/delete",
                "Microsoft.Compute/virtualMachineScaleSets/read",
                "Microsoft.Compute/virtualMachineScaleSets/delete",
                "Microsoft.Insights/AutoscaleSettings/Delete",
                "Microsoft.Network/networkInterfaces/delete",
                "Microsoft.Network/networkSecurityGroups/delete",
                "Microsoft.Network/publicIPAddresses/delete",
                "Microsoft.Network/virtualNetworks/delete",
                "Microsoft.Resources/subscriptions/resourceGroups/delete",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
            }
        )
    ),
    guidance=("S49", "S55", "S58"),
    needs=(Inventory, DiskFacts, Attribution),
    parameters=disks.PARAMETERS
    | {
        "scale_set_snapshots": "How many instance disks of a scale set are kept as evidence; they are alike. 2 when not given."
    },
)


def plan(case: Case) -> list[Action | NoOp]:
    removal = Removal(case, STEP.id)
    removal.machines()
    removal.scale_sets()
    removal.platform()
    removal.other_resources()
    removal.groups()
    return removal.planned


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    on_disks = [a for a in actions if a.kind.startswith("disk.")]
    rest = [a for a in actions if not a.kind.startswith("disk.")]
    found = await disks.look_at_disks(on_disks, eyes) if on_disks else {}
    return found | await look_at_removals(rest, eyes)


async def apply(action: Action, hands: Hands) -> Sent:
    if action.kind.startswith("disk."):
        return await disks.change_disk(action, hands)
    if action.kind in DELETES or action.params.get("type") in HOLDERS:
        return await hands.arm.delete(action.target, version_of(action), QUERY.get(action.kind))
    if action.kind in (MACHINE, SCALE_SET, GROUP) or action.params.get("type") in VERSIONS:
        return await hands.arm.delete(action.target, version_of(action))
    raise ValueError(f"{action.kind} is not an action of {STEP.id}.")


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Only disks come back, from their snapshots."""
    return disks.restoration_of(action, prior)
