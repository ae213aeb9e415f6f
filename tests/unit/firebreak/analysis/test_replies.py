"""A file alone: an Activity Log reply and a Cost Management reply."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from firebreak.analysis.logs import review_log
from firebreak.analysis.replies import review_spend
from firebreak.errors import ContentError
from firebreak.model.finding import Severity

START = datetime(2026, 11, 1, 9, tzinfo=UTC)
VM = (
    "/subscriptions/33333333-3333-4333-8333-333333333333/resourceGroups/rg9/providers/Microsoft.Compute/virtualMachines"
)


def event(
    number: int, hours: float, *, address: str, size: str = "Standard_D4s_v5", status: str = "Succeeded"
) -> dict[str, Any]:
    body = json.dumps({"location": "westeurope", "properties": {"hardwareProfile": {"vmSize": size}}})
    return {
        "eventDataId": f"e{number}",
        "correlationId": f"c{number}",
        "caller": "ann@contoso.example",
        "operationName": {"value": "Microsoft.Compute/virtualMachines/write"},
        "status": {"value": status},
        "claims": {"ipaddr": address},
        "resourceId": f"{VM}/m{number}",
        "eventTimestamp": (START + timedelta(hours=hours)).isoformat(),
        "properties": {"requestbody": body},
    }


def test_a_week_is_judged_by_the_time_before_it() -> None:
    usual = [event(n, n * 12, address="198.51.100.1") for n in range(36)]
    burst = [event(100 + n, 432 + n / 20, address="203.0.113.7", size="Standard_NC6s_v3") for n in range(12)]
    activity, findings = review_log({"value": [*reversed(burst), *usual]})
    assert activity.events == 48
    titles = {finding.title for finding in findings}
    assert {"Burst of creations", "GPU or many-core machines created", "A known caller at a new address"} <= titles
    assert {finding.address for finding in findings} == {"203.0.113.7"}
    largest = next(finding for finding in findings if finding.id.startswith("large-sizes"))
    assert set(largest.event_ids) == {f"e{100 + n}" for n in range(12)}


def test_a_short_log_calls_nobody_new() -> None:
    _, findings = review_log([event(n, n, address=f"203.0.113.{n}") for n in range(5)])
    assert {finding.severity for finding in findings} == {Severity.INFORMATIONAL}


def test_failed_creations_are_never_counted_as_a_burst() -> None:
    events = [event(n, n / 60, address="203.0.113.7", status="Failed") for n in range(30)]
    _, findings = review_log({"value": events})
    told = [finding.title for finding in findings if finding.severity is not Severity.INFORMATIONAL]
    assert told == ["Many refused operations"]


def test_an_empty_log_has_no_findings() -> None:
    activity, findings = review_log({"value": []})
    assert (activity.events, findings) == (0, [])


@pytest.mark.parametrize("junk", [None, {}, "text", {"value": "x"}])
def test_another_document_is_refused(junk: Any) -> None:
    with pytest.raises(ContentError, match="no activity log"):
        review_log(junk)
    with pytest.raises(ContentError, match="no columns"):
        review_spend(junk)


def test_a_cost_reply_gives_flagged_days_start_and_extra() -> None:
    first = date(2026, 9, 1)
    rows = [
        [
            100 + (400 if n >= 40 else 0),
            int(f"{first + timedelta(days=n):%Y%m%d}"),
            "Virtual Machines",
            "us east",
            "EUR",
        ]
        for n in range(45)
    ]
    columns = [
        {"name": "PreTaxCost", "type": "Number"},
        {"name": "UsageDate", "type": "Number"},
        {"name": "ServiceName", "type": "String"},
        {"name": "ResourceLocation", "type": "String"},
        {"name": "Currency", "type": "String"},
    ]
    facts = review_spend({"properties": {"columns": columns, "rows": rows}})
    assert (facts.start_day, facts.extra_spend, len(facts.flagged)) == (first + timedelta(days=40), 2000, 5)
