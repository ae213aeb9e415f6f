"""Defender plans, alerts and contacts; a subscription cancelled through ARM; retail prices."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from azure_simulator.world import World
from tests.unit.azure_simulator.business.conftest import Caller


def test_defender_plans_are_free_until_turned_on(arm: Caller, scope: str) -> None:
    base = f"{scope}/providers/Microsoft.Security/pricings"
    tiers = {p["name"]: p["properties"]["pricingTier"] for p in arm("GET", base).body["value"]}
    assert tiers["VirtualMachines"] == tiers["Arm"] == "Free"
    on = arm("PUT", f"{base}/virtualmachines", {"properties": {"pricingTier": "Standard", "subPlan": "P2"}})
    assert (on.status, on.body["properties"]["subPlan"]) == (200, "P2")
    assert arm("GET", f"{base}/VirtualMachines").body["properties"]["pricingTier"] == "Standard"
    assert arm("PUT", f"{base}/VirtualMachines", {"properties": {"pricingTier": "Gold"}}).status == 400
    assert arm("GET", f"{base}/Nothing").status == 404


def test_security_alerts_change_state_by_action(arm: Caller, world: World, scope: str) -> None:
    identity = f"{scope}/providers/Microsoft.Security/locations/westeurope/alerts/a1"
    world.table("security.alerts")[identity] = {
        "id": identity,
        "name": "a1",
        "type": "Microsoft.Security/Locations/alerts",
        "properties": {"status": "Active", "severity": "High"},
    }
    assert len(arm("GET", f"{scope}/providers/Microsoft.Security/alerts").body["value"]) == 1
    changed = arm("POST", f"{identity}/inProgress")
    assert (changed.status, changed.body) == (204, None)
    assert arm("GET", identity).body["properties"]["status"] == "InProgress"
    assert arm("POST", f"{identity}x/resolve").status == 404


def test_there_is_one_security_contact(arm: Caller, scope: str) -> None:
    base = f"{scope}/providers/Microsoft.Security/securityContacts"
    assert arm("GET", base).body == {"value": []}
    assert arm("PUT", f"{base}/default", {"properties": {"emails": "soc@contoso.example"}}).status == 201
    assert arm("GET", f"{base}/default").body["properties"]["emails"] == "soc@contoso.example"


@pytest.fixture
def machine(world: World, scope: str) -> str:
    identity = f"{scope}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"
    world.resources[identity] = {
        "id": identity,
        "name": "vm",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "eastus",
        "properties": {"hardwareProfile": {"vmSize": "Standard_D2s_v3"}},
        "_power": "running",
    }
    return identity


def test_cancel_is_refused_while_resources_exist_and_then_stops_everything(
    arm: Caller, world: World, scope: str, machine: str
) -> None:
    heard: list[str] = []
    world.on_change.append(lambda what, _document: heard.append(what))
    cancel = f"{scope}/providers/Microsoft.Subscription/cancel"
    refused = arm("POST", cancel)
    assert (refused.status, world.subscriptions[scope]["state"]) == (409, "Enabled")
    done = arm("POST", f"{cancel}?IgnoreResourceCheck=true")
    assert (done.status, done.body) == (200, {"subscriptionId": scope.rsplit("/", 1)[1]})
    assert world.subscriptions[scope]["state"] == "Disabled"
    assert world.resources[machine]["_power"] == "deallocated"
    assert heard == ["subscription.disabled"]
    assert arm("GET", scope).body["state"] == "Disabled"
    assert arm("POST", f"{scope}/providers/Microsoft.Subscription/enable").status == 200
    assert world.subscriptions[scope]["state"] == "Enabled"
    assert world.resources[machine]["_power"] == "deallocated"


def test_a_subscription_is_renamed(arm: Caller, world: World, scope: str) -> None:
    path = f"{scope}/providers/Microsoft.Subscription/rename"
    assert arm("POST", path, {"subscriptionName": ""}).status == 400
    assert arm("POST", path, {"subscriptionName": "Quarantine"}).status == 200
    assert world.subscriptions[scope]["displayName"] == "Quarantine"


def price(sku: str, region: str = "eastus", **change: Any) -> dict[str, Any]:
    return {
        "currencyCode": "USD",
        "retailPrice": 2.0,
        "unitPrice": 2.0,
        "armRegionName": region,
        "location": "US East",
        "meterName": sku,
        "productName": "Virtual Machines",
        "skuName": sku,
        "armSkuName": sku,
        "serviceName": "Virtual Machines",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "effectiveStartDate": "2025-01-01T00:00:00Z",
        **change,
    }


PRICES = "/prices/api/retail/prices"


def test_prices_need_no_sign_in_and_are_filtered(arm: Caller, world: World) -> None:
    world.prices += [price("Standard_D2s_v3"), price("Standard_D4s_v3"), price("Standard_D2s_v3", "westeurope")]
    text = "serviceName eq 'Virtual Machines' and armRegionName eq 'eastus' and priceType eq 'Consumption'"
    answer = arm("GET", f"{PRICES}?$filter={text}", token=False)
    assert set(answer.body) == {
        "BillingCurrency",
        "CustomerEntityId",
        "CustomerEntityType",
        "Items",
        "NextPageLink",
        "Count",
    }
    assert [item["armSkuName"] for item in answer.body["Items"]] == ["Standard_D2s_v3", "Standard_D4s_v3"]
    either = "serviceName eq 'Virtual Machines' and (armSkuName eq 'Standard_D4s_v3' or armRegionName eq 'westeurope')"
    assert arm("GET", f"{PRICES}?$filter={either}").body["Count"] == 2
    assert arm("GET", f"{PRICES}?$filter=contains(armSkuName, 'D4')").body["Count"] == 1


def test_prices_are_paged_by_a_hundred(arm: Caller, world: World) -> None:
    world.prices += [price(f"Standard_X{n}") for n in range(250)]
    seen, link = [], f"{PRICES}?$filter=serviceName eq 'Virtual Machines'"
    while link:
        page = arm("GET", link, token=False).body
        seen.append(page["Count"])
        link = f"{PRICES}?{urlsplit(page['NextPageLink']).query}" if page["NextPageLink"] else ""
    assert seen == [100, 100, 50]


def test_prices_in_another_currency_are_converted(arm: Caller, world: World) -> None:
    world.prices += [price("Standard_D2s_v3")]
    answer = arm("GET", f"{PRICES}?currencyCode='EUR'").body
    assert (answer["BillingCurrency"], answer["Items"][0]["currencyCode"]) == ("EUR", "EUR")
    assert answer["Items"][0]["retailPrice"] == 1.84


@pytest.mark.parametrize("text", ["armSkuName is 'x'", "nothing eq 'x'", "armSkuName eq 'x", "(armSkuName eq 'x'"])
def test_a_filter_that_cannot_be_read_is_400_with_capitals(arm: Caller, text: str) -> None:
    answer = arm("GET", f"{PRICES}?$filter={text}")
    assert (answer.status, answer.body["Error"]["Code"]) == (400, "BadRequest")
