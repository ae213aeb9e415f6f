"""Firebreak's own services as real processes against a simulator process, for tests that kill them.

with Stack.start(folder) as stack:
    stack.deliver()                       # the signed alert, to the intake
    stack.until_asked("contain", ask=1)   # the flow run is suspended at that question
    stack.kill(*stack.flow_processes())   # SIGKILL
"""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pyotp

from firebreak.approval import GateView
from firebreak.cli.processes import Processes
from firebreak.cli.services import Running, prefect_environment, start_services, start_simulator
from firebreak.engine import EngineRoom, open_engine_room
from firebreak.intake.signature import sign
from firebreak.settings import Settings
from tasks.registry import load_steps
from tests.support.patience import Patience, crowd

T = TypeVar("T")
CODE_SECONDS = 30
_OF_ACCOUNTS = ("close-doors", "evict")
_PREFIXES = ("FIREBREAK_", "PREFECT_", "AZURE_")


class TimeIsOverError(AssertionError):
    """What a test waited for did not come."""


def until(what: str, look: Callable[[], T], *, seconds: float) -> T:
    """Look again and again until the answer is true, and return it.

    `seconds` are those of a machine that has nothing else to do.
    """
    patience = Patience(seconds)
    while patience.lasts():
        if found := look():
            return found
        time.sleep(0.1)
    raise TimeIsOverError(f"Waited {seconds:.0f} s for: {what}")


@dataclass
class Azure:
    """A simulator process, seen from outside: its announcement, its request log, its faults."""

    line: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.line["env"].items()}

    @property
    def alert(self) -> bytes:
        return Path(self.line["alert_file"]).read_bytes()

    def control(self, method: str, name: str, body: Any = None) -> Any:
        """Call one of the simulator's own routes."""
        url = f"{self.line['resource_manager']}/_simulator/{name}"
        trusted = ssl.create_default_context(cafile=self.line["ca_bundle"])
        answer = httpx.request(method, url, json=body, verify=trusted, timeout=60).raise_for_status()
        return answer.json() if answer.content else None

    def requests(self) -> list[dict[str, Any]]:
        return list(self.control("GET", "requests"))

    def writes(self) -> list[dict[str, Any]]:
        """Requests that were to change something, in order."""
        reading = ("/query", "/getbyids", "/resources", "/checknameavailability", "/generatecost")
        return [
            row
            for row in self.requests()
            if row["method"] not in ("GET", "HEAD")
            and row["service"] != "login"
            and not row["url"].split("?")[0].lower().endswith(reading)
        ]


