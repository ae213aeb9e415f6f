"""Answers of Azure Policy about exemptions: who need not follow an assignment, until when."""

from __future__ import annotations

import re

from azure_simulator.arm import covers, scope_of
from azure_simulator.clock import stamp
from azure_simulator.http import ArmError, Request, Response, page
from azure_simulator.services.policy import models
from azure_simulator.services.policy.exceptions import PolicyNotFoundError
from azure_simulator.world import World, public

_ASSIGNMENT = re.compile(r"policyAssignmentId\s+eq\s+'([^']+)'", re.IGNORECASE)
_CATEGORIES = {"waiver": "Waiver", "mitigated": "Mitigated"}
_AS_GIVEN = (
    "policyDefinitionReferenceIds",
    "expiresOn",
    "displayName",
    "description",
    "metadata",
    "resourceSelectors",
    "assignmentScopeValidation",
)


def list_exemptions(world: World, request: Request) -> Response:
    """Exemptions at, above and (without `atScope()`) below the scope."""
    scope, text = _scope(request), request.q("$filter").lower()
    by_assignment = _ASSIGNMENT.search(text)
    rows = []
    for row in models.exemptions(world).values():
        place = scope_of(row["id"])
        expires = str(row["properties"].get("expiresOn") or "")
        if not (covers(place, scope) or ("atscope()" not in text and covers(scope, place))):
            continue
        if "atexactscope()" in text and place.lower() != scope.lower():
            continue
        if "excludeexpired()" in text and expires and models.moment(expires) <= world.clock.now():
            continue
        if by_assignment and row["properties"]["policyAssignmentId"].lower() != by_assignment.group(1).lower():
            continue
        rows.append(row)
    return page(world, request, rows, wrap=public)


def get_exemption(world: World, request: Request) -> Response:
    row = models.exemptions(world).get(_id(request))
    if row is None:
        raise PolicyNotFoundError("PolicyExemption", request.params["name"])
    return Response(200, public(row))


def put_exemption(world: World, request: Request) -> Response:
    """Create or replace an exemption; the assignment must be there and bind the scope."""
    name, wanted = request.params["name"], request.json().get("properties") or {}
    category = _CATEGORIES.get(str(wanted.get("exemptionCategory", "")).lower())
    if category is None:
        raise ArmError(
            400,
            "InvalidPolicyExemption",
            f"The policy exemption '{name}' needs 'exemptionCategory': Waiver or Mitigated.",
        )
    assignment = world.policy_assignments.get(str(wanted.get("policyAssignmentId", "")))
    if assignment is None:
        raise PolicyNotFoundError("PolicyAssignment", str(wanted.get("policyAssignmentId", "")))
    if not covers(assignment["properties"]["scope"], _scope(request)):
        raise ArmError(
            400,
            "PolicyExemptionScopeNotUnderAssignmentScope",
            f"The policy exemption '{name}' is not at or below the scope of the policy assignment.",
        )
    identity, now = _id(request), stamp(world.clock.now())
    known = models.exemptions(world).get(identity)
    author = request.principal.object_id if request.principal else ""
    models.exemptions(world)[identity] = {
        "id": identity,
        "name": name,
        "type": "Microsoft.Authorization/policyExemptions",
        "properties": {
            "policyAssignmentId": assignment["id"],
            "exemptionCategory": category,
            **{key: wanted[key] for key in _AS_GIVEN if wanted.get(key)},
        },
        "systemData": {"createdBy": author, "createdAt": now, "lastModifiedBy": author, "lastModifiedAt": now},
    }
    return Response(200 if known else 201, public(models.exemptions(world)[identity]))


def delete_exemption(world: World, request: Request) -> Response:
    row = models.exemptions(world).pop(_id(request), None)
    return Response(204) if row is None else Response(200)


def _scope(request: Request) -> str:
    return request.params.get("scope", "").rstrip("/") or "/"


def _id(request: Request) -> str:
    return f"{_scope(request).rstrip('/')}/providers/Microsoft.Authorization/policyExemptions/{request.params['name']}"
