"""Locks and policies: what they stop, what they let through, and when."""

from __future__ import annotations

from typing import Any

import pytest

from azure_simulator.services.policy import builtin
from azure_simulator.world import World

VM = "Microsoft.Compute/virtualMachines"
POLICY = "providers/Microsoft.Authorization/policyAssignments"
LOCK = "providers/Microsoft.Authorization/locks"


def lock(send: Any, scope: str, level: str) -> None:
    assert send("PUT", f"{scope}/{LOCK}/keep", {"properties": {"level": level}}, version="2020-05-01").status == 201


def deny(send: Any, scope: str, definition: str, **fields: Any) -> Any:
    body = {"properties": {"displayName": "Stop it", "policyDefinitionId": builtin.definition_id(definition), **fields}}
    return send("PUT", f"{scope}/{POLICY}/stop", body)


def no_sites(send: Any, scope: str, **fields: Any) -> Any:
    return deny(
        send,
        scope,
        builtin.NOT_ALLOWED_TYPES,
        parameters={"listOfResourceTypesNotAllowed": {"value": ["microsoft.web/SITES"]}},
        **fields,
    )


@pytest.mark.parametrize("at", ["subscription", "group", "resource"])
def test_a_delete_lock_protects_what_is_below_it(
    world: World, send: Any, make_resource: Any, subscription: str, at: str
) -> None:
    site = make_resource("Microsoft.Web/sites", "s")
    scope = {"subscription": subscription, "group": f"{subscription}/resourceGroups/rg1", "resource": site["id"]}[at]
    lock(send, scope, "CanNotDelete")
    for path in (site["id"], f"{subscription}/resourceGroups/rg1"):
        answer = send("DELETE", path)
        assert answer.status == 409
        assert answer.body["error"]["message"] == (
            f"The scope '{path}' cannot perform delete operation because following scope(s) are locked: '{scope}'. "
            "Please remove the lock and try again."
        )
    assert send("PATCH", site["id"], {"tags": {"a": "b"}}).status == 200
    assert site["id"] in world.resources


def test_a_read_only_lock_stops_writes_and_actions_but_not_reads(
    send: Any, make_resource: Any, subscription: str
) -> None:
    site = make_resource("Microsoft.Web/sites", "s")
    lock(send, subscription, "ReadOnly")
    assert send("GET", site["id"]).status == 200
    for method, path in [
        ("PUT", site["id"]),
        ("PATCH", site["id"]),
        ("POST", f"{subscription}/providers/Microsoft.Web/register"),
        ("PUT", f"{subscription}/resourceGroups/new"),
    ]:
        answer = send(method, path, {"location": "westeurope"})
        assert (answer.status, answer.body["error"]["code"]) == (409, "ScopeLocked")
    assert send("DELETE", f"{subscription}/{LOCK}/keep").status == 200
    assert send("PATCH", site["id"], {"tags": {}}).status == 200


def test_locks_of_groups_and_resources_are_listed_at_the_subscription(
    send: Any, make_resource: Any, subscription: str
) -> None:
    site = make_resource("Microsoft.Web/sites", "s")
    lock(send, site["id"], "CanNotDelete")
    assert [row["id"] for row in send("GET", f"{subscription}/{LOCK}").body["value"]] == [f"{site['id']}/{LOCK}/keep"]
    assert send("GET", f"{subscription}/{LOCK}?$filter=atScope()").body["value"] == []
    assert send("GET", f"{site['id']}/{LOCK}/keep").body["properties"] == {"level": "CanNotDelete"}
    assert send("PUT", f"{site['id']}/{LOCK}/x", {"properties": {"level": "Never"}}).status == 400


def test_a_denied_type_can_be_neither_created_nor_updated_but_deleted(
    world: World, send: Any, make_resource: Any, subscription: str
) -> None:
    site = make_resource("Microsoft.Web/sites", "old")
    assert no_sites(send, subscription).status == 201
    answer = send(
        "PUT", f"{subscription}/resourceGroups/rg1/providers/Microsoft.Web/sites/new", {"location": "westeurope"}
    )
    assert answer.status == 403
    error = answer.body["error"]
    assert (error["code"], error["target"]) == ("RequestDisallowedByPolicy", "new")
    info = error["additionalInfo"][0]["info"]
    assert info["policyAssignmentId"] == f"{subscription}/{POLICY}/stop"
    assert info["policyDefinitionName"] == builtin.NOT_ALLOWED_TYPES
    assert send("PATCH", site["id"], {"tags": {}}).status == 403
    assert (
        send(
            "PUT", f"{subscription}/resourceGroups/rg1/providers/Microsoft.Web/plans/p", {"location": "westeurope"}
        ).status
        == 201
    )
    assert send("DELETE", site["id"]).status == 200
    assert [row["name"] for row in world.resources.values()] == ["p"]


