"""After a response: the attacker tries every way they ever had, hour after hour, while the tenant's people, pipelines and partner go on with
their work. Judged by the world's state; only scorers and tests use it.

    ways = list(ways_ever(world))      # before the response
    siege = besiege(world, ways, days=30)
    siege.entered        # each way that let the attacker in, with what they could do by it
    siege.hindered       # whom of the tenant something is kept from, and what

What people do after a response is part of it: on the first morning the owners of stolen accounts prove who they are and get them back, and
applications whose secret leaked get a new one. A password, secret or method that the attacker still knows lets them in from then on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from azure_simulator.app import call_as, dispatch
from azure_simulator.arm import covers
from azure_simulator.clock import stamp
from azure_simulator.http import Request
from azure_simulator.kept import Kept
from azure_simulator.services.authorization import models as access
from azure_simulator.services.graph.store import table
from azure_simulator.truth import score
from azure_simulator.world import Document, Principal, World

HOUR = 3600.0
GIVEN_BACK_AFTER = 9  # hours
WORKS_EVERY = 24  # hours
GROUP_VERSION, CONTAINER_VERSION, ADDRESS_VERSION, ROLE_VERSION = "2021-04-01", "2023-05-01", "2024-05-01", "2022-04-01"
_RULES = ("Global Administrator", "Privileged Role Administrator", "Privileged Authentication Administrator")


@dataclass
class Entry:
    """A way that let the attacker in: how often, and what they could do by it (nothing: they only looked around)."""

    kind: str
    who: str
    id: str
    first_hour: int
    times: int = 0
    did: set[str] = field(default_factory=set)


@dataclass
class Siege:
    """What came of it. `attempts` counts the tries, `works` the pieces of legitimate work; `rogue_at_work` is what runs for the attacker."""

    attempts: int = 0
    works: int = 0
    entered: list[Entry] = field(default_factory=list)
    hindered: list[Document] = field(default_factory=list)
    rogue_at_work: list[str] = field(default_factory=list)
    given_back: list[str] = field(default_factory=list)


def besiege(world: World, ways: Sequence[Kept], *, days: int = 30, every_hours: int = 1) -> Siege:
    """Let so many days pass on the world's clock, with an attempt by each way in every step of hours. `ways` were taken down before the response."""
    siege, entries = Siege(), dict[tuple[str, str, str], Entry]()
    staff = list(_staff(world))
    for way in ways:
        if way.acts_as and way.acts_as not in world.principals:  # a managed identity
            who = Principal(way.acts_as, "ServicePrincipal", way.who.rsplit("/", 1)[-1], tenant_id=world.tenant_id)
            world.principals[way.acts_as] = who
    for hour in range(0, days * 24, every_hours):
        world.clock.advance(every_hours * HOUR)
        world.settle()
        if hour <= GIVEN_BACK_AFTER < hour + every_hours:
            siege.given_back = _give_back(world)
        for way in ways:
            siege.attempts += 1
            did = _try(world, way, hour)
            if did is not None:
                key = (way.kind, way.who, way.id)
                entry = entries.setdefault(key, Entry(*key, first_hour=hour))
                entry.times += 1
                entry.did |= did
        # Until the accounts are given back their owners wait: the gate that blocked them said so.
        if hour > GIVEN_BACK_AFTER and hour % WORKS_EVERY < every_hours:
            for person in staff:
                siege.works += 1
                _note(siege, _hindrance(world, person, hour), hour)
    siege.entered = list(entries.values())
    world.clock.advance(HOUR)  # what was begun last comes up
    told = score(world)
    siege.rogue_at_work = [*told["rogue_running"], *(way.id for way in ways if way.runs and way.is_open(world))]
    for identity in told["legitimate_stopped"]:
        _note(siege, [(identity, "it ran and does not")], days * 24)
    return siege


