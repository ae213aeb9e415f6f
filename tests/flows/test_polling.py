"""Polls of the embedded Azure: what no webhook brought opens one incident, and what could not be looked at is never told as nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from azure_simulator.faults import Fault
from azure_simulator.services.graph import alert_responses
from azure_simulator.services.partner_center import sender
from firebreak.errors import RemoteError
from firebreak.intake.channels import PARTNER_CENTER
from firebreak.intake.inbox import KEPT
from firebreak.intake.poll_log import PollLog
from flows import deliveries
from flows.deliveries import Deliveries
from flows.polling import PollReport, is_blind, poll_once
from flows.readings import read
from tests.support.polls import Place, polling_room, raise_alert

DAY = 86_400
GRAPH = "security/partner/securityAlerts"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with polling_room(tmp_path / "home", monkeypatch) as found:
        yield found


def poll(place: Place, **more: Any) -> dict[str, PollReport]:
    return {report.poll.source: report for report in asyncio.run(poll_once(place.room, **more))}


def deliver_webhook(place: Place) -> None:
    """As Partner Center's event arrives, after its signature was checked."""

    async def deliver() -> None:
        kept = Deliveries(place.room, read)
        body = sender.event(place.world, sender.FRAUD, subscription=place.subscription)
        await kept.process((await kept.take(PARTNER_CENTER, body)).id)

    asyncio.run(deliver())


def test_an_alert_that_no_webhook_brought_opens_one_incident_and_one_run(place: Place) -> None:
    alert = raise_alert(place.world)
    first, second = poll(place), poll(place)
    (incident,) = place.started
    assert first["graph"].opened == (incident,)
    opened = place.room.store.incidents.get(incident).alert
    assert (opened.id, opened.source, opened.type) == (alert["id"], "graph", "CryptoMining")
    assert not place.room.store.incidents.get(incident).came_by_webhook
    assert (second["graph"].opened, second["graph"].poll.known) == ((), 1)
    assert not is_blind([*first.values(), *second.values()])


@pytest.mark.parametrize("webhook_first", [True, False])
def test_one_alert_over_webhook_graph_fraud_events_and_audit_records_is_one_incident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, webhook_first: bool
) -> None:
    with polling_room(tmp_path / "home", monkeypatch, fraud_events=True) as place:
        raise_alert(place.world)
        place.world.clock.advance(3600)
        if webhook_first:
            deliver_webhook(place)
        place.world.faults.append(Fault("status", status=403, method="GET", url=GRAPH))
        blind = poll(place)
        assert (blind["graph"].poll.looked, blind["fraud-events"].poll.looked) == (False, True)
        place.world.faults.clear()
        poll(place)
        if not webhook_first:
            deliver_webhook(place)
        assert len(place.started) == len(place.room.store.incidents.list()) == 1


def test_the_same_alert_is_known_again_after_its_incident_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with polling_room(tmp_path / "home", monkeypatch, fraud_events=True) as place:
        raise_alert(place.world, "graph")
        poll(place)
        place.room.store.incidents.set_state(place.started[0], "stopped", "exercise")
        place.world.faults.append(Fault("status", status=403, method="GET", url=GRAPH))
        assert poll(place)["fraud-events"].poll.known == 1
        assert len(place.started) == 1


def test_a_poll_begins_where_the_last_good_one_ended_with_an_overlap(place: Place) -> None:
    poll(place)
    place.world.clock.advance(2 * DAY)
    poll(place)
    assert "status ne 'resolved'" in place.asked(GRAPH)[0].replace("%20", " ").replace("+", " ").replace("%27", "'")
    assert "2026-03-01T06" in place.asked(GRAPH)[-1].replace("%3A", ":")  # a day before the first poll


