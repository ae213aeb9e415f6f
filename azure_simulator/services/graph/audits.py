"""The directory's audit log: who changed what. Rows are in `graph.directoryAudits`; `write` adds one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.clock import stamp
from azure_simulator.http import Request
from azure_simulator.services.graph import licences
from azure_simulator.services.graph.envelope import tenant_of
from azure_simulator.services.graph.store import put, rows, table
from azure_simulator.world import Document, Principal, World

RETENTION, RETENTION_FREE = timedelta(days=30), timedelta(days=7)
LAG = timedelta(minutes=3)
CORE, PRIVILEGED, METHODS = "Core Directory", "PIM", "Authentication Methods"
INVITES, ACCESS = "Invited Users", "Conditional Access"


@dataclass(frozen=True)
class Change:
    """One property that was changed, with what it was and what it became; both go as JSON text."""

    name: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Audit:
    """What happened: `by` None is the service itself. `targets` are documents with `id`, `displayName`, `type` and, for a user, `userPrincipalName`."""

    at: datetime
    activity: str
    category: str
    by: Principal | None
    targets: tuple[Document, ...]
    changes: tuple[Change, ...] = ()
    service: str = CORE
    operation: str = "Update"
    address: str = ""
    failure: str = ""
    details: Document = field(default_factory=dict)
    tenant: str = ""


def target(thing: Principal) -> Document:
    """A principal as the target of an audit."""
    kinds = {"User": "User", "ServicePrincipal": "ServicePrincipal"}
    kind = kinds.get(thing.kind, "Group")
    return {
        "id": thing.object_id,
        "displayName": None if kind == "User" else thing.name,
        "type": kind,
        "userPrincipalName": thing.upn if kind == "User" else None,
        "groupType": "azureAD" if kind == "Group" else None,
    }


def other(identity: str, name: str, kind: str) -> Document:
    """An application, role or policy as the target of an audit."""
    return {"id": identity, "displayName": name, "type": kind, "userPrincipalName": None, "groupType": None}


def write(world: World, chance: Chance, audit: Audit) -> Document:
    """Add a row and return it."""
    guid = chance.guid()
    prefix = (
        "PIM" if audit.service == PRIVILEGED else "Directory" if audit.service == CORE else audit.service.split(" ")[0]
    )
    changed = [
        {"displayName": each.name, "oldValue": _text(each.before), "newValue": _text(each.after)}
        for each in audit.changes
    ]
    document: Document = {
        "id": f"{prefix}_{guid}_{chance.randrange(10**8):08}",
        "category": audit.category,
        "correlationId": guid,
        "result": "failure" if audit.failure else "success",
        "resultReason": audit.failure,
        "activityDisplayName": audit.activity,
        "activityDateTime": stamp(audit.at),
        "loggedByService": audit.service,
        "operationType": audit.operation,
        "initiatedBy": _initiator(audit),
        "targetResources": [
            {**row, "modifiedProperties": changed if number == 0 else []} for number, row in enumerate(audit.targets)
        ],
        "additionalDetails": [{"key": key, "value": value} for key, value in audit.details.items()],
    }
    return put(world, "directoryAudits", document["id"], document, tenant=audit.tenant)


def note(
    world: World,
    request: Request,
    activity: str,
    category: str,
    *targets: Document,
    changes: tuple[Change, ...] = (),
    operation: str = "Update",
) -> None:
    """Write down what a request changed."""
    chance = world.memory.setdefault("audit_chance", world.chance.child("audits"))
    audit = Audit(
        world.clock.now(),
        activity,
        category,
        request.principal,
        targets,
        changes,
        operation=operation,
        address=request.address,
        tenant=tenant_of(world, request),
    )
    write(world, chance, audit)


def shown(world: World, tenant: str) -> list[Document]:
    """The audits that the tenant's log has now, newest first."""
    now = world.clock.now()
    kept = RETENTION if licences.has(world, tenant, "reports") else RETENTION_FREE
    oldest, newest = stamp(now - kept), stamp(now - LAG)
    count = len(table(world, "directoryAudits"))
    cached = world.memory.get("graph.sorted_audits")
    if cached is None or cached[0] != (count, tenant):
        found = sorted(
            rows(world, "directoryAudits", tenant), key=lambda row: (row["activityDateTime"], row["id"]), reverse=True
        )
        cached = world.memory["graph.sorted_audits"] = ((count, tenant), found)
    return [row for row in cached[1] if oldest <= row["activityDateTime"] <= newest]


def _initiator(audit: Audit) -> Document:
    by = audit.by
    if by is None:
        app = {"appId": None, "displayName": audit.service, "servicePrincipalId": None, "servicePrincipalName": None}
        return {"user": None, "app": app}
    if by.kind == "User":
        user = {
            "id": by.object_id,
            "displayName": None,
            "userPrincipalName": by.upn,
            "ipAddress": audit.address,
            "userType": None,
            "homeTenantId": None,
            "homeTenantName": None,
        }
        return {"user": user, "app": None}
    app = {
        "appId": None,
        "displayName": by.name,
        "servicePrincipalId": by.object_id,
        "servicePrincipalName": None,
    }
    return {"user": None, "app": app}


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))
