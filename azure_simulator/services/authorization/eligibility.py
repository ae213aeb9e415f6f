"""Roles that somebody may take up (Privileged Identity Management): schedules at any scope, changed by requests.

PUT {scope}/providers/Microsoft.Authorization/roleEligibilityScheduleRequests/{guid}   requestType AdminAssign or AdminRemove
GET {scope}/providers/Microsoft.Authorization/roleEligibilitySchedules                 at, above and below the scope
"""

from __future__ import annotations

from typing import Any

from azure_simulator.arm import covers
from azure_simulator.clock import stamp
from azure_simulator.http import ArmError, Request, Response, page
from azure_simulator.services.authorization import models
from azure_simulator.services.authorization.exceptions import PrincipalNotFoundError, RoleDefinitionMissingError
from azure_simulator.services.graph import licences
from azure_simulator.world import Document, World, public

TABLE = "authorization.eligibility"
SCHEDULE = "Microsoft.Authorization/roleEligibilitySchedules"
REQUEST = "Microsoft.Authorization/roleEligibilityScheduleRequests"


def list_schedules(world: World, request: Request) -> Response:
    """Schedules at, above and below the scope. Needs P2 or Governance."""
    _check_licence(world)
    scope = _scope(request)
    rows = [
        row
        for row in world.table(TABLE).values()
        if covers(row["properties"]["scope"], scope) or covers(scope, row["properties"]["scope"])
    ]
    return page(world, request, rows, wrap=public)


def get_schedule(world: World, request: Request) -> Response:
    _check_licence(world)
    found = world.table(TABLE).get(f"{_scope(request)}/providers/{SCHEDULE}/{request.params['name']}")
    if found is None:
        raise ArmError(404, "RoleEligibilityScheduleNotFound", "The role eligibility schedule was not found.")
    return Response(200, public(found))


def put_request(world: World, request: Request) -> Response:
    """Make somebody eligible, or end it. A request is carried out at once; the same again is refused as in Azure."""
    _check_licence(world)
    scope, wanted = _scope(request), dict(request.json().get("properties") or {})
    kind, principal = str(wanted.get("requestType", "")), str(wanted.get("principalId", ""))
    role = models.definition(world, str(wanted.get("roleDefinitionId", "")))
    if role is None:
        raise RoleDefinitionMissingError(str(wanted.get("roleDefinitionId", "")).rsplit("/", 1)[-1], status=400)
    holder = next((p for p in world.principals.values() if p.object_id.lower() == principal.lower()), None)
    if holder is None and kind == "AdminAssign":
        raise PrincipalNotFoundError(principal, world.tenant_id)
    standing = [row for row in world.table(TABLE).values() if _is(row, scope, principal, str(role["name"]))]
    if kind == "AdminAssign":
        if standing:
            raise ArmError(400, "RoleAssignmentExists", "The Role assignment already exists.")
        assert holder is not None
        add(
            world,
            scope,
            holder.object_id,
            holder.kind,
            str(role["id"]),
            name=world.chance.guid(),
            requested=request.params["name"],
            ends=_end(wanted),
        )
    elif kind == "AdminRemove":
        if not standing:
            raise ArmError(400, "RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
        for row in standing:
            del world.table(TABLE)[row["id"]]
    else:
        raise ArmError(400, "InvalidRequestType", f"The request type '{kind}' is not supported.")
    identity = f"{scope}/providers/{REQUEST}/{request.params['name']}"
    status = "Provisioned" if kind == "AdminAssign" else "Revoked"
    told = wanted | {"scope": scope, "status": status, "createdOn": stamp(world.clock.now())}
    return Response(201, {"id": identity, "name": request.params["name"], "type": REQUEST, "properties": told})


def add(
    world: World,
    scope: str,
    principal: str,
    kind: str,
    role: str,
    *,
    name: str,
    requested: str,
    ends: str = "",
    at: str = "",
) -> Document:
    """Put a schedule into the world."""
    moment = at or stamp(world.clock.now())
    identity = f"{scope}/providers/{SCHEDULE}/{name}"
    properties: Document = {
        "scope": scope,
        "roleDefinitionId": role,
        "principalId": principal,
        "principalType": kind,
        "status": "Provisioned",
        "memberType": "Direct",
        "startDateTime": moment,
        "endDateTime": ends or None,
        "createdOn": moment,
        "updatedOn": moment,
        "roleEligibilityScheduleRequestId": f"{scope}/providers/{REQUEST}/{requested}",
    }
    document: Document = {"id": identity, "name": name, "type": SCHEDULE, "properties": properties}
    world.table(TABLE)[identity] = document
    return document


def _is(row: Document, scope: str, principal: str, role: str) -> bool:
    properties = row["properties"]
    return (
        str(properties["scope"]).lower() == scope.lower()
        and str(properties["principalId"]).lower() == principal.lower()
        and str(properties["roleDefinitionId"]).rsplit("/", 1)[-1].lower() == role.lower()
    )


def _end(wanted: dict[str, Any]) -> str:
    expiration = (wanted.get("scheduleInfo") or {}).get("expiration") or {}
    return str(expiration.get("endDateTime") or "")


def _scope(request: Request) -> str:
    return request.params.get("scope", "").rstrip("/") or "/"


def _check_licence(world: World) -> None:
    if not licences.has(world, world.tenant_id, "privileged"):
        raise ArmError(
            400,
            "AadPremiumLicenseRequired",
            "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.",
        )
