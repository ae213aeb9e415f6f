"""Alerts: what is understood, what is refused, and how it is said."""

import json
from datetime import UTC, datetime

import pytest

from firebreak.errors import AlertError
from firebreak.intake.alerts import LARGEST, open_incident, parse_alert
from firebreak.model.mode import Mode

NOW = datetime(2026, 3, 2, 5, tzinfo=UTC)
SUB = "33333333-3333-4333-8333-333333333333"
TENANT = "22222222-2222-4222-8222-222222222222"


def graph_alert(**changes: object) -> bytes:
    alert = {
        "id": "a1",
        "displayName": "Mining",
        "alertType": "CryptoMining",
        "severity": "high",
        "customerTenantId": TENANT,
        "subscriptionId": SUB.upper(),
        "detectedDateTime": "2026-03-02T04:09:57.4112345Z",
        "isTest": "false",
        "affectedResources": [
            {"resourceId": f"/subscriptions/{SUB}/resourceGroups/g/providers/Microsoft.Compute/disks/d"}
        ],
    }
    return json.dumps(alert | changes).encode()


def test_graph_alert_is_read_and_ids_are_folded() -> None:
    alert = parse_alert(graph_alert(), place="x", now=NOW)
    assert (alert.subscription_id, alert.type, alert.is_test, alert.source) == (SUB, "CryptoMining", False, "graph")
    assert alert.detected_at == datetime(2026, 3, 2, 4, 9, 57, 411234, tzinfo=UTC)
    assert len(alert.affected_resources) == 1


def test_string_true_marks_a_test_alert() -> None:
    assert parse_alert(graph_alert(isTest="True"), place="x", now=NOW).is_test


def test_affected_resources_with_tricks_are_dropped() -> None:
    evil = [
        {"resourceId": f"/subscriptions/{SUB}/../x"},
        {"resourceId": 7},
        "text",
        {"resourceId": "/subscriptions/%2e%2e/a"},
    ]
    assert parse_alert(graph_alert(affectedResources=evil), place="x", now=NOW).affected_resources == ()


def test_fraud_event_takes_the_subscription_from_the_uri_and_the_tenant_from_settings() -> None:
    event = {
        "EventName": "azure-fraud-event-detected",
        "ResourceUri": f"https://api.partnercenter.microsoft.com/v1/fraudEvents?SubscriptionId={SUB}&EventStatus=Active",
        "AuditUri": None,
        "ResourceChangeUtcDate": "2026-03-02T04:11:09.1234567+00:00",
    }
    alert = parse_alert(json.dumps(event).encode(), place="x", now=NOW, default_tenant=TENANT)
    assert (alert.subscription_id, alert.customer_tenant_id, alert.source) == (SUB, TENANT, "partner-center-webhook")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", "not JSON"),
        (b"[1, 2]", "one JSON object"),
        (b"{}", "no subscriptionId"),
        (b"[" * 100_000, "not JSON"),
        (b" " * (LARGEST + 1), "at most"),
        (graph_alert(subscriptionId="the-prod-one"), "is not a GUID"),
        (graph_alert(subscriptionId=f"{SUB}/../{SUB}"), "is not a GUID"),
        (graph_alert(detectedDateTime="yesterday"), "is not a time"),
        (b'{"EventName": "invoice-ready"}', "opens no incident"),
        (b'{"EventName": "azure-fraud-event-detected", "ResourceUri": "https://x/?a=1"}', "names 0 subscriptions"),
    ],
)
def test_bad_input_is_refused_with_place_and_hint(raw: bytes, said: str) -> None:
    with pytest.raises(AlertError, match=said) as caught:
        parse_alert(raw, place="alert.json", now=NOW)
    assert caught.value.message.startswith("alert.json: ")
    assert caught.value.hint


def test_live_and_dry_run_of_one_alert_share_the_case() -> None:
    alert = parse_alert(graph_alert(), place="x", now=NOW)
    live = open_incident(alert, playbook="p", mode=Mode.LIVE, now=NOW, requested_by="r")
    dry = open_incident(alert, playbook="p", mode=Mode.DRY_RUN, now=NOW, requested_by="r", number=2)
    assert live.case == dry.case == live.id
    assert dry.id == f"{live.id}-dry2"
