"""A drill worked through by a scripted person, who answers over Prefect's API as its UI does; what the sheet says is compared with what they did.

Until the end nothing that a trainee can read says what happened: no command line, no file of the drill, no answer of the embedded Azure.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from firebreak.cli.processes import free_port
from tests.flows.stack import until

pytestmark = [pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(3000)]
TOP = Path(__file__).parents[2]
SCENARIO = "service-principal-abuse"
SLOW = 400.0


@dataclass
class Trainee:
    """Somebody at a running drill, who sees what its folder, Prefect and the embedded Azure show."""

    home: Path
    process: subprocess.Popen[bytes]
    port: int
    used: dict[str, int] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def runs(self) -> list[dict[str, Any]]:
        try:
            found = httpx.post(f"{self.api}/flow_runs/filter", json={}, timeout=60)
        except httpx.HTTPError:  # not up yet, or busy: asked again
            return []
        return [run for run in found.json() if run["parameters"].get("incident")] if found.status_code == 200 else []

    def form(self, known: str) -> dict[str, Any]:
        """The form that the run waits with, once it is another question than the last; {} when the drill has ended."""

        def look() -> dict[str, Any] | None:
            if self.process.poll() is not None:
                return {"ended": True}
            for run in self.runs():
                keys = (
                    run["state"]["state_details"].get("run_input_keyset")
                    if run["state"]["name"] == "Suspended"
                    else None
                )
                found = self.form_of(run["id"], keys["schema"]) if keys else None
                if found is not None and found.status_code == 200:
                    fields = dict(found.json()["properties"])
                    if fields["question"]["const"] != known:
                        return {"run": run["id"], "fields": fields}
            time.sleep(1)
            return None

        found = until("a question or the end", look, seconds=SLOW)
        return {} if found is None or "ended" in found else found

    def form_of(self, run: str, key: str) -> httpx.Response | None:
        try:
            return httpx.get(f"{self.api}/flow_runs/{run}/input/{key}", timeout=60)
        except httpx.TimeoutException:
            return None

    def code(self, name: str) -> str:
        seeds = {p["name"]: p["totp_secret"] for p in json.loads((self.home / "azure" / "approvers.json").read_text())}

        def fresh() -> int:
            # The newest that is taken lives the longest: a busy machine reads an answer a minute after it was sent.
            now = int(time.time()) // 30
            return next((s for s in (now + 1, now) if s > self.used.get(name, 0)), 0)

        step = until("a fresh code", fresh, seconds=60)
        self.used[name] = step
        return pyotp.TOTP(seeds[name]).at(step * 30)

    def answer(self, asked: dict[str, Any], name: str, decision: str, leave_out: list[str]) -> None:
        fields = asked["fields"]
        confirm = str(fields.get("confirm", {}).get("description", "")).rpartition("type: ")[2]
        given = {
            "decision": decision,
            "approver": name,
            "code": self.code(name),
            "plan_digest": fields["plan_digest"]["const"],
            "question": fields["question"]["const"],
            "reason": "drill",
            "leave_out": leave_out,
            **({"confirm": confirm} if confirm else {}),
        }
        url = f"{self.api}/flow_runs/{asked['run']}/resume"

        def sent() -> bool:
            if not any(run["id"] == asked["run"] and run["state"]["name"] == "Suspended" for run in self.runs()):
                return bool(self.runs())  # taken, though the server was too slow to say so
            try:
                answer = httpx.post(url, json={"run_input": given}, timeout=60)
            except httpx.TimeoutException:
                return False
            return answer.status_code < 300 and answer.json()["status"] == "ACCEPT"

        until("the answer to be taken", sent, seconds=120)


@pytest.fixture
def trainee(tmp_path: Path) -> Iterator[Trainee]:
    home, port = tmp_path / "d", free_port(0)
    ours = ("FIREBREAK_", "PREFECT_", "AZURE_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)} | {"PYTHONPATH": str(TOP)}
    # The name is the trainer's: it goes through the seed, as for whoever gives no scenario.
    words = ["drill", "--seed", str(seed_of(SCENARIO)), "--home", str(home), "--port", str(port), "--json"]
    home.mkdir()
    with (home / "told.json").open("wb") as told, (home / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "firebreak.cli.main", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=said,
            start_new_session=True,
        )
    yield Trainee(home, process, port)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(60)


def seed_of(scenario: str) -> int:
    import random

    from firebreak.cli.simulate import SCENARIOS

    return next(n for n in range(1, 999) if random.Random(n).choice(SCENARIOS) == scenario)  # noqa: S311


def visible(trainee: Trainee) -> str:
    """What a trainee can read: all files of the drill, Prefect's pages, and the command lines of what runs."""
    texts = [path.read_bytes().decode(errors="replace") for path in trainee.home.rglob("*") if path.is_file()]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().decode(errors="replace")
        except OSError:
            continue
        texts += [words] if str(trainee.home) in words else []
    texts.append(httpx.post(f"{trainee.api}/artifacts/filter", json={}, timeout=60).text)
    return "\n".join(texts)


