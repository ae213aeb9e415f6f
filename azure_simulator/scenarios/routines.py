"""Ninety days of ordinary work in the activity log: day after day everybody does their part."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from azure_simulator.chance import Chance
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.estate import Estate, Place
from azure_simulator.scenarios.log import HISTORY_DAYS, Caller, Log, caller, creation_bodies
from azure_simulator.scenarios.people import Actor, Staff
from azure_simulator.world import Document


@dataclass
class Shift:
    """What everybody at work needs: the log, the estate, and quick ways to find things in it."""

    log: Log
    chance: Chance
    staff: Staff
    estate: Estate
    now: datetime
    scale: int
    _machines: dict[str, tuple[list[datetime], list[Document]]] = field(default_factory=dict)  # by group, "" for all
    _settings: dict[str, list[Document]] = field(default_factory=dict)
    _places: dict[str, list[Place]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for machine in sorted(self.estate.machines, key=created):
            for group in (ids.group_of(machine["id"]), ""):
                births, machines = self._machines.setdefault(group, ([], []))
                births.append(created(machine))
                machines.append(machine)
        for row in [*self.estate.sites, *self.estate.storage, *self.estate.vaults]:
            self._settings.setdefault(ids.group_of(row["id"]), []).append(row)
        for actor in self.staff.actors.values():
            covered = [p for p in self.estate.places if p.tags and (not actor.covers or p.workload in actor.covers)]
            self._places[actor.key] = covered or self.estate.places

    def place(self, actor: Actor) -> Place:
        """One of the places that the actor may work in."""
        return self.chance.choice(self._places[actor.key])

    def machine(self, place: Place, at: datetime) -> Document:
        """A machine of the place that existed then, else any that did."""
        for group in (place.group, ""):
            births, machines = self._machines.get(group, ([], []))
            there = bisect_left(births, at)
            if there:
                return machines[self.chance.randrange(there)]
        raise LookupError(f"No machine existed at {at:%Y-%m-%d}.")

    def settings(self, place: Place) -> list[Document]:
        """What a deployment to the place writes again: sites, storage, vaults that are there."""
        return self._settings.get(place.group) or [self.estate.storage[0]]


def days(now: datetime) -> Iterator[datetime]:
    """Every day of the log at midnight, oldest first, today last."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for back in range(HISTORY_DAYS, -1, -1):
        yield today - timedelta(days=back)


def write(shift: Shift) -> None:
    """Write the whole history into the log."""
    from azure_simulator.scenarios import machinery, office

    for day in days(shift.now):
        working = day.weekday() < 5
        for actor in shift.staff.people():
            office.day(shift, actor, day, working)
        for key in ("pipeline-shop", "pipeline-platform", "pipeline-data"):
            machinery.pipeline(shift, shift.staff[key], day, working)
        if working:
            machinery.schedule(shift, day)
        machinery.backup(shift, day)
        machinery.monitoring(shift, day)
        machinery.cluster(shift, day)
        machinery.platform(shift, day)
    for document, maker in shift.estate.births:
        if not made_with_a_machine(document):
            actor = shift.staff[maker]
            address = shift.chance.choice(actor.addresses) if actor.hosted else ""
            born(shift.log, document, caller(actor, address))


def created(document: Document) -> datetime:
    """When a document of the world was created."""
    return datetime.fromisoformat(str(document["_created"])[:26] + "+00:00")


def made_with_a_machine(document: Document) -> bool:
    """Whether it is a disk that was made by the creation of its machine: such disks have no creation of their own in the log."""
    if document["type"] != ids.DISK:
        return False
    from_image = document["properties"]["creationData"]["createOption"] == "FromImage"
    return bool(from_image or f"/{ids.VIRTUAL_MACHINE}/" in document.get("managedBy", ""))


def born(log: Log, document: Document, by: Caller) -> str:
    """Write the creation of a resource, with its bodies; returns the correlation id."""
    request, response = creation_bodies(document)
    return log.operation(
        created(document),
        f"{document['type']}/write",
        document["id"],
        by,
        request=request,
        response=response,
        sub_status="Created",
    )
