"""An undo on a real Prefect server: started from its deployment, its runner killed with SIGKILL in the middle, gone on with by the command line."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from firebreak.approval import Answer
from firebreak.engine import Engine, Question, open_engine_room
from firebreak.model.mode import Mode
from firebreak.settings import Settings
from flows.course import respond_to
from flows.local import LocalRuntime
from tasks.registry import load_steps
from tests.flows.stack import Stack, until

# The normal run has the same kill in one process: tests/flows/test_undo_in_process.py.
pytestmark = [pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(2400)]

PLAYBOOK = """
id: stop-machines
version: "1.0"
title: Stop machines
description: Blocks creation and stops what the attacker runs.
stages:
  - id: investigate
    title: Find out what happened
    steps:
      - investigate.subscription
      - investigate.activity_log
      - investigate.access
      - investigate.inventory
      - investigate.attribution
  - id: contain
    title: Stop the attack
    gate: containment
    steps: [contain.block_creation, contain.disable_autoscale, contain.deallocate_machines, contain.deallocate_scale_sets]
gates:
  containment: {title: Stop these?, approvers: [responder, lead]}
guard_rails:
  limits: {max_actions: 3000, max_share: 1, max_per_hour: 100000, max_regions: 60}
"""
# The second start takes effect and its answer is lost; from the fourth on Azure asks for patience.
IN_THE_MIDDLE = [
    {"kind": "drop_after", "method": "POST", "url": "/start", "skip": 1, "times": 1},
    {"kind": "throttle", "method": "POST", "url": "/start", "skip": 2, "retry_after": 60},
]


class _Approved(LocalRuntime):
    """The first approver says yes to the response."""

    stack: Stack

    async def ask(self, question: Question) -> None:
        name = str(self.stack.azure.line["approvers"][0]["name"])
        answer = Answer(
            approver=name, code=self.stack.code(), decision="approve", plan_digest=question.plan.digest, reason="mining"
        )
        self._room.desk.answer(question.view.id, answer, ask=question.view.ask)


def test_an_undo_killed_in_the_middle_gives_everything_back_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "home" / "playbooks"
    own.mkdir(parents=True)
    (own / "stop-machines.yaml").write_text(PLAYBOOK)
    with Stack.start(tmp_path) as stack:
        before = seen(stack)
        incident = contain(stack, monkeypatch)
        contained, responded = seen(stack), len(stack.azure.writes())
        assert {name for name in before if before[name] != contained[name]} == {"power", "policies", "autoscale"}

        asks, answers = (str(person["name"]) for person in stack.azure.line["approvers"])
        begin(stack, {"incident": incident, "include_attacker": True, "requested_by": asks})
        view = stack.until_asked(incident, "undo")
        assert len(stack.azure.writes()) == responded
        refused = stack.firebreak("respond", "--incident", incident)
        assert refused.returncode == 3, refused.stdout
        assert "is being undone" in refused.stderr

        stack.azure.control("POST", "faults", IN_THE_MIDDLE)
        form = stack.form(view, code=stack.code(1)) | {"approver": answers, "confirm": view.confirm}
        assert stack.resume(incident, form)["status"] == "ACCEPT"
        until("throttled starts", lambda: any(w["status"] == 429 for w in stack.azure.writes()), seconds=150)
        stack.kill_runner()
        stack.azure.control("DELETE", "faults")
        statuses = Counter(w["status"] for w in stack.azure.writes()[responded:] if "/start" in w["url"])
        assert statuses[0] == 1  # the lost answer
        assert stack.run_state(incident) == "Running"  # Prefect does not know that it is gone

        stack.start_runner()
        ended = stack.firebreak("incidents", "undo", incident, "--wait")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "undo 1: done" in ended.stdout

        effective = Counter(
            (w["method"], w["url"].split("?")[0].lower())
            for w in stack.azure.writes()[responded:]
            if w["status"] < 300  # 0: it took effect and the answer was lost
        )
        assert {write: times for write, times in effective.items() if times > 1} == {}
        stopped = [w for w in stack.azure.writes()[:responded] if "/deallocate" in w["url"] and w["status"] < 300]
        started = [where for method, where in effective if method == "POST" and where.endswith("/start")]
        assert len(started) == len({w["url"].split("?")[0].lower() for w in stopped}) > 5
        assert seen(stack) == before


def contain(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> str:
    """Respond in this process, so that only the undo costs processes."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)

    async def course() -> str:
        async with room.connect(incident) as clouds:
            runtime = _Approved(room, lambda _: None, wait=True)
            runtime.stack = stack
            return await respond_to(Engine(room, incident, clouds, run_id="test"), runtime)

    with open_engine_room(Settings.load(), load_steps()) as room:
        opened = room.open(
            stack.azure.alert, place="test", mode=Mode.LIVE, requested_by="intake", playbook="stop-machines"
        )
        incident = opened.incident.id
        assert asyncio.run(course()) == "done"
    return incident


def begin(stack: Stack, parameters: dict[str, Any]) -> str:
    """Start the deployment `undo` by bare API, as the UI does, and wait until its run is known to the incident."""
    api = stack.running.api_url
    deployment = httpx.get(f"{api}/deployments/name/undo/undo", timeout=60).raise_for_status().json()["id"]
    url = f"{api}/deployments/{deployment}/create_flow_run"
    asked = {"parameters": parameters, "idempotency_key": "by-hand"}

    def create() -> dict[str, Any] | None:
        answer = httpx.post(url, json=asked, timeout=60)
        # A busy Prefect on SQLite says 503 (its database is locked) now and then; it is asked for the same run again.
        return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer.raise_for_status().json()

    run = str(until("Prefect to take the run", create, seconds=60)["id"])
    until("the run to begin", lambda: stack.flow_run(str(parameters["incident"])) == run, seconds=90)
    return run


def seen(stack: Stack) -> dict[str, Any]:
    """What the playbook changes, as the simulator has it."""
    state = stack.azure.control("GET", "state")
    power = {m["id"].lower(): m["powerState"] for m in state["machines"]}
    power |= {s["id"].lower(): sorted(i["powerState"] for i in s["instances"]) for s in state["scale_sets"]}
    settings = [r for r in state["resources"] if r["type"].lower() == "microsoft.insights/autoscalesettings"]
    return {
        "power": power,
        "locks": sorted(lock["id"].lower() for lock in state["locks"]),
        "roles": sorted(role["id"].lower() for role in state["role_assignments"]),
        "policies": sorted(one["id"].lower() for one in state["policy_assignments"]),
        "autoscale": {r["id"].lower(): r["properties"]["enabled"] for r in settings},
    }
