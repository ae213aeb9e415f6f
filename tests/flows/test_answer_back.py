"""Microsoft is told the verdict once, after the gate, with the version of the alert that was read; never over somebody else's answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from azure_simulator.faults import Fault
from azure_simulator.services.graph import models
from azure_simulator.services.partner_center import sender
from azure_simulator.world import LoggedRequest
from firebreak.cli.rooms import dossier_of
from firebreak.engine import Engine, Question
from firebreak.engine.overtaken import ask_again_where_overtaken
from firebreak.engine.pages import gate_page
from firebreak.errors import ApprovalError
from firebreak.intake.channels import PARTNER_CENTER
from firebreak.report.todo import all_items
from flows.deliveries import Deliveries
from flows.polling import poll_once
from flows.readings import read
from tests.flows.room_in_process import PEOPLE, People, go_on, writes
from tests.support.polls import Place, polling_room, raise_alert


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with polling_room(tmp_path / "home", monkeypatch) as found:
        yield found


def polled(place: Place) -> str:
    """The incident that a poll opens."""
    asyncio.run(poll_once(place.room))
    return place.started[-1]


def confirm(place: Place, incident: str, answer: str, *, who: str = PEOPLE[0], then: float = 60) -> None:
    """A person says with a code what the signal is, and time passes."""
    item = next(one for one in all_items(dossier_of(place.room, incident)) if one.id == "S03")
    people = People(place.world)
    own = place.room.store.incidents.get(incident)
    place.room.confirmations.confirm(own, item, who=who, code=people.code(who), answer=answer, channel="cli")
    place.world.clock.advance(then)


def patches(place: Place) -> list[LoggedRequest]:
    return [row for row in writes(place.world) if "securityAlerts" in row.url]


def interfere(monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]) -> None:
    """Let somebody change the alert in the portal right before the first PATCH arrives."""
    update, before = models.update, [change]

    def changed_first(world: Any, request: Any, found: Any, body: Any) -> None:
        while before:
            before.pop()(found)
        update(world, request, found, body)

    monkeypatch.setattr(models, "update", changed_first)


def test_webhook_and_poll_in_and_the_approved_verdict_out_in_one_patch_with_its_etag(place: Place) -> None:
    alert = raise_alert(place.world)

    async def deliver() -> None:
        kept = Deliveries(place.room, read)
        body = sender.event(place.world, sender.FRAUD, subscription=place.subscription)
        await kept.process((await kept.take(PARTNER_CENTER, body)).id)

    asyncio.run(deliver())
    incident = polled(place)
    confirm(place, incident, "fraud")
    assert place.world.alerts[alert["id"]]["status"] == "active"
    before = models.etag(place.world.alerts[alert["id"]])
    ran = go_on(place.room, place.world, incident)
    (patch,) = patches(place)
    assert ran.state == "done"
    assert place.started == [incident]
    assert (patch.method, patch.status, patch.headers["if-match"]) == ("PATCH", 200, before)
    assert json.loads(patch.body) == {"status": "resolved", "resolvedReason": "fraud"}
    found = place.world.alerts[alert["id"]]
    assert (found["status"], found["resolvedReason"]) == ("resolved", "fraud")
    asked = [question.plan for question in ran.runtime.asked if question.view.stage == "close"]
    assert any(action.kind == "alert.resolve" for plan in asked for action in plan.actions)
    assert asyncio.run(poll_once(place.room))[0].opened == ()


def test_a_gate_that_says_no_tells_microsoft_nothing(place: Place) -> None:
    raise_alert(place.world)
    incident = polled(place)
    confirm(place, incident, "legitimate")
    go_on(place.room, place.world, incident, decide=lambda _: "reject")
    assert patches(place) == []


def test_an_alert_that_changed_meanwhile_is_read_again_and_then_answered(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = raise_alert(place.world)
    incident = polled(place)
    confirm(place, incident, "legitimate")
    interfere(monkeypatch, lambda found: found.update(lastObservedDateTime="2026-03-02T06:59:59Z"))
    assert go_on(place.room, place.world, incident).state == "done"
    refused, taken = patches(place)
    assert (refused.status, taken.status) == (412, 200)
    assert refused.headers["if-match"] != taken.headers["if-match"]
    assert place.world.alerts[alert["id"]]["resolvedReason"] == "legitimate"
    log = [row for row in place.world.requests if alert["id"] in row.url]
    between = log[log.index(refused) + 1 : log.index(taken)]
    assert [row.method for row in between if row.method != "PATCH"]  # it was looked at before it was sent again


def test_an_answer_that_somebody_gave_meanwhile_is_not_overwritten(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert = raise_alert(place.world)
    incident = polled(place)
    confirm(place, incident, "legitimate")
    interfere(monkeypatch, lambda found: found.update(status="resolved", resolvedReason="fraud"))
    ran = go_on(place.room, place.world, incident)
    (patch,) = patches(place)
    assert patch.status == 412
    assert place.world.alerts[alert["id"]]["resolvedReason"] == "fraud"
    (action,) = (one for one in ran.json["actions"] if one["kind"] == "alert.resolve")
    assert action["state"] == "refused"
    assert "somebody resolved the alert as fraud" in action["reason"]


def test_ignore_for_a_young_alert_needs_two_people(place: Place) -> None:
    raise_alert(place.world)
    incident = polled(place)
    confirm(place, incident, "ignore")
    asked: list[int] = []

    def decide(question: Question) -> str:
        asked.append(question.view.required)
        return "approve"

    ran = go_on(place.room, place.world, incident, decide=decide)
    (patch,) = patches(place)
    assert asked == [2, 2]
    assert json.loads(patch.body)["resolvedReason"] == "ignore"
    (gate,) = (gate for gate in ran.dossier.gates if gate.stage == "close")
    assert len(set(gate.approvals)) == 2


def test_a_verdict_that_is_confirmed_after_the_plan_makes_it_stale_and_is_asked_again(place: Place) -> None:
    alert = raise_alert(place.world)
    incident = polled(place)
    confirm(place, incident, "fraud")
    asked: list[tuple[str, str]] = []

    def decide(question: Question) -> str:
        resolving = [action for action in question.plan.actions if action.kind == "alert.resolve"]
        asked.extend((question.view.id, action.title) for action in resolving)
        if len(asked) == 1:
            confirm(place, incident, "legitimate", who=PEOPLE[1], then=0)  # while the approver reads
        return "approve"

    ran = go_on(place.room, place.world, incident, decide=decide)
    (patch,) = patches(place)
    assert json.loads(patch.body) == {"status": "resolved", "resolvedReason": "legitimate"}
    assert patch.headers["if-match"]
    assert place.world.alerts[alert["id"]]["resolvedReason"] == "legitimate"
    assert [(gate.rpartition(".")[2], title.rpartition(" as ")[2]) for gate, title in asked] == [
        ("1", "fraud"),
        ("2", "legitimate"),
    ]
    refused = [row.data for row in place.room.audit.records(incident) if "Stale: " in str(row.data.get("reason"))]
    assert f"{PEOPLE[1]} said 'legitimate' to S03" in str(refused)
    assert ran.state == "done"


@pytest.mark.slow
def test_undecided_after_the_plan_tells_microsoft_nothing(place: Place) -> None:
    raise_alert(place.world)
    incident = polled(place)
    confirm(place, incident, "fraud")

    def decide(question: Question) -> str:
        if any(action.kind == "alert.resolve" for action in question.plan.actions):
            confirm(place, incident, "undecided", who=PEOPLE[1], then=0)
        return "approve"

    go_on(place.room, place.world, incident, decide=decide)
    assert patches(place) == []


def test_the_gate_says_that_its_plan_was_overtaken_and_what_is_not_makes_no_noise(place: Place) -> None:
    raise_alert(place.world)
    incident = polled(place)
    confirm(place, incident, "fraud")
    pages: list[str] = []

    def decide(question: Question) -> str:
        if question.view.stage == "close" and not pages:
            engine = Engine(place.room, incident, None, run_id="")
            confirm(place, incident, "fraud")  # once more the same
            assert ask_again_where_overtaken(engine) == ()
            confirm(place, incident, "legitimate")
            assert ask_again_where_overtaken(engine) == (question.view.id,)
            pages.append(gate_page(engine, place.room.desk.view(question.view.id)))
        return "approve"

    with pytest.raises(ApprovalError, match="no longer asked"):  # what was read is not what stands there now
        go_on(place.room, place.world, incident, decide=decide)
    assert "said 'legitimate' to S03" in pages[0].replace("\\", "")
    go_on(place.room, place.world, incident)
    (patch,) = patches(place)
    assert json.loads(patch.body)["resolvedReason"] == "legitimate"


def test_without_a_person_or_proof_nothing_is_said(place: Place) -> None:
    raise_alert(place.world)
    ran = go_on(place.room, place.world, polled(place))
    assert patches(place) == []
    assert ran.json["verdict"] != "fraud"


def test_a_test_alert_is_left_as_it_is(place: Place) -> None:
    alert = raise_alert(place.world, isTest="true")
    incident = polled(place)
    go_on(place.room, place.world, incident)
    assert patches(place) == []
    assert place.world.alerts[alert["id"]]["status"] == "active"


def test_all_alerts_of_the_subscription_that_joined_are_answered(place: Place) -> None:
    first = raise_alert(place.world, "graph")
    incident = polled(place)
    second = raise_alert(place.world, "graph")
    assert polled(place) == incident
    confirm(place, incident, "fraud")
    go_on(place.room, place.world, incident)
    assert len(patches(place)) == 2
    assert {place.world.alerts[one["id"]]["resolvedReason"] for one in (first, second)} == {"fraud"}


def test_a_fraud_event_is_answered_by_its_one_id_while_graph_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with polling_room(tmp_path / "home", monkeypatch, fraud_events=True) as place:
        mine = raise_alert(place.world, "graph")
        place.world.faults.append(Fault("status", status=403, method="GET", url="security/partner/securityAlerts"))
        incident = polled(place)
        other = raise_alert(place.world, "graph")  # of the same subscription; it came later
        confirm(place, incident, "fraud")
        go_on(place.room, place.world, incident)
        (post,) = (row for row in writes(place.world) if "fraudEvents" in row.url)
        told = json.loads(post.body)
        assert (told["EventStatus"], told["ResolvedReason"]) == ("Resolved", "Fraud")
        assert told["EventIds"] == [f"{place.subscription}_{mine['id'][-36:]}"]
        assert place.world.alerts[mine["id"]]["status"] == "resolved"
        assert place.world.alerts[other["id"]]["status"] == "active"
