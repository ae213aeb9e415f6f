"""Everything that somebody with network access to Prefect's API can do to a gate without the people it needs (P1, P6).

One server, one attack in the embedded Azure, one gate: each test tries something at the gate's current question. What counts is the
embedded Azure's own request log: nobody approved, so it must not show a write.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pyotp
import pytest
from markdown_it import MarkdownIt

from firebreak.approval import GateView
from firebreak.engine import Engine, pages
from firebreak.model.mode import Mode
from tests.flows.stack import Stack, until

pytestmark = [pytest.mark.flows, pytest.mark.timeout(900)]

HOSTILE = "{{ 7*7 }}<script>alert(1)</script>[a](http://evil.example)\u202e\x1b[31m\n# x | y"
Form = dict[str, Any]


class Attacker:
    """Somebody who reaches the API, and nothing else of this machine."""

    def __init__(self, stack: Stack, incident: str) -> None:
        self.stack, self.incident = stack, incident
        self.api = stack.running.api_url

    @property
    def run(self) -> str:
        return f"{self.api}/flow_runs/{self.stack.flow_run(self.incident)}"

    def send(self, method: str, url: str, body: Any = None) -> httpx.Response:
        """One request; again while the server's SQLite is locked (503)."""

        def answer() -> httpx.Response | None:
            given = httpx.request(method, url, json=body, timeout=60)
            return None if given.status_code == 503 else given

        found = until(f"an answer to {method} {url}", answer, seconds=60)
        assert found is not None
        return found

    def keys(self) -> dict[str, str]:
        return dict(self.send("GET", self.run).json()["state"]["state_details"]["run_input_keyset"])

    def plant(self, key: str, value: str) -> int:
        """Write an input of the run as it is, past the form and its schema."""
        return self.send("POST", f"{self.run}/input", {"key": key, "value": value}).status_code

    def force(self, state: str) -> None:
        """Set the run's state, whatever the rules of the server say."""
        wanted = {"type": state, "state_details": {"scheduled_time": datetime.now(UTC).isoformat()}}
        answer = self.send("POST", f"{self.run}/set_state", {"state": wanted, "force": True})
        assert answer.json()["status"] == "ACCEPT", answer.text

    def answer_past_the_form(self, value: str | None) -> None:
        """Resume with what the form takes, then put another answer (or none) in its place before the run reads it."""
        view = self.stack.until_asked(self.incident, "contain")
        key = self.keys()["response"]
        assert self.stack.resume(self.incident, self.stack.form(view, code="000000"))["status"] == "ACCEPT"
        assert self.send("DELETE", f"{self.run}/input/{key}").status_code == 204
        if value is not None:
            assert self.plant(key, value) == 201


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.start(tmp_path_factory.mktemp("attacked")) as stack:
        yield stack


@pytest.fixture(scope="module")
def incident(stack: Stack) -> str:
    return str(stack.deliver().json()["incident"])


@pytest.fixture
def attacker(stack: Stack, incident: str) -> Iterator[Attacker]:
    """After each test: nothing was written in Azure, and the gate still has nobody's approval."""
    yield Attacker(stack, incident)
    assert stack.azure.writes() == []
    gate = stack.gate(f"{incident}.contain.1")
    assert gate is not None
    assert (gate.state, gate.approvals) == ("open", ())


@pytest.fixture
def view(stack: Stack, incident: str) -> GateView:
    return stack.until_asked(incident, "contain")


def asked_again(stack: Stack, view: GateView) -> GateView:
    """The next question; what it says and its page are plain text, whatever was given."""
    again = stack.until_asked(view.incident, view.stage, ask=view.ask + 1)
    with stack.room() as room:
        page = pages.gate_page(Engine(room, view.incident, None, run_id=""), room.desk.view(view.id))
    shown = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(page)
    assert "Asked again" in shown
    assert not re.search(r"<(script|a|img)\b|[\x00-\x09\x0b-\x1f\u202e]", shown)
    return again


def last_record(stack: Stack, incident: str) -> tuple[str, str, dict[str, Any]]:
    with stack.room() as room:
        record = room.audit.records(incident)[-1]
    return record.kind, record.who, dict(record.data)


