"""Whose every resource is: by the session that created it, by its age, and by what it belongs to. Facts in, judgements out.

Three passes: what stands for itself, then children (disks, addresses, extensions, managed parts), then resource groups. A group is the
attacker's only when the attacker made it and everything in it is the attacker's. Thin evidence ends in `unknown`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from firebreak.analysis.actors import Actors
from firebreak.analysis.documents import listed, shown
from firebreak.analysis.evidence import Judged, Weights
from firebreak.analysis.history import History
from firebreak.analysis.operations import is_write
from firebreak.analysis.sizes import parse_size
from firebreak.model.alert import Alert
from firebreak.model.facts import (
    AccessFacts,
    ActivityFacts,
    Class,
    DiskFacts,
    Inventory,
    Judgement,
    Operation,
    Reason,
)
from firebreak.model.platform import PlatformCompute

# A creation is told as started, and Azure's creation time lies within minutes of it, for clusters within hours.
_NEAR = timedelta(hours=2)
_SAME_REQUEST = timedelta(minutes=15)
_CLOCKS = timedelta(seconds=30)  # by which the log's clock and the resource's may differ
_LONG_LOG = timedelta(days=30)
_SURE = 70
_LISTED_CHILDREN = ["microsoft.compute", "virtualmachines"]  # the list of all resources has their extensions


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """Anything with an id that may be somebody's. `parents` are lower-case ids of what it belongs to."""

    id: str
    kind: str
    created_at: datetime | None = None
    parents: tuple[str, ...] = ()
    size: str = ""
    region: str = ""
    created_by: str = ""  # object id, where Azure keeps it on the resource
    logged: bool = True  # whether its creation shows in the activity log
    name: str = ""

    @property
    def key(self) -> str:
        return self.id.lower()

    @property
    def group(self) -> str:
        parts = self.key.split("/")
        return "/".join(parts[:5]) if len(parts) > 5 and parts[3] == "resourcegroups" else ""


def things_of(
    inventory: Inventory,
    disks: DiskFacts | None = None,
    access: AccessFacts | None = None,
    platform: PlatformCompute | None = None,
) -> list[Thing]:
    """Everything that was found, each once, the most telling description first; without the resource groups."""
    found: list[Thing] = []
    parents: tuple[str, ...]
    of_machine: dict[str, list[str]] = defaultdict(list)
    for machine in inventory.machines:
        for child in (*machine.disk_ids, *machine.nic_ids):
            of_machine[child.lower()].append(machine.id.lower())
        parents = (machine.scale_set.lower(),) if machine.scale_set else ()
        found.append(
            Thing(
                id=machine.id,
                kind="machine",
                created_at=machine.created_at,
                parents=parents,
                size=machine.size,
                region=machine.region,
            )
        )
    for item in inventory.scale_sets:
        parents = (item.managed_by.lower(),) if item.managed_by.startswith("/") else ()
        found.append(
            Thing(
                id=item.id,
                kind="scale set",
                created_at=item.created_at,
                parents=parents,
                size=item.size,
                region=item.region,
            )
        )
    for disk in disks.disks if disks else ():
        parents = tuple(sorted({name.lower() for name in disk.attached_to} | set(of_machine[disk.id.lower()])))
        found.append(
            Thing(
                id=disk.id, kind="disk", created_at=disk.created_at, parents=parents, region=disk.region, name=disk.name
            )
        )
    for resource in inventory.resources:
        managed = {resource.managed_by.lower()} if resource.managed_by.startswith("/") else set()
        parents = tuple(sorted(managed | set(of_machine[resource.id.lower()]) | set(_above(resource.id))))
        kind = resource.type.lower().rsplit("/", 1)[-1]
        found.append(
            Thing(id=resource.id, kind=kind, created_at=resource.created_at, parents=parents, region=resource.region)
        )
    found += [
        Thing(
            id=one.id,
            kind=one.kind.replace("_", " "),
            created_at=one.created_at,
            parents=(one.parent.lower(),) if one.parent else (),
            size=one.size,
            region=one.region,
        )
        for one in (platform.items if platform else ())
    ]
    found += [
        Thing(
            id=blob.id, kind="page blob", created_at=blob.created_at, parents=(blob.account_id.lower(),), logged=False
        )
        for blob in (disks.blobs if disks else ())
    ]
    if access:
        found += [
            Thing(id=item.id, kind="role assignment", created_at=item.created_at, created_by=item.created_by)
            for item in access.role_assignments
        ]
        found += [
            Thing(id=role.id, kind="role definition", created_at=role.created_at, created_by=role.created_by)
            for role in access.custom_roles
        ]
        found += [Thing(id=lock.id, kind="lock") for lock in access.locks]
        found += [Thing(id=policy.id, kind="policy assignment") for policy in access.policy_assignments]
    unique: dict[str, Thing] = {}
    for thing in found:
        unique.setdefault(thing.key, thing)
    return [unique[key] for key in sorted(unique)]


