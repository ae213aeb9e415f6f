"""What hardening writes, as the simulated services take and refuse it: access policies, security defaults, alert rules, contacts, score."""

from __future__ import annotations

from typing import Any

import pytest

from azure_simulator.services.graph import store
from azure_simulator.world import World
from tests.unit.azure_simulator.business.conftest import Caller

POLICIES = "/graph/v1.0/identity/conditionalAccess/policies"
DEFAULTS = "/graph/v1.0/policies/identitySecurityDefaultsEnforcementPolicy"


def policy(**changes: Any) -> dict[str, Any]:
    return {
        "displayName": "Second factor for everybody",
        "state": "enabledForReportingButNotEnforced",
        "conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["All"]}},
        "grantControls": {"operator": "OR", "builtInControls": ["mfa"]},
    } | changes


@pytest.fixture(autouse=True)
def defaults(world: World) -> dict[str, Any]:
    row = {"id": "5", "displayName": "Security Defaults", "isEnabled": False, "_name": DEFAULTS.rsplit("/", 1)[1]}
    return store.put(world, "policies", "defaults", row)


def buy(world: World, *plans: str) -> None:
    world.directory_rules = True
    held = [{"servicePlanName": name, "provisioningStatus": "Success"} for name in plans]
    store.put(world, "subscribedSkus", "sku", {"id": "sku", "capabilityStatus": "Enabled", "servicePlans": held})


def test_a_policy_is_made_read_changed_and_deleted(arm: Caller) -> None:
    made = arm("POST", POLICIES, policy())
    assert made.status == 201
    one = f"{POLICIES}/{made.body['id']}"
    assert arm("GET", one).body["conditions"]["users"]["excludeGroups"] == []
    assert arm("PATCH", one, {"state": "enabled"}).status == 204
    assert arm("GET", one).body["state"] == "enabled"
    assert (arm("DELETE", one).status, arm("GET", one).status, arm("DELETE", one).status) == (204, 404, 404)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"state": "on"}, "Invalid state"),
        ({"displayName": " "}, "displayName"),
        ({"grantControls": None}, "grantControls or sessionControls"),
        ({"grantControls": {"operator": "OR", "builtInControls": ["passwordChange"]}}, "passwordChange"),
        ({"conditions": {"users": {}, "applications": {"includeApplications": ["All"]}}}, "conditions.users"),
        ({"conditions": {"users": {"includeUsers": ["All"]}}}, "conditions.applications"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_policy_that_says_nothing_sensible_is_refused(arm: Caller, change: dict[str, Any], said: str) -> None:
    refused = arm("POST", POLICIES, policy(**change))
    assert refused.status == 400
    assert said in refused.body["error"]["message"]


def test_security_defaults_and_policies_exclude_each_other(arm: Caller, defaults: dict[str, Any]) -> None:
    assert arm("PATCH", DEFAULTS, {"isEnabled": True}).status == 204
    assert defaults["isEnabled"] is True
    refused = arm("POST", POLICIES, policy())
    assert (refused.status, "Security Defaults is enabled" in refused.body["error"]["message"]) == (400, True)
    assert arm("PATCH", DEFAULTS, {"isEnabled": False}).status == 204
    assert arm("POST", POLICIES, policy()).status == 201
    assert arm("PATCH", DEFAULTS, {"isEnabled": True}).status == 400
    assert arm("PATCH", DEFAULTS, {"isEnabled": "yes"}).status == 400


def test_without_the_permission_nothing_is_written(arm: Caller, world: World, defaults: dict[str, Any]) -> None:
    buy(world, "AAD_PREMIUM_P2")
    assert arm("POST", POLICIES, policy()).status == 403
    assert arm("PATCH", DEFAULTS, {"isEnabled": True}).status == 403
    assert defaults["isEnabled"] is False


@pytest.fixture
def alerts(arm: Caller, scope: str) -> str:
    assert arm("PUT", f"{scope}/resourceGroups/rg-alerts", {"location": "westeurope"}).status == 201
    return f"{scope}/resourceGroups/rg-alerts/providers/Microsoft.Insights"


def rule(scope: str, group: str, category: str = "Administrative") -> dict[str, Any]:
    return {
        "location": "Global",
        "properties": {
            "scopes": [scope],
            "enabled": True,
            "condition": {"allOf": [{"field": "category", "equals": category}]},
            "actions": {"actionGroups": [{"actionGroupId": group}]},
        },
    }


def test_an_alert_rule_needs_a_category_and_a_group_that_is_there(arm: Caller, scope: str, alerts: str) -> None:
    group, one = f"{alerts}/actionGroups/told", f"{alerts}/activityLogAlerts/roles"
    assert arm("PUT", one, rule(scope, group)).status == 400
    people = {"emailReceivers": [{"name": "soc", "emailAddress": "soc@contoso.example"}]}
    assert arm("PUT", group, {"location": "Global", "properties": {"groupShortName": "told", **people}}).status == 201
    assert arm("PUT", one, rule(scope, group)).status == 201
    assert arm("PUT", one, rule(scope, group, "Rumours")).status == 400
    assert arm("PUT", one, rule(scope, group) | {"location": "westeurope"}).status == 400
    long = {"location": "Global", "properties": {"groupShortName": "thirteen-long"}}
    assert arm("PUT", group, long).status == 400
    nobody = {"groupShortName": "told", "emailReceivers": [{"name": "soc", "emailAddress": "nobody"}]}
    assert arm("PUT", group, {"location": "Global", "properties": nobody}).status == 400


def test_the_security_contact_can_be_taken_away_again(arm: Caller, scope: str) -> None:
    one = f"{scope}/providers/Microsoft.Security/securityContacts/default"
    assert arm("DELETE", one).status == 204
    assert arm("PUT", one, {"properties": {"emails": "soc@contoso.example"}}).status == 201
    assert (arm("DELETE", one).status, arm("GET", one).status) == (200, 404)


def test_the_score_is_the_sum_of_its_controls(arm: Caller, scope: str, defaults: dict[str, Any]) -> None:
    base = f"{scope}/providers/Microsoft.Security"
    before = arm("GET", f"{base}/secureScores/ascScore").body["properties"]["score"]
    defaults["isEnabled"] = True
    after = arm("GET", f"{base}/secureScores/ascScore").body["properties"]["score"]
    assert after["current"] - before["current"] == 10
    rows = arm("GET", f"{base}/secureScoreControls").body["value"]
    assert sum(row["properties"]["score"]["current"] for row in rows) == after["current"]
    assert arm("GET", f"{base}/secureScores/other").status == 404


def test_reservations_are_listed_below_their_group(arm: Caller, scope: str, alerts: str) -> None:
    group = f"{alerts.rsplit('/providers/', 1)[0]}/providers/Microsoft.Compute/capacityReservationGroups/crg"
    assert arm("PUT", group, {"location": "westeurope"}).status == 201
    one = {"location": "westeurope", "sku": {"name": "Standard_NC24ads_A100_v4", "capacity": 2}}
    assert arm("PUT", f"{group}/capacityReservations/a100", one).status == 201
    rows = arm("GET", f"{group}/capacityReservations").body["value"]
    assert [row["sku"]["capacity"] for row in rows] == [2]
    assert len(arm("GET", f"{scope}/providers/Microsoft.Compute/capacityReservationGroups").body["value"]) == 1
    assert arm("GET", f"{group}x/capacityReservations").status == 404