BAD_FORMS: dict[str, Callable[[Form], Any]] = {
    "no answer": lambda _: {},
    "no decision": lambda form: {k: v for k, v in form.items() if k != "decision"},
    "a decision in other words": lambda form: {**form, "decision": "yes"},
    "another plan": lambda form: {**form, "plan_digest": "0" * 64},
    "a number as code": lambda form: {**form, "code": 123456},
    "a short code": lambda form: {**form, "code": "12345"},
    "a stranger": lambda form: {**form, "approver": "eve@evil.example"},
    "hostile approver": lambda form: {**form, "approver": HOSTILE},
    "a list as approver": lambda form: {**form, "approver": ["alice@partner.example"]},
    "an action there is not": lambda form: {**form, "leave_out": ["vm-1: delete machine [000000]"]},
    "100,000 actions": lambda form: {**form, "leave_out": ["x"] * 100_000},
    "10,000 characters": lambda form: {**form, "reason": "x" * 10_000},
    "10 MB": lambda form: {**form, "reason": "x" * 10_000_000},
}


def test_the_server_refuses_what_the_form_does_not_ask_for(attacker: Attacker, view: GateView) -> None:
    good = attacker.stack.form(view, code="000000")
    for name, spoil in BAD_FORMS.items():
        answer = attacker.send("POST", f"{attacker.run}/resume", {"run_input": spoil(good)})
        assert (answer.status_code, answer.json()["status"]) == (200, "REJECT"), name
    assert attacker.stack.run_state(view.incident) == "Suspended"
    assert attacker.stack.gate(view.id) == view


def test_an_automation_that_resumes_the_run_is_refused_and_the_gate_still_asks(
    attacker: Attacker, view: GateView
) -> None:
    """Prefect's own automation, set off by an event that anybody may send: its action resumes the run, with nobody's answer."""
    stack, resource = attacker.stack, f"prefect.flow-run.{attacker.stack.flow_run(view.incident)}"
    trigger = {
        "type": "event",
        "posture": "Reactive",
        "expect": ["evil.wake"],
        "match": {"prefect.resource.id": resource},
        "threshold": 1,
        "within": 0,
    }
    body = {"name": "wake", "enabled": True, "trigger": trigger, "actions": [{"type": "resume-flow-run"}]}
    made = attacker.send("POST", f"{attacker.api}/automations/", body)
    assert made.status_code == 201, made.text
    automation = made.json()["id"]

    def acted() -> list[dict[str, Any]]:
        # The server learns of a new automation a moment after it was made: the event is sent until it acts.
        now = datetime.now(UTC).isoformat()
        event = {
            "id": str(uuid4()),
            "occurred": now,
            "event": "evil.wake",
            "resource": {"prefect.resource.id": resource},
        }
        assert attacker.send("POST", f"{attacker.api}/events", [event]).is_success
        wanted = {"filter": {"event": {"prefix": ["prefect.automation.action."]}}, "limit": 50}
        events = attacker.send("POST", f"{attacker.api}/events/filter", wanted).json()["events"]
        mine = [e for e in events if e["resource"]["prefect.resource.id"] == f"prefect.automation.{automation}"]
        return [e for e in mine if not e["event"].endswith(".triggered")]

    try:
        ends = until("the automation to have acted", acted, seconds=60)
    finally:
        attacker.send("DELETE", f"{attacker.api}/automations/{automation}")
    assert {end["event"] for end in ends} == {"prefect.automation.action.failed"}
    assert "resume" in ends[0]["payload"]["reason"]
    assert stack.run_state(view.incident) == "Suspended"
    assert stack.gate(view.id) == view


def test_another_plans_digest_written_past_the_form_is_recorded_and_asked_again(
    attacker: Attacker, view: GateView
) -> None:
    """With a right code: the schema's constant is only the first of the checks."""
    stack = attacker.stack
    form = {**stack.form(view, code=stack.code()), "plan_digest": "0" * 64}
    attacker.answer_past_the_form(json.dumps(form))
    again = asked_again(stack, view)
    assert "past the form" in again.last_problem
    assert "(plan_digest)" in again.last_problem
    kind, _, data = last_record(stack, view.incident)
    assert (kind, data["ask"]) == ("gate.unanswered", view.ask)


