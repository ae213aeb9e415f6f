"""Directory roles: definitions, who holds one now, and who may activate one.

The table `graph.roleAssignments` holds what is active, `graph.roleEligibilities` what may be activated. The simulator's own keys say how it
came to be: `_start`, `_end`, `_type` (Assigned or Activated), `_from` (the eligibility that was activated).
"""

from __future__ import annotations

from azure_simulator.services.graph.store import rows
from azure_simulator.world import Document, World, public


def definitions(world: World, tenant: str) -> dict[str, Document]:
    """Role definitions by id."""
    return {row["id"]: row for row in rows(world, "roleDefinitions", tenant)}


def assignments(world: World, tenant: str) -> list[Document]:
    return rows(world, "roleAssignments", tenant)


def eligibilities(world: World, tenant: str) -> list[Document]:
    return rows(world, "roleEligibilities", tenant)


def members(world: World, tenant: str, role: str) -> list[str]:
    """Who holds a role now, in the order in which they got it."""
    found = [row["principalId"] for row in assignments(world, tenant) if row["roleDefinitionId"] == role]
    return list(dict.fromkeys(found))


def activated(world: World, tenant: str) -> list[Document]:
    """The roles of the tenant as `directoryRoles` lists them: those that were ever assigned, without the eligible."""
    return [
        {
            "id": row["_instance"],
            "deletedDateTime": None,
            "displayName": row["displayName"],
            "description": row["description"],
            "roleTemplateId": row["id"],
        }
        for row in rows(world, "roleDefinitions", tenant)
        if members(world, tenant, row["id"])
    ]


def active_instance(row: Document) -> Document:
    """An assignment as Privileged Identity Management shows it."""
    eligible = row.get("_from")
    return {
        "id": row["id"],
        "principalId": row["principalId"],
        "roleDefinitionId": row["roleDefinitionId"],
        "directoryScopeId": row["directoryScopeId"],
        "appScopeId": None,
        "startDateTime": row.get("_start"),
        "endDateTime": row.get("_end"),
        "assignmentType": row.get("_type", "Assigned"),
        "memberType": "Direct",
        "roleAssignmentOriginId": row["id"],
        "roleAssignmentScheduleId": row["id"] if not eligible else f"{eligible}-a",
    }


def eligible_instance(row: Document) -> Document:
    """An eligibility as it stands now."""
    return {
        "id": f"{row['id']}-i",
        "principalId": row["principalId"],
        "roleDefinitionId": row["roleDefinitionId"],
        "directoryScopeId": row["directoryScopeId"],
        "appScopeId": None,
        "startDateTime": row["_start"],
        "endDateTime": row["_end"],
        "memberType": "Direct",
        "roleEligibilityScheduleId": row["id"],
    }


def eligible_schedule(row: Document) -> Document:
    """An eligibility as it was set up."""
    expiration = {
        "type": "afterDateTime" if row["_end"] else "noExpiration",
        "endDateTime": row["_end"],
        "duration": None,
    }
    return {
        "id": row["id"],
        "principalId": row["principalId"],
        "roleDefinitionId": row["roleDefinitionId"],
        "directoryScopeId": row["directoryScopeId"],
        "appScopeId": None,
        "createdDateTime": row["_start"],
        "modifiedDateTime": None,
        "createdUsing": row["id"],
        "status": "Provisioned",
        "memberType": "Direct",
        "scheduleInfo": {"startDateTime": row["_start"], "recurrence": None, "expiration": expiration},
    }


def assignment(row: Document) -> Document:
    """An assignment as the role management API shows it."""
    return {**public(row), "resourceScope": row["directoryScopeId"], "condition": None}


def definition(row: Document) -> Document:
    return public(row)