def test_a_scripted_person_works_through_a_drill_and_the_sheet_says_what_they_did(trainee: Trainee) -> None:
    asked = trainee.form("")
    assert asked, (trainee.home / "said.txt").read_text()
    assert "close-doors" in asked["fields"]["question"]["const"]
    trainee.answer(asked, "bob@partner.example", "approve", [])
    asked = trainee.form(asked["fields"]["question"]["const"])
    assert "contain" in asked["fields"]["question"]["const"]

    # Nothing tells what happened.
    seen = visible(trainee)
    assert "crypto" not in (trainee.home / "said.txt").read_text()
    assert SCENARIO not in seen
    assert "rogue_compute" not in seen
    azure = json.loads((trainee.home / "logs" / "azure.log").read_text().splitlines()[0])
    trusted = ssl.create_default_context(cafile=azure["ca_bundle"])
    for route in ("truth", "state", "requests", "health", "faults"):
        answer = httpx.get(f"{azure['resource_manager']}/_simulator/{route}", verify=trusted, timeout=60)
        assert answer.status_code == 403
        assert SCENARIO not in answer.text

    # One machine is left out that is the attacker's, and the rest is approved.
    labels = asked["fields"]["leave_out"]["items"]["enum"]
    machine = next(label for label in labels if "deallocate machine" in label)
    trainee.answer(asked, "alice@partner.example", "approve", [machine])
    last, people = asked["fields"]["question"]["const"], ["bob@partner.example", "alice@partner.example"]
    while asked := trainee.form(last):
        last = asked["fields"]["question"]["const"]
        choices = asked["fields"]["decision"]["enum"]
        trainee.answer(asked, people[0], "skip" if "skip" in choices and ".evict." not in last else "approve", [])
        people.reverse()
    trainee.process.wait(120)

    sheet = json.loads((trainee.home / "told.json").read_text())
    assert sheet["scenario"] == SCENARIO
    assert sheet["truth"] == "fraud"
    gates = {gate["stage"]: gate for gate in sheet["gates"]}
    assert (gates["contain"]["decision"], gates["contain"]["left_out"]) == ("approve", 1)
    assert gates["contain"]["by"] == ["alice@partner.example"]
    assert gates["cancel-entitlement"]["decision"] == "skip"
    left = [one for one in sheet["missed"] if one["why"] == "left out by a person"]
    name = machine.split(":")[0]
    assert [one["id"].rsplit("/", 1)[-1] for one in left if one["is_billed"]] == [name]
    assert sheet["was_right"] is False
    assert sheet["wrong"] == []
    assert sheet["minutes"] == pytest.approx(sheet["people_minutes"] + sheet["machine_minutes"], abs=0.2)
    assert float(sheet["lost_while_waiting"]) > 0
    assert sheet["minutes_to_contain"] is None
    assert (trainee.home / "score.md").exists()