def test_a_stranger_with_a_hostile_name_and_reason_is_recorded_and_asked_again(
    attacker: Attacker, view: GateView
) -> None:
    stack = attacker.stack
    attacker.answer_past_the_form(
        json.dumps({**stack.form(view, code="000000"), "approver": HOSTILE, "reason": HOSTILE + "\x00"})
    )
    again = asked_again(stack, view)
    assert "Nobody of this name" in again.last_problem
    kind, _, data = last_record(stack, view.incident)
    assert (kind, data["accepted"], data["refused_because"]) == ("gate.answered", False, "unknown_person")


def test_an_answer_cannot_lie_there_before_the_question_is_asked(attacker: Attacker, view: GateView) -> None:
    """Keys that can be guessed from this one hold nothing: the next question's key has a part that nobody knows yet."""
    stack = attacker.stack
    now = attacker.keys()["response"]
    assert f"-{view.ask}-a1-" in now
    guesses = [
        now.replace(f"-{view.ask}-a1-", f"-{ask}-a{count}-") for ask in (view.ask, view.ask + 1) for count in (1, 2)
    ]
    for guess in guesses[1:]:
        assert attacker.plant(guess, json.dumps(stack.form(view, code="000000"))) == 201
    attacker.answer_past_the_form(None)
    again = asked_again(stack, view)
    assert "without an answer" in again.last_problem
    assert attacker.keys()["response"] not in guesses
    assert last_record(stack, view.incident)[0] == "gate.unanswered"


def test_a_forced_state_asks_again_and_says_so(attacker: Attacker, view: GateView) -> None:
    """An answer planted under the key that is asked now is not read either: the run that was started anew has another key."""
    stack = attacker.stack
    assert attacker.plant(attacker.keys()["response"], json.dumps(stack.form(view, code="000000"))) == 201
    attacker.force("SCHEDULED")
    again = asked_again(stack, view)
    assert "started anew" in again.last_problem
    assert last_record(stack, view.incident)[0] == "gate.unanswered"


