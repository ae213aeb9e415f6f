"""Cost Management through the pipeline: columns, rows, lateness, paging, refusals, allowance."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from azure_simulator.world import CostRow, World
from tests.unit.azure_simulator.business.conftest import NOW, Caller

QPU = "x-ms-ratelimit-microsoft.costmanagement-qpu"


def query(**dataset: Any) -> dict[str, Any]:
    return {
        "type": "ActualCost",
        "timeframe": "Custom",
        "timePeriod": {"from": "2026-10-20T00:00:00Z", "to": "2026-11-20T23:59:59Z"},
        "dataset": {
            "granularity": "Daily",
            "aggregation": {"totalCost": {"name": "PreTaxCost", "function": "Sum"}},
            **dataset,
        },
    }


def by(*names: str) -> list[dict[str, str]]:
    return [{"type": "Dimension", "name": name} for name in names]


def post(arm: Caller, scope: str, body: Any, more: str = "") -> Any:
    return arm("POST", f"{scope}/providers/Microsoft.CostManagement/query{more}", body)


def test_daily_query_answers_columns_in_the_documented_order(
    arm: Caller, scope: str, spend: Callable[..., None]
) -> None:
    spend("web-1", "10.5", days=2)
    spend("web-2", "1.25")
    answer = post(arm, scope, query(grouping=by("ServiceName", "ResourceLocation")))
    assert answer.status == 200
    assert answer.body["type"] == "Microsoft.CostManagement/query"
    assert answer.body["properties"] == {
        "nextLink": None,
        "columns": [
            {"name": "PreTaxCost", "type": "Number"},
            {"name": "UsageDate", "type": "Number"},
            {"name": "ServiceName", "type": "String"},
            {"name": "ResourceLocation", "type": "String"},
            {"name": "Currency", "type": "String"},
        ],
        "rows": [
            [10.5, 20261119, "Virtual Machines", "us east", "USD"],
            [11.75, 20261120, "Virtual Machines", "us east", "USD"],
        ],
    }


def test_the_amount_column_takes_the_name_of_the_aggregation(
    arm: Caller, scope: str, spend: Callable[..., None]
) -> None:
    spend("web-1", "10")
    body = query(granularity="None", aggregation={"x": {"name": "Cost", "function": "Sum"}}, grouping=by("ResourceId"))
    properties = post(arm, scope, body).body["properties"]
    assert [c["name"] for c in properties["columns"]] == ["Cost", "ResourceId", "Currency"]
    assert (
        properties["rows"][0][1] == f"{scope}/resourcegroups/rg-web/providers/microsoft.compute/virtualmachines/web-1"
    )


def test_monthly_query_sums_months(arm: Caller, scope: str, spend: Callable[..., None]) -> None:
    spend("web-1", "1", days=30)
    properties = post(arm, scope, query(granularity="Monthly")).body["properties"]
    assert [c["name"] for c in properties["columns"]] == ["PreTaxCost", "BillingMonth", "Currency"]
    assert properties["rows"] == [[10.0, "2026-10-01T00:00:00", "USD"], [20.0, "2026-11-01T00:00:00", "USD"]]


def test_late_rows_are_not_answered_before_their_time(
    arm: Caller, world: World, scope: str, spend: Callable[..., None]
) -> None:
    spend("web-1", "7", late=12)
    assert post(arm, scope, query()).status == 204
    world.clock.advance(12 * 3600)
    assert post(arm, scope, query()).body["properties"]["rows"] == [[7.0, 20261120, "USD"]]


def test_nothing_spent_is_204_without_a_body(arm: Caller, scope: str) -> None:
    answer = post(arm, scope, query())
    assert (answer.status, answer.body) == (204, None)


def test_resource_group_scope_and_filters_narrow(arm: Caller, scope: str, spend: Callable[..., None]) -> None:
    arm("PUT", f"{scope}/resourcegroups/rg-zx91?api-version=2025-04-01", {"location": "eastus"})
    spend("web-1", "10")
    spend("zx-1", "99", group="rg-zx91")
    spend("disk-1", "2", group="rg-zx91", service="Storage")
    both = {
        "and": [
            {"dimensions": {"name": "ResourceGroupName", "operator": "In", "values": ["RG-ZX91"]}},
            {"not": {"dimensions": {"name": "ServiceName", "operator": "In", "values": ["storage"]}}},
        ]
    }
    assert post(arm, scope, query(filter=both)).body["properties"]["rows"] == [[99.0, 20261120, "USD"]]
    either = {
        "or": [
            {"dimensions": {"name": "ServiceName", "operator": "In", "values": ["Storage"]}},
            {"dimensions": {"name": "ResourceGroupName", "operator": "In", "values": ["rg-web"]}},
        ]
    }
    assert post(arm, scope, query(filter=either)).body["properties"]["rows"] == [[12.0, 20261120, "USD"]]
    assert post(arm, f"{scope}/resourceGroups/rg-zx91", query()).body["properties"]["rows"] == [
        [101.0, 20261120, "USD"]
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"grouping": by("ServiceName", "ResourceLocation", "ResourceId")}, "at most 2 groupings"),
        ({"grouping": by("Resource")}, "Invalid dataset grouping: 'Resource'; valid values: 'ResourceGroup'"),
        ({"granularity": "Hourly"}, "Invalid dataset granularity: 'Hourly'"),
        ({"aggregation": {"x": {"name": "Money", "function": "Sum"}}}, "Invalid dataset aggregation: 'Money'"),
        ({"filter": {"dimensions": {}, "tags": {}}}, "one and only one of and/or/not/dimension/tag"),
    ],
)
def test_wrong_datasets_are_400_with_the_reason(arm: Caller, scope: str, change: Any, said: str) -> None:
    answer = post(arm, scope, query(**change))
    assert (answer.status, answer.body["error"]["code"]) == (400, "BadRequest")
    assert answer.body["error"]["message"].startswith("Invalid query definition: ")
    assert said in answer.body["error"]["message"]


def test_custom_needs_a_period_of_at_most_a_year(arm: Caller, scope: str) -> None:
    body = query()
    del body["timePeriod"]
    assert post(arm, scope, body).status == 400
    body["timePeriod"] = {"from": "2024-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    assert "longer than one year" in post(arm, scope, body).body["error"]["message"]


@pytest.mark.parametrize(
    ("frame", "total"),
    [("MonthToDate", 20), ("TheCurrentMonth", 20), ("BillingMonthToDate", 20), ("WeekToDate", 6), ("TheLastMonth", 10)],
)
def test_timeframes(arm: Caller, scope: str, spend: Callable[..., None], frame: str, total: float) -> None:
    spend("web-1", "1", days=30)
    body = query(granularity="None") | {"timeframe": frame}
    assert post(arm, scope, body).body["properties"]["rows"] == [[float(total), "USD"]]


def test_pages_are_followed_by_posting_the_same_body_to_the_next_link(
    arm: Caller, scope: str, spend: Callable[..., None]
) -> None:
    for number in range(5):
        spend(f"web-{number}", "1")
    body = query(grouping=by("ResourceId"))
    seen, more = [], "?$top=2"
    while more:
        page = post(arm, scope, body, more).body["properties"]
        seen += [row[2] for row in page["rows"]]
        more = "?" + urlsplit(page["nextLink"]).query if page["nextLink"] else ""
    assert len(seen) == len(set(seen)) == 5


def test_the_allowance_runs_out_and_says_in_its_own_header_how_long_to_wait(
    arm: Caller, world: World, scope: str, spend: Callable[..., None]
) -> None:
    spend("web-1", "1")
    world.throttling = True
    for number in range(6):  # two months asked each: twelve units
        answer = post(arm, scope, query())
        assert answer.headers[f"{QPU}-consumed"] == "2"
        assert f"QueriesPer10Sec:{12 - 2 * (number + 1)}" in answer.headers[f"{QPU}-remaining"]
    refused = post(arm, scope, query())
    assert (refused.status, refused.body) == (
        429,
        {"error": {"code": "429", "message": "Too many requests. Please retry."}},
    )
    assert refused.headers[f"{QPU}-retry-after"] == "10"
    assert "Retry-After" not in refused.headers
    world.clock.advance(9)
    assert post(arm, scope, query()).status == 429
    world.clock.advance(1)
    assert post(arm, scope, query()).status == 200


def test_sixty_units_a_minute_is_the_second_limit(
    arm: Caller, world: World, scope: str, spend: Callable[..., None]
) -> None:
    spend("web-1", "1")
    world.throttling = True
    answered = 0
    for _ in range(5):
        for _ in range(6):
            answered += post(arm, scope, query()).status == 200
        world.clock.advance(10.5)
    refused = post(arm, scope, query())
    assert (answered, refused.status) == (30, 429)
    assert int(refused.headers[f"{QPU}-retry-after"]) == 8


def test_a_hidden_cost_view_is_refused_and_not_empty(arm: Caller, world: World, scope: str) -> None:
    world.subscriptions[scope]["_cost_hidden"] = True
    answer = post(arm, scope, query())
    assert (answer.status, answer.body["error"]["code"]) == (403, "IndirectCostDisabled")


def test_queries_leave_no_trace_in_the_activity_log(arm: Caller, world: World, scope: str) -> None:
    post(arm, scope, query())
    assert world.events == []


def test_a_quarter_of_three_hundred_resources_is_answered_fast(arm: Caller, world: World, scope: str) -> None:
    for back in range(90):
        for number in range(300):
            world.costs.append(
                CostRow(
                    (NOW - timedelta(days=back)).date(),
                    f"{scope}/resourceGroups/rg-{number % 20}/providers/Microsoft.Compute/virtualMachines/vm-{number}",
                    "Virtual Machines",
                    "us east",
                    f"rg-{number % 20}",
                    Decimal("1.5"),
                    "USD",
                    NOW - timedelta(days=back),
                )
            )
    body = query(grouping=by("ServiceName", "ResourceLocation"))
    body["timePeriod"] = {"from": "2026-08-01T00:00:00Z", "to": "2026-11-20T23:59:59Z"}
    started = time.perf_counter()
    answer = post(arm, scope, body)
    assert len(answer.body["properties"]["rows"]) == 90
    assert time.perf_counter() - started < 2


def test_usage_details_are_bounded_by_the_filter(arm: Caller, scope: str, spend: Callable[..., None]) -> None:
    spend("web-1", "4", days=10)
    wanted = "properties/usageStart ge '2026-11-18' and properties/usageEnd le '2026-11-19'"
    answer = arm("GET", f"{scope}/providers/Microsoft.Consumption/usageDetails?$filter={wanted}&metric=actualcost")
    assert [row["properties"]["date"][:10] for row in answer.body["value"]] == ["2026-11-18", "2026-11-19"]
    assert answer.body["value"][0]["kind"] == "modern"
    assert answer.body["value"][0]["properties"]["costInBillingCurrency"] == 4.0


def test_a_passed_budget_threshold_raises_an_alert_that_can_be_dismissed(
    arm: Caller, scope: str, spend: Callable[..., None]
) -> None:
    spend("web-1", "90")
    budget = {
        "properties": {
            "category": "Cost",
            "amount": 100,
            "timeGrain": "Monthly",
            "timePeriod": {"startDate": "2026-11-01T00:00:00Z"},
            "notifications": {
                "a80": {
                    "enabled": True,
                    "operator": "GreaterThan",
                    "threshold": 80,
                    "contactEmails": ["soc@contoso.example"],
                },
                "a95": {"enabled": True, "operator": "GreaterThan", "threshold": 95, "contactRoles": ["Owner"]},
            },
        }
    }
    arm("PUT", f"{scope}/providers/Microsoft.Consumption/budgets/b1", budget)
    listed = arm("GET", f"{scope}/providers/Microsoft.CostManagement/alerts").body["value"]
    assert [a["properties"]["status"] for a in listed] == ["Active"]
    assert listed[0]["properties"]["definition"]["type"] == "Budget"
    assert listed[0]["properties"]["details"]["threshold"] == 0.8
    dismissed = arm("PATCH", listed[0]["id"], {"properties": {"status": "Dismissed"}})
    assert dismissed.body["properties"]["status"] == "Dismissed"
    again = arm("GET", f"{scope}/providers/Microsoft.CostManagement/alerts").body["value"]
    assert [a["properties"]["status"] for a in again] == ["Dismissed"]


def test_an_anomaly_rule_needs_the_anomaly_view_and_is_daily(arm: Caller, scope: str) -> None:
    path = f"{scope}/providers/Microsoft.CostManagement/scheduledActions/anomaly"
    rule = {
        "kind": "InsightAlert",
        "properties": {
            "displayName": "Anomalies",
            "status": "Enabled",
            "viewId": f"{scope}/providers/Microsoft.CostManagement/views/ms:DailyAnomalyByResourceGroup",
            "schedule": {"frequency": "Daily", "startDate": "2026-11-20T00:00:00Z", "endDate": "2027-11-20T00:00:00Z"},
            "notification": {"to": ["soc@contoso.example"], "subject": "Spend"},
        },
    }
    assert arm("PUT", path, {"kind": "InsightAlert", "properties": {}}).status == 400
    created = arm("PUT", path, rule)
    assert (created.status, created.body["kind"]) == (201, "InsightAlert")
    assert arm("PUT", path, rule).status == 200
    assert arm("GET", path).body["properties"]["displayName"] == "Anomalies"
    rule["properties"]["viewId"] = "ms:CostByService"
    assert arm("PUT", path, rule).status == 400
