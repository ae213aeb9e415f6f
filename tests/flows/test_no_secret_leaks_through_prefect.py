"""P11 with real processes: nothing planted is in Prefect's API or database, in a log file, the store, the evidence or the report's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flows.stack import Stack, until
from tests.support.canaries import Canaries

pytestmark = [pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(900)]
NOT_IN = ("approvers.json",)


def in_prefect(stack: Stack, incident: str) -> dict[str, Any]:
    """What Prefect's API tells of the run, by kind."""
    kinds = ("flow_runs", "task_runs", "logs", "artifacts", "deployments", "flow_run_states", "variables")
    told = {}
    for kind in kinds:
        answer = httpx.post(f"{stack.running.api_url}/{kind}/filter", json={"limit": 200}, timeout=60)
        if answer.status_code < 300:
            told[kind] = answer.text
    told["events"] = httpx.post(f"{stack.running.api_url}/events/filter", json={}, timeout=60).text
    run = stack.flow_run(incident)
    for kind in ("gate-", "suspended-"):
        url = f"{stack.running.api_url}/flow_runs/{run}/input/filter"
        told[f"inputs {kind}"] = httpx.post(url, json={"prefix": kind, "limit": 200}, timeout=60).text
    return told


def test_nothing_planted_is_left_behind(tmp_path: Path) -> None:
    with Stack.start(tmp_path) as stack:
        line = stack.azure.line
        planted = {"client secret": str(line["client_secret"])}
        planted |= {f"TOTP seed of {person['name']}": person["totp_secret"] for person in line["approvers"]}
        canaries = Canaries(planted)
        incident = str(stack.deliver().json()["incident"])
        view = stack.until_asked(incident, "contain", seconds=400)
        typed = stack.code()
        wrong = "000000" if typed != "000000" else "111111"
        stack.resume(incident, stack.form(view, code=wrong))
        view = stack.until_asked(incident, "contain", ask=view.ask + 1, seconds=400)
        stack.resume(incident, stack.form(view, code=typed))
        until("the answer to be recorded", lambda: stack.gate(view.id).state == "approved", seconds=400)  # type: ignore[union-attr]
        until("the run to go on", lambda: stack.run_state(incident) != "Running", seconds=600)
        told = in_prefect(stack, incident)
        assert {"flow_runs", "task_runs", "logs", "artifacts"} <= set(told)
        for kind, text in told.items():
            canaries.look(kind, text)
        # The schema of each question stays; what people typed does not.
        assert "-schema" in told["inputs suspended-"]
        assert "-response" not in told["inputs suspended-"]
        assert f'\\"code\\":\\"{typed}\\"' not in told["inputs suspended-"]
        exported = stack.firebreak("incidents", "export", incident, "--out", str(tmp_path / "b.zip"))
        assert exported.returncode == 0, exported.stderr
        canaries.look("the command's words", exported.stdout + exported.stderr)
        canaries.look("bundle", (tmp_path / "b.zip").read_bytes())
        for path in stack.home.rglob("*"):
            if path.is_file() and path.name not in NOT_IN:
                canaries.look(str(path.relative_to(stack.home)), path.read_bytes())
        assert canaries.looked_at > 50
        assert canaries.found == []