def _note(siege: Siege, found: list[tuple[str, str]], hour: int) -> None:
    known = {(row["who"], row["what"]) for row in siege.hindered}
    siege.hindered += [{"who": who, "what": what, "hour": hour} for who, what in found if (who, what) not in known]


# The attacker.


def _try(world: World, way: Kept, hour: int) -> set[str] | None:
    """What the attacker can do by a way now; None when it is shut."""
    if not way.is_open(world):
        return None
    did = {way.gives} if way.gives else set[str]()
    principal = world.principals.get(way.acts_as)
    return did if principal is None else did | _deeds(world, principal, way.address, hour)


def _deeds(world: World, principal: Principal, address: str, hour: int) -> set[str]:
    """Build something, give a role, rule the directory: as the principal, through everything that Azure asks."""
    did = {f"rules the directory as {role}" for role in _directory_roles(world, principal) if role in _RULES}
    for scope in world.subscriptions:
        group = f"{scope}/resourceGroups/rg-comeback-{principal.object_id[:8]}"
        location = {"location": "westeurope"}
        if _call(world, principal, "PUT", f"{group}?api-version={GROUP_VERSION}", location, address) < 300:
            did.add("makes resource groups")
        provider = f"{scope}/providers/Microsoft.ContainerInstance/register?api-version={GROUP_VERSION}"
        _call(world, principal, "POST", provider, None, address)
        containers = (
            f"{group}/providers/Microsoft.ContainerInstance/containerGroups/miner?api-version={CONTAINER_VERSION}"
        )
        if _call(world, principal, "PUT", containers, _containers(), address) < 300:
            did.add("runs containers")
            made = containers.partition("?")[0]
            world.truth["rogue_compute"] += [] if made in world.truth["rogue_compute"] else [made]
        name = f"{principal.object_id[:-12]}{hour:012x}"
        role = access.definition(world, "8e3af657-a8ff-443c-a75c-2fe8c4bcb635")
        body = {
            "properties": {
                "roleDefinitionId": role["id"] if role else "",
                "principalId": principal.object_id,
                "principalType": principal.kind,
            }
        }
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version={ROLE_VERSION}"
        if _call(world, principal, "PUT", path, body, address) < 300:
            did.add("gives roles")
    return did


def _containers() -> Document:
    container = {
        "name": "miner",
        "properties": {"image": "mine:1", "resources": {"requests": {"cpu": 4, "memoryInGB": 8}}},
    }
    return {"location": "westeurope", "properties": {"osType": "Linux", "containers": [container]}}


def _directory_roles(world: World, principal: Principal) -> Iterator[str]:
    """The directory roles that a principal has, or may take up."""
    who, names = access.identities(world, principal.object_id), table(world, "roleDefinitions")
    for rows in ("roleAssignments", "roleEligibilities"):
        for row in table(world, rows).values():
            if str(row.get("principalId", "")).lower() in who:
                key = str(row["roleDefinitionId"])
                found = names.get(key) or names.get(f"{world.tenant_id}/{key}") or {}
                yield str(found.get("displayName", key))


def _call(world: World, who: Principal, method: str, path: str, body: Any, address: str) -> int:
    return call_as(world, who.object_id, method, path, body, address=address or "203.0.113.9").status


# The tenant.


@dataclass(frozen=True)
class Staffer:
    """Somebody of the tenant, or of the partner, and the role assignments they had before the attacker came."""

    principal: Principal
    grants: tuple[Document, ...]
    deploys: bool = False  # a pipeline: it signs in with a secret of its own


