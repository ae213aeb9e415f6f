"""The services of one machine: Prefect server, runner and intake. `up` keeps them for real use, `demo` for one incident."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from firebreak.cli.processes import Processes, answers, free_port


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """Where the services answer. Written to `<home>/services.json`, so that other commands find them."""

    ui_url: str
    api_url: str
    intake_url: str = ""

    def run_url(self, flow_run_id: str) -> str:
        return f"{self.ui_url}/runs/flow-run/{flow_run_id}"


def start_services(
    processes: Processes, home: Path, environment: Mapping[str, str], *, port: int = 4200, intake_port: int = 4280
) -> Running:
    """Start the Prefect server, the runner with one deployment per playbook, and the intake; return when all answer."""
    port = free_port(port)
    ui_url = f"http://127.0.0.1:{port}"
    api_url = f"{ui_url}/api"
    env = prefect_environment({**os.environ, **environment}, home, api_url)
    processes.start("prefect-server", ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)], env)
    processes.wait_for("prefect-server", f"{api_url}/health", seconds=180)
    processes.start("runner", ["flows.serve"], env)
    intake_port = free_port(intake_port)
    processes.start("intake", ["flows.intake", "--port", str(intake_port)], env)
    processes.wait_for_line("runner", seconds=120, begins="ready")
    intake_url = f"http://127.0.0.1:{intake_port}"
    processes.wait_for("intake", f"{intake_url}/health", seconds=60)
    running = Running(ui_url=ui_url, api_url=api_url, intake_url=f"{intake_url}/alerts")
    home.mkdir(parents=True, exist_ok=True)
    (home / "services.json").write_bytes(msgspec.json.encode(running))
    return running


def prefect_environment(base: Mapping[str, str], home: Path, api_url: str) -> dict[str, str]:
    """The environment of every Prefect process of ours: own database, quick pickup, heartbeats, no analytics."""
    ours = {
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": api_url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # flows.heartbeat
        "PYTHONUNBUFFERED": "1",
        "FIREBREAK_HOME": str(home),
    }
    return {**base, **ours}


def find_services(home: Path) -> Running | None:
    """Services that this home has running: `PREFECT_API_URL` first, then `<home>/services.json` if its server still answers."""
    api_url = os.environ.get("PREFECT_API_URL", "")
    if api_url:
        return Running(ui_url=api_url.removesuffix("/").removesuffix("/api"), api_url=api_url)
    path = home / "services.json"
    if not path.exists():
        return None
    running = msgspec.json.decode(path.read_bytes(), type=Running)
    return running if answers(f"{running.api_url}/health") else None


def forget_services(home: Path, running: Running) -> None:
    """Remove the note that these services run here; a note of others stays."""
    path = home / "services.json"
    if path.exists() and path.read_bytes() == msgspec.json.encode(running):
        path.unlink(missing_ok=True)


def start_simulator(
    processes: Processes,
    folder: Path,
    *,
    scenario: str,
    seed: int,
    scale: int = 1,
    port: int = 0,
    sealed_with: str = "",
) -> dict[str, Any]:
    """Start the embedded Azure as a process of its own and return its one line of JSON.

    With `sealed_with` its own routes answer only who has that key, and no command line or log names the scenario.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seal = {"AZURE_SIMULATOR_SCENARIO": scenario, "AZURE_SIMULATOR_KEY": sealed_with} if sealed_with else {}
    processes.start(
        "azure",
        [
            "azure_simulator",
            *(() if sealed_with else ("--scenario", scenario)),
            "--seed",
            str(seed),
            "--scale",
            str(scale),
            "--port",
            str(port),
            "--folder",
            str(folder),
            "--json",
        ],
        {**os.environ, **seal, "PYTHONUNBUFFERED": "1"},
    )
    line = processes.wait_for_line("azure", seconds=120)
    return dict(json.loads(line))


def use_services(running: Running) -> None:
    """Point Prefect's client, which reads the environment when it is first imported, at these services."""
    os.environ["PREFECT_API_URL"] = running.api_url
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
