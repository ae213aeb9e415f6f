"""Budgets under both providers, and quota requests that end only in their final state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from azure_simulator.world import World
from tests.unit.azure_simulator.business.conftest import Caller

GPU, ORDINARY = "standardNCADSA100v4Family", "standardDSv3Family"


def budget(**change: Any) -> dict[str, Any]:
    return {
        "properties": {
            "category": "Cost",
            "amount": 100,
            "timeGrain": "Monthly",
            "timePeriod": {"startDate": "2026-11-01T00:00:00Z", "endDate": "2027-11-01T00:00:00Z"},
            "notifications": {
                "a80": {
                    "enabled": True,
                    "operator": "GreaterThan",
                    "threshold": 80,
                    "contactEmails": ["soc@contoso.example"],
                }
            },
            **change,
        }
    }


def test_one_budget_is_seen_through_both_providers(arm: Caller, scope: str, spend: Callable[..., None]) -> None:
    spend("web-1", "12.5")
    consumption = f"{scope}/providers/Microsoft.Consumption/budgets/b1"
    created = arm("PUT", consumption, budget())
    assert (created.status, created.body["type"]) == (201, "Microsoft.Consumption/budgets")
    assert created.body["properties"]["currentSpend"] == {"amount": 12.5, "unit": "USD"}
    assert arm("PUT", f"{scope}/providers/Microsoft.CostManagement/budgets/B1", budget(amount=50)).status == 200
    assert arm("GET", consumption).body["properties"]["amount"] == 50
    assert len(arm("GET", f"{scope}/providers/Microsoft.Consumption/budgets").body["value"]) == 1
    assert arm("DELETE", consumption).status == 200
    assert arm("GET", consumption).status == 404


def test_an_old_etag_is_refused(arm: Caller, scope: str) -> None:
    path = f"{scope}/providers/Microsoft.Consumption/budgets/b1"
    first = arm("PUT", path, budget()).body["eTag"]
    second = arm("PUT", path, budget() | {"eTag": first})
    assert second.status == 200
    assert second.body["eTag"] != first
    assert arm("PUT", path, budget() | {"eTag": first}).status == 412


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 0},
        {"category": "Usage"},
        {"timeGrain": "Weekly"},
        {"timePeriod": {"startDate": "2026-11-02T00:00:00Z"}},
        {"notifications": {"a": {"operator": "GreaterThan", "threshold": 80}}},
        {
            "notifications": {
                str(n): {"operator": "GreaterThan", "threshold": 80, "contactRoles": ["Owner"]} for n in range(6)
            }
        },
    ],
)
def test_a_budget_that_breaks_a_rule_is_not_stored(arm: Caller, world: World, scope: str, change: Any) -> None:
    answer = arm("PUT", f"{scope}/providers/Microsoft.Consumption/budgets/b1", budget(**change))
    assert answer.status == 400
    assert len(world.budgets) == 0


@pytest.fixture
def place(world: World, scope: str) -> str:
    subscription = scope.rsplit("/", 1)[1]
    for family, limit in ((GPU, 96), (ORDINARY, 350)):
        world.quotas[f"{subscription}/eastus/{family}"] = {
            "subscription": subscription,
            "region": "eastus",
            "family": family,
            "title": family,
            "limit": limit,
        }
    return f"{scope}/providers/Microsoft.Compute/locations/eastus/providers/Microsoft.Quota"


def limit_of(family: str, value: int) -> dict[str, Any]:
    return {"properties": {"limit": {"limitObjectType": "LimitValue", "value": value}, "name": {"value": family}}}


def test_limits_and_usages_are_listed_by_family(arm: Caller, place: str) -> None:
    limits = {row["name"]: row for row in arm("GET", f"{place}/quotas").body["value"]}
    assert limits[GPU]["properties"]["limit"] == {
        "limitObjectType": "LimitValue",
        "limitType": "Independent",
        "value": 96,
    }
    assert arm("GET", f"{place}/usages/{GPU}").body["properties"]["usages"] == {"value": 0}
    assert arm("GET", f"{place}/quotas/standardNoneFamily").body["error"]["code"] == "InvalidResourceName"


def test_a_gpu_limit_is_lowered_when_the_request_has_ended(arm: Caller, world: World, place: str) -> None:
    world.operation_seconds = 30
    asked = arm("PUT", f"{place}/quotas/{GPU}", limit_of(GPU, 0))
    assert asked.status == 202
    assert asked.body["properties"]["provisioningState"] == "Accepted"
    assert arm("GET", asked.body["id"]).body["properties"]["provisioningState"] == "InProgress"
    assert arm("GET", f"{place}/quotas/{GPU}").body["properties"]["limit"]["value"] == 96
    assert arm("GET", asked.headers["Azure-AsyncOperation"]).body["status"] == "InProgress"
    world.clock.advance(30)
    assert arm("GET", asked.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"
    assert arm("GET", asked.body["id"]).body["properties"]["provisioningState"] == "Succeeded"
    assert arm("GET", f"{place}/quotas/{GPU}").body["properties"]["limit"]["value"] == 0


def test_another_family_cannot_be_lowered_and_only_the_final_state_says_so(
    arm: Caller, world: World, place: str
) -> None:
    world.operation_seconds = 2
    asked = arm("PATCH", f"{place}/quotas/{ORDINARY}", limit_of(ORDINARY, 10))
    assert asked.status == 202
    world.clock.advance(2)
    status = arm("GET", asked.headers["Azure-AsyncOperation"])
    assert (status.status, status.body["status"]) == (200, "Failed")
    assert status.body["error"]["code"] == "QuotaReductionNotSupported"
    final = arm("GET", asked.body["id"]).body["properties"]
    assert (final["provisioningState"], final["error"]["code"]) == ("Failed", "QuotaReductionNotSupported")
    assert arm("GET", f"{place}/quotas/{ORDINARY}").body["properties"]["limit"]["value"] == 350


def test_a_limit_does_not_fall_below_what_is_in_use(arm: Caller, world: World, scope: str, place: str) -> None:
    identity = f"{scope}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/gpu"
    world.resources[identity] = {
        "id": identity,
        "name": "gpu",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "eastus",
        "properties": {"hardwareProfile": {"vmSize": "Standard_NC24ads_A100_v4"}},
        "_power": "running",
    }
    used = arm("GET", f"{place}/usages/{GPU}").body["properties"]["usages"]["value"]
    assert used == 24
    below = arm("PUT", f"{place}/quotas/{GPU}", limit_of(GPU, used - 1)).body["id"]
    assert arm("GET", below).body["properties"]["error"]["code"] == "QuotaReductionNotSupported"
    exact = arm("PUT", f"{place}/quotas/{GPU}", limit_of(GPU, used)).body["id"]
    assert arm("GET", exact).body["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("policy", "family", "state"),
    [("always", ORDINARY, "Succeeded"), ("never", GPU, "Failed"), ("mixed", GPU, "Succeeded")],
)
def test_what_may_be_lowered_is_a_switch_of_the_world(
    arm: Caller, world: World, place: str, policy: str, family: str, state: str
) -> None:
    world.quota_reduction = policy
    asked = arm("PUT", f"{place}/quotas/{family}", limit_of(family, 1)).body["id"]
    assert arm("GET", asked).body["properties"]["provisioningState"] == state


def test_requests_are_listed_newest_first_and_filtered(arm: Caller, place: str) -> None:
    arm("PUT", f"{place}/quotas/{GPU}", limit_of(GPU, 1))
    arm("PUT", f"{place}/quotas/{ORDINARY}", limit_of(ORDINARY, 1))
    states = [r["properties"]["provisioningState"] for r in arm("GET", f"{place}/quotaRequests").body["value"]]
    assert states == ["Failed", "Succeeded"]
    failed = arm("GET", f"{place}/quotaRequests?$filter=provisioningState eq 'Failed'").body["value"]
    assert len(failed) == 1


@pytest.mark.parametrize("value", [-1, "10", None, True])
def test_a_limit_must_be_a_whole_number(arm: Caller, world: World, place: str, value: Any) -> None:
    answer = arm("PUT", f"{place}/quotas/{GPU}", limit_of(GPU, value))
    assert (answer.status, answer.body["error"]["code"]) == (400, "InvalidQuotaRequest")
    assert len(world.quota_requests) == 0


def test_groups_of_regions_are_listed_and_have_no_quota(arm: Caller, scope: str) -> None:
    rows = arm("GET", f"{scope}/locations").body["value"]
    kinds = {row["name"]: row["metadata"]["regionType"] for row in rows}
    assert (kinds["westeurope"], kinds["europe"]) == ("Physical", "Logical")
    answer = arm("GET", f"{scope}/providers/Microsoft.Compute/locations/europe/usages")
    assert (answer.status, answer.body["error"]["code"]) == (400, "NoRegisteredProviderFound")
    assert arm("GET", f"{scope}/providers/Microsoft.Compute/locations/westeurope/usages").status == 200
