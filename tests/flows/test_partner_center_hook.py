"""Partner Center's webhooks from the embedded Azure's own sender to a running intake: checked, kept, confirmed in Graph, answered once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from azure_simulator.services.partner_center import sender
from firebreak.engine import EngineRoom
from firebreak.intake.inbox import DONE, KEPT, WAITING
from flows import deliveries as module
from flows.intake import application
from tests.support.intake import CUSTOMER, Installation, alert, installation
from tests.support.served import served

HOOK = "/hooks/partner-center"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    started: list[str] = []

    async def start_run(room: EngineRoom, incident: str, *, key: str) -> str:
        started.append(incident)
        room.store.values.set(incident, "flow_run", f"run-of-{incident}")
        return f"run-of-{incident}"

    with pytest.MonkeyPatch.context() as patch, installation(tmp_path_factory.mktemp("hook")) as found:
        patch.setattr(module, "start_run", start_run)
        found.started = started
        with served(application(found.settings)) as found.address:
            yield found


def deliver(place: Installation, body: bytes, **more: bool) -> str:
    answer = place.post(HOOK, body, place.signed(body, **more))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["delivery"])


def test_a_fraud_event_becomes_the_alert_that_graph_lists(place: Installation) -> None:
    body = place.event()
    done = place.settled(deliver(place, body))
    assert (done.state, done.body) == (DONE, body)
    with place.room() as room:
        opened = room.store.incidents.get(done.incident).alert
        assert (opened.id, opened.customer_tenant_id, opened.type) == ("alert-1", CUSTOMER, "CryptoMining")
        assert opened.source == "graph"
        assert room.store.incidents.get(done.incident).came_by_webhook
    assert place.started == [done.incident]
    asked = [row.url for row in place.world.requests if "securityAlerts" in row.url]
    assert place.subscription in asked[-1]


def test_the_same_bytes_again_are_answered_and_change_nothing(place: Installation) -> None:
    body = place.event()
    identity = deliver(place, body)
    place.settled(identity)
    before, runs = place.deliveries(), list(place.started)
    for more in ({}, {"in_own_header": True}):
        again = place.post(HOOK, body, place.signed(body, **more))
        assert (again.status_code, again.json()) == (200, {"delivery": identity, "new": False})
    assert place.deliveries() == before
    assert place.started == runs


def test_a_further_event_joins_the_incident(place: Installation) -> None:
    alert(place.world, "alert-2", place.subscription, displayName="Second")
    first, second = (place.settled(deliver(place, place.event())) for _ in range(2))
    assert first.incident == second.incident
    assert len(place.started) == 1
    with place.room() as room:
        joined = [one.alert_id for one in room.store.cases.alerts(first.incident)]
    assert sorted(joined) == ["alert-1", "alert-2"]


def test_the_signature_may_be_in_its_own_header(place: Installation) -> None:
    assert place.settled(deliver(place, place.event(), in_own_header=True)).state == DONE


@pytest.mark.parametrize(("name", "reason"), [("test-created", "validation event"), ("invoice-ready", "opens no")])
def test_other_events_are_answered_and_kept(place: Installation, name: str, reason: str) -> None:
    body, runs = place.event(name), list(place.started)
    kept = place.settled(deliver(place, body))
    assert (kept.state, kept.body, kept.incident) == (KEPT, body, "")
    assert reason in kept.reason
    assert place.started == runs


def test_an_event_that_graph_does_not_know_waits_and_opens_nothing(place: Installation) -> None:
    before = place.incidents()
    identity = deliver(place, place.event(subscription="99999999-9999-4999-8999-999999999999"))
    waiting = place.until(identity, lambda one: one.attempts > 0)
    assert waiting.state == WAITING
    assert "does not list an alert" in waiting.reason
    assert place.incidents() == before


def test_an_alert_that_was_resolved_opens_nothing(place: Installation) -> None:
    other = "88888888-8888-4888-8888-888888888888"
    alert(place.world, "alert-9", other, status="resolved")
    kept = place.settled(deliver(place, place.event(subscription=other)))
    assert (kept.state, kept.incident) == (KEPT, "")
    assert "no open alert" in kept.reason


def test_the_sender_of_the_embedded_azure_delivers_by_itself(place: Installation) -> None:
    body = {"event": "azure-fraud-event-detected", "to": f"{place.address}{HOOK}"}
    assert sender.post(place.world, body).status == 202
    sent = sender.deliveries(place.world)[-1]
    deadline = time.monotonic() + 60
    while not sent["attempts"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [one["status"] for one in sent["attempts"]] == [202]


def test_the_certificate_is_fetched_once(place: Installation) -> None:
    before = [row.url for row in place.world.requests if "webhook-certificates" in row.url]
    for _ in range(3):
        deliver(place, place.event("invoice-ready"))
    assert [row.url for row in place.world.requests if "webhook-certificates" in row.url] == before
    assert len(before) == len(set(before)) == 2
