"""A world made of what somebody recorded of a real subscription: the documents that Resource Manager answered, put where they belong.

    {"now": "2026-03-03T04:30:00Z", "tenant_id": "...", "partner_tenant_id": "...", "subscription_id": "...", "identity": "<object id>",
     "alert": {...}, "answers": [{"url": "https://.../virtualMachines?...", "body": {"value": [...]}}, ...]}

What is not recorded is not invented: a resource that only a list of names told of is held by its name, and `Held` says so. Documents come from
anybody: what has no id, no type or lies in another subscription is passed over and counted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from azure_simulator import recorded_directory, recorded_tenant
from azure_simulator.chance import Chance
from azure_simulator.clock import Clock
from azure_simulator.services.authorization import builtin
from azure_simulator.services.policy import builtin as policies
from azure_simulator.world import Document, Principal, Table, World

MACHINE = "microsoft.compute/virtualmachines"
SCALE_SET = "microsoft.compute/virtualmachinescalesets"
INSTANCE = f"{SCALE_SET}/virtualmachines"
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged#owner
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
_TABLES = {
    "microsoft.resources/resourcegroups": "groups",
    "microsoft.resources/subscriptions/resourcegroups": "groups",
    "microsoft.authorization/roleassignments": "role_assignments",
    "microsoft.authorization/roledefinitions": "role_definitions",
    "microsoft.authorization/locks": "locks",
    "microsoft.authorization/policyassignments": "policy_assignments",
    "microsoft.authorization/policydefinitions": "policy_definitions",
    "microsoft.authorization/policysetdefinitions": "policy_definitions",
    "microsoft.consumption/budgets": "budgets",
}
_NOT_RESOURCES = ("microsoft.support/", "microsoft.quota/", "microsoft.resourcehealth/", "microsoft.insights/events")
_USAGES = re.compile(r"/subscriptions/([^/]+)/providers/microsoft\.compute/locations/([^/]+)/usages", re.IGNORECASE)
_INSTANCES = re.compile(r"(/subscriptions/.+/virtualmachinescalesets/[^/]+)/virtualmachines/?", re.IGNORECASE)
_MEMBERS = re.compile(r"/groups/([0-9a-f-]{36})/(?:transitive)?members", re.IGNORECASE)
_SUBSCRIPTION = re.compile(r"/subscriptions/([0-9a-f-]{36})", re.IGNORECASE)


@dataclass
class Held:
    """What became of the record: documents held with their properties and by name alone, and answers that no service here can hold; by kind."""

    whole: Counter[str] = field(default_factory=Counter)
    by_name: Counter[str] = field(default_factory=Counter)
    not_held: Counter[str] = field(default_factory=Counter)
    own_role_added: bool = False

    def document(self) -> Document:
        return {
            "whole": dict(sorted(self.whole.items())),
            "by_name": dict(sorted(self.by_name.items())),
            "not_held": dict(sorted(self.not_held.items())),
            "own_role_added": self.own_role_added,
        }


def load(path: Path, *, real_time: bool = True) -> tuple[World, Held]:
    """Make the world of a record file.

    Raises:
        ValueError: it is not such a file.
    """
    try:
        record = json.loads(path.read_bytes())
        now = datetime.fromisoformat(record["now"])
        tenant, subscription = str(record["tenant_id"]), str(record["subscription_id"]).lower()
        identity, answers = str(record["identity"]), record["answers"]
        chance = Chance(int(record.get("seed", 1)))
        partner = str(record.get("partner_tenant_id") or tenant)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no recorded world ({type(error).__name__}: {error}).") from error
    world = World(
        seed=1,
        clock=Clock(now if now.tzinfo else now.replace(tzinfo=UTC), real_time=real_time),
        chance=chance,
        scenario="recorded",
        tenant_id=tenant,
        partner_tenant_id=partner,
    )
    builtin.install(world)
    policies.install(world)
    held = Held()
    scope = f"/subscriptions/{subscription}"
    world.subscriptions[scope] = {
        "id": scope,
        "subscriptionId": subscription,
        "tenantId": tenant,
        "displayName": "",
        "state": "Enabled",
    }
    for answer in answers:
        _take(world, held, subscription, str(answer.get("url", "")), answer.get("body"))
    if isinstance(record.get("alert"), dict):
        recorded_tenant.take_alert(world, record["alert"])
    _tie(world)
    _people(world, identity, str(record.get("secret") or chance.guid()))
    held.own_role_added = _let_in(world, identity, scope)
    _count(world, held)
    return world, held


def _take(world: World, held: Held, subscription: str, url: str, body: Any) -> None:
    path = unquote(urlsplit(url).path)
    if not isinstance(body, dict):
        held.not_held[_area(path)] += 1
        return
    if members := _MEMBERS.search(path):
        group = world.principals.setdefault(
            members[1].lower(), Principal(object_id=members[1].lower(), kind="Group", name="")
        )
        group.members += [str(row["id"]).lower() for row in _rows(body) if "id" in row]
        return
    if usages := _USAGES.search(path):
        for row in _rows(body):
            _quota(world, usages[1], usages[2], row)
        return
    if "/providers/microsoft.insights/eventtypes/management/" in path.lower():
        held.whole["events of the activity log"] += recorded_tenant.take_events(world, subscription, _rows(body))
        return
    documents = list(_rows(body)) if isinstance(body.get("value"), list) else [body]
    for take in (recorded_tenant.take_people, recorded_directory.take):
        kind, count = take(world, path, documents)
        if kind:
            held.whole[kind] += count
            return
    if "eventtypes" in path.lower() or "/graph" in path.lower() or not _is_arm(path):
        held.not_held[_area(path)] += 1
        return
    for row in documents:
        _put(world, held, subscription, row)


def _put(world: World, held: Held, subscription: str, row: Document) -> None:
    identity, kind = row.get("id"), row.get("type")
    place = _SUBSCRIPTION.match(identity) if isinstance(identity, str) else None
    if place and place[1].lower() == subscription and kind is None and str(identity).count("/") == 2:
        world.subscriptions[str(identity)] |= {
            k: v for k, v in row.items() if k in ("displayName", "state", "tenantId")
        }
        return
    if (
        not isinstance(identity, str)
        or not isinstance(kind, str)
        or not identity.startswith("/")
        or len(identity) > 2000
    ):
        held.not_held["answers that are no documents of Resource Manager"] += 1
        return
    low = kind.lower()
    if place is not None and place[1].lower() != subscription:
        held.not_held["documents of another subscription"] += 1
        return
    if "/" not in kind:
        return  # a region of the catalogue
    if low.startswith(_NOT_RESOURCES):
        held.not_held[kind] += 1
        return
    if low == INSTANCE:
        _instance(world, identity, row)
        return
    table: Table = getattr(world, _TABLES.get(low, "resources"))
    known = table.get(identity)
    clean = {key: value for key, value in row.items() if not key.startswith("_")}
    merged = _merged(known, clean) if known else clean
    merged["properties"] = merged["properties"] if isinstance(merged.get("properties"), dict) else {}
    if row.get("createdTime"):
        merged.setdefault("_created", str(row["createdTime"]))
    if power := _power(row):
        merged["_power"] = power
    merged["_whole"] = bool((known or {}).get("_whole")) or isinstance(row.get("properties"), dict)
    table[identity] = merged


def _merged(known: Document, newer: Document) -> Document:
    """Both documents; what the one lacks the other tells."""
    found = {**known, **{key: value for key, value in newer.items() if value is not None}}
    if isinstance(known.get("properties"), dict) and isinstance(newer.get("properties"), dict):
        found["properties"] = {**known["properties"], **newer["properties"]}
    return found


def _power(row: Document) -> str:
    """The power state that an instance view tells, "" when it tells none."""
    properties = row.get("properties")
    view = properties.get("instanceView") if isinstance(properties, dict) else None
    statuses = view.get("statuses") if isinstance(view, dict) else None
    for one in statuses if isinstance(statuses, list) else ():
        code = str(one.get("code", "")) if isinstance(one, dict) else ""
        if code.lower().startswith("powerstate/"):
            return code.partition("/")[2].lower()
    return ""


def _instance(world: World, identity: str, row: Document) -> None:
    """An instance of a scale set, kept with its set, which may come later."""
    place = _INSTANCES.match(identity)
    properties = row.get("properties")
    if not place or not isinstance(properties, dict):
        return
    waiting = world.memory.setdefault("recorded_instances", {})
    known = waiting.setdefault(place[1].lower(), {})
    number = str(row.get("instanceId") or identity.rsplit("/", 1)[-1])
    earlier = known.get(number, {})
    known[number] = {
        "vmId": str(properties.get("vmId") or earlier.get("vmId") or ""),
        "_power": _power(row) or earlier.get("_power", "running"),
        "name": str(row.get("name") or earlier.get("name") or number),
        "timeCreated": str(properties.get("timeCreated") or earlier.get("timeCreated") or ""),
    }


def _quota(world: World, subscription: str, region: str, row: Document) -> None:
    told_name = row.get("name")
    name: Document = told_name if isinstance(told_name, dict) else {}
    family = str(name.get("value", ""))
    if family and isinstance(row.get("limit"), int):
        title = str(name.get("localizedValue") or family)
        told: Document = {"subscription": subscription, "region": region.lower(), "family": family, "title": title}
        world.quotas[f"{subscription}/{region}/{family}"] = told | {"limit": row["limit"]}


def _tie(world: World) -> None:
    """Give scale sets their instances, and write on interfaces and disks which machine holds them: the machines tell it."""
    for identity, instances in world.memory.pop("recorded_instances", {}).items():
        if identity in world.resources:
            world.resources[identity]["_instances"] = instances
    for machine in world.resources.of_type(MACHINE):
        profile = machine["properties"].get("networkProfile")
        slots = profile.get("networkInterfaces") if isinstance(profile, dict) else None
        for slot in slots if isinstance(slots, list) else ():
            interface = world.resources.get(str(slot.get("id", ""))) if isinstance(slot, dict) else None
            if interface is not None:
                interface["properties"].setdefault("virtualMachine", {"id": machine["id"]})


def _people(world: World, identity: str, secret: str) -> None:
    """Everybody who holds a role, and the responder with the one secret that opens this world."""
    for row in world.role_assignments.values():
        properties = row["properties"]
        name = str(properties.get("principalId", "")).lower()
        if name and name not in world.principals:
            kind = str(properties.get("principalType") or "User")
            world.principals[name] = Principal(object_id=name, kind=kind, name=name, tenant_id=world.tenant_id)
    world.principals[identity.lower()] = Principal(
        object_id=identity.lower(),
        kind="ServicePrincipal",
        name="firebreak-responder",
        app_id=world.chance.child("responder").guid(),
        tenant_id=world.tenant_id,
        secrets=[secret],
    )


def _let_in(world: World, identity: str, scope: str) -> bool:
    """Make the responder Owner when the record does not show its role (it may hold it through a group); True when that was needed."""
    for row in world.role_assignments.values():
        properties = row["properties"]
        if str(properties.get("principalId", "")).lower() == identity.lower():
            return False
    name = world.chance.child("let-in").guid()
    key = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
    world.role_assignments[key] = {
        "id": key,
        "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "scope": scope,
            "roleDefinitionId": builtin.role_id(OWNER),
            "principalId": identity.lower(),
            "principalType": "ServicePrincipal",
        },
    }
    return True


def _count(world: World, held: Held) -> None:
    for table in (world.groups, world.resources, world.role_assignments, world.locks, world.policy_assignments):
        for row in table.values():
            whole = row.pop("_whole", True)
            (held.whole if whole else held.by_name)[str(row.get("type", ""))] += 1
    for table in (world.role_definitions, world.policy_definitions, world.budgets):
        for row in table.values():
            row.pop("_whole", None)
    held.whole["compute quotas"] = len(world.quotas)


def _rows(body: Document) -> Iterator[Document]:
    value = body.get("value")
    return (row for row in (value if isinstance(value, list) else ()) if isinstance(row, dict))


def _is_arm(path: str) -> bool:
    return path.lower().startswith(("/subscriptions/", "/providers/"))


def _area(path: str) -> str:
    """What an answer was about, for people: the service and kind of its address."""
    low = path.lower()
    if "eventtypes" in low:
        return "the activity log"
    if "/graph" in low or low.startswith(("/v1.0/", "/beta/")):
        return "the rest of the directory (Graph: logs, risk)"
    if "partnercenter" in low or low.startswith("/v1/"):
        return "Partner Center"
    if "costmanagement" in low or "consumption" in low:
        return "costs"
    if "/prices" in low or low.startswith("/api/retail"):
        return "retail prices"
    return "storage and other data planes"
