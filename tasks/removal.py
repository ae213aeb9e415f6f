"""What to delete of the attacker's, in which order, and what must stay: the thinking behind `eradicate.delete_resources`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from firebreak.model.case import Case
from firebreak.model.facts import Class, Disk, DiskFacts, Inventory, Machine, Resource, ScaleSet
from firebreak.model.footholds import Footholds
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect
from tasks import disks
from tasks.arm import (
    AUTOSCALE,
    NETWORK,
    known,
    moment,
)
from tasks.footholds import EXPORT, FOOTHOLDS
from tasks.judged import Judged
from tasks.platform_removal import is_handled, platform_removals
from tasks.words import group_of, name_of, per_hour, plain

MACHINE = "machine.delete"
SCALE_SET = "scale_set.delete"
RESOURCE = "resource.delete"
GROUP = "group.delete"
AS_PLANNED = "as planned"
EMPTY = "empty"

# In order of deletion: what is used by others comes after them.
VERSIONS = {
    "microsoft.insights/autoscalesettings": AUTOSCALE,
    "microsoft.network/networkinterfaces": NETWORK,
    "microsoft.network/publicipaddresses": NETWORK,
    "microsoft.network/networksecuritygroups": NETWORK,
    "microsoft.network/virtualnetworks": NETWORK,
}
_GOES_WITH_OTHERS = (
    "microsoft.compute/virtualmachines",
    "microsoft.compute/virtualmachinescalesets",
    "microsoft.compute/disks",
    "microsoft.compute/snapshots",
    "microsoft.authorization/",
)


class Removal:
    """Collects actions and no-ops for one case; call the parts in the order machines, scale sets, platform, other resources,
    groups.
    """

    def __init__(self, case: Case, step: str) -> None:
        self.planned: list[Action | NoOp] = []
        self._case, self._step = case, step
        self._judged = Judged(case)
        self._inventory = case[Inventory]
        self._disks = sorted(case[DiskFacts].disks, key=lambda d: d.id.lower())
        self._by_id = {disk.id.lower(): disk for disk in self._disks}
        # Lower-case ids of disks by what they are attached to, or to a part of.
        self._by_owner: dict[str, set[str]] = {}
        for disk in self._disks:
            for owner in disk.attached_to:
                parts = owner.lower().split("/")
                for length in range(1, len(parts) + 1):
                    self._by_owner.setdefault("/".join(parts[:length]), set()).add(disk.id.lower())
        self._going: dict[str, str] = {}  # lower-case id of what is deleted -> action id
        self._nic_after: dict[str, list[str]] = {}
        self._staying_nics: set[str] = set()
        self._elsewhere = _removed_as_footholds(case)

    def machines(self) -> None:
        for machine in sorted(self._inventory.machines, key=lambda m: m.id.lower()):
            attached = self._attached(machine.id, machine.disk_ids)
            keep = self._judged.keep_out(machine.id, deleting=True) or self._stays_on(machine, attached)
            if keep:
                self._leave(machine.id, keep)
                self._staying_nics.update(nic.lower() for nic in machine.nic_ids)
                continue
            snapshots = [self._snapshot(disk) for disk in attached]
            deletion = self._machine(machine, attached, snapshots)
            self._add(deletion)
            for disk, snapshot in zip(attached, snapshots, strict=True):
                self._add(disks.deletion_of(disk, self._step, self._judged, snapshot, after=(deletion.id,)))
            for nic in machine.nic_ids:
                self._nic_after.setdefault(nic.lower(), []).append(deletion.id)

    def scale_sets(self) -> None:
        most = int(self._case.parameter(self._step, "scale_set_snapshots", 2))
        for scale_set in sorted(self._inventory.scale_sets, key=lambda s: s.id.lower()):
            attached = self._attached(scale_set.id, ())
            keep = self._keep_scale_set(scale_set, attached)
            if keep:
                self._leave(scale_set.id, keep)
                continue
            after = [self._snapshot(disk).id for disk in attached[:most]]
            inside = [m.id.lower() for m in self._inventory.machines if m.scale_set.lower() == scale_set.id.lower()]
            after.extend(self._going[machine] for machine in inside)
            self._add(self._scale_set(scale_set, after))

    def platform(self) -> None:
        """What platform services run for the attacker, where that was read."""
        for entry in platform_removals(self._case, self._step):
            if isinstance(entry, NoOp):
                self.planned.append(entry)
            else:
                self._add(entry, deletes=entry.kind != disks.SNAPSHOT)

    def other_resources(self) -> None:
        ranks = {kind: rank for rank, kind in enumerate(VERSIONS)}
        rest = [
            r
            for r in self._inventory.resources
            if not r.type.lower().startswith(_GOES_WITH_OTHERS)
            and not is_handled(self._case, r.type)
            and r.id.lower() not in self._elsewhere
        ]
        for resource in sorted(rest, key=lambda r: (ranks.get(r.type.lower(), len(ranks)), r.id.lower())):
            kind = resource.type.lower()
            judgement = self._judged.of(resource.id)
            if judgement is None or judgement.cls is not Class.ATTACKER:
                if kind in VERSIONS and judgement is not None and judgement.cls is Class.UNKNOWN:
                    self._leave(resource.id, self._judged.keep_out(resource.id, deleting=True))
                continue
            keep = self._judged.keep_out(resource.id, deleting=True)
            if not keep and kind not in VERSIONS:
                keep = f"The attacker's, but Firebreak does not delete {plain(kind)}: delete it by hand."
            if not keep and resource.id.lower() in self._staying_nics:
                keep = "It belongs to a machine that stays."
            if keep:
                self._leave(resource.id, keep)
            else:
                self._add(self._resource(resource))

    def groups(self) -> None:
        for group in sorted(self._inventory.groups, key=lambda g: g.id.lower()):
            if not self._judged.is_attackers(group.id):
                continue
            inside = self._contents(group.id)
            keep = self._judged.keep_out(group.id, deleting=True)
            others = [item for item in inside if item not in self._going and item not in self._elsewhere]
            if not keep and others:
                keep = (
                    f"It holds {name_of(others[0])}"
                    + (f" and {len(others) - 1} more" if len(others) > 1 else "")
                    + " that stays."
                )
            snapshot_here = any(
                isinstance(a, Action)
                and a.kind == disks.SNAPSHOT
                and str(a.params["snapshot"]).lower().startswith(group.id.lower() + "/")
                for a in self.planned
            )
            if not keep and snapshot_here:
                keep = "It keeps the evidence snapshots; an otherwise empty group costs nothing."
            if keep:
                self._leave(group.id, keep)
            else:
                self._add(self._group(group, sorted({self._going[item] for item in inside if item in self._going})))

    def _contents(self, group_id: str) -> list[str]:
        inventory, outer = self._inventory, group_id.lower() + "/"
        machines, scale_sets = [m.id for m in inventory.machines], [s.id for s in inventory.scale_sets]
        everything = [*machines, *scale_sets, *(r.id for r in inventory.resources), *self._by_id]
        return sorted({i.lower() for i in everything if i.lower().startswith(outer)})

    def _attached(self, owner: str, listed: Iterable[str]) -> list[Disk]:
        named = {disk.lower() for disk in listed} | self._by_owner.get(owner.lower(), set())
        return [self._by_id[name] for name in sorted(named & self._by_id.keys())]

    def _stays_on(self, machine: Machine, attached: Sequence[Disk]) -> str:
        unknown = [disk for disk in machine.disk_ids if disk.lower() not in self._by_id]
        if unknown:
            return f"Its disk {name_of(unknown[0])} was not read: nobody knows whose it is."
        for nic in machine.nic_ids:
            judgement = self._judged.of(nic)
            if judgement is not None and judgement.cls is Class.LEGITIMATE:
                return f"The legitimate interface {name_of(nic)} is on it: move that first."
        return self._stays_attached(attached)

    def _stays_attached(self, attached: Sequence[Disk]) -> str:
        for disk in attached:
            keep = disks.excluded(disk) or self._judged.keep_out(disk.id, deleting=True)
            if keep:
                return (
                    f"Disk {plain(disk.name)} is attached to it and must stay ({keep.rstrip('.')}): detach that first."
                )
        return disks.missing_group(self._case, self._step)

    def _keep_scale_set(self, scale_set: ScaleSet, attached: Sequence[Disk]) -> str:
        if scale_set.managed_by:
            return f"Belongs to {name_of(scale_set.managed_by)}: act on that."
        keep = self._judged.keep_out(scale_set.id, deleting=True)
        if keep:
            return keep
        inside = [m for m in self._inventory.machines if m.scale_set.lower() == scale_set.id.lower()]
        staying = [m for m in inside if m.id.lower() not in self._going]
        if staying:
            return f"Its machine {plain(staying[0].name)} stays."
        on_instances = [d for d in attached if not any(d.id.lower() in {i.lower() for i in m.disk_ids} for m in inside)]
        return self._stays_attached(on_instances)

    def _snapshot(self, disk: Disk) -> Action:
        action = disks.snapshot_of(disk, self._step, self._case, ())
        self._add(action, deletes=False)
        return action

    def _machine(self, machine: Machine, attached: Sequence[Disk], snapshots: Sequence[Action]) -> Action:
        cost = self._judged.per_hour(machine.id) if machine.power != "deallocated" else None
        return Action(
            id=action_id(self._step, MACHINE, machine.id),
            step=self._step,
            kind=MACHINE,
            target=machine.id,
            title=f"Delete {plain(machine.name)} ({plain(machine.size, 40)}, {machine.region}){per_hour(cost, self._judged.currency)}",
            effect=Effect.IRREVERSIBLE,
            reasons=self._judged.reasons(machine.id),
            fingerprint=known({"vmId": machine.vm_id.lower(), "disks": AS_PLANNED}),
            params={"disks": [disk.id for disk in attached]},
            after=tuple(action.id for action in snapshots),
            per_hour=cost,
            region=machine.region,
            irreversible_because="A deleted machine does not come back; its disks' content stays in snapshots.",
        )

    def _scale_set(self, scale_set: ScaleSet, after: Sequence[str]) -> Action:
        off = all(power == "deallocated" for power in scale_set.power.values())
        cost = None if off else self._judged.per_hour(scale_set.id)
        return Action(
            id=action_id(self._step, SCALE_SET, scale_set.id),
            step=self._step,
            kind=SCALE_SET,
            target=scale_set.id,
            title=(
                f"Delete scale set {plain(scale_set.name)} ({scale_set.capacity} instances, {scale_set.region})"
                f"{per_hour(cost, self._judged.currency)}"
            ),
            effect=Effect.IRREVERSIBLE,
            reasons=self._judged.reasons(scale_set.id),
            fingerprint=known({"uniqueId": scale_set.unique_id.lower()}),
            after=tuple(after),
            per_hour=cost,
            region=scale_set.region,
            irreversible_because="Its instances and their disks are deleted with it; only the snapshots taken before stay.",
        )

    def _resource(self, resource: Resource) -> Action:
        kind = resource.type.lower()
        after = self._nic_after.get(resource.id.lower(), [])
        if kind != "microsoft.network/networkinterfaces" and kind.startswith("microsoft.network/"):
            group = group_of(resource.id).lower()
            after = sorted(
                a for i, a in self._going.items() if f"/resourcegroups/{group}/" in i and self._uses(i, kind)
            )
        return Action(
            id=action_id(self._step, RESOURCE, resource.id),
            step=self._step,
            kind=RESOURCE,
            target=resource.id,
            title=f"Delete {kind.rsplit('/', 1)[-1]} {plain(resource.name)}",
            effect=Effect.IRREVERSIBLE,
            reasons=self._judged.reasons(resource.id),
            fingerprint=known({"createdTime": moment(resource.created_at)}),
            params={"type": kind},
            after=tuple(after),
            region=resource.region,
            irreversible_because="It must be made anew; its description is kept as evidence.",
        )

    @staticmethod
    def _uses(other: str, kind: str) -> bool:
        """Whether a thing being deleted may still use a network resource of `kind`."""
        if "/networkinterfaces/" in other or "/virtualmachinescalesets/" in other:
            return True
        return "/publicipaddresses/" in other and kind == "microsoft.network/virtualnetworks"

    def _group(self, group: Resource, after: Sequence[str]) -> Action:
        return Action(
            id=action_id(self._step, GROUP, group.id),
            step=self._step,
            kind=GROUP,
            target=group.id,
            title=f"Delete the empty resource group {plain(group.name)}",
            effect=Effect.IRREVERSIBLE,
            reasons=("Refused unless nothing is left in it.", *self._judged.reasons(group.id)),
            fingerprint=known({"contents": EMPTY, "location": group.region}),
            after=tuple(after),
            region=group.region,
            irreversible_because="Its deployment history goes with it; that is kept as evidence.",
        )

    def _leave(self, target: str, reason: str) -> None:
        self.planned.append(NoOp(step=self._step, target=target, reason=reason))

    def _add(self, action: Action, *, deletes: bool = True) -> None:
        self.planned.append(action)
        if deletes:
            self._going[action.target.lower()] = action.id


def _removed_as_footholds(case: Case) -> set[str]:
    """Ids, in lower case, of what another step of the playbook removes; a group that holds them is looked at again before it goes."""
    found = case.get(Footholds)
    steps = {name for stage in case.playbook.stages for name in stage.steps}
    if found is None or FOOTHOLDS not in steps:
        return set()
    return {one.id.lower() for one in found.items if one.is_theirs and one.kind != EXPORT}
