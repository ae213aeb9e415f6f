"""Answers of Azure Policy about definitions and initiatives (policy set definitions): built-in, of a subscription or of a management group."""

from __future__ import annotations

import re
from typing import Any

from azure_simulator.arm import scope_of
from azure_simulator.http import ArmError, Request, Response, page
from azure_simulator.services.policy import models
from azure_simulator.services.policy.exceptions import PolicyNotFoundError
from azure_simulator.world import Document, Table, World, public

_POLICY_TYPE = re.compile(r"policyType\s+(?:eq|-eq)\s+'(\w+)'", re.IGNORECASE)
_ABOVE = "/providers/microsoft.management/managementgroups/"


def list_definitions(world: World, request: Request) -> Response:
    return _list(world, request, world.policy_definitions)


def list_sets(world: World, request: Request) -> Response:
    return _list(world, request, models.set_definitions(world))


def get_definition(world: World, request: Request) -> Response:
    return _get(request, world.policy_definitions, "policyDefinitions", "PolicyDefinition")


def get_set(world: World, request: Request) -> Response:
    return _get(request, models.set_definitions(world), "policySetDefinitions", "PolicySetDefinition")


def put_definition(world: World, request: Request) -> Response:
    """Create or replace a custom definition."""
    name, wanted = request.params["name"], request.json().get("properties") or {}
    rule = wanted.get("policyRule")
    if not isinstance(rule, dict) or "if" not in rule or "then" not in rule:
        raise ArmError(
            400, "InvalidPolicyRule", f"The policy definition '{name}' rule is invalid: it needs 'if' and 'then'."
        )
    own = {"mode": wanted.get("mode", "Indexed"), "policyRule": rule}
    return _put(request, world.policy_definitions, "policyDefinitions", wanted, own)


def put_set(world: World, request: Request) -> Response:
    """Create or replace a custom initiative; every member must be there, and take the parameters that it is given."""
    name, wanted = request.params["name"], request.json().get("properties") or {}
    members = wanted.get("policyDefinitions")
    if not isinstance(members, list) or not members:
        raise ArmError(
            400,
            "InvalidPolicySetDefinition",
            f"The policy set definition '{name}' is invalid: 'policyDefinitions' must not be empty.",
        )
    kept = [_member(world, member, place) for place, member in enumerate(members)]
    references = [member["policyDefinitionReferenceId"].lower() for member in kept]
    if len(set(references)) != len(references):
        raise ArmError(
            400,
            "InvalidPolicySetDefinition",
            f"The policy set definition '{name}' has the same policyDefinitionReferenceId more than once.",
        )
    own = {"policyDefinitions": kept, "policyDefinitionGroups": wanted.get("policyDefinitionGroups", [])}
    return _put(request, models.set_definitions(world), "policySetDefinitions", wanted, own)


def _member(world: World, member: Document, place: int) -> Document:
    identity = str(member.get("policyDefinitionId", ""))
    found = world.policy_definitions.get(identity)
    if found is None:
        raise PolicyNotFoundError("PolicyDefinition", identity)
    declared = {name.lower() for name in found["properties"].get("parameters") or {}}
    unknown = sorted(name for name in member.get("parameters") or {} if name.lower() not in declared)
    if unknown:
        raise ArmError(
            400,
            "UndefinedPolicyParameter",
            f"The policy set definition uses undefined parameter(s) '{','.join(unknown)}'.",
        )
    return {
        "policyDefinitionReferenceId": str(member.get("policyDefinitionReferenceId") or f"{found['name']}_{place + 1}"),
        "policyDefinitionId": found["id"],
        "parameters": member.get("parameters", {}),
        "groupNames": member.get("groupNames", []),
    }


def delete_definition(world: World, request: Request) -> Response:
    row = world.policy_definitions.get(_id(request, "policyDefinitions"))
    if row is not None and any(
        str(member["policyDefinitionId"]).lower() == row["id"].lower()
        for one in models.set_definitions(world).values()
        for member in one["properties"]["policyDefinitions"]
    ):
        raise ArmError(
            409, "PolicyDefinitionInUse", f"The policy definition '{row['name']}' is used by a policy set definition."
        )
    return _delete(world, world.policy_definitions, row, "policy definition")


def delete_set(world: World, request: Request) -> Response:
    sets = models.set_definitions(world)
    return _delete(world, sets, sets.get(_id(request, "policySetDefinitions")), "policy set definition")


def _list(world: World, request: Request, table: Table) -> Response:
    """Built-in ones, those of the scope, and of a subscription also those of the management groups above it."""
    kind, scope = _POLICY_TYPE.search(request.q("$filter")), _scope(request).lower()
    rows = [
        row
        for row in table.values()
        if (not kind or row["properties"]["policyType"].lower() == kind.group(1).lower())
        and (row["properties"]["policyType"] == "BuiltIn" or _is_seen_from(scope, scope_of(row["id"]).lower()))
    ]
    return page(world, request, rows, wrap=public)


def _is_seen_from(scope: str, place: str) -> bool:
    return place == scope or (scope.startswith("/subscriptions/") and place.startswith(_ABOVE))


def _get(request: Request, table: Table, kind: str, what: str) -> Response:
    """A subscription answers for built-in ones too; a management group only for its own."""
    name = request.params["name"]
    row = table.get(_id(request, kind))
    if row is None and _scope(request).lower().startswith("/subscriptions/"):
        row = table.get(f"/providers/Microsoft.Authorization/{kind}/{name}")
    if row is None:
        raise PolicyNotFoundError(what, name)
    return Response(200, public(row))


def _put(request: Request, table: Table, kind: str, wanted: Document, own: dict[str, Any]) -> Response:
    identity, name = _id(request, kind), request.params["name"]
    known = table.get(identity)
    table[identity] = {
        "id": identity,
        "name": name,
        "type": f"Microsoft.Authorization/{kind}",
        "properties": {
            "displayName": wanted.get("displayName", name),
            "policyType": "Custom",
            "description": wanted.get("description", ""),
            "metadata": wanted.get("metadata", {}),
            "parameters": wanted.get("parameters", {}),
            **own,
        },
    }
    return Response(200 if known else 201, public(table[identity]))


def _delete(world: World, table: Table, row: Document | None, what: str) -> Response:
    if row is None:
        return Response(204)
    if any(
        a["properties"]["policyDefinitionId"].lower() == row["id"].lower() for a in world.policy_assignments.values()
    ):
        code = "PolicyDefinitionInUse" if what == "policy definition" else "PolicySetDefinitionInUse"
        raise ArmError(409, code, f"The {what} '{row['name']}' is used by a policy assignment.")
    del table[row["id"]]
    return Response(200, public(row))


def _scope(request: Request) -> str:
    return request.params.get("scope", "").rstrip("/") or "/"


def _id(request: Request, kind: str) -> str:
    return f"{_scope(request).rstrip('/')}/providers/Microsoft.Authorization/{kind}/{request.params['name']}"
