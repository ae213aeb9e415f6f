"""Answers of access control."""

from __future__ import annotations

import re
from typing import Any

from azure_simulator import activity
from azure_simulator.arm import covers
from azure_simulator.clock import stamp
from azure_simulator.http import ArmError, Request, Response, page
from azure_simulator.services.authorization import models
from azure_simulator.services.authorization.builtin import USER_ACCESS_ADMINISTRATOR, role_id
from azure_simulator.services.authorization.exceptions import (
    PrincipalNotFoundError,
    RoleAssignmentExistsError,
    RoleAssignmentNotFoundError,
    RoleDefinitionMissingError,
)
from azure_simulator.world import Document, World, public

_PRINCIPAL = re.compile(r"principalId\s+eq\s+'?([0-9a-f-]{36})'?", re.IGNORECASE)
_ASSIGNED = re.compile(r"assignedTo\(\s*'?([0-9a-f-]{36})'?\s*\)", re.IGNORECASE)
_ROLE_NAME = re.compile(r"roleName\s+eq\s+'((?:[^']|'')*)'", re.IGNORECASE)
_ROLE_TYPE = re.compile(r"type\s+eq\s+'(\w+)'", re.IGNORECASE)


def list_assignments(world: World, request: Request) -> Response:
    """Assignments at, above and below the scope; `atScope()` leaves out those below."""
    scope = _scope(request)
    text = request.q("$filter")
    at_scope = "atscope()" in text.lower()
    principal, assigned = _PRINCIPAL.search(text), _ASSIGNED.search(text)
    if text and not (at_scope or principal or assigned):
        raise ArmError(
            400,
            "UnsupportedQuery",
            f"The filter '{text}' is not supported. Supported: atScope(), principalId eq, assignedTo().",
        )
    who = models.identities(world, assigned.group(1)) if assigned else set()
    rows = []
    for row in world.role_assignments.values():
        properties = row["properties"]
        above = covers(properties["scope"], scope)
        if not above and (at_scope or not covers(scope, properties["scope"])):
            continue
        holder = str(properties["principalId"]).lower()
        if (principal and holder != principal.group(1).lower()) or (assigned and holder not in who):
            continue
        rows.append(row)
    return page(world, request, rows, wrap=public)


def get_assignment(world: World, request: Request) -> Response:
    row = world.role_assignments.get(_assignment_id(request))
    if row is None:
        raise RoleAssignmentNotFoundError(request.params["name"])
    return Response(200, public(row))


def put_assignment(world: World, request: Request) -> Response:
    """Assign a role; assigning the same again under the same name changes nothing."""
    scope = _scope(request)
    wanted: dict[str, Any] = request.json().get("properties", {})
    assigned_role, principal_id = str(wanted.get("roleDefinitionId", "")), str(wanted.get("principalId", ""))
    if not assigned_role or not principal_id:
        raise ArmError(
            400,
            "InvalidRequestContent",
            "The request needs 'properties.roleDefinitionId' and 'properties.principalId'.",
        )
    if models.definition(world, assigned_role) is None:
        raise RoleDefinitionMissingError(assigned_role.rsplit("/", 1)[-1], status=400)
    holder = next((p for p in world.principals.values() if p.object_id.lower() == principal_id.lower()), None)
    if holder is None:
        raise PrincipalNotFoundError(principal_id, world.tenant_id)
    for key, row in world.role_assignments.items():
        properties = row["properties"]
        same = (
            properties["scope"].lower() == scope.lower()
            and properties["principalId"].lower() == principal_id.lower()
            and properties["roleDefinitionId"].rsplit("/", 1)[-1].lower() == assigned_role.rsplit("/", 1)[-1].lower()
        )
        if same and key == _assignment_id(request).lower():
            return Response(200, public(row))
        if same:
            raise RoleAssignmentExistsError(row["name"])
    if _assignment_id(request) in world.role_assignments:
        raise ArmError(
            409,
            "RoleAssignmentUpdateNotPermitted",
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
        )
    now = stamp(world.clock.now())
    author = request.principal.object_id if request.principal else ""
    document: Document = {
        "id": _assignment_id(request),
        "type": "Microsoft.Authorization/roleAssignments",
        "name": request.params["name"],
        "properties": {
            "roleDefinitionId": assigned_role,
            "principalId": holder.object_id,
            "principalType": wanted.get("principalType") or holder.kind,
            "scope": scope,
            "condition": wanted.get("condition"),
            "conditionVersion": wanted.get("conditionVersion"),
            "createdOn": now,
            "updatedOn": now,
            "createdBy": author,
            "updatedBy": author,
            "delegatedManagedIdentityResourceId": None,
            "description": wanted.get("description"),
        },
    }
    world.role_assignments[document["id"]] = document
    world.changed("role_assignment.created", document)
    return Response(201, public(document))


def delete_assignment(world: World, request: Request) -> Response:
    """Remove an assignment and answer what it was; 204 when there was none."""
    row = world.role_assignments.pop(_assignment_id(request), None)
    if row is None:
        return Response(204)
    world.changed("role_assignment.deleted", row)
    return Response(200, public(row))


