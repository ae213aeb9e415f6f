"""Initiatives, definitions of management groups, denyAction, exemptions and overrides: what they stop, and what they let through."""

from __future__ import annotations

from typing import Any

import pytest

from azure_simulator.app import assign as grant_role
from azure_simulator.services.authorization.builtin import OWNER
from azure_simulator.services.policy import builtin
from azure_simulator.world import Principal, World

AUTHORIZATION = "providers/Microsoft.Authorization"
DISK = "Microsoft.Compute/disks"
TOP = "/providers/Microsoft.Management/managementGroups/top"
NO_DELETION = builtin.definition_id(builtin.NO_DELETION_OF_TYPES)
NOT_ALLOWED = builtin.definition_id(builtin.NOT_ALLOWED_TYPES)


def initiative(send: Any, scope: str, *members: dict[str, Any], name: str = "guards", **fields: Any) -> str:
    path = f"{scope}/{AUTHORIZATION}/policySetDefinitions/{name}"
    answer = send("PUT", path, {"properties": {"policyDefinitions": list(members), **fields}})
    assert answer.status in (200, 201), answer.body
    return str(answer.body["id"])


def assign(send: Any, scope: str, definition: str, **fields: Any) -> str:
    parameters = {k: {"value": v} for k, v in fields.pop("parameters", {}).items()}
    body = {"properties": {"policyDefinitionId": definition, "parameters": parameters, **fields}}
    answer = send("PUT", f"{scope}/{AUTHORIZATION}/policyAssignments/guard", body)
    assert answer.status == 201, answer.body
    return str(answer.body["id"])


def keep_disks(**fields: Any) -> dict[str, Any]:
    types = {"listOfResourceTypesDisallowedForDeletion": {"value": [DISK]}}
    return {"policyDefinitionReferenceId": "keep", "policyDefinitionId": NO_DELETION, "parameters": types, **fields}


def test_every_member_of_an_initiative_denies_with_the_parameters_it_is_given(
    send: Any, make_resource: Any, subscription: str
) -> None:
    site = make_resource("Microsoft.Web/sites", "s")
    member = {
        "policyDefinitionReferenceId": "no-types",
        "policyDefinitionId": NOT_ALLOWED,
        "parameters": {
            "listOfResourceTypesNotAllowed": {"value": "[parameters('types')]"},
            "effect": {"value": "[parameters('effect')]"},
        },
    }
    declared = {"types": {"type": "Array"}, "effect": {"type": "String", "defaultValue": "Deny"}}
    guards = initiative(send, subscription, member, keep_disks(), parameters=declared)
    assign(send, subscription, guards, parameters={"types": ["Microsoft.Web/sites"]})
    refused = send("PATCH", site["id"], {"tags": {}})
    info = refused.body["error"]["additionalInfo"][0]["info"]
    assert (refused.status, info["policyDefinitionReferenceId"], info["policySetDefinitionId"]) == (
        403,
        "no-types",
        guards,
    )
    assign(send, subscription, guards, parameters={"types": ["Microsoft.Web/sites"], "effect": "Audit"})
    assert send("PATCH", site["id"], {"tags": {}}).status == 200


def test_deny_action_stops_deletions_and_nothing_else(
    world: World, send: Any, make_resource: Any, subscription: str
) -> None:
    disk = make_resource(DISK, "d", location="westeurope")
    assign(send, subscription, NO_DELETION, parameters={"listOfResourceTypesDisallowedForDeletion": [DISK]})
    refused = send("DELETE", disk["id"])
    assert (refused.status, refused.body["error"]["code"]) == (403, "RequestDisallowedByPolicy")
    assert refused.body["error"]["additionalInfo"][0]["info"]["policyDefinitionEffect"] == "DenyAction"
    assert send("PATCH", disk["id"], {"tags": {"a": "b"}}).status < 300
    assert send("DELETE", f"{subscription}/{AUTHORIZATION}/policyAssignments/guard").status == 200
    assert send("DELETE", disk["id"]).status < 300


@pytest.mark.parametrize(("cascade", "status"), [("deny", 403), ("allow", 202)])
def test_a_group_is_kept_for_what_is_in_it_unless_the_policy_says_otherwise(
    send: Any, make_resource: Any, subscription: str, cascade: str, status: int
) -> None:
    make_resource(DISK, "d", location="westeurope")
    definition = f"{subscription}/{AUTHORIZATION}/policyDefinitions/keep"
    details = {"actionNames": ["delete"], "cascadeBehaviors": {"resourceGroup": cascade}}
    rule = {"if": {"field": "type", "equals": DISK}, "then": {"effect": "denyAction", "details": details}}
    assert send("PUT", definition, {"properties": {"mode": "Indexed", "policyRule": rule}}).status == 201
    assign(send, subscription, definition)
    assert send("DELETE", f"{subscription}/resourceGroups/rg1").status == status