def test_a_fault_is_told_as_not_looked_at_and_the_next_poll_begins_before_it(place: Place) -> None:
    poll(place)
    good = PollLog(place.room.store).get("graph")
    assert good is not None
    place.world.clock.advance(3 * DAY)
    raise_alert(place.world, "graph")
    place.world.faults.append(Fault("status", status=503, method="GET", url=GRAPH))
    failed = poll(place)
    after = PollLog(place.room.store).get("graph")
    assert after is not None
    assert (after.looked_until, after.reason != "") == (good.looked_until, True)
    assert is_blind(list(failed.values()))
    assert failed["graph"].as_json()["looked"] is False
    assert "503" in failed["graph"].as_json()["not_looked_at"][0]
    place.world.faults.clear()
    place.world.clock.advance(3 * DAY)
    assert len(poll(place)["graph"].opened) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("throttle", method="GET", url=GRAPH, retry_after=1), "429"),
        (Fault("status", status=403, method="GET", url=GRAPH), "403"),
        (Fault("expired_token", method="GET", url=GRAPH), "401"),
        (Fault("truncate_page", method="GET", url=GRAPH), "cut off"),
        (Fault("drop_before", method="GET", url=GRAPH), "the connection broke"),
    ],
    ids=lambda one: one.kind if isinstance(one, Fault) else "",
)
def test_every_kind_of_fault_is_not_looked_at_and_the_other_sources_go_on(
    place: Place, fault: Fault, said: str
) -> None:
    raise_alert(place.world)
    place.world.clock.advance(3600)
    place.world.faults.append(fault)
    polled = poll(place)
    assert not polled["graph"].poll.looked
    assert said in " ".join(polled["graph"].poll.problems)
    assert polled["cost-alerts"].poll.looked
    assert len(polled["audit-records"].opened) == 1  # the record alone is enough to look


def test_what_came_before_a_broken_page_is_taken_and_the_rest_is_read_the_next_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_responses, "ALERTS", replace(alert_responses.ALERTS, page=2))
    for number in range(3):
        raise_alert(place.world, "graph", subscription=f"9999999{number}-9999-4999-8999-999999999999")
    place.world.faults.append(Fault("truncate_page", method="GET", url="skiptoken"))
    first = poll(place)["graph"]
    assert (first.poll.looked, len(first.opened)) == (False, 2)
    place.world.faults.clear()
    second = poll(place)["graph"]
    assert (second.poll.looked, len(second.opened), len(place.started)) == (True, 1, 3)


def test_a_webhook_that_never_came_is_told_and_opens_an_incident(place: Place) -> None:
    raise_alert(place.world, "audit-records")
    assert poll(place)["audit-records"].poll.missed == ()  # it may still come
    place.world.clock.advance(3600)
    report = poll(place)["audit-records"]
    assert len(report.poll.missed) == len(report.opened) == 1
    assert place.subscription in report.poll.missed[0]
    opened = place.room.store.incidents.get(report.opened[0])
    assert (opened.alert.source, opened.playbook) == ("audit-records", "compromised-subscription")
    assert poll(place)["audit-records"].poll.missed == ()
    assert len(place.started) == 1


def test_an_alert_that_somebody_resolved_in_the_portal_is_no_missed_webhook(place: Place) -> None:
    raise_alert(place.world, status="resolved", resolvedReason="legitimate")
    place.world.clock.advance(3600)
    polled = poll(place)
    assert polled["audit-records"].poll.missed == ()
    assert place.started == []


def test_without_a_users_token_the_audit_records_are_not_looked_at(place: Place) -> None:
    place.app_only = True
    (problem,) = poll(place)["audit-records"].poll.problems
    assert "secure application model" in problem


def test_old_alerts_are_a_backlog_that_is_taken_in_oldest_first_when_asked(place: Place) -> None:
    ids = [f"9999999{number}-9999-4999-8999-999999999999" for number in range(3)]
    for number, days in ((0, 20), (1, 70), (2, 40)):
        raise_alert(
            place.world,
            "graph",
            subscription=ids[number],
            detectedDateTime=f"{place.world.clock.now() - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}",
        )
    polled = poll(place)["graph"]
    assert (polled.opened, polled.poll.older, place.started) == ((), 3, [])
    assert poll(place, backlog=True, limit=2)["graph"].left == 1
    subscriptions = [place.room.store.incidents.get(one).subscription_id for one in place.started]
    assert subscriptions == [ids[1], ids[2]]
    poll(place, backlog=True)
    assert len(place.started) == 3


def test_test_alerts_new_types_and_other_spellings_are_taken(place: Place) -> None:
    one, two = (f"9999999{number}-9999-4999-8999-999999999999" for number in range(2))
    raise_alert(place.world, "graph", subscription=one, isTest="True", alertType="Quantum_Anomaly")
    raise_alert(place.world, "graph", subscription=two, status="Active", severity="unknownFutureValue", novel={"a": 1})
    poll(place)
    opened = {row.incident.subscription_id: row.incident for row in place.room.store.incidents.list()}
    assert opened[one].alert.is_test
    assert opened[one].playbook == "review-subscription"
    assert set(opened) == {one, two}