def _staff(world: World) -> Iterator[Staffer]:
    """Everybody legitimate who could sign in before the response. What the attacker had taken from them counts as theirs."""
    own = {row["principal_id"] for row in world.truth["attackers"] if row["kind"] == "created"}
    left = world.truth.get("identity", {})
    own |= {str(each) for name in ("guests", "service_principals") for each in left.get(name, ())}
    before = [json.loads(row) for row in world.truth["remembered"]["role_assignments"].values()]
    before += [row for row in world.truth.get("removed", ()) if "/roleassignments/" in str(row["id"]).lower()]
    stolen = {row["principal_id"] for row in world.truth["attackers"]}
    before += world.truth.get("grants_of_stolen", ())
    states = {key: json.loads(row) for key, row in world.truth["remembered"]["principals"].items()}
    for principal in world.principals.values():
        if principal.object_id in own or principal.kind == "Group":
            continue
        state = states.get(principal.object_id, {"enabled": principal.object_id in stolen, "secrets": 1})
        if not state["enabled"]:
            continue
        who = access.identities(world, principal.object_id)
        grants = tuple(row for row in before if str(row["properties"]["principalId"]).lower() in who)
        if grants:
            deploys = principal.kind == "ServicePrincipal" and bool(state["secrets"])
            yield Staffer(principal, grants, deploys)


def _hindrance(world: World, person: Staffer, hour: int) -> list[tuple[str, str]]:
    """What this person or pipeline cannot do today."""
    principal = person.principal
    who = principal.upn or principal.name
    if not principal.enabled:
        return [(who, "cannot sign in: the account is disabled")]
    found = [
        (who, f"no longer has the role assignment {row['id']}")
        for row in person.grants
        if row["id"] not in world.role_assignments
    ]
    if person.deploys:
        found += [(who, what) for what in _pipeline(world, principal, person.grants, hour)]
    return found


def _pipeline(world: World, principal: Principal, grants: tuple[Document, ...], hour: int) -> list[str]:
    """Sign in with the newest secret through the token endpoint, look, and deploy something small where the role allows it."""
    secret = _own_secret(world, principal)
    if not secret:
        return ["has no secret of its own"]
    form = {
        "grant_type": "client_credentials",
        "client_id": principal.app_id,
        "client_secret": secret,
        "scope": "https://management.azure.com/.default",
    }
    tenant = principal.tenant_id or world.tenant_id
    asked = Request(
        method="POST",
        path=f"/{tenant}/oauth2/v2.0/token",
        query={},
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode(form).encode(),
        target="",
        address="198.51.100.20",
    )
    answer = dispatch(world, asked)
    if answer.status != 200:
        return [f"cannot sign in with its secret: {answer.status}"]
    writes = "Microsoft.Network/publicIPAddresses/write"
    for group in world.groups.values():
        scope = str(group["id"])
        held = access.grant_for(world, principal.object_id, writes, scope)
        if held is None or not any(covers(row["properties"]["scope"], scope) for row in grants):
            continue
        path = f"{scope}/providers/Microsoft.Network/publicIPAddresses/pip-release-{hour}?api-version={ADDRESS_VERSION}"
        body = {"location": group["location"], "properties": {"publicIPAllocationMethod": "Static"}}
        status = _call(world, principal, "PUT", path, body, "198.51.100.20")
        if status >= 300:
            return [f"cannot deploy into {group['name']}: {status}"]
        _call(world, principal, "DELETE", path, None, "198.51.100.20")
        return []
    return []


def _own_secret(world: World, principal: Principal) -> str:
    """The newest secret that the attacker did not add."""
    added = world.truth.get("rogue_secrets", ())
    return next((one for one in reversed(principal.secrets) if one not in added), "")


def _give_back(world: World) -> list[str]:
    """The first morning: owners prove who they are, applications get a new secret in place of the one that leaked."""
    found = []
    for row in world.truth["attackers"]:
        principal = world.principals.get(row["principal_id"])
        if principal is None or row["kind"] == "created" or principal.enabled:
            continue
        if row["secret"]:
            principal.secrets = [one for one in principal.secrets if one != row["secret"]]
            principal.secrets.append(f"renewed-{stamp(world.clock.now())}")
        principal.enabled = True
        found.append(principal.upn or principal.name)
    return found
