"""What the tenant owns before any attack: groups, networks, machines, disks, storage, platform services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.scenarios import documents
from azure_simulator.scenarios.people import Company, Staff
from azure_simulator.world import Document, World

ENV_LETTER = {"prod": "p", "test": "t", "dev": "d", "shared": "s"}


@dataclass(frozen=True)
class Place:
    """One group of a workload: where things of it are put. `subnets` are the ids that machines join."""

    workload: str
    env: str
    group: str
    region: str
    tags: dict[str, str]
    subnets: tuple[str, ...] = ()
    nightly: bool = False
    locked: bool = False


@dataclass
class Estate:
    """What was built, by the ways in which the routines and the attack look for it."""

    places: list[Place] = field(default_factory=list)
    machines: list[Document] = field(default_factory=list)
    nightly: list[Document] = field(default_factory=list)  # stopped in the evening by the schedule
    orphans: list[Document] = field(default_factory=list)  # disks without a machine, for a reason
    storage: list[Document] = field(default_factory=list)
    sites: list[Document] = field(default_factory=list)
    vaults: list[Document] = field(default_factory=list)
    backed_up: list[Document] = field(default_factory=list)  # disks that the nightly backup snapshots
    cluster: Document | None = None
    node_sets: list[Document] = field(default_factory=list)
    recovery_vault: Document | None = None
    births: list[tuple[Document, str]] = field(default_factory=list)  # younger than the log: document, who made it

    def groups_of(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for place in self.places:
            found.setdefault(place.workload, []).append(place.group)
        return found

    def place(self, workload: str, env: str = "") -> Place:
        """The first place of the workload (in that environment).

        Raises:
            LookupError: there is none.
        """
        for place in self.places:
            if place.workload == workload and env in ("", place.env):
                return place
        raise LookupError(f"No place {workload}/{env} in the estate.")


class Builder:
    """Builds the estate of one company into a world."""

    def __init__(
        self,
        world: World,
        chance: Chance,
        material: dict[str, Any],
        company: Company,
        staff: Staff,
        now: datetime,
        scale: int,
    ) -> None:
        self.world, self.chance, self.material, self.company, self.staff = world, chance, material, company, staff
        self.now, self.scale = now, scale
        self.estate = Estate()
        self.group_style: str = chance.choice(material["group_styles"])
        self.machine_style: str = chance.choice(material["machine_styles"])
        self._hosts = 4
        self._networks = 10

    def put(self, document: Document, maker: str = "pipeline-platform") -> Document:
        """Store a resource; one that is younger than the log gets a birth, made by `maker`."""
        self.world.resources[document["id"]] = document
        if self._age(document) < timedelta(days=90):
            self.estate.births.append((document, maker))
        return document

    def long_ago(self, *, at_least: int = 95, at_most: int = 900) -> datetime:
        """A moment before the log begins."""
        return self._moment(self.chance.randrange(at_least, at_most))

    def lately(self, *, within: int = 80, at_least: int = 4) -> datetime:
        """A working moment that the log covers."""
        return self._moment(self.chance.randrange(at_least, within))

    def _moment(self, days: int) -> datetime:
        day = self.now - timedelta(days=days)
        while day.weekday() > 4:
            day -= timedelta(days=1)
        return self.staff.utc(day, 9 + self.chance.random() * 7)

    def _age(self, document: Document) -> timedelta:
        return self.now - datetime.fromisoformat(document["_created"][:26] + "+00:00")

    def group(self, workload: str, env: str, region: str, tags: dict[str, str], name: str = "") -> str:
        """Make a resource group in the house style and return its name."""
        given = name or self.group_style.format(workload=workload, env=env, short=self.company.short)
        document = documents.group(given, region, self.long_ago(at_least=120), tags=tags)
        self.world.groups[document["id"]] = document
        return given

    def subnet(
        self, group: str, region: str, name: str, subnets: tuple[str, ...], tags: dict[str, str]
    ) -> tuple[str, ...]:
        """Make a network with its security group and return the ids of its subnets."""
        self._networks += 1
        made = self.put(
            documents.network(
                group,
                f"vnet-{name}",
                region,
                self.long_ago(at_least=120),
                f"10.{self._networks}",
                subnets=subnets,
                tags=tags,
            )
        )
        self.put(
            documents.security_group(
                group, f"nsg-{name}", region, self.long_ago(at_least=120), open_ports=("443",), tags=tags
            )
        )
        return tuple(documents.subnet_of(made, index) for index in range(len(subnets)))

    def machine_name(self, workload: str, tier: str, env: str, number: int) -> str:
        return self.machine_style.format(
            workload=workload, tier=tier, env=env, n=number, short=self.company.short, e=ENV_LETTER[env]
        )

    def host(self) -> str:
        """The next private address."""
        self._hosts += 1
        return f"10.{self._networks}.{self._hosts // 240}.{4 + self._hosts % 240}"


def build(
    world: World, chance: Chance, material: dict[str, Any], company: Company, staff: Staff, now: datetime, scale: int
) -> Estate:
    """Build the whole estate and return it."""
    from azure_simulator.scenarios import estate_cluster, estate_platform, estate_workloads

    builder = Builder(world, chance, material, company, staff, now, scale)
    parts: list[Callable[[Builder], None]] = [
        estate_workloads.workloads,
        estate_workloads.orphans,
        estate_cluster.cluster,
        estate_platform.monitoring,
        estate_platform.backup,
        estate_platform.registers,
    ]
    for part in parts:
        part(builder)
    return builder.estate