def test_locks_and_policy_assignments_can_always_be_deleted_role_assignments_cannot(
    send: Any, make_resource: Any, subscription: str
) -> None:
    make_resource("Microsoft.Web/sites", "s")
    definition = f"{subscription}/{AUTHORIZATION}/policyDefinitions/keep-all"
    rule = {
        "if": {"field": "type", "like": "*"},
        "then": {"effect": "denyAction", "details": {"actionNames": ["delete"]}},
    }
    assert send("PUT", definition, {"properties": {"mode": "All", "policyRule": rule}}).status == 201
    lock = f"{subscription}/{AUTHORIZATION}/locks/l"
    assert send("PUT", lock, {"properties": {"level": "CanNotDelete"}}, version="2020-05-01").status == 201
    assign(send, subscription, definition)
    assert send("DELETE", lock).status == 200
    roles = send("GET", f"{subscription}/{AUTHORIZATION}/roleAssignments").body["value"]
    assert send("DELETE", roles[0]["id"]).status == 403
    assert send("DELETE", f"{subscription}/{AUTHORIZATION}/policyAssignments/guard").status == 200


def test_an_exemption_frees_its_scope_from_its_part_of_the_initiative_until_it_expires(
    world: World, send: Any, make_resource: Any, subscription: str
) -> None:
    disk = make_resource(DISK, "d", location="westeurope")
    assignment = assign(send, subscription, initiative(send, subscription, keep_disks()))
    exemption = f"{disk['id']}/{AUTHORIZATION}/policyExemptions/mine"
    fields: dict[str, Any] = {"policyAssignmentId": assignment, "exemptionCategory": "Waiver"}
    for references in (["other"], ["KEEP"]):
        answer = send("PUT", exemption, {"properties": {**fields, "policyDefinitionReferenceIds": references}})
        assert answer.status in (200, 201)
        if references == ["other"]:
            assert send("DELETE", disk["id"]).status == 403
    expiring = {**fields, "expiresOn": "2020-01-01T00:00:00Z"}
    assert send("PUT", exemption, {"properties": expiring}).status == 200
    assert send("DELETE", disk["id"]).status == 403
    assert len(send("GET", f"{subscription}/{AUTHORIZATION}/policyExemptions").body["value"]) == 1
    current = send("GET", f"{subscription}/{AUTHORIZATION}/policyExemptions?$filter=excludeExpired()")
    assert current.body["value"] == []
    assert send("PUT", exemption, {"properties": fields}).status == 200
    assert send("DELETE", disk["id"]).status < 300


def test_an_override_changes_the_effect_of_one_member_and_a_selector_narrows_the_rest(
    send: Any, make_resource: Any, subscription: str
) -> None:
    disk = make_resource(DISK, "d", location="westeurope")
    guards = initiative(send, subscription, keep_disks())
    picked = [{"kind": "policyDefinitionReferenceId", "in": ["keep"]}]
    off = {"kind": "policyEffect", "value": "Disabled", "selectors": picked}
    elsewhere = {"name": "us", "selectors": [{"kind": "resourceLocation", "in": ["eastus"]}]}
    for fields, status in (({"overrides": [off]}, 2), ({"resourceSelectors": [elsewhere]}, 2), ({}, 4)):
        disk = make_resource(DISK, "d", location="westeurope")
        assign(send, subscription, guards, **fields)
        assert send("DELETE", disk["id"]).status // 100 == status, fields


def test_what_lies_at_a_management_group_is_read_there_by_who_has_a_role_there(
    world: World, send: Any, responder: Principal, subscription: str
) -> None:
    assert send("GET", f"{TOP}/{AUTHORIZATION}/policySetDefinitions/guards").status == 403
    grant_role(world, responder, OWNER, TOP)
    guards = initiative(send, TOP, keep_disks())
    assert guards == f"{TOP}/{AUTHORIZATION}/policySetDefinitions/guards"
    assert send("GET", guards).body["properties"]["policyDefinitions"][0]["policyDefinitionId"] == NO_DELETION
    assert send("GET", f"{TOP}/{AUTHORIZATION}/policyDefinitions/{builtin.NOT_ALLOWED_TYPES}").status == 404
    listed = send("GET", f"{subscription}/{AUTHORIZATION}/policySetDefinitions").body["value"]
    assert [row["id"] for row in listed] == [guards]
    assert send("GET", f"{TOP}/{AUTHORIZATION}/policySetDefinitions/none").body["error"]["code"] == (
        "PolicySetDefinitionNotFound"
    )


def test_a_wrong_initiative_or_exemption_is_refused_with_what_is_wrong(send: Any, subscription: str) -> None:
    path = f"{subscription}/{AUTHORIZATION}/policySetDefinitions/x"
    for members, code in (
        ([], "InvalidPolicySetDefinition"),
        ([{"policyDefinitionId": "/none"}], "PolicyDefinitionNotFound"),
        ([keep_disks(parameters={"strange": {"value": 1}})], "UndefinedPolicyParameter"),
        ([keep_disks(), keep_disks()], "InvalidPolicySetDefinition"),
    ):
        assert send("PUT", path, {"properties": {"policyDefinitions": members}}).body["error"]["code"] == code
    guards = initiative(send, subscription, keep_disks())
    assignment = assign(send, f"{subscription}/resourceGroups/rg9", guards)
    exemption = f"{subscription}/{AUTHORIZATION}/policyExemptions/e"
    body: dict[str, Any] = {"policyAssignmentId": assignment, "exemptionCategory": "Always"}
    assert send("PUT", exemption, {"properties": body}).body["error"]["code"] == "InvalidPolicyExemption"
    body["exemptionCategory"] = "waiver"
    assert send("PUT", exemption, {"properties": body}).status == 400
    assert send("DELETE", guards).status == 409
    assert send("GET", f"{exemption}").status == 404
