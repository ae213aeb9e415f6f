"""`firebreak up` end to end: an alert that is in Graph only is found by the schedule, and its incident's flow run is started and looks; the digest is made."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from azure_simulator.faults import Fault
from azure_simulator.services.partner_center import raising
from firebreak.cli.processes import Processes, free_port
from tests.flows.stack import until
from tests.support.intake import Installation, installation

pytestmark = [pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(1800)]
GRAPH = "security/partner/securityAlerts"


@dataclass
class Up:
    """What `firebreak up` runs, and what its Prefect server says."""

    place: Installation
    api: str
    processes: Processes

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """The flow runs of a flow, the oldest first."""
        wanted = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found = httpx.post(f"{self.api}/flow_runs/filter", json=wanted, timeout=60).raise_for_status().json()
        return list(found)

    def until(self, what: str, look: Callable[[], Any], *, seconds: float = 240) -> Any:
        try:
            return until(what, look, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.processes.tail('up', 20)}") from error


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """An installation beside an Azure that lists no alert yet, with polls every few seconds."""
    with installation(tmp_path) as place, Processes(tmp_path / "logs") as processes:
        place.world.alerts.clear()
        environment = {
            **os.environ,
            **place.environment,
            "FIREBREAK_POLL__EVERY_MINUTES": "0.1",
            # What the application alone may read; the audit records need a user's token.
            "FIREBREAK_POLL__SOURCES": '["graph", "cost-alerts"]',
            "FIREBREAK_POLL__DIGEST_HOUR": "0",
        }
        words = ["up", "--json", "--port", str(free_port()), "--intake-port", str(free_port())]
        processes.start("up", ["firebreak.cli.main", *words], environment)
        said = json.loads(processes.wait_for_line("up", seconds=600))
        yield Up(place, said["api_url"], processes)


def test_an_alert_that_only_graph_lists_is_found_by_schedule_and_its_run_looks(up: Up) -> None:
    def completed() -> bool:
        return any(run["state"]["name"] == "Completed" for run in up.runs("poll-alerts"))

    up.until("a poll that looked everywhere", completed)
    assert up.place.incidents() == []
    assert up.runs("respond") == []
    alert = raising.post(up.place.world, {"in": ["graph"]}).body
    (incident,) = up.until("the incident", up.place.incidents)
    assert up.place.store is not None
    assert up.place.store.incidents.get(incident).alert.id == alert["id"]
    (run,) = up.until("its flow run", lambda: up.runs("respond"))
    assert run["parameters"]["incident"] == incident

    def looked() -> bool:
        return any("/resources" in row.url for row in up.place.world.requests)

    up.until("the run to look at the subscription", looked)
    polls = len(up.runs("poll-alerts"))
    up.until("two more polls", lambda: len(up.runs("poll-alerts")) >= polls + 2)
    assert up.place.incidents() == [incident]
    assert len(up.runs("respond")) == 1
    assert [one.channel for one in up.place.deliveries()] == ["poll/graph"]

    # The digest is made once a day, at or after its hour: today's is there, and it is not made again.
    up.until("the digest", lambda: [run for run in up.runs("daily-digest") if run["state"]["name"] == "Completed"])
    wanted = {"artifacts": {"key": {"any_": ["open-alerts"]}}}
    page = httpx.post(f"{up.api}/artifacts/filter", json=wanted, timeout=60).raise_for_status().json()
    assert page
    assert len(up.runs("daily-digest")) == 1


def test_a_graph_that_refuses_makes_failed_polls_and_the_next_one_finds_what_came_meanwhile(up: Up) -> None:
    up.place.world.faults.append(Fault("status", status=403, method="GET", url=GRAPH))
    raising.post(up.place.world, {"in": ["graph"]})

    def failed() -> list[dict[str, Any]]:
        return [run for run in up.runs("poll-alerts") if run["state"]["name"] == "Failed"]

    found = up.until("a poll that says what it did not look at", failed)
    assert "not looked at: graph" in found[0]["state"]["message"]
    assert up.place.incidents() == []
    up.place.world.faults.clear()
    assert len(up.until("the incident", up.place.incidents)) == 1
