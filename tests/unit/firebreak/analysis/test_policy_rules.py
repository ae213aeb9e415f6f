"""Whether a policy denies a write: yes, no, or nobody can tell; never a wrong yes or no."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from firebreak.analysis.policies import Asked, Judge
from firebreak.model.facts import AccessFacts, PolicyAssignment

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
S = "/subscriptions/33333333-3333-4333-8333-333333333333"
SNAPSHOT = f"{S}/resourceGroups/rg/providers/Microsoft.Compute/snapshots/s1"
DOCUMENT = {
    "type": "microsoft.compute/snapshots",
    "name": "s1",
    "location": "West Europe",
    "tags": {"Incident": "INC-1"},
    "properties": {"incremental": True},
}
IS_SNAPSHOT = {"field": "type", "equals": "Microsoft.Compute/snapshots"}


def judged(rule: Any, effect: Any = "deny", **given: Any) -> bool | None:
    parameters = given.pop("parameters", {})
    mode = given.pop("mode", "All")
    declared = {name: {"type": "Array"} for name in parameters} | {"effect": {"defaultValue": "Deny"}}
    definition = {
        "properties": {"mode": mode, "parameters": declared, "policyRule": {"if": rule, "then": {"effect": effect}}}
    }
    properties = {
        "parameters": {k: {"value": v} for k, v in parameters.items()},
        "notScopes": given.pop("not_scopes", []),
    }
    assignment = PolicyAssignment(
        **{"id": "a", "scope": S, "name": "a", "definition_id": "d", "document": {"properties": properties}, **given}
    )
    return denies(assignment, definition)


def denies(assignment: PolicyAssignment, definition: dict[str, Any] | None) -> bool | None:
    read = {} if definition is None else {assignment.definition_id: definition}
    access = AccessFacts(policy_assignments=(assignment,), policy_definitions=read)
    found = list(Judge(access, NOW)(Asked(target=SNAPSHOT, deletes=False, resource=DOCUMENT)))
    return found[0].refuses if found else False


@pytest.mark.parametrize(
    ("rule", "denied"),
    [
        (IS_SNAPSHOT, True),
        ({"field": "type", "equals": "Microsoft.Compute/disks"}, False),
        ({"field": "type", "in": ["microsoft.compute/SNAPSHOTS"]}, True),
        ({"field": "type", "notIn": "[parameters('types')]"}, True),
        ({"field": "type", "like": "Microsoft.Compute/*"}, True),
        ({"field": "type", "notLike": "Microsoft.Compute/*"}, False),
        ({"field": "location", "notIn": ["westeurope"]}, False),
        ({"field": "location", "equals": "WestEurope"}, True),
        ({"field": "tags['owner']", "exists": "false"}, True),
        ({"field": "tags.incident", "exists": False}, False),
        ({"field": "[concat('tags[', parameters('tag'), ']')]", "exists": "false"}, True),
        ({"field": "tags[incident]", "notEquals": "INC-1"}, False),
        ({"allOf": [IS_SNAPSHOT, {"not": {"field": "tags.owner", "exists": "true"}}]}, True),
        ({"anyOf": [{"field": "type", "equals": "x"}, {"field": "name", "contains": "s"}]}, True),
        # What decides is not understood.
        ({"field": "Microsoft.Compute/snapshots/incremental", "equals": True}, None),
        ({"allOf": [IS_SNAPSHOT, {"count": {"field": "x[*]"}, "greater": 1}]}, None),
        ({"anyOf": [{"value": "[resourceGroup().name]", "equals": "x"}, {"field": "name", "equals": "y"}]}, None),
        # What is not understood does not decide.
        ({"allOf": [{"field": "type", "equals": "x"}, {"count": {}}]}, False),
        ({"anyOf": [IS_SNAPSHOT, {"count": {}}]}, True),
        ({"field": "Microsoft.Compute/virtualMachines/sku.name", "exists": "true"}, False),
        ("nonsense", None),
        ({}, None),
    ],
)
def test_the_rule_decides(rule: Any, denied: bool | None) -> None:
    parameters = {"types": ["Microsoft.Compute/disks"], "tag": "owner"}
    assert judged(rule, parameters=parameters) is denied


@pytest.mark.parametrize(
    ("given", "denied"),
    [
        ({"effect": "audit"}, False),
        ({"effect": "[parameters('effect')]"}, True),
        ({"effect": "[parameters('effect')]", "parameters": {"effect": "Disabled"}}, False),
        ({"effect": "[if(true, 'deny', 'audit')]"}, None),
        ({"enforcement": "DoNotEnforce"}, False),
        ({"scope": f"{S}/resourceGroups/other"}, False),
        ({"scope": "/providers/Microsoft.Management/managementGroups/top"}, True),
        ({"not_scopes": [f"{S}/resourceGroups/RG"]}, False),
        ({"mode": "Indexed"}, True),
    ],
)
def test_assignment_and_effect_decide(given: dict[str, Any], denied: bool | None) -> None:
    assert judged(IS_SNAPSHOT, **given) is denied


def test_a_definition_that_nobody_read_tells_nothing() -> None:
    assignment = PolicyAssignment(id="a", scope=S, name="a", definition_id="d")
    assert denies(assignment, None) is None
