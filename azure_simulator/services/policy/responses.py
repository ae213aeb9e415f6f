"""Answers of Azure Policy about assignments."""

from __future__ import annotations

import re

from azure_simulator.arm import covers
from azure_simulator.clock import stamp
from azure_simulator.http import ArmError, Request, Response, page
from azure_simulator.services.policy import models
from azure_simulator.services.policy.exceptions import PolicyNotFoundError
from azure_simulator.world import Document, World, public

_DEFINITION = re.compile(r"policyDefinitionId\s+eq\s+'([^']+)'", re.IGNORECASE)
_AS_GIVEN = ("definitionVersion", "nonComplianceMessages", "overrides", "resourceSelectors")
_MODES = {"default": "Default", "donotenforce": "DoNotEnforce", "enroll": "Enroll"}


def list_assignments(world: World, request: Request) -> Response:
    """Assignments at, above and (without `atScope()`) below the scope."""
    scope, text = _scope(request), request.q("$filter")
    only_here = "atscope()" in text.lower() or "atexactscope()" in text.lower()
    by_definition = _DEFINITION.search(text)
    rows = []
    for row in world.policy_assignments.values():
        place = row["properties"]["scope"]
        if not (covers(place, scope) or (not only_here and covers(scope, place))):
            continue
        if "atexactscope()" in text.lower() and place.lower() != scope.lower():
            continue
        if by_definition and row["properties"]["policyDefinitionId"].lower() != by_definition.group(1).lower():
            continue
        rows.append(row)
    return page(world, request, rows, wrap=public)


def get_assignment(world: World, request: Request) -> Response:
    row = world.policy_assignments.get(_assignment_id(request))
    if row is None:
        raise PolicyNotFoundError("PolicyAssignment", request.params["name"])
    return Response(200, public(row))


def put_assignment(world: World, request: Request) -> Response:
    """Create or replace an assignment; it begins to deny `world.policy_delay_seconds` later."""
    body = request.json()
    wanted = body.get("properties") or {}
    definition_id = str(wanted.get("policyDefinitionId", ""))
    definition = world.policy_definitions.get(definition_id) or models.set_definitions(world).get(definition_id)
    if definition is None:
        is_set = "/policysetdefinitions/" in definition_id.lower()
        raise PolicyNotFoundError("PolicySetDefinition" if is_set else "PolicyDefinition", definition_id)
    given = {name.lower() for name in wanted.get("parameters") or {}}
    needed = definition["properties"].get("parameters") or {}
    missing = sorted(name for name, spec in needed.items() if "defaultValue" not in spec and name.lower() not in given)
    if missing:
        raise ArmError(
            400,
            "MissingPolicyParameter",
            f"The policy assignment '{request.params['name']}' is missing the parameter(s) '{','.join(missing)}' as defined in "
            f"the policy definition '{definition['name']}'.",
        )
    unknown = sorted(given - {name.lower() for name in needed})
    if unknown:
        raise ArmError(
            400, "UndefinedPolicyParameter", f"The policy assignment uses undefined parameter(s) '{','.join(unknown)}'."
        )
    mode = _MODES.get(str(wanted.get("enforcementMode", "Default")).lower())
    if mode is None:
        raise ArmError(
            400, "InvalidPolicyAssignment", f"The enforcement mode '{wanted['enforcementMode']}' is not valid."
        )
    known = world.policy_assignments.get(_assignment_id(request))
    now = world.clock.now()
    author = request.principal.object_id if request.principal else ""
    document: Document = {
        "id": known["id"] if known else _assignment_id(request),
        "type": "Microsoft.Authorization/policyAssignments",
        "name": request.params["name"],
        **({"location": body["location"]} if body.get("location") else {}),
        **({"identity": body["identity"]} if body.get("identity") else {}),
        "properties": {
            "displayName": wanted.get("displayName", request.params["name"]),
            "description": wanted.get("description", ""),
            "policyDefinitionId": definition["id"],
            "scope": _scope(request),
            "notScopes": wanted.get("notScopes", []),
            "parameters": wanted.get("parameters", {}),
            "metadata": {"createdBy": author, "createdOn": stamp(now), **(wanted.get("metadata") or {})},
            "enforcementMode": mode,
            **{name: wanted[name] for name in _AS_GIVEN if wanted.get(name)},
        },
        "systemData": {
            "createdBy": author,
            "createdAt": stamp(now),
            "lastModifiedBy": author,
            "lastModifiedAt": stamp(now),
        },
        "_assigned_at": now,
    }
    world.policy_assignments[document["id"]] = document
    return Response(201, public(document))


def delete_assignment(world: World, request: Request) -> Response:
    """Remove an assignment and answer what it was; 204 when there was none."""
    row = world.policy_assignments.pop(_assignment_id(request), None)
    return Response(204) if row is None else Response(200, public(row))


def _scope(request: Request) -> str:
    return request.params.get("scope", "").rstrip("/") or "/"


def _assignment_id(request: Request) -> str:
    return f"{_scope(request).rstrip('/')}/providers/Microsoft.Authorization/policyAssignments/{request.params['name']}"
