"""Reads Azure's documents on role assignments and locks into values. Pure; for whoever read the lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.model.facts import CustomRole, Lock, RoleAssignment


def role_assignment(item: dict[str, Any], names: Mapping[str, str]) -> RoleAssignment:
    """A role assignment; `names` are names of roles by the last part of their definition's id, in lower case."""
    properties = doc.mapping(item, "properties")
    role = doc.path(properties, "roleDefinitionId")
    return RoleAssignment(
        id=doc.path(item, "id"),
        scope=doc.path(properties, "scope") or scope_of(doc.path(item, "id")),
        role_definition_id=role,
        role_name=names.get(role.rsplit("/", 1)[-1].lower(), ""),
        principal_id=doc.text(properties, "principalId").lower(),
        principal_type=doc.text(properties, "principalType"),
        created_at=doc.moment(doc.text(properties, "createdOn")),
        created_by=doc.text(properties, "createdBy").lower(),
        document=item,
    )


def custom_role(item: dict[str, Any], assignments: Sequence[RoleAssignment]) -> CustomRole | None:
    """A role definition of the tenant's own; None for a built-in one."""
    properties = doc.mapping(item, "properties")
    if doc.text(properties, "type").lower() != "customrole":
        return None
    guid = doc.path(item, "id").rsplit("/", 1)[-1].lower()
    return CustomRole(
        id=doc.path(item, "id"),
        name=doc.text(properties, "roleName"),
        created_at=doc.moment(doc.text(properties, "createdOn")),
        created_by=doc.text(properties, "createdBy").lower(),
        assigned=sum(one.role_definition_id.rsplit("/", 1)[-1].lower() == guid for one in assignments),
    )


def lock(item: dict[str, Any]) -> Lock:
    """A management lock and what it stands on."""
    return Lock(
        id=doc.path(item, "id"),
        scope=scope_of(doc.path(item, "id")),
        level=doc.text(item, "properties", "level"),
        notes=doc.text(item, "properties", "notes"),
        document=item,
    )


def scope_of(identifier: str) -> str:
    """What an authorization object stands on: its id up to the provider, in Azure's spelling."""
    at = identifier.lower().rfind("/providers/microsoft.authorization/")
    return identifier[:at] if at > 0 else "/"
