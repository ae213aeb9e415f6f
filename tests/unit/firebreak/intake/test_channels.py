"""What Azure Monitor, Defender for Cloud, Sentinel and a mapped sender deliver, in the shapes that their documentation shows, as alerts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firebreak.errors import AlertError, ContentError
from firebreak.intake import azure_monitor
from firebreak.intake.mapping import AlertMapping, apply, read_mapping
from firebreak.intake.security_alerts import parse_defender, parse_sentinel
from firebreak.model.alert import Alert

DATA = Path(__file__).parents[3] / "data" / "intake"
ONE, TWO = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
TENANT = "22222222-2222-4222-8222-222222222222"
NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def parsed(name: str) -> list[Alert]:
    raw = (DATA / f"{name}.json").read_bytes()
    parse = {"monitor": azure_monitor.parse, "defender": parse_defender, "sentinel": parse_sentinel}[name.split("-")[0]]
    return parse(json.loads(raw), raw, now=NOW, tenant=TENANT)


@pytest.mark.parametrize(
    ("name", "kind", "title", "severity", "minute"),
    [
        ("monitor-metric", "AzureMonitor.Platform", "WCUS-R2-Gen2", "low", 58),
        ("monitor-activity-log", "AzureMonitor.ActivityLog-Administrative", "New owner", "informational", 58),
        ("monitor-cost-budget", "AzureMonitor.CostAlerts", "Test_actual_cost_budget", "unknown", 58),
        ("monitor-service-health-security", "AzureMonitor.ServiceHealth", "ServiceHealthAlert", "informational", 58),
        ("monitor-activity-log-older", "AzureMonitor.Administrative", "Microsoft.Compute/virtualMachines/write", "unknown", 43),
        ("monitor-metric-older", "AzureMonitor.AzureMonitorMetricAlert", "test-metricAlertRule", "low", 35),
        ("monitor-budget-older", "AzureMonitor.Budget", "Budget BudgetName: 111 USD spent", "unknown", 0),
        ("defender-workflow", "Defender.VM_DigitalCurrencyMining", "Digital currency mining related behavior detected", "high", 48),
        ("defender-export", "Defender.ARM_UnusualComputeCreation", "Suspicious creation of compute resources detected", "medium", 23),
        ("sentinel-incident", "Sentinel.Incident", "Mass creation of virtual machines", "high", 45),
    ],
)  # fmt: skip
def test_what_is_documented_is_an_alert(name: str, kind: str, title: str, severity: str, minute: int) -> None:
    (alert,) = parsed(name)
    assert (alert.type, alert.title, alert.severity) == (kind, title, severity)
    assert (alert.subscription_id, alert.customer_tenant_id) == (ONE, TENANT)
    assert alert.detected_at.minute == minute
    assert alert.id
    assert all(ONE in one for one in alert.affected_resources)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("monitor-metric-resolved", "is resolved"),
        ("monitor-service-health-outage", "service health news of the kind 'Incident'"),
        ("defender-dismissed", "is dismissed"),
        ("sentinel-closed", "is closed"),
        ("sentinel-without-resources", "names no Azure subscription"),
    ],
)
def test_what_asks_for_nothing_opens_nothing(name: str, reason: str) -> None:
    with pytest.raises(AlertError, match=reason):
        parsed(name)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("monitor-metric-older", ("data", "context", "timestamp")),
        ("monitor-cost-budget", ("data", "essentials", "firedDateTime")),
        ("monitor-budget-older", ("data", "SpendingAmount")),
    ],
)
def test_a_rule_that_fires_again_is_another_alert(name: str, path: tuple[str, ...]) -> None:
    document = json.loads((DATA / f"{name}.json").read_bytes())
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = "2026-04-02T03:58:24Z" if "T" in inner[path[-1]] else "222"
    (again,) = azure_monitor.parse(document, b"again", now=NOW, tenant=TENANT)
    assert again.id != parsed(name)[0].id


def test_one_alert_for_each_subscription() -> None:
    alerts = parsed("monitor-two-subscriptions")
    assert [one.subscription_id for one in alerts] == [ONE, TWO]
    assert [len(one.affected_resources) for one in alerts] == [1, 1]


def test_the_workspace_of_a_sentinel_incident_is_not_what_it_is_about() -> None:
    assert {one.subscription_id for one in parsed("sentinel-incident")} == {ONE}


@pytest.mark.parametrize(
    "document", [None, [], {}, {"data": 1}, {"data": {"essentials": []}}, {"data": {"context": {}}}]
)
@pytest.mark.parametrize("parse", [azure_monitor.parse, parse_defender, parse_sentinel])
def test_what_is_something_else_is_said(parse: Any, document: Any) -> None:
    with pytest.raises(AlertError):
        parse(document, b"x", now=NOW, tenant=TENANT)


def test_without_a_tenant_the_setting_is_named() -> None:
    raw = (DATA / "monitor-metric.json").read_bytes()
    with pytest.raises(AlertError) as caught:
        azure_monitor.parse(json.loads(raw), raw, now=NOW, tenant="")
    assert "FIREBREAK_CREDENTIAL__TENANT_ID" in caught.value.hint


def test_a_mapping_says_where_things_are() -> None:
    raw = (DATA / "siem-event.json").read_bytes()
    (alert,) = apply(read_mapping(DATA / "siem.yaml"), json.loads(raw), raw, place="json/siem", now=NOW, tenant="")
    assert (alert.id, alert.type, alert.title, alert.severity) == (
        "ev-77",
        "SiemAlert",
        "Mining pool contacted",
        "high",
    )
    assert (alert.subscription_id, alert.customer_tenant_id, alert.source) == (ONE, TENANT, "json/siem")
    assert alert.affected_resources == (
        f"/subscriptions/{ONE}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm1",
    )
    assert alert.detected_at == datetime(2026, 3, 2, 3, 50, tzinfo=UTC)


def test_a_mapping_that_does_not_take_it_says_so() -> None:
    mapping = AlertMapping(version=1, fields={"subscription": "a.0.b"}, when={"kind": "alarm"})
    with pytest.raises(AlertError, match="kind is not 'alarm'"):
        apply(mapping, {"kind": "news"}, b"x", place="json/x", now=NOW, tenant=TENANT)
    with pytest.raises(AlertError, match="names no Azure subscription"):
        apply(mapping, {"kind": "alarm", "a": [{"b": {"c": ONE}}]}, b"x", place="json/x", now=NOW, tenant=TENANT)
    (alert,) = apply(mapping, {"kind": "alarm", "a": [{"b": ONE}]}, b"x", place="json/x", now=NOW, tenant=TENANT)
    assert (alert.subscription_id, alert.type) == (ONE, "unknown")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("version: 2\nfields: {subscription: a}", "has version 2"),
        ("version: 1\nfields: {subscription: a, colour: b}", "unknown fields: colour"),
        ("version: 1\nfields: {subscription: a..b}", "no place 'a..b'"),
        ("version: 1\nfields: {title: a}", "nowhere which subscription"),
        ("version: 1\nfields: {subscription: a}\nrun: rm", "run"),
        ("version: 1\nfields: !!python/object/apply:os.system [id]", "cannot be used"),
        ("- 1", "cannot be used"),
        ("{", "cannot be used"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(ContentError, match=reason) as caught:
        read_mapping(file)
    assert str(file) in caught.value.message
