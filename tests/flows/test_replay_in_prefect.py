"""Replays as runs of a real Prefect server: marked as dry-runs, no connection but to that server, gates answered by the record or by a person."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from firebreak.cli.processes import Processes
from firebreak.cli.services import Running, prefect_environment, start_services
from firebreak.model.mode import Mode
from tests.flows.room_in_process import Ran
from tests.flows.stack import run_command, until
from tests.support.recorded import record, small_world

pytestmark = [pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(3000)]

TOP = Path(__file__).parents[2]
# Put before every program that is started: it writes down whom each process connects to.
WATCH = """
import os, sys
def watch(what, given):
    if what in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        with open(os.environ["CONNECTIONS"], "a") as log:
            told = given[1:] if what != "socket.getaddrinfo" else given[:2]
            log.write(f"{os.getpid()} {what} {told!r}\\n")
sys.addaudithook(watch)
"""


@dataclass
class Installation:
    """Prefect server and runner of a home without any cloud's address or credential, with what they connected to."""

    home: Path
    running: Running
    connections: Path

    def start(self, bundle: Path, *words: str) -> str:
        env = prefect_environment({"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP)}, self.home, self.running.api_url)
        done = run_command(env, "replay", str(bundle), "--in-prefect", *words, "--json")
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["flow_run"])

    def run(self, run: str) -> dict[str, Any]:
        try:
            return dict(httpx.get(f"{self.running.api_url}/flow_runs/{run}", timeout=60).json())
        except httpx.TimeoutException:  # a busy machine: asked again
            return {"state": {"name": ""}, "end_time": None}

    def ended(self, run: str) -> dict[str, Any]:
        return until("the replay to end", lambda: found if (found := self.run(run))["end_time"] else {}, seconds=240)

    def pages(self, run: str) -> list[dict[str, Any]]:
        wanted = {"artifacts": {"flow_run_id": {"any_": [run]}}}
        return list(httpx.post(f"{self.running.api_url}/artifacts/filter", json=wanted, timeout=60).json())

    def answer(self, run: str, **given: Any) -> None:
        until("the gate", lambda: self.run(run)["state"]["name"] == "Suspended", seconds=240)

        def send() -> bool:
            if self.run(run)["state"]["name"] not in ("Suspended", ""):
                return True  # taken, though the server was too slow to say so
            form = {"run_input": {"approver": "trainee", "reason": "", "leave_out": [], **given}}
            try:
                answer = httpx.post(f"{self.running.api_url}/flow_runs/{run}/resume", json=form, timeout=60)
            except httpx.TimeoutException:
                return False
            return answer.status_code < 300 and answer.json()["status"] == "ACCEPT"

        until("the server to take the answer", send, seconds=120)
        until("the run to go on", lambda: self.run(run)["state"]["name"] != "Suspended", seconds=60)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    return record(small_world("service-principal-abuse"), tmp_path_factory.mktemp("live"), mode=Mode.LIVE)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("installation")
    (folder / "watch").mkdir()
    (folder / "watch" / "sitecustomize.py").write_text(WATCH)
    # The runner's own polls for alerts ask whatever may sign them in; they are no part of a replay.
    environment = {"FIREBREAK_POLL__EVERY_MINUTES": "0", "CONNECTIONS": str(folder / "connections.log")}
    environment["PYTHONPATH"] = f"{folder / 'watch'}:{TOP}"
    home = folder / "home"
    with Processes(home / "logs") as processes:
        running = start_services(processes, home, {"FIREBREAK_HOME": str(home), **environment}, port=0, intake_port=0)
        yield Installation(home, running, folder / "connections.log")


def test_a_replay_is_a_run_marked_as_a_dry_run_that_connects_to_prefect_alone(
    installation: Installation, bundle: tuple[Path, Ran]
) -> None:
    place, ran = bundle
    run = installation.start(place)
    done = installation.ended(run)
    assert done["state"]["type"] == "COMPLETED", done["state"]
    assert "all plans are the same" in done["state"]["message"]
    assert {"dry-run", "replay"} <= set(done["tags"])
    assert done["name"].startswith("dry-run")
    pages = installation.pages(run)
    keys = {page["key"] for page in pages}
    incident = f"{ran.dossier.incident.case}-replay".lower()
    assert {f"{incident}-case", f"{incident}-report", f"{incident}-result"} <= keys
    for page in pages:
        assert page["description"].startswith("DRY RUN")
        if page["type"] == "markdown":
            assert "DRY RUN" in page["data"].splitlines()[0]
    result = next(page["data"] for page in pages if page["key"].endswith("-result"))
    assert "The plans are the same" in result
    # No cloud is on this machine: there are Prefect's server, and the port through which its runner speaks to what it starts.
    lines = installation.connections.read_text().splitlines()
    asked = [line for line in lines if "getaddrinfo" in line]
    assert len(lines) > len(asked) > 0
    assert [line for line in lines if line not in asked and "'127.0.0.1'" not in line] == []
    assert [line for line in asked if "127.0.0.1" not in line and "localhost" not in line and "None" not in line] == []


def test_a_person_answers_the_gates_and_nothing_is_shown_twice(
    installation: Installation, bundle: tuple[Path, Ran]
) -> None:
    place, ran = bundle
    plans = {plan.stage: plan for plan in ran.dossier.plans if plan.actions and plan.round == 1}
    run = installation.start(place, "--decide", "person")
    until("the gate", lambda: installation.run(run)["state"]["name"] == "Suspended", seconds=240)
    seen = {page["key"]: page["id"] for page in installation.pages(run)}
    for stage, decision in (("close-doors", "approve"), ("contain", "approve"), ("evict", "skip")):
        if stage in plans:
            digest = plans[stage].digest
            installation.answer(run, decision=decision, plan_digest=digest, question=_question(ran, stage, 1))
    # To reject without a reason is asked again.
    digest = plans["eradicate"].digest
    installation.answer(run, decision="reject", plan_digest=digest, question=_question(ran, "eradicate", 1))
    given = {"decision": "reject", "plan_digest": digest, "reason": "not tonight"}
    installation.answer(run, **given, question=_question(ran, "eradicate", 2))
    done = installation.ended(run)
    assert done["state"]["type"] == "COMPLETED", done["state"]
    pages = installation.pages(run)
    assert {page["key"]: page["id"] for page in pages if page["id"] in seen.values()} == seen
    result = next(page["data"] for page in pages if page["key"].endswith("-result"))
    assert "approved by trainee" in result
    assert "rejected" in result
    assert "not tonight" in result
    tasks = httpx.post(
        f"{installation.running.api_url}/task_runs/filter",
        json={"flow_runs": {"id": {"any_": [run]}}, "sort": "EXPECTED_START_TIME_ASC"},
        timeout=60,
    ).json()
    first = [task["name"] for task in tasks if task["name"].startswith("Read")]
    carried = [task["name"] for task in tasks if task["name"].startswith("Carry out")]
    acted = [stage for stage in ("close-doors", "contain") if stage in plans]
    assert carried == [f"Carry out: {ran.dossier.playbook.stage(stage).title}" for stage in acted]
    assert len(first) == len(set(first)) or len(ran.json["plans"]) > 1


def _question(ran: Ran, stage: str, ask: int) -> str:
    return f"{ran.dossier.incident.case}-replay.{stage}.1, question {ask}"


def test_a_bundle_that_is_damaged_or_missing_ends_in_words(installation: Installation, tmp_path: Path) -> None:
    env = prefect_environment(
        {"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP)}, installation.home, installation.running.api_url
    )
    (tmp_path / "b.zip").write_bytes(b"PK")
    done = run_command(env, "replay", str(tmp_path / "b.zip"), "--in-prefect", "--json")
    assert done.returncode == 1
    assert "b.zip" in json.loads(done.stdout)["error"]["message"]
    assert run_command(env, "replay", str(tmp_path / "b.zip"), "--decide", "person").returncode == 1
