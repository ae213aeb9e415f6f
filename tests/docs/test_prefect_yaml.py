"""`prefect.yaml`: a deployment for every shipped playbook, whose flow imports; and, with marker `flows`, deployed to a real server."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect import Flow
from prefect.utilities.importtools import import_object
from ruamel.yaml import YAML

from firebreak.cli.processes import Processes, free_port
from firebreak.cli.services import prefect_environment, start_simulator
from firebreak.playbook import find_playbooks

TOP = Path(__file__).parent.parent.parent
PROJECT: dict[str, Any] = YAML(typ="safe").load(TOP / "prefect.yaml")
DEPLOYMENTS = {row["name"]: row for row in PROJECT["deployments"]}


def test_every_shipped_playbook_the_undo_and_the_replay_have_a_deployment_and_no_other_is_deployed() -> None:
    playbooks = find_playbooks()
    assert set(DEPLOYMENTS) == {
        *playbooks,
        "undo",
        "replay",
        "watch-gates",
        "poll-alerts",
        "daily-digest",
        "watch-closed",
    }
    assert DEPLOYMENTS["replay"]["tags"] == ["firebreak", "dry-run", "replay"]
    assert DEPLOYMENTS["undo"]["entrypoint"] == "flows.undo.undo"
    for name, row in ((name, DEPLOYMENTS[name]) for name in playbooks):
        assert row["parameters"] == {"playbook": name}
        assert row["version"] == playbooks[name].version
        assert row["tags"] == ["firebreak"]
        assert row["concurrency_limit"]["limit"] > 0
        assert row["description"]


def test_the_gates_are_watched_every_minute_by_one_run_at_a_time() -> None:
    row = DEPLOYMENTS["watch-gates"]
    assert row["schedules"] == [{"interval": 60}]
    assert row["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


def test_alerts_are_polled_every_ten_minutes_by_one_run_at_a_time() -> None:
    row = DEPLOYMENTS["poll-alerts"]
    assert row["schedules"] == [{"interval": 600}]
    assert row["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


def test_closed_incidents_are_watched_every_six_hours_by_one_run_at_a_time() -> None:
    row = DEPLOYMENTS["watch-closed"]
    assert row["schedules"] == [{"interval": 6 * 3600}]
    assert row["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_an_entrypoint_is_a_module_path_that_imports_the_flow(name: str) -> None:
    entrypoint = DEPLOYMENTS[name]["entrypoint"]
    assert ":" not in entrypoint
    assert "/" not in entrypoint
    flow = import_object(entrypoint)
    assert isinstance(flow, Flow)
    module, _, attribute = entrypoint.rpartition(".")
    assert getattr(importlib.import_module(module), attribute) is flow
    assert set(DEPLOYMENTS[name]["parameters"]) <= set(flow.parameters.properties)


def test_a_worker_pulls_no_code_and_no_secret_stands_in_the_file() -> None:
    # An empty list means "the package is installed"; null would send workers to the folder this was deployed from.
    assert PROJECT["pull"] == []
    environment = PROJECT["definitions"]["work_pool"]["job_variables"]["env"]
    assert not [name for name in environment if name.startswith("FIREBREAK_")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Processes, dict[str, str], str]]:
    """A Prefect server of its own: the processes, the environment of a client, the API's address."""
    api_url = f"http://127.0.0.1:{(port := free_port())}/api"
    (tmp_path / "home").mkdir()
    environment = prefect_environment(os.environ, tmp_path / "home", api_url)
    with Processes(tmp_path / "logs") as processes:
        processes.start(
            "prefect-server", ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)], environment
        )
        processes.wait_for("prefect-server", f"{api_url}/health", seconds=180)
        yield processes, environment, api_url


def prefect(*words: str, environment: dict[str, str], folder: Path = TOP) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.flows
@pytest.mark.timeout(600)
def test_deployed_without_a_prompt_a_worker_elsewhere_carries_a_dry_run_out(
    server: tuple[Processes, dict[str, str], str], tmp_path: Path
) -> None:
    processes, environment, api_url = server
    prefect("work-pool", "create", "firebreak", "--type", "process", environment=environment)
    prefect("--no-prompt", "deploy", "--all", environment=environment)
    prefect("--no-prompt", "deploy", "--all", environment=environment)  # again does no harm
    found = {row["name"]: row for row in httpx.post(f"{api_url}/deployments/filter", json={}).json()}
    assert set(found) == set(DEPLOYMENTS)
    for name, row in found.items():
        assert row["entrypoint"] == DEPLOYMENTS[name]["entrypoint"]
        assert row["pull_steps"] == []
        assert row["work_pool_name"] == "firebreak"
        assert row["global_concurrency_limit"]["limit"] == DEPLOYMENTS[name]["concurrency_limit"]["limit"]

    azure = start_simulator(processes, tmp_path / "azure", scenario="false-alarm", seed=7)
    worker = {**environment, **{name: str(value) for name, value in azure["env"].items()}}
    given = {"subscription": azure["subscription_id"], "dry_run": True, "reason": "try the deployment"}
    prefect("deployment", "run", "respond/review-subscription", "--params", json.dumps(given), environment=environment)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    prefect("worker", "start", "--pool", "firebreak", "--run-once", environment=worker, folder=elsewhere)
    runs = httpx.post(f"{api_url}/flow_runs/filter", json={}).json()
    (run,) = (run for run in runs if run["parameters"])  # not those of the clock of the gates
    assert run["state"]["type"] == "COMPLETED", run["state"]
    assert "done" in run["state"]["message"]
