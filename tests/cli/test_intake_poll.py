"""`firebreak intake poll`: what no webhook brought, for people without a schedule; what could not be looked at ends it with 1."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from azure_simulator.faults import Fault
from firebreak.engine import EngineRoom
from flows import deliveries as module
from tests.cli.conftest import Firebreak
from tests.support.intake import Installation, alert, installation


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    async def start_run(room: EngineRoom, incident: str, *, key: str) -> str:
        room.store.values.set(incident, "flow_run", f"run-of-{incident}")
        return f"run-of-{incident}"

    with pytest.MonkeyPatch.context() as patch, installation(tmp_path_factory.mktemp("poll")) as found:
        patch.setattr(module, "start_run", start_run)
        found.world.alerts.clear()
        yield found


@pytest.fixture(autouse=True)
def environment(place: Installation, firebreak: Firebreak, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)


def now(place: Installation) -> str:
    return f"{place.world.clock.now():%Y-%m-%dT%H:%M:%SZ}"


def test_an_alert_is_found_once_and_what_cannot_be_read_is_told(place: Installation, firebreak: Firebreak) -> None:
    alert(place.world, "found-by-poll", place.subscription, detectedDateTime=now(place), displayName="\x1b[2Jred")
    code, out, _ = firebreak("intake", "poll", "--json")
    sources = {one["source"]: one for one in json.loads(out)["sources"]}
    assert sources["graph"]["opened"] == place.incidents()
    # This installation signs in without a user, so nobody can read the audit records.
    assert (code, sources["audit-records"]["looked"]) == (1, False)
    assert "secure application model" in sources["audit-records"]["not_looked_at"][0]
    assert "looked" in sources["cost-alerts"]
    _, out, _ = firebreak("intake", "poll")
    assert "NOT LOOKED AT" in out
    assert "\x1b" not in out
    assert len(place.incidents()) == 1


def test_only_what_is_configured_is_asked(
    place: Installation, firebreak: Firebreak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREBREAK_POLL__SOURCES", '["graph"]')
    code, out, _ = firebreak("intake", "poll", "--json")
    assert (code, [one["source"] for one in json.loads(out)["sources"]]) == (0, ["graph"])
    place.world.faults.append(Fault("status", status=403, method="GET", url="securityAlerts"))
    assert firebreak("intake", "poll")[0] == 1
    place.world.faults.clear()
    monkeypatch.setenv("FIREBREAK_POLL__SOURCES", "[]")
    code, out, _ = firebreak("intake", "poll", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (1, "bad_content")


def test_the_backlog_is_taken_in_when_it_is_asked_for(place: Installation, firebreak: Firebreak) -> None:
    old = "77777777-7777-4777-8777-777777777777"
    alert(place.world, "old", old, detectedDateTime="2026-01-02T04:00:00Z")
    _, out, _ = firebreak("intake", "poll", "--json")
    before = len(place.incidents())
    _, out, _ = firebreak("intake", "poll", "--backlog", "--json")
    graph = json.loads(out)["sources"][0]
    assert (len(graph["opened"]), len(place.incidents())) == (1, before + 1)