def list_definitions(world: World, request: Request) -> Response:
    scope = _scope(request)
    text = request.q("$filter")
    name, kind = _ROLE_NAME.search(text), _ROLE_TYPE.search(text)
    rows = []
    for row in world.role_definitions.values():
        properties = row["properties"]
        if not any(covers(above, scope) or covers(scope, above) for above in properties.get("assignableScopes", ["/"])):
            continue
        if name and properties["roleName"].lower() != name.group(1).replace("''", "'").lower():
            continue
        if kind and properties["type"].lower() != kind.group(1).lower():
            continue
        rows.append(row)
    return page(world, request, rows, wrap=lambda row: _at(row, scope))


def get_definition(world: World, request: Request) -> Response:
    row = models.definition(world, request.params["name"])
    if row is None:
        raise RoleDefinitionMissingError(request.params["name"])
    return Response(200, _at(row, _scope(request)))


def put_definition(world: World, request: Request) -> Response:
    """Create or update a custom role."""
    name, scope = request.params["name"], _scope(request)
    known = models.definition(world, name)
    if known is not None and known["properties"]["type"] == "BuiltInRole":
        raise ArmError(403, "RoleDefinitionReadOnly", f"The built-in role definition '{name}' cannot be changed.")
    wanted = request.json().get("properties", {})
    document: Document = {
        "id": f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleDefinitions/{name}",
        "name": name,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": wanted.get("roleName", name),
            "type": "CustomRole",
            "description": wanted.get("description", ""),
            "assignableScopes": wanted.get("assignableScopes", [scope]),
            "permissions": [
                {"actions": [], "notActions": [], "dataActions": [], "notDataActions": [], **entry}
                for entry in wanted.get("permissions", [])
            ],
            "createdOn": stamp(world.clock.now()),
            "updatedOn": stamp(world.clock.now()),
        },
    }
    world.role_definitions[known["id"] if known else document["id"]] = document
    return Response(201, public(document))


def delete_definition(world: World, request: Request) -> Response:
    row = models.definition(world, request.params["name"])
    if row is None:
        return Response(204)
    used = [
        a
        for a in world.role_assignments.values()
        if a["properties"]["roleDefinitionId"].lower().endswith(row["name"].lower())
    ]
    if used:
        raise ArmError(
            400,
            "RoleDefinitionHasAssignments",
            f"There are existing role assignments referencing role (code: {row['name']}).",
        )
    del world.role_definitions[row["id"]]
    return Response(200, public(row))


def permissions(world: World, request: Request) -> Response:
    """The caller's own permissions at the scope."""
    assert request.principal is not None
    return Response(200, {"value": models.permissions_at(world, request.principal.object_id, _scope(request))})


def elevate_access(world: World, request: Request) -> Response:
    """`elevateAccess`: only for those in the world's table "global_administrators" (by object id), and in the tenant's log."""
    assert request.principal is not None
    if request.principal.object_id not in world.table("global_administrators"):
        raise ArmError(403, "AuthorizationFailed", "Only a Global Administrator may elevate access.")
    log = activity.Recorder(world, request, "Microsoft.Authorization/elevateAccess/action", "Global Administrator")
    log.started()
    name = world.chance.guid()
    now = stamp(world.clock.now())
    document: Document = {
        "id": f"/providers/Microsoft.Authorization/roleAssignments/{name}",
        "type": "Microsoft.Authorization/roleAssignments",
        "name": name,
        "properties": {
            "roleDefinitionId": role_id(USER_ACCESS_ADMINISTRATOR),
            "principalId": request.principal.object_id,
            "principalType": request.principal.kind,
            "scope": "/",
            "createdOn": now,
            "updatedOn": now,
            "createdBy": request.principal.object_id,
            "updatedBy": request.principal.object_id,
        },
    }
    world.role_assignments[document["id"]] = document
    answer = Response(200)
    log.ended(answer)
    return answer


def list_denials(world: World, request: Request) -> Response:
    """Deny assignments at, above and below the scope; `atScope()` leaves out those below. Read-only, as for customers in Azure."""
    scope, text = _scope(request), request.q("$filter").lower()
    rows = [
        row
        for row in models.deny_assignments(world)
        if covers(row["properties"]["scope"], scope)
        or ("atscope()" not in text and covers(scope, row["properties"]["scope"]))
    ]
    return page(world, request, rows, wrap=public)


def empty(_world: World, _request: Request) -> Response:
    """Classic administrators: none."""
    return Response(200, {"value": []})


def _scope(request: Request) -> str:
    return request.params.get("scope", "").rstrip("/") or "/"


def _assignment_id(request: Request) -> str:
    return f"{_scope(request).rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{request.params['name']}"


def _at(row: Document, scope: str) -> Document:
    """A definition as seen from a subscription: its id carries the scope it was asked at."""
    shown = public(row)
    if row["properties"]["type"] == "BuiltInRole" and scope.lower().startswith("/subscriptions/"):
        subscription = "/".join(scope.split("/")[:3])
        shown["id"] = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{row['name']}"
    return shown
