"""What assignments say to a request: initiatives, denyAction, exemptions, overrides, selectors, and what was not read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from firebreak.analysis import policies
from firebreak.analysis.policies import Asked, Judge
from firebreak.analysis.policy_rules import UNKNOWN
from firebreak.model.facts import AccessFacts, PolicyAssignment

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
S = "/subscriptions/33333333-3333-4333-8333-333333333333"
GROUP = f"{S}/resourceGroups/rg"
DISK = f"{GROUP}/providers/Microsoft.Compute/disks/d1"
IS_DISK = {"field": "type", "equals": "Microsoft.Compute/disks"}
BUILT_IN = "/providers/Microsoft.Authorization/policyDefinitions"
KEEP, AUDIT, SET = f"{BUILT_IN}/keep", f"{BUILT_IN}/audit", "/providers/Microsoft.Authorization/policySetDefinitions/s"
DISK_NOW = {"type": "microsoft.compute/disks", "name": "d1", "location": "eastus", "tags": {"env": "prod"}}


def definition(rule: Any = IS_DISK, effect: str = "denyAction", **fields: Any) -> dict[str, Any]:
    details = {"actionNames": fields.pop("action_names", ["delete"])}
    then = {"effect": effect, "details": details}
    declared = fields.pop("parameters", {})
    body = {"mode": "All", "displayName": "Keep", **fields, "parameters": declared}
    return {"properties": {**body, "policyRule": {"if": rule, "then": then}}}


def initiative(*members: dict[str, Any], parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"properties": {"policyDefinitions": list(members), "parameters": parameters or {}}}


def member(identity: str = KEEP, reference: str = "keep", **values: Any) -> dict[str, Any]:
    parameters = {name: {"value": value} for name, value in values.items()}
    return {"policyDefinitionId": identity, "policyDefinitionReferenceId": reference, "parameters": parameters}


def assigned(to: str = KEEP, scope: str = S, enforcement: str = "Default", **properties: Any) -> PolicyAssignment:
    given = {name: {"value": value} for name, value in properties.pop("parameters", {}).items()}
    document = {"properties": {**properties, "parameters": given}}
    return PolicyAssignment(
        id=f"{S}/a", scope=scope, name="Guard", definition_id=to, enforcement=enforcement, document=document
    )


def exemption(at: str = GROUP, **properties: Any) -> dict[str, Any]:
    identity = f"{at}/providers/Microsoft.Authorization/policyExemptions/e"
    return {"id": identity, "properties": {"policyAssignmentId": f"{S}/A", **properties}}


def said(assignment: PolicyAssignment, read: dict[str, Any], **fields: Any) -> list[tuple[bool | None, str, str]]:
    resource, deletes = fields.pop("resource", DISK_NOW), fields.pop("deletes", True)
    documents = {identity.lower(): document for identity, document in read.items()}
    access = AccessFacts(policy_assignments=(assignment,), policy_definitions=documents, **fields)
    asked = Asked(target=DISK, deletes=deletes, resource=resource)
    return [(one.refuses, one.name, one.unread) for one in Judge(access, NOW)(asked)]


REFUSED = [(True, "Guard", "")]


@pytest.mark.parametrize(
    ("body", "resource", "expected"),
    [
        (definition(), DISK_NOW, [True]),
        (definition(effect="DENYACTION"), DISK_NOW, [True]),
        (definition(effect="deny"), DISK_NOW, []),
        (definition(action_names=["start"]), DISK_NOW, []),
        (definition(mode="Microsoft.KeyVault.Data"), DISK_NOW, []),
        (definition(mode="Indexed"), DISK_NOW, [True]),
        (definition({"field": "tags.env", "equals": "prod"}), DISK_NOW, [True]),
        (definition({"field": "tags.env", "equals": "test"}), DISK_NOW, []),
        (definition({"field": "Microsoft.Compute/disks/diskSizeGB", "equals": 1}), DISK_NOW, [None]),
        # What is not known of a thing is not the same as what it does not have.
        (definition({"field": "tags.env", "equals": "test"}), {**DISK_NOW, "tags": UNKNOWN}, [None]),
        (definition({"field": "[concat('tags[', parameters('t'), ']')]", "exists": "false"}), {**DISK_NOW, "tags": UNKNOWN}, [None]),
        (definition({"field": "location", "equals": "eastus"}), {**DISK_NOW, "location": UNKNOWN}, [None]),
        (definition(mode="Indexed"), {**DISK_NOW, "location": UNKNOWN}, [None]),
        (definition(), {**DISK_NOW, "type": "microsoft.authorization/locks"}, []),
        (definition({"field": "type", "like": "*"}), {**DISK_NOW, "type": "microsoft.authorization/locks"}, []),
        (definition({"field": "type", "like": "*"}), {**DISK_NOW, "type": "microsoft.authorization/roleassignments"}, [True]),
        (definition({"field": "type", "like": "*"}), {**DISK_NOW, "type": "microsoft.quota/quotas"}, [None]),
    ],
)  # fmt: skip
def test_what_deny_action_says_to_a_deletion(body: Any, resource: Any, expected: list[bool | None]) -> None:
    assert [refuses for refuses, _, _ in said(assigned(), {KEEP: body}, resource=resource)] == expected


def test_deny_action_says_nothing_to_a_write() -> None:
    assert said(assigned(), {KEEP: definition()}, deletes=False) == []


def test_parameters_go_from_the_assignment_through_the_initiative_to_the_definition() -> None:
    rule = {"field": "type", "in": "[parameters('types')]"}
    body = definition(rule, effect="[parameters('effect')]", parameters={"effect": {"defaultValue": "DenyAction"}})
    both = initiative(member(types="[parameters('kinds')]"), parameters={"kinds": {"defaultValue": ["x"]}})
    read = {SET: both, KEEP: body}
    assert said(assigned(SET), read) == []
    assert said(assigned(SET, parameters={"Kinds": ["Microsoft.Compute/disks"]}), read) == [(True, "Guard: Keep", "")]
    off = initiative(member(types=["Microsoft.Compute/disks"], effect="Disabled"))
    assert said(assigned(SET), {SET: off, KEEP: body}) == []


@pytest.mark.parametrize(
    ("exempt", "expected"),
    [
        ((exemption(),), []),
        ((exemption(at=f"{S}/resourceGroups/other"),), REFUSED),
        ((exemption(at=DISK),), []),
        ((exemption(policyDefinitionReferenceIds=["other"]),), REFUSED),
        ((exemption(expiresOn="2026-11-20T02:59:59Z"),), REFUSED),
        ((exemption(expiresOn="2026-11-20T03:00:01Z"),), []),
        ((exemption(expiresOn="soon"),), [(None, "Guard", "")]),
        ((exemption(policyAssignmentId=f"{S}/b"),), REFUSED),
        ((exemption(resourceSelectors=[{"selectors": [{"kind": "resourceType", "in": ["x"]}]}]),), REFUSED),
        ((exemption(resourceSelectors=[{"selectors": [{"kind": "groupPrincipalId", "in": ["x"]}]}]),), [(None, "Guard", "")]),
        (None, [(None, "Guard", "")]),
    ],
)  # fmt: skip
def test_an_exemption_in_force_lets_the_deletion_through(exempt: Any, expected: Any) -> None:
    assert said(assigned(), {KEEP: definition()}, policy_exemptions=exempt) == expected


def test_an_exemption_of_one_member_leaves_the_others() -> None:
    read = {SET: initiative(member(), member(reference="twice")), KEEP: definition()}
    freed = (exemption(policyDefinitionReferenceIds=["Keep"]),)
    assert len(said(assigned(SET), read)) == 2
    assert len(said(assigned(SET), read, policy_exemptions=freed)) == 1


def override(value: str, **selector: Any) -> dict[str, Any]:
    return {"kind": "policyEffect", "value": value, "selectors": [selector] if selector else []}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"overrides": [override("Disabled")]}, []),
        ({"overrides": [override("Disabled", kind="policyDefinitionReferenceId", **{"in": ["other"]})]}, REFUSED),
        ({"overrides": [override("Disabled", kind="resourceLocation", notIn=["eastus"])]}, REFUSED),
        ({"overrides": [override("Disabled", kind="resourceLocation", **{"in": ["EastUS"]})]}, []),
        ({"overrides": [override("Disabled", kind="userPrincipalId", **{"in": ["x"]})]}, [(None, "Guard", "")]),
        ({"resourceSelectors": [{"selectors": [{"kind": "resourceLocation", "in": ["westus"]}]}]}, []),
        ({"resourceSelectors": [{"selectors": [{"kind": "resourceType", "in": ["Microsoft.Compute/disks"]}]}]}, REFUSED),
        ({"resourceSelectors": [{"selectors": [{"kind": "userPrincipalId", "in": ["x"]}]}]}, [(None, "Guard", "")]),
        ({"notScopes": [GROUP.upper()]}, []),
        ({"enforcement": "DoNotEnforce"}, []),
        ({"enforcement": "Enroll"}, [(None, "Guard", "it is enforced in the mode Enroll")]),
        ({"scope": "/providers/Microsoft.Management/managementGroups/top"}, REFUSED),
        ({"scope": f"{S}/resourceGroups/other"}, []),
    ],
)  # fmt: skip
def test_the_assignment_decides_for_whom_it_is_and_with_which_effect(properties: dict[str, Any], expected: Any) -> None:
    assert said(assigned(**properties), {KEEP: definition()}) == expected


def test_what_was_not_read_is_named_with_its_reason() -> None:
    assert said(assigned(), {}) == [(None, "Guard", "its definition was not read")]
    assert said(assigned(), {}, policies_not_read={KEEP.lower(): "403"}) == [(None, "Guard", "403")]
    read = {SET: initiative(member("/x"), member("/y", "y"), member("/z", "z"), member())}
    why = {"/x": "403", "/y": "403", "/z": "too many"}
    assert said(assigned(SET), {**read, KEEP: definition()}, policies_not_read=why) == [
        (True, "Guard: Keep", ""),
        (None, "Guard", "2 of its definitions: 403"),
        (None, "Guard", "too many"),
    ]
    assert said(assigned(), {}, policy_exemptions=(exemption(),)) == []


def test_members_of_microsofts_that_only_audit_need_not_be_read() -> None:
    unread = (
        member(AUDIT, effect="AuditIfNotExists"),
        member(AUDIT, "b", effect="Deny"),
        member("/own", "c", effect="Audit"),
    )
    found = said(assigned(SET), {SET: initiative(*unread)})
    assert found == [(None, "Guard", "2 of its definitions: its definition was not read")]


@pytest.mark.parametrize(
    ("wanted", "found", "judged"),
    [("1.*.*", "1.4.0", True), ("1.*.*", "2.0.0", False), ("", "2.0.0", True), ("2.*.*", "", True)],
)
def test_another_major_version_than_the_assigned_is_not_judged(wanted: str, found: str, judged: bool) -> None:
    (one,) = said(assigned(definitionVersion=wanted), {KEEP: definition(version=found)})
    assert (one[0] is True) is judged
    assert judged or "1.*.* is assigned, 2.0.0 was read" in one[2]


def test_the_essence_of_a_definition_is_judged_as_the_whole() -> None:
    whole = definition(version="1.0.0", description="long", metadata={"category": "x"})
    assert said(assigned(), {KEEP: policies.essence(whole)}) == said(assigned(), {KEEP: whole}) == REFUSED
    assert policies.essence(definition(effect="audit"))["properties"]["policyRule"] == {"then": {"effect": "audit"}}
    assert said(assigned(overrides=[override("denyAction")]), {KEEP: policies.essence(definition(effect="audit"))}) == [
        (None, "Guard", "")
    ]
