"""The clock of the gates with the real Prefect server: a suspended run is woken for its new question, each event is there once."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from firebreak.approval import GateView
from firebreak.store.schema import gates
from tests.flows.stack import Stack, until

pytestmark = [pytest.mark.slow, pytest.mark.flows, pytest.mark.timeout(900)]

TIMES = "expires_after: 4h\n    remind_after: 10m\n    escalate_after: 30m\n    escalate_to: [boss]"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("watch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIREBREAK_WATCH_GATES_EVERY_SECONDS", "10")
        with Stack.start(folder) as stack:
            own = stack.home / "playbooks"
            own.mkdir()
            top = Path(__file__).parents[2]
            shutil.copy(top / "playbooks" / "compromised-subscription.yaml", own)
            playbook = own / "compromised-subscription.yaml"
            playbook.write_text(playbook.read_text().replace("expires_after: 4h", TIMES, 1))
            yield stack


@pytest.fixture(scope="module")
def incident(stack: Stack) -> str:
    answer = stack.deliver()
    assert answer.status_code == 202, answer.text
    return str(answer.json()["incident"])


def pass_time(stack: Stack, gate: GateView, **by: float) -> None:
    """Let the gate have been opened, asked and due so much earlier."""
    back = timedelta(**by)
    with stack.room() as room, room.store.write() as tx:
        times = {name: getattr(gate, name) - back for name in ("opened_at", "expires_at")}
        tx.execute(update(gates).where(gates.c.id == gate.id).values(**times))


def told(stack: Stack, gate: GateView) -> Counter[str]:
    """The gate's events as the server has them."""
    wanted = {"filter": {"resource": {"id": [f"firebreak.gate.{gate.id}"]}, "order": "ASC"}, "limit": 50}
    answer = httpx.post(f"{stack.running.api_url}/events/filter", json=wanted, timeout=60).raise_for_status()
    return Counter(event["event"] for event in answer.json()["events"])


def form(stack: Stack, incident: str) -> dict[str, Any]:
    """The fields that the form of the suspended run offers; waits while the run is on its way to its next question."""

    def look() -> dict[str, Any]:
        run = httpx.get(f"{stack.running.api_url}/flow_runs/{stack.flow_run(incident)}", timeout=60).json()
        keys = run["state"]["state_details"]["run_input_keyset"] or {"schema": "none"}
        answer = httpx.get(f"{stack.running.api_url}/flow_runs/{run['id']}/input/{keys['schema']}", timeout=60)
        found = answer.json() if answer.status_code == 200 else {}
        return dict(json.loads(found) if isinstance(found, str) else found).get("properties", {})

    return until("a form", look, seconds=120)


def test_people_are_reminded_without_being_asked_anew(stack: Stack, incident: str) -> None:
    view = stack.until_asked(incident, "contain")
    with stack.room() as room:
        room.approvers.enrol("Boss", ["boss"])
        room.approvers.enrol("Elsewhere", ["responder"], customers=["99999999-9999-4999-8999-999999999999"])
    assert "Boss" not in form(stack, incident)["approver"]["enum"]
    pass_time(stack, view, minutes=11)
    until("the reminder", lambda: told(stack, view)["firebreak.gate.reminder"], seconds=90)
    assert stack.run_state(incident) == "Suspended"
    assert told(stack, view) == {"firebreak.gate.waiting": 1, "firebreak.gate.reminder": 1}


def test_an_escalation_shows_the_form_to_those_who_may_answer_now(stack: Stack, incident: str) -> None:
    view = stack.until_asked(incident, "contain")
    old = form(stack, incident)["question"]["const"]
    pass_time(stack, view, minutes=31)
    view = stack.until_asked(incident, "contain", ask=2)
    until("the new form", lambda: form(stack, incident)["question"]["const"] != old, seconds=60)
    offered = form(stack, incident)["approver"]["enum"]
    assert "Boss" in offered
    assert "Elsewhere" not in offered
    assert "role boss may answer as well" in view.last_problem
    until("the event", lambda: told(stack, view)["firebreak.gate.escalated"], seconds=60)
    stale = {**stack.form(view, code=stack.code()), "question": old}
    refused = stack.resume(incident, stale)
    assert refused["status"] == "REJECT"
    assert stack.run_state(incident) == "Suspended"


def test_an_answer_to_a_question_that_has_expired_is_refused_recorded_and_asked_again(
    stack: Stack, incident: str
) -> None:
    view = stack.until_asked(incident, "contain", ask=2)
    pass_time(stack, view, hours=5)
    # Before the watcher comes by, or just after: the server has the old form still, and takes the answer.
    given = stack.resume(incident, stack.form(view, code=stack.code()))
    assert given["status"] == "ACCEPT"
    again = stack.until_asked(incident, "contain", ask=3)
    assert "expired" in again.last_problem
    with stack.room() as room:
        answers = [r for r in room.audit.records(incident) if r.kind == "gate.answered"]
    (record,) = [r for r in answers if r.data["gate"] == view.id]
    assert record.data["refused_because"] in ("expired", "old_ask")
    until("the event", lambda: told(stack, view)["firebreak.gate.expired"], seconds=60)
    assert stack.azure.writes() == []


def test_each_thing_was_told_once_however_often_was_looked(stack: Stack, incident: str) -> None:
    view = stack.until_asked(incident, "contain", ask=3)

    def watched() -> list[dict[str, Any]]:
        runs = httpx.post(f"{stack.running.api_url}/flow_runs/filter", json={}, timeout=60).json()
        return [run for run in runs if not run["parameters"] and run["state_name"] == "Completed"]

    before = len(watched())
    until("two more looks", lambda: len(watched()) >= before + 2, seconds=120)
    assert told(stack, view) == {
        "firebreak.gate.waiting": 3,
        "firebreak.gate.reminder": 1,
        "firebreak.gate.escalated": 1,
        "firebreak.gate.expired": 1,
    }