def test_a_row_that_names_no_subscription_is_kept_and_told_and_spoils_nothing(place: Place) -> None:
    raise_alert(place.world, "graph", subscriptionId="")
    raise_alert(place.world, "graph")
    report = poll(place)["graph"]
    assert len(report.opened) == len(report.kept) == 1
    assert "subscriptionId" in report.kept[0]
    assert Deliveries(place.room, read).inbox.newest(KEPT)[0].channel == "poll/graph"


def test_fraud_events_are_asked_only_when_allowed_and_graph_is_away_and_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for allowed in (False, True):
        with polling_room(tmp_path / str(allowed), monkeypatch, fraud_events=allowed) as place:
            raise_alert(place.world, "graph", isTest=True)
            poll(place)
            assert not place.asked("fraudEvents")
            raise_alert(place.world, "graph", subscription="99999999-9999-4999-8999-999999999999")
            place.world.faults.append(Fault("status", status=403, method="GET", url=GRAPH))
            polled = poll(place)
            assert bool(place.asked("fraudEvents")) is allowed
            assert is_blind(list(polled.values())) is not allowed
            if allowed:
                headers = [row.headers for row in place.world.requests if "fraudEvents" in row.url]
                assert {row.get("x-neweventsmodel") for row in headers} == {"true"}
                (warning,) = polled["fraud-events"].poll.warnings
                assert "retiring" in warning
                alert = place.room.store.incidents.get(place.started[-1]).alert
                assert (alert.source, alert.details["fraud_event_id"][:36]) == ("fraud-events", alert.subscription_id)


def test_a_cost_alert_opens_a_review_once(place: Place) -> None:
    scope = f"/subscriptions/{place.subscription}"
    identity = f"{scope}/providers/Microsoft.CostManagement/alerts/a1"
    definition = {"type": "Budget", "category": "Cost", "criteria": "CostThresholdExceeded"}
    properties = {"definition": definition, "status": "Active", "creationTime": "2026-03-02T05:00:00Z"}
    table = place.world.table("costmanagement.alerts")
    table[identity] = {"id": identity, "name": "a1", "properties": properties | {"description": "Budget passed 90 %."}}
    table[identity + "b"] = {"id": identity + "b", "name": "a1b", "properties": properties | {"status": "Dismissed"}}
    assert len(poll(place)["cost-alerts"].opened) == 1
    assert poll(place)["cost-alerts"].opened == ()
    incident = place.room.store.incidents.get(place.started[0])
    assert (incident.alert.type, incident.playbook) == ("CostManagement.Budget", "review-subscription")


def test_a_subscription_whose_cost_alerts_cannot_be_read_is_named(place: Place) -> None:
    place.world.faults.append(Fault("status", status=403, method="GET", url="CostManagement/alerts"))
    (problem,) = poll(place)["cost-alerts"].poll.problems
    assert place.subscription in problem


def test_subscriptions_that_are_not_listed_open_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with polling_room(tmp_path / "home", monkeypatch) as place:
        listed = place.room.settings.intake.model_copy(
            update={"subscriptions": ("99999999-9999-4999-8999-999999999999",)}
        )
        object.__setattr__(place.room.settings, "intake", listed)
        raise_alert(place.world, "graph")
        report = poll(place)["graph"]
        assert (report.opened, len(report.kept)) == ((), 1)
        assert "does not respond" in report.kept[0]


def test_without_a_prefect_server_what_was_found_waits_and_is_started_by_the_next_poll(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = deliveries.start_run

    async def away(*_: object, **__: object) -> str:
        raise RemoteError("The Prefect server does not answer.", hint="Start it with: firebreak up")

    monkeypatch.setattr(deliveries, "start_run", away)
    raise_alert(place.world, "graph")
    (reason,) = poll(place)["graph"].waiting
    assert "does not answer" in reason
    monkeypatch.setattr(deliveries, "start_run", starts)
    place.world.clock.advance(600)
    poll(place)
    assert len(place.started) == len(place.room.store.incidents.list()) == 1


def test_a_report_is_json_with_the_same_keys_for_every_source(place: Place) -> None:
    reports = [report.as_json() for report in poll(place).values()]
    assert [one["source"] for one in reports] == ["graph", "audit-records", "cost-alerts"]
    assert len({tuple(json.loads(json.dumps(one))) for one in reports}) == 1
