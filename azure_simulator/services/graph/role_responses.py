"""Answers of Graph: role definitions, active and eligible assignments, and the older list of activated roles."""

from __future__ import annotations

from collections.abc import Callable

from azure_simulator.http import Request, Response
from azure_simulator.services.graph import directory, roles
from azure_simulator.services.graph.envelope import Collection, expands, listed, one, tenant_of
from azure_simulator.services.graph.exceptions import GraphBadRequestError, GraphNotFoundError
from azure_simulator.world import Document, World

_BASE = "roleManagement/directory"
_SAME = "eq ne in"
_SCHEDULED = {
    "principalId": _SAME,
    "roleDefinitionId": _SAME,
    "directoryScopeId": _SAME,
    "appScopeId": _SAME,
    "memberType": _SAME,
}
DEFINITIONS = Collection(
    f"{_BASE}/roleDefinitions",
    {"id": "eq in", "displayName": "eq startswith", "isBuiltIn": "eq", "templateId": "eq"},
)
ASSIGNMENTS = Collection(
    f"{_BASE}/roleAssignments", {"principalId": "eq in", "roleDefinitionId": "eq in", "directoryScopeId": "eq"}
)
ACTIVE = Collection(
    f"{_BASE}/roleAssignmentScheduleInstances",
    _SCHEDULED | dict.fromkeys(("assignmentType", "roleAssignmentOriginId", "roleAssignmentScheduleId"), _SAME),
)
ELIGIBLE = Collection(f"{_BASE}/roleEligibilityScheduleInstances", _SCHEDULED | {"roleEligibilityScheduleId": _SAME})
SCHEDULES = Collection(f"{_BASE}/roleEligibilitySchedules", _SCHEDULED | {"status": _SAME})
DIRECTORY_ROLES = Collection("directoryRoles", {"roleTemplateId": "eq", "displayName": "eq"})
MEMBERS = Collection("directoryObjects")


def list_definitions(world: World, request: Request) -> Response:
    found = [roles.definition(row) for row in roles.definitions(world, tenant_of(world, request)).values()]
    return listed(world, request, found, DEFINITIONS)


def get_definition(world: World, request: Request) -> Response:
    found = roles.definitions(world, tenant_of(world, request)).get(request.params["id"].lower())
    if found is None:
        raise GraphNotFoundError(request.params["id"])
    return one(world, request, roles.definition(found), DEFINITIONS.path)


def list_assignments(world: World, request: Request) -> Response:
    """GET roleAssignments; Graph expands one relation at a time here."""
    relations = expands(request, ("principal", "roleDefinition", "directoryScope"))
    if len(relations) > 1:
        raise GraphBadRequestError("Only one property can be expanded in a single request.")
    return _listed(world, request, roles.assignments, roles.assignment, ASSIGNMENTS, relations)


def get_assignment(world: World, request: Request) -> Response:
    for row in roles.assignments(world, tenant_of(world, request)):
        if row["id"].lower() == request.params["id"].lower():
            return one(world, request, roles.assignment(row), ASSIGNMENTS.path)
    raise GraphNotFoundError(request.params["id"])


def list_active(world: World, request: Request) -> Response:
    relations = expands(request, ("principal", "roleDefinition", "directoryScope", "activatedUsing"))
    return _listed(world, request, roles.assignments, roles.active_instance, ACTIVE, relations)


def list_eligible(world: World, request: Request) -> Response:
    relations = expands(request, ("principal", "roleDefinition", "directoryScope"))
    return _listed(world, request, roles.eligibilities, roles.eligible_instance, ELIGIBLE, relations)


def list_schedules(world: World, request: Request) -> Response:
    relations = expands(request, ("principal", "roleDefinition", "directoryScope"))
    return _listed(world, request, roles.eligibilities, roles.eligible_schedule, SCHEDULES, relations)


def _listed(
    world: World,
    request: Request,
    source: Callable[[World, str], list[Document]],
    shape: Callable[[Document], Document],
    collection: Collection,
    relations: list[str],
) -> Response:
    tenant = tenant_of(world, request)
    found = [shape(row) | _related(world, tenant, row, relations) for row in source(world, tenant)]
    return listed(world, request, found, collection)


def _related(world: World, tenant: str, row: Document, relations: list[str]) -> Document:
    """What `$expand` adds. A principal of another tenant, or one that is gone, is null."""
    found: Document = {}
    for relation in relations:
        if relation == "principal":
            principal = world.principals.get(row["principalId"])
            found[relation] = directory.typed(world, principal) if principal else None
        elif relation == "roleDefinition":
            definition = roles.definitions(world, tenant).get(row["roleDefinitionId"])
            found[relation] = roles.definition(definition) if definition else None
        elif relation == "activatedUsing":
            used = [each for each in roles.eligibilities(world, tenant) if each["id"] == row.get("_from")]
            found[relation] = roles.eligible_instance(used[0]) if used else None
        else:
            found[relation] = None
    return found


def list_directory_roles(world: World, request: Request) -> Response:
    """GET /directoryRoles: activated roles alone; who is only eligible stands nowhere in it."""
    tenant = tenant_of(world, request)
    found = roles.activated(world, tenant)
    if expands(request, ("members",)):
        found = [row | {"members": _members(world, tenant, row)} for row in found]
    return listed(world, request, found, DIRECTORY_ROLES)


def list_role_members(world: World, request: Request) -> Response:
    """GET /directoryRoles/{id}/members, also by `roleTemplateId=...`."""
    tenant, name = tenant_of(world, request), request.params["id"].lower()
    for row in roles.activated(world, tenant):
        if name in (
            row["id"],
            f"roletemplateid={row['roleTemplateId']}",
            f"(roletemplateid='{row['roleTemplateId']}')",
        ):
            return listed(world, request, _members(world, tenant, row), MEMBERS)
    raise GraphNotFoundError(request.params["id"])


def _members(world: World, tenant: str, role: Document) -> list[Document]:
    ids = roles.members(world, tenant, role["roleTemplateId"])
    return [directory.typed(world, world.principals[each]) for each in ids if each in world.principals]