class Ownership:
    """Judges all things of one subscription; made once, asked once."""

    def __init__(
        self, activity: ActivityFacts, history: History, actors: Actors, alert: Alert, weights: Weights | None = None
    ) -> None:
        self._activity = activity
        self._history = history
        self._actors = actors
        self._weights = weights or Weights()
        self._named = {resource.lower() for resource in alert.affected_resources}
        self._changed: dict[str, list[Operation]] = defaultdict(list)
        self._keys_read: dict[str, list[Operation]] = defaultdict(list)
        self._writes: dict[str, list[Operation]] = defaultdict(list)
        self._machines_made: dict[str, list[Operation]] = defaultdict(list)  # by group
        for judged in actors.sessions.values():
            for operation in judged.work.operations:
                self._note(operation, judged)

    def _note(self, operation: Operation, judged: Judged) -> None:
        name, resource = operation.name.lower(), operation.resource_id.lower()
        if operation.status == "failed":
            return
        if is_write(name):
            self._writes[resource].append(operation)
        if name.endswith("/listkeys/action"):
            self._keys_read[resource].append(operation)
        if judged.cls is Class.ATTACKER:
            self._changed[resource].append(operation)
            if name == "microsoft.compute/virtualmachines/write":
                self._machines_made["/".join(resource.split("/")[:5])].append(operation)

    def judge(
        self,
        inventory: Inventory,
        disks: DiskFacts | None = None,
        access: AccessFacts | None = None,
        platform: PlatformCompute | None = None,
    ) -> tuple[Judgement, ...]:
        """Return a judgement on everything found, sorted by id."""
        things = things_of(inventory, disks, access, platform)
        things += self._children(things)
        groups = {
            group.id.lower(): Thing(id=group.id, kind="group", created_at=group.created_at)
            for group in inventory.groups
        }
        reasons = {thing.key: self._own_reasons(thing) for thing in things}
        classes = {key: self._class(found) for key, found in reasons.items()}
        by_key = {thing.key: thing for thing in things}
        # Children may have children (a machine's extension, a cluster's scale set's disk): until nothing changes.
        for _ in range(8):
            before = dict(classes)
            for thing in things:
                maker = self._creator(thing)
                if maker is None:
                    found = [*self._own_reasons(thing), *self._family_reasons(thing, by_key, classes)]
                    reasons[thing.key], classes[thing.key] = found, self._class(found)
                elif self._is_worrying(maker):
                    found = [*self._own_reasons(thing), *self._in_attackers_group(thing, maker.at)]
                    reasons[thing.key], classes[thing.key] = found, self._class(found)
            if classes == before:
                break
        judged = [self._judgement(thing, reasons[thing.key]) for thing in things]
        judged += [
            self._group(group, things, classes) for _, group in sorted(groups.items()) if group.key not in by_key
        ]
        return tuple(sorted(judged, key=lambda judgement: judgement.id.lower()))

    def _children(self, things: list[Thing]) -> list[Thing]:
        """What attackers' sessions made below a resource that is still there: lists do not show runbooks, federated credentials and the like."""
        known = {thing.key for thing in things}
        found = []
        for key, operation in sorted(self._activity.creators.items()):
            parts = key.split("/")
            is_child = len(parts) > 10 and parts[3] == "resourcegroups" and "providers" not in parts[6:]
            if not is_child or key in known or parts[6:8] == _LISTED_CHILDREN or "/".join(parts[:9]) not in known:
                continue
            if operation.at >= self._activity.window_start and self._class_of(operation) is Class.ATTACKER:
                parents = tuple("/".join(parts[:end]) for end in range(9, len(parts) - 1, 2))
                kind = parts[-2]
                found.append(Thing(id=operation.resource_id, kind=kind, created_at=operation.at, parents=parents))
        return found

    def _creator(self, thing: Thing) -> Operation | None:
        """The operation that made the thing; a write that does not fit its creation time is an update and proves nothing.

        Where no event says 201, the first write right before the thing came into being made it, also when Azure answered 200.
        """
        operation = self._activity.creators.get(thing.key)
        if operation is not None and thing.created_at and abs(operation.at - thing.created_at) > _NEAR:
            operation = None
        if operation is not None and operation.created:
            return operation
        return self._written_when_made(thing) or operation

    def _written_when_made(self, thing: Thing) -> Operation | None:
        born = thing.created_at
        if born is None:
            return None
        near = [o for o in self._writes.get(thing.key, ()) if born - _SAME_REQUEST <= o.at <= born + _CLOCKS]
        return min(near, key=lambda operation: (operation.at, operation.id), default=None)

    def _own_reasons(self, thing: Thing) -> list[Reason]:
        found: list[Reason] = []
        operation = self._creator(thing)
        if operation is not None:
            found.append(self._creator_reason(operation))
        elif thing.created_at and thing.created_at < self._activity.window_start:
            found.append(Reason(-_SURE, f"Made on {thing.created_at:%Y-%m-%d}, before the incident's window."))
        elif thing.created_by:
            found += self._by_object_id(thing)
        elif not thing.created_at and thing.logged and self._log_is_long():
            found.append(Reason(-_SURE, "Its creation is not in the log: it is older than the log."))
        if thing.key in self._named:
            found.append(Reason(10, "The alert names it."))
        if thing.size and parse_size(thing.size).is_expensive():
            found.append(Reason(5, f"A size that miners like: {shown(thing.size)}."))
        if thing.region and self._history.regions and thing.region not in {*self._history.regions, "global"}:
            found.append(Reason(5, f"In a region not used before: {thing.region}."))
        changes = [o for o in self._changed.get(thing.key, ()) if operation is None or o.id != operation.id]
        if changes and not (operation and self._class_of(operation) is Class.ATTACKER):
            events = tuple(event for change in changes for event in change.event_ids)
            found.append(
                Reason(
                    10, f"An attacker's session changed it {len(changes)} times; that does not make it theirs.", events
                )
            )
        return found

    def _creator_reason(self, operation: Operation) -> Reason:
        who = f"{shown(operation.caller) or 'an unnamed caller'} at {operation.address or 'an unknown address'}"
        when = f"{operation.at:%Y-%m-%d %H:%M}Z"
        if operation.at < self._activity.window_start:
            return Reason(-_SURE, f"Made by {who}, {when}, before the incident's window.", operation.event_ids)
        cls = self._class_of(operation)
        points = {Class.ATTACKER: _SURE, Class.LEGITIMATE: -_SURE, Class.UNKNOWN: 0}[cls]
        called = {
            Class.ATTACKER: "an attacker's session",
            Class.LEGITIMATE: "a legitimate session",
            Class.UNKNOWN: "a session that cannot be judged",
        }[cls]
        return Reason(points, f"Made by {who}, {when}: {called}.", operation.event_ids)

    def _class_of(self, operation: Operation) -> Class:
        judged = self._actors.of(operation)
        return judged.cls if judged else Class.UNKNOWN

    def _by_object_id(self, thing: Thing) -> list[Reason]:
        """What Azure keeps on the object itself says who made it; only when all of that identity's sessions agree."""
        sessions = [
            judged
            for judged in self._actors.sessions.values()
            if thing.created_by in (judged.work.session.principal_id, judged.work.session.caller.lower())
        ]
        classes = {judged.cls for judged in sessions}
        if classes == {Class.ATTACKER} and not any(
            self._history.is_established(judged.work.session.caller) for judged in sessions
        ):
            return [Reason(_SURE, f"Azure says that {shown(thing.created_by)} made it, an attacker's identity.")]
        if classes == {Class.LEGITIMATE}:
            return [Reason(-_SURE, f"Azure says that {shown(thing.created_by)} made it, a legitimate identity.")]
        return []

    def _log_is_long(self) -> bool:
        return self._activity.to_time - self._activity.from_time >= _LONG_LOG and self._history.is_dense

    def _family_reasons(self, thing: Thing, by_key: dict[str, Thing], classes: dict[str, Class]) -> list[Reason]:
        """What a thing without a known creator takes from what it belongs to."""
        if thing.created_at and thing.created_at < self._activity.window_start:
            return []  # older than the attack: attaching it to an attacker's machine does not make it theirs
        parents = [key for key in (*thing.parents, *_above(thing.id)) if key in classes]
        found: list[Reason] = []
        for cls, points, word in ((Class.ATTACKER, _SURE, "the attacker's"), (Class.LEGITIMATE, -_SURE, "legitimate")):
            mine = [key for key in parents if classes[key] is cls and _not_older(thing, by_key[key])]
            if mine:
                found.append(Reason(points, f"It belongs to {shown(mine[0].rsplit('/', 1)[-1])}, which is {word}."))
        if not parents:
            found += self._left_behind(thing)
            found += self._in_attackers_group(thing, thing.created_at)
        if thing.kind == "page blob":
            found += self._uploaded(thing)
        return found

    def _left_behind(self, thing: Thing) -> list[Reason]:
        """Whether a loose disk was made together with an attacker's machine that is gone or has let it go."""
        if thing.kind != "disk" or not thing.created_at:
            return []
        for operation in self._machines_made.get(thing.group, ()):
            machine = operation.resource_id.lower().rsplit("/", 1)[-1]
            if thing.name.lower().startswith(f"{machine}_") and abs(operation.at - thing.created_at) <= _SAME_REQUEST:
                text = f"Made together with {shown(machine)}, an attacker's machine."
                return [Reason(_SURE, text, operation.event_ids)]
        return []

    def _is_worrying(self, operation: Operation) -> bool:
        """Whether a session that cannot be judged made it, one that nothing vouches for: not a colleague who is new or on the road."""
        judged = self._actors.of(operation)
        return judged is not None and judged.cls is Class.UNKNOWN and judged.score >= self._weights.worrying_from

    def _in_attackers_group(self, thing: Thing, since: datetime | None) -> list[Reason]:
        made = self._activity.creators.get(thing.group) if thing.group else None
        if made is None or made.at < self._activity.window_start or self._class_of(made) is not Class.ATTACKER:
            return []
        if since is None or since < made.at:
            return []
        return [Reason(_SURE, "It came into a resource group that an attacker's session had made.", made.event_ids)]

    def _uploaded(self, blob: Thing) -> list[Reason]:
        """Data planes are not in the log: an upload is the attacker's only if nobody else had read the account's keys lately."""
        reads = [
            operation
            for parent in blob.parents
            for operation in self._keys_read.get(parent, ())
            if blob.created_at and operation.at <= blob.created_at
        ]
        if not reads or any(self._class_of(operation) is not Class.ATTACKER for operation in reads):
            return []
        events = tuple(event for operation in reads for event in operation.event_ids)
        text = "Uploaded after an attacker's session, and nobody else in the window, had read the account's keys."
        return [Reason(_SURE - 5, text, events)]

    def _group(self, group: Thing, things: list[Thing], classes: dict[str, Class]) -> Judgement:
        reasons = self._own_reasons(group)
        if self._class(reasons) is Class.ATTACKER:
            inside = [t for t in things if t.key.startswith(group.key + "/") and t.kind not in _NOT_CONTENT]
            others = [thing for thing in inside if classes[thing.key] is not Class.ATTACKER]
            if others:
                named = listed((thing.id.rsplit("/", 1)[-1] for thing in others), most=3)
                reasons.append(Reason(-50, f"{len(others)} things in it are not the attacker's: {named}."))
            else:
                reasons.append(Reason(5, f"Everything in it ({len(inside)}) is the attacker's."))
        return self._judgement(group, reasons)

    def _class(self, reasons: Iterable[Reason]) -> Class:
        score = sum(reason.points for reason in reasons)
        if score >= self._weights.resource_attacker_from:
            return Class.ATTACKER
        return Class.LEGITIMATE if score <= self._weights.resource_legitimate_to else Class.UNKNOWN

    def _judgement(self, thing: Thing, reasons: list[Reason]) -> Judgement:
        operation = self._creator(thing)
        kept = reasons or [Reason(0, "Neither its maker nor its age is known.")]
        return Judgement(
            id=thing.id,
            cls=self._class(reasons),
            score=sum(reason.points for reason in reasons),
            reasons=tuple(kept),
            created_by=operation.caller if operation else thing.created_by,
            created_at=thing.created_at or (operation.at if operation else None),
            address=operation.address if operation else "",
            principal_id=operation.principal_id if operation else "",
        )


_NOT_CONTENT = frozenset({"role assignment", "role definition", "lock", "policy assignment"})


def _above(identifier: str) -> list[str]:
    """Ids of the resources that an id is nested in (a machine above its extension), nearest first."""
    parts = identifier.lower().split("/")
    if "providers" not in parts:
        return []
    at = len(parts) - 1 - parts[::-1].index("providers")
    return ["/".join(parts[:end]) for end in range(len(parts) - 2, at + 3, -2)]


def _not_older(child: Thing, parent: Thing) -> bool:
    """A thing made well before what it is attached to was not made with it."""
    if not child.created_at or not parent.created_at:
        return True
    return child.created_at >= parent.created_at - _SAME_REQUEST