def test_a_policy_takes_effect_late_and_ends_at_once(
    world: World, send: Any, make_resource: Any, subscription: str
) -> None:
    site = make_resource("Microsoft.Web/sites", "s")
    world.policy_delay_seconds = 600
    no_sites(send, subscription)
    world.clock.advance(599)
    assert send("PATCH", site["id"], {"tags": {}}).status == 200
    world.clock.advance(1)
    assert send("PATCH", site["id"], {"tags": {}}).status == 403
    assert send("DELETE", f"{subscription}/{POLICY}/stop").status == 200
    assert send("PATCH", site["id"], {"tags": {}}).status == 200


def test_not_enforced_and_excluded_scopes_are_let_through(send: Any, make_resource: Any, subscription: str) -> None:
    site = make_resource("Microsoft.Web/sites", "s")
    no_sites(send, subscription, enforcementMode="DoNotEnforce")
    assert send("PATCH", site["id"], {"tags": {}}).status == 200
    no_sites(send, subscription, notScopes=[f"{subscription}/resourceGroups/rg1"])
    assert send("PATCH", site["id"], {"tags": {}}).status == 200
    no_sites(send, subscription)
    assert send("PATCH", site["id"], {"tags": {}}).status == 403


def test_allowed_locations_spare_groups_and_global_resources(send: Any, make_resource: Any, subscription: str) -> None:
    make_resource("Microsoft.Web/sites", "s")
    deny(
        send, subscription, builtin.ALLOWED_LOCATIONS, parameters={"listOfAllowedLocations": {"value": ["westeurope"]}}
    )
    root = f"{subscription}/resourceGroups/rg1/providers/Microsoft.Web/sites"
    assert send("PUT", f"{root}/a", {"location": "East US"}).status == 403
    assert send("PUT", f"{root}/b", {"location": "West Europe"}).status == 201
    assert send("PUT", f"{root}/c", {"location": "global"}).status == 201
    assert send("PUT", f"{subscription}/resourceGroups/rg2", {"location": "eastus"}).status == 201


def test_allowed_sizes_look_at_the_machine_as_it_would_be(
    world: World, send: Any, make_resource: Any, subscription: str
) -> None:
    machine = make_resource(VM, "vm1", properties={"hardwareProfile": {"vmSize": "Standard_NC24ads_A100_v4"}})
    deny(send, subscription, builtin.ALLOWED_VM_SKUS, parameters={"listOfAllowedSKUs": {"value": ["Standard_D2s_v5"]}})
    assert send("PATCH", machine["id"], {"tags": {"a": "b"}}).status == 403
    machine["properties"]["hardwareProfile"]["vmSize"] = "standard_d2s_v5"
    assert send("PATCH", machine["id"], {"tags": {"a": "b"}}).status != 403


def test_custom_definitions_are_evaluated(send: Any, make_resource: Any, subscription: str) -> None:
    make_resource("Microsoft.Web/sites", "s")
    rule = {
        "if": {"allOf": [{"field": "type", "like": "Microsoft.Web/*"}, {"field": "tags['owner']", "exists": "false"}]},
        "then": {"effect": "deny"},
    }
    definition = f"{subscription}/providers/Microsoft.Authorization/policyDefinitions/need-owner"
    assert send("PUT", definition, {"properties": {"displayName": "Need owner", "policyRule": rule}}).status == 201
    send("PUT", f"{subscription}/{POLICY}/own", {"properties": {"policyDefinitionId": definition}})
    root = f"{subscription}/resourceGroups/rg1/providers/Microsoft.Web/sites"
    assert send("PUT", f"{root}/a", {"location": "westus"}).status == 403
    assert send("PUT", f"{root}/a", {"location": "westus", "tags": {"Owner": "me"}}).status == 201


def test_a_wrong_assignment_is_refused_with_what_is_wrong(send: Any, subscription: str) -> None:
    missing = deny(send, subscription, builtin.NOT_ALLOWED_TYPES)
    assert (missing.status, missing.body["error"]["code"]) == (400, "MissingPolicyParameter")
    unknown = deny(send, subscription, "00000000-0000-0000-0000-000000000000")
    assert (unknown.status, unknown.body["error"]["code"]) == (404, "PolicyDefinitionNotFound")
    strange = no_sites(send, subscription, enforcementMode="Sometimes")
    assert strange.status == 400


def test_a_denial_is_an_event_of_its_own(world: World, send: Any, make_resource: Any, subscription: str) -> None:
    site = make_resource("Microsoft.Web/sites", "s")
    no_sites(send, subscription)
    del world.events[:]
    send("PATCH", site["id"], {"tags": {}})
    assert [(e["operationName"]["value"], e["status"]["value"], e["category"]["value"]) for e in world.events] == [
        ("Microsoft.Web/sites/write", "Started", "Administrative"),
        ("Microsoft.Authorization/policies/deny/action", "Failed", "Policy"),
        ("Microsoft.Web/sites/write", "Failed", "Administrative"),
    ]
