"""Whole runs against the embedded Azure, without Prefect and without sockets: what the simulator saw, not what the engine says of itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from azure_simulator import build
from azure_simulator.truth import score
from azure_simulator.world import World
from firebreak.engine import EngineRoom
from firebreak.model.mode import Mode
from firebreak.model.plan import Action
from tests.flows.room_in_process import Ran, alert_bytes, engine_room_of, go_on, is_write, respond_in, writes

pytestmark = pytest.mark.timeout(420)

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
ATTACKS = ("crypto-mining", "service-principal-abuse")
DENY = "/providers/microsoft.authorization/policyassignments/"


@dataclass(frozen=True)
class Exercise:
    """One scenario: a dry run, then the live run of the same alert. `stops` are (compute, requests logged until it had stopped)."""

    scenario: str
    world: World
    room: EngineRoom
    dry: Ran | None
    dry_requests: int
    live: Ran
    stops: list[tuple[str, int]]

    def approved(self) -> list[Action]:
        """Every action of a plan that people approved."""
        digests = {gate.plan_digest for gate in self.live.dossier.gates if gate.state == "approved"}
        return [action for plan in self.live.dossier.plans if plan.digest in digests for action in plan.actions]


@pytest.fixture(
    scope="module",
    params=["crypto-mining", pytest.param("service-principal-abuse", marks=pytest.mark.slow), "false-alarm"],
)
def exercise(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exercise]:
    # In the false alarm of seed 8 the pipeline works from its own runners; from rented ones nobody could tell who it was.
    world = build(request.param, seed=8 if request.param == "false-alarm" else 7, now=NOW)
    stops: list[tuple[str, int]] = []

    def note(what: str, document: dict[str, Any]) -> None:
        if what.endswith(".stopped"):
            stops.append((str(document["id"]).lower(), len(world.requests)))

    world.on_change.append(note)
    with engine_room_of(world, tmp_path_factory.mktemp(request.param)) as room:
        dry = None
        if request.param == "crypto-mining":
            dry = respond_in(room, world, alert_bytes(world), mode=Mode.DRY_RUN)
        dry_requests = len(world.requests)
        live = respond_in(room, world, alert_bytes(world))
        yield Exercise(request.param, world, room, dry, dry_requests, live, stops)


# Writes that go to a call of the target's.
CALLS = {
    "user.revoke_sessions": "/revokesigninsessions",
    "secret.": "/removepassword",
    "storage_key.regenerate": "/regeneratekey",
}


def place(url: str) -> str:
    return unquote(urlsplit(url).path).lower().removeprefix("/graph")


def is_attack(exercise: Exercise) -> bool:
    return exercise.scenario in ATTACKS


def test_the_alert_is_resolved_in_one_request_with_the_version_that_was_read(exercise: Exercise) -> None:
    told = [row for row in writes(exercise.world) if "securityalerts" in place(row.url)]
    resolved = [action for action in exercise.approved() if action.kind == "alert.resolve"]
    assert [(row.method, row.status) for row in told] == [("PATCH", 200)] * len(resolved)
    assert all(row.headers["if-match"].startswith('W/"') for row in told)
    assert bool(told) or not is_attack(exercise)


def test_the_attack_ends_and_nothing_legitimate_is_touched(exercise: Exercise) -> None:
    truth = score(exercise.world)
    assert exercise.live.state == "done"
    assert truth["rogue_running"] == []
    assert truth["protected_touched"] == []
    assert truth["legitimate_stopped"] == []
    assert exercise.live.dossier.verdict == truth["verdict"]
    assert len(exercise.stops) >= truth["rogue_compute_total"]


def test_a_false_alarm_plans_nothing_that_changes_the_subscription(exercise: Exercise) -> None:
    changing = [action.kind for action in exercise.approved() if action.kind != "alert.resolve"]
    written = [row for row in writes(exercise.world) if row.service == "arm"]
    if is_attack(exercise):
        assert changing
        assert written
    else:
        assert changing == []
        assert written == []
        assert not any(plan.is_irreversible for plan in exercise.live.dossier.plans)


def test_a_dry_run_writes_nothing_and_plans_the_same(exercise: Exercise) -> None:
    if exercise.dry is None:
        pytest.skip("One scenario is dry-run before its live run; a dry run is half of this file's time.")
    asked = exercise.world.requests[: exercise.dry_requests]
    assert len(asked) > 100
    assert [f"{row.method} {row.url}" for row in asked if is_write(row)] == []
    assert exercise.dry.runtime.asked == []
    assert {a["state"] for a in exercise.dry.json["actions"]} <= {"planned"}
    dry, live = (
        {p["stage"]: p["digest"] for p in reversed(ran.json["plans"])} for ran in (exercise.dry, exercise.live)
    )
    assert dry["contain"] == live["contain"]


def test_nothing_is_written_outside_the_approved_targets(exercise: Exercise) -> None:
    allowed = set()
    for action in exercise.approved():
        verb = "/deallocate" if action.kind.endswith(".deallocate") else ""
        snapshot = action.params["snapshot"] if action.kind == "disk.snapshot" else ""
        allowed.add(place(str(snapshot or action.params.get("url") or action.target + verb)))
        for asked, call in CALLS.items():
            if action.kind.startswith(asked):
                allowed.add(place(action.target) + call)
    assert {place(row.url) for row in writes(exercise.world)} - allowed == set()


def test_each_write_is_sent_once(exercise: Exercise) -> None:
    sent = Counter((row.method, place(row.url)) for row in writes(exercise.world))
    assert sent
    for (
        action
    ) in exercise.approved():  # an account is closed and gets another password; its sessions end before and after
        if action.kind == "user.reset_password":
            sent["PATCH", place(action.target)] -= 1
        if action.kind == "user.revoke_sessions_again":
            sent["POST", place(action.target) + CALLS["user.revoke_sessions"]] -= 1
    for where in {where for method, where in sent if method == "POST" and where.endswith("/regeneratekey")}:
        told = [json.loads(row.body)["keyName"] for row in writes(exercise.world) if place(row.url) == where]
        assert sorted(told) == ["key1", "key2"]  # an account has two, each made anew by a call of its own
        del sent["POST", where]
    assert {request: times for request, times in sent.items() if times > 1} == {}


def test_creation_is_blocked_before_compute_is_stopped(exercise: Exercise) -> None:
    order = [(row.method, place(row.url)) for row in writes(exercise.world) if row.status < 300]
    denied = [i for i, (method, where) in enumerate(order) if method == "PUT" and DENY in where]
    stopped = [i for i, (_, where) in enumerate(order) if where.endswith("/deallocate")]
    if is_attack(exercise):
        assert denied[0] < stopped[0]
    else:
        assert denied == stopped == []


def test_what_was_deallocated_is_read_back_before_anything_is_deleted(exercise: Exercise) -> None:
    ids = {identity.lower() for identity in exercise.world.truth["rogue_compute"]}
    requests = exercise.world.requests
    deletes = [i for i, row in enumerate(requests) if row.method == "DELETE" and place(row.url) in ids]
    for identity, when in exercise.stops:
        assert identity in ids
        looked = [i for i in range(when, len(requests)) if _shows_power(requests[i].url, identity)]
        assert looked, f"{identity} was never looked at after it had stopped"
        assert not deletes or looked[0] < deletes[0]
    states = {row.action.target.lower(): row.state_read_back for row in exercise.live.dossier.actions}
    assert {states[identity] for identity, _ in exercise.stops} <= {"absent", "deallocated"}


def _shows_power(url: str, identity: str) -> bool:
    """Whether a read answers the power state of this machine or scale set."""
    where, query = place(url), unquote(urlsplit(url).query).lower()
    if where.endswith("/providers/microsoft.compute/virtualmachines"):
        return "statusonly=true" in query
    return where.startswith(identity) and ("instanceview" in query or where.endswith("/instanceview"))


def test_people_were_asked_for_every_plan_that_was_carried_out(exercise: Exercise) -> None:
    asked = {question.plan.digest for question in exercise.live.runtime.asked}
    started = {
        row.action.id for row in exercise.live.dossier.actions if row.started_at is not None or row.state == "done"
    }
    assert {gate.plan_digest for gate in exercise.live.dossier.gates} == asked
    assert started <= {action.id for action in exercise.approved()}
    for gate in exercise.live.dossier.gates:
        people = {a.approver for a in gate.approvals if a.decision == "approve"}
        assert gate.state == "skipped" or len(people) == gate.required


def test_a_further_run_of_an_ended_incident_sends_nothing(exercise: Exercise) -> None:
    before = len(exercise.world.requests)
    again = go_on(exercise.room, exercise.world, exercise.live.incident)
    assert again.state == "done"
    assert exercise.world.requests[before:] == []


def test_the_report_says_the_promises_held(exercise: Exercise) -> None:
    assert [name for name, _, held in exercise.live.dossier.promises if not held] == []
    files = exercise.live.json["report"]
    for kind, file in files.items():
        # A table of no actions is its heading.
        assert Path(file).stat().st_size > (100 if kind == "csv" else 1000)
    assert exercise.room.settings.credential.client_secret is not None
    secret = exercise.room.settings.credential.client_secret.get_secret_value()
    assert all(secret not in Path(file).read_text() for file in files.values())


def test_an_hour_later_the_attacker_has_not_come_back(exercise: Exercise) -> None:
    exercise.world.clock.advance(3600)
    truth = score(exercise.world)
    assert truth["rogue_running"] == []
    assert truth["comebacks"] == []
    assert truth["protected_touched"] == []