def test_code_written_into_a_deployment_is_never_run(
    attacker: Attacker, view: GateView, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Prefect carries out a deployment's pull steps and entrypoint on the machine that runs it; ours runs the flow it has in memory."""
    stack = attacker.stack
    folder = tmp_path_factory.mktemp("evil")
    (folder / "evil.py").write_text(
        f"from pathlib import Path\nfrom prefect import flow\nPath({str(folder / 'ran')!r}).touch()\n"
        "@flow\ndef evil(incident: str = '', playbook: str = ''): ...\n"
    )
    steps = [{"prefect.deployments.steps.run_shell_script": {"script": f"touch {folder / 'ran'}"}}]
    changes = {"entrypoint": f"{folder / 'evil.py'}:evil", "pull_steps": steps, "path": str(folder)}
    deployment = attacker.send("GET", attacker.run).json()["deployment_id"]
    url = f"{attacker.api}/deployments/{deployment}"
    before = attacker.send("GET", url).json()
    assert attacker.send("PATCH", url, changes).is_success
    try:
        assert attacker.send("GET", url).json()["pull_steps"] == steps
        body = {"parameters": {"incident": view.incident, "playbook": view.incident, "dry_run": False}}
        own = attacker.send("POST", f"{url}/create_flow_run", body).json()["id"]

        def waits() -> bool:
            return bool(attacker.send("GET", f"{attacker.api}/flow_runs/{own}").json()["state"]["name"] == "Suspended")

        until("the attacker's run to wait at the gate like any other", waits, seconds=120)
    finally:
        attacker.send("PATCH", url, {name: before[name] for name in changes})
    assert not (folder / "ran").exists()
    assert stack.gate(view.id) == view


def run_of(attacker: Attacker, incident: str) -> str:
    """Start a run for an incident, as anybody who reaches the API can, and return its address."""
    deployment = attacker.send("GET", attacker.run).json()["deployment_id"]
    body = {"parameters": {"incident": incident}}
    made = attacker.send("POST", f"{attacker.api}/deployments/{deployment}/create_flow_run", body)
    return f"{attacker.api}/flow_runs/{made.json()['id']}"


def another_incident(stack: Stack, number: int, **fields: Any) -> str:
    """One more incident of the same attack, whose alert only has another id."""
    alert = {**json.loads(stack.azure.alert), "id": f"another-{number}"}
    with stack.room() as room:
        return room.open(json.dumps(alert).encode(), place="test", **fields).incident.id


@pytest.mark.slow
@pytest.mark.parametrize("state", ["RUNNING", "COMPLETED"])
def test_a_run_forced_to_another_state_does_nothing_and_can_be_started_again(
    attacker: Attacker, view: GateView, state: str
) -> None:
    attacker.force(state)
    started = attacker.stack.firebreak("respond", "--incident", view.incident, "--json")
    assert started.returncode == 2, started.stderr
    attacker.stack.until_asked(view.incident, view.stage, ask=view.ask)


@pytest.mark.slow
def test_the_requester_and_a_code_given_before_are_refused(attacker: Attacker, view: GateView) -> None:
    stack = attacker.stack
    alice = stack.azure.line["approvers"][0]["name"]
    own = another_incident(stack, 1, mode=Mode.LIVE, requested_by=alice)
    run_of(attacker, own)
    asked = stack.until_asked(own, "contain")
    assert stack.resume(own, stack.form(asked, code=stack.code()))["status"] == "ACCEPT"
    asked = asked_again(stack, asked)
    assert "asked for this response" in asked.last_problem
    code = stack.code()
    refused = stack.firebreak("gates", "approve", asked.id, "--approver", alice, "--code", code, "--reason", "mine")
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert stack.resume(view.incident, stack.form(view, code=code))["status"] == "ACCEPT"
    assert "used before" in asked_again(stack, view).last_problem


@pytest.mark.slow
def test_a_run_turned_to_another_incident_changes_neither(attacker: Attacker, view: GateView) -> None:
    """Its parameters are Prefect's; mode, plan and approvals are the store's. Nor does `dry_run` there make a dry run a live one."""
    stack = attacker.stack
    dry = another_incident(stack, 2, mode=Mode.DRY_RUN, requested_by="intake")
    turned = attacker.run
    wanted = {"parameters": {"incident": dry, "playbook": "compromised-subscription", "dry_run": False}}
    assert attacker.send("PATCH", turned, wanted).is_success
    assert stack.resume(view.incident, stack.form(view, code=stack.code()))["status"] == "ACCEPT"

    def ended() -> bool:
        return bool(attacker.send("GET", turned).json()["state"]["type"] in ("COMPLETED", "FAILED"))

    until("the dry run to end", ended, seconds=180)
    with stack.room() as room:
        assert room.store.incidents.state(dry) == "done"
        assert room.store.plans.list(dry)
    assert stack.gate(view.id) == view
    stack.firebreak("respond", "--incident", view.incident, "--json")
    stack.until_asked(view.incident, view.stage, ask=view.ask)


@pytest.mark.slow
def test_of_two_answers_at_one_instant_one_counts_and_one_person_is_never_two(stack: Stack, incident: str) -> None:
    """The command line and the UI together at the first gate; then the same person at the gate that needs two."""
    view = stack.until_asked(incident, "contain")
    people = stack.azure.line["approvers"]
    by_hand = (
        "gates",
        "approve",
        view.id,
        "--approver",
        people[1]["name"],
        "--code",
        pyotp.TOTP(people[1]["totp_secret"]).now(),
    )
    with ThreadPoolExecutor(2) as pool:
        cli = pool.submit(stack.firebreak, *by_hand, "--reason", HOSTILE.replace("\x00", ""), "--json")
        ui = pool.submit(stack.resume, incident, stack.form(view, code=stack.code()))
        assert cli.result().returncode in (0, 3), cli.result().stderr
        ui.result()
    asked = stack.until_asked(incident, "eradicate", seconds=240)
    gate = stack.gate(view.id)
    assert gate is not None
    assert (gate.state, len(gate.approvals)) == ("approved", 1)
    effective = Counter(
        row["url"] for row in stack.azure.writes() if row["status"] < 300 and "/deallocate" in row["url"]
    )
    assert set(effective.values()) == {1}

    for problem in ("1 more person", "approved already"):
        form = {**stack.form(asked, code=stack.code()), "confirm": asked.confirm}
        assert stack.resume(incident, form)["status"] == "ACCEPT"
        asked = stack.until_asked(incident, "eradicate", ask=asked.ask + 1)
        assert problem in asked.last_problem
    assert len(asked.approvals) == 1
    assert [
        row for row in stack.azure.writes() if row["method"] == "DELETE" and "/virtualMachines/" in row["url"]
    ] == []
