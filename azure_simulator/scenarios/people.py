"""Who works in the tenant: people with hours and addresses, service principals with runners, the partner's group, the responder."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.scenarios import ids
from azure_simulator.world import Principal, World

RESPONDER = "firebreak-responder"
_AGENTS = 2000


@dataclass(frozen=True)
class Company:
    """The customer and its partner. `utc_offset` is in hours, without summer time; `regions` are the home regions, the main one first."""

    name: str
    short: str
    domain: str
    country: str
    utc_offset: int
    regions: tuple[str, ...]
    partner_name: str
    partner_domain: str
    office: str
    vpn: str
    second_factor: bool = True  # whether its people sign in with one


@dataclass(frozen=True)
class Actor:
    """Somebody who acts in the log: a person or a service. `addresses` are the known ones, the usual one first."""

    key: str
    principal: Principal
    role: str
    addresses: tuple[str, ...]
    covers: tuple[str, ...] = ()  # workloads; empty: the whole subscription
    also: str = ""
    activity: int = 0  # operations on a working day
    deployments: int = 0
    starts: int = 8  # local hour
    app_id: str = ""
    hosted: bool = False  # a pipeline on rented build agents: nearly every run comes from another address
    mfa: bool = True

    @property
    def person(self) -> bool:
        return self.principal.kind == "User"


@dataclass
class Staff:
    """Everybody, by key."""

    company: Company
    partner_group: Principal
    break_glass: Principal
    responder: Principal
    actors: dict[str, Actor] = field(default_factory=dict)
    groups: dict[str, Principal] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Actor:
        return self.actors[key]

    def people(self) -> list[Actor]:
        return [actor for actor in self.actors.values() if actor.person]

    def utc(self, day: datetime, local_hour: float) -> datetime:
        """The moment of `local_hour` in the office on the day that `day` falls on."""
        start = day.replace(hour=0, minute=0, second=0, microsecond=0)
        return start + timedelta(hours=local_hour - self.company.utc_offset)


def found_company(chance: Chance, material: dict[str, Any]) -> Company:
    """Draw the customer and its partner from the material."""
    base = chance.choice(material["companies"])
    partner = chance.choice(material["partners"])
    hosts = chance.sample(range(2, 60), 2)
    return Company(
        name=base["name"],
        short=base["short"],
        domain=base["domain"],
        country=base["country"],
        utc_offset=base["utc_offset"],
        regions=tuple(base["regions"]),
        partner_name=partner["name"],
        partner_domain=partner["domain"],
        office=f"198.51.100.{hosts[0]}",
        vpn=f"198.51.100.{64 + hosts[1]}",
        second_factor=chance.child("second factor").random() < material["second_factor"],
    )


def hire(world: World, chance: Chance, material: dict[str, Any], company: Company) -> Staff:
    """Create every principal of the tenant in `world` and return them as actors."""
    staff = Staff(
        company,
        partner_group=_partner(world, chance, company),
        break_glass=_add(world, chance, "User", "Emergency Access 1", upn=f"ea-admin-01@{company.domain}"),
        responder=_responder(world, chance, company),
    )
    names = [
        f"{first} {last}"
        for first, last in zip(
            chance.sample(material["first_names"], len(material["people"])),
            chance.sample(material["last_names"], len(material["people"])),
            strict=True,
        )
    ]
    homes = chance.sample(range(4, 250), len(names))
    for row, name, home in zip(material["people"], names, homes, strict=True):
        upn = f"{name.lower().replace(' ', '.')}@{company.domain}"
        principal = _add(world, chance, "User", name, upn=upn)
        at = row["at"]
        staff.actors[row["key"]] = Actor(
            key=row["key"],
            principal=principal,
            role=row["role"],
            addresses=(company.office, company.vpn, f"192.0.2.{home}"),
            covers=() if at == "subscription" else tuple(at),
            also=row.get("also", ""),
            activity=row["activity"],
            starts=chance.choice((7, 8, 8, 9)),
            mfa=company.second_factor,
        )
    runners = chance.sample(range(130, 250), sum(row["runners"] for row in material["services"]))
    for row in material["services"]:
        principal = _add(world, chance, "ServicePrincipal", row["name"].format(short=company.short))
        principal.app_id = chance.guid()
        principal.secrets = [_secret(chance)]
        at = row["at"]
        own = tuple(f"198.51.100.{runners.pop()}" for _ in range(row["runners"]))
        rented = chance.child(f"agents of {row['key']}")
        hosted = rented.random() < row.get("hosted", 0)
        staff.actors[row["key"]] = Actor(
            key=row["key"],
            principal=principal,
            role=row["role"],
            addresses=tuple(_rented(rented) for _ in range(_AGENTS)) if hosted else own,
            hosted=hosted,
            covers=() if at == "subscription" else tuple(at),
            also=row.get("also", ""),
            deployments=row["deployments"],
            app_id=principal.app_id,
        )
    staff.groups["platform"] = _add(world, chance, "Group", "grp-azure-platform")
    staff.groups["platform"].members = [
        staff[key].principal.object_id for key in ("platform-lead", "platform-1", "platform-2")
    ]
    staff.groups["readers"] = _add(world, chance, "Group", "grp-azure-readers")
    staff.groups["readers"].members = [actor.principal.object_id for actor in staff.people()]
    return staff


def _partner(world: World, chance: Chance, company: Company) -> Principal:
    agents = [
        _add(
            world,
            chance,
            "User",
            f"{company.partner_name} agent {number}",
            upn=f"agent{number}@{company.partner_domain}",
            tenant=ids.PARTNER_TENANT,
        )
        for number in (1, 2, 3)
    ]
    agents[0].refresh_tokens = [_secret(chance)]
    group = _add(world, chance, "ForeignGroup", "AdminAgents", tenant=ids.PARTNER_TENANT)
    group.members = [agent.object_id for agent in agents]
    return group


def _responder(world: World, chance: Chance, company: Company) -> Principal:
    """The identity Firebreak signs in as: one application, a service principal in the customer's and one in the partner's tenant."""
    app_id, secret = chance.guid(), _secret(chance)
    own = _add(world, chance, "ServicePrincipal", RESPONDER)
    twin = _add(world, chance, "ServicePrincipal", f"{RESPONDER} ({company.partner_name})", tenant=ids.PARTNER_TENANT)
    for principal in (own, twin):
        principal.app_id = app_id
        principal.secrets = [secret]
    return own


def _add(
    world: World, chance: Chance, kind: str, name: str, *, upn: str = "", tenant: str = ids.CUSTOMER_TENANT
) -> Principal:
    principal = Principal(object_id=chance.guid(), kind=kind, name=name, upn=upn, tenant_id=tenant)
    world.principals[principal.object_id] = principal
    return principal


def _rented(chance: Chance) -> str:
    """An address of a large provider, as its build agents have them for an hour."""
    return f"198.{chance.randrange(18, 20)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"


def _secret(chance: Chance) -> str:
    alphabet = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789~._-"
    return "".join(chance.choice(alphabet) for _ in range(40))