@dataclass
class Stack:
    """Prefect server, runner and intake in one home, pointed at one simulator at a time."""

    home: Path
    processes: Processes
    running: Running
    azure: Azure
    runner: subprocess.Popen[bytes]
    used: dict[str, int] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def start(
        cls, folder: Path, *, scenario: str = "service-principal-abuse", azure: Azure | None = None
    ) -> Iterator[Stack]:
        """Start everything; all of it ends with the context. An `azure` that runs already is used instead of a new one."""
        home = folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        with ExitStack() as ending:
            if azure is None:
                azure = ending.enter_context(simulator(folder / "azure", scenario=scenario, seed=7))
            processes = ending.enter_context(Processes(home / "logs"))
            environment = {"FIREBREAK_HOME": str(home), **azure.environment}
            running = start_services(processes, home, environment, port=0, intake_port=0)
            runner = dict(processes._children)["runner"]
            yield cls(home=home, processes=processes, running=running, azure=azure, runner=runner)

    @property
    def environment(self) -> dict[str, str]:
        """What a command of this installation is started with."""
        base = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIXES)}
        return prefect_environment({**base, **self.azure.environment}, self.home, self.running.api_url)

    @contextmanager
    def room(self) -> Iterator[EngineRoom]:
        """The store as it stands, from this process."""
        line = self.azure.line
        settings = Settings.load(
            home=self.home,
            approvers_file=Path(line["env"]["FIREBREAK_APPROVERS_FILE"]),
            credential={"tenant_id": line["tenant_id"]},
            database_url=line["env"].get("FIREBREAK_DATABASE_URL", ""),
        )
        with open_engine_room(settings, load_steps()) as room:
            yield room

    # Deliveries and commands --------------------------------------------------------------------------------------------------

    def deliver(self) -> httpx.Response:
        """Deliver the simulator's alert, signed, as Microsoft's webhook would."""
        with self.room() as room:
            headers = sign(room.settings.intake_secret(), self.azure.alert, int(time.time()))
        return httpx.post(self.running.intake_url, content=self.azure.alert, headers=headers, timeout=120)

    def firebreak(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run("firebreak.cli.main", *words)

    def prefect(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run("prefect", *words)

    def _run(self, module: str, *words: str) -> subprocess.CompletedProcess[str]:
        return run_module(self.environment, module, *words)

    # Flow runs and gates ------------------------------------------------------------------------------------------------------

    def flow_run(self, incident: str) -> str:
        with self.room() as room:
            return str(room.store.values.get(incident, "flow_run"))

    def flow_runs(self, incident: str) -> list[dict[str, Any]]:
        answer = httpx.post(f"{self.running.api_url}/flow_runs/filter", json={}, timeout=60)
        return [run for run in answer.json() if run["parameters"].get("incident") == incident]

    def run_state(self, incident: str) -> str:
        answer = httpx.get(f"{self.running.api_url}/flow_runs/{self.flow_run(incident)}", timeout=60)
        return str(answer.json()["state"]["name"])

    def gate(self, name: str) -> GateView | None:
        with self.room() as room:
            return next((view for view in room.desk.list() if view.id == name), None)

    def until_asked(self, incident: str, stage: str, *, ask: int = 1, seconds: float = 150) -> GateView:
        """Wait until the flow run is suspended at this question of the stage's first gate, its form being there.

        The gates about accounts are skipped by the second approver, unless one of them is waited for.
        """

        def look() -> GateView | None:
            view = self.gate(f"{incident}.{stage}.1")
            if view is None and stage != "undo":
                self._skip_accounts(incident, but=stage)
            if view is None or view.ask < ask or view.state != "open" or self.run_state(incident) != "Suspended":
                return None
            return view

        found = until(f"question {ask} of {incident}.{stage}.1", look, seconds=seconds)
        assert found is not None
        return found

    def _skip_accounts(self, incident: str, *, but: str) -> None:
        for stage in _OF_ACCOUNTS:
            view = None if stage == but else self.gate(f"{incident}.{stage}.1")
            if view is not None and view.state == "open" and self.run_state(incident) == "Suspended":
                answer = self.form(view, code=self.code(1), decision="skip")
                answer |= {"approver": self.azure.line["approvers"][1]["name"]}
                answer |= {"confirm": view.confirm} if view.confirm else {}
                self.resume(incident, answer)
                until("the run to go on", lambda: self.run_state(incident) != "Suspended", seconds=60)

    def resume(self, incident: str, answer: dict[str, Any] | None) -> dict[str, Any]:
        """Resume the suspended run by bare API, as the UI does; tried again while the form is being saved."""
        url = f"{self.running.api_url}/flow_runs/{self.flow_run(incident)}/resume"
        body = {} if answer is None else {"run_input": answer}

        def send() -> dict[str, Any]:
            given = httpx.post(url, json=body, timeout=60)
            return dict(given.json()) if given.status_code < 300 else {}

        return until("the server to take the answer", send, seconds=20)

    def form(self, view: GateView, *, code: str, decision: str = "approve") -> dict[str, Any]:
        """The form as a person fills it in."""
        return {
            "decision": decision,
            "approver": self.azure.line["approvers"][0]["name"],
            "code": code,
            "plan_digest": view.plan_digest,
            "reason": "exercise",
            "leave_out": [],
        }

    def code(self, number: int = 0) -> str:
        """A code of the first approver, or of another, that was not used yet."""
        person = self.azure.line["approvers"][number]

        def next_step() -> int:
            now = int(time.time()) // CODE_SECONDS
            return next((s for s in (now, now + 1) if s > self.used.get(person["totp_secret"], 0)), 0)

        step = until("a fresh code", next_step, seconds=40)
        self.used[person["totp_secret"]] = step
        return pyotp.TOTP(person["totp_secret"]).at(step * CODE_SECONDS)

    # Killing ------------------------------------------------------------------------------------------------------------------

    def flow_processes(self) -> list[int]:
        """The processes below the runner, deepest last; without the one that Python itself keeps beside spawned processes."""
        parents = _parents()
        found, edge = list[int](), [self.runner.pid]
        while edge:
            edge = [child for child, parent in parents.items() if parent in edge]
            found += edge
        return [pid for pid in found if not _is_resource_tracker(pid)]

    def kill(self, *pids: int) -> None:
        """SIGKILL: nothing in the process gets to run."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_runner(self) -> None:
        """SIGKILL for the runner and everything it started."""
        self.kill(*self.flow_processes(), self.runner.pid)
        self.runner.wait(10)

    def start_runner(self) -> None:
        self.runner = self.processes.start("runner", ["flows.serve"], self.environment)
        self.processes.wait_for_line("runner", seconds=120, begins="ready")


@contextmanager
def simulator(folder: Path, *, scenario: str, seed: int) -> Iterator[Azure]:
    """A simulator process of its own."""
    with Processes(folder / "logs") as processes:
        yield Azure(start_simulator(processes, folder, scenario=scenario, seed=seed))


def run_command(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a `firebreak` command to its end."""
    return run_module(environment, "firebreak.cli.main", *words)


def run_module(environment: dict[str, str], module: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240 * crowd(),
        check=False,
    )


def _is_resource_tracker(pid: int) -> bool:
    try:
        return b"multiprocessing.resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _parents() -> dict[int, int]:
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The command, in brackets, may have spaces.
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return found
