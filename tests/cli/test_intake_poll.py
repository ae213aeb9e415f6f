"""`firebreak intake poll`: what no webhook brought, for people without a schedule; what could not be looked at ends it with 1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

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


def test_open_alerts_are_listed_oldest_first_with_the_day_to_answer_by(
    place: Installation, firebreak: Firebreak
) -> None:
    place.world.alerts.clear()
    at = place.world.clock.now()
    for name, days, more in (("young", 1, {}), ("late", 70, {}), ("due", 55, {"isTest": "true"}), ("over", 9, {})):
        status = "resolved" if name == "over" else "active"
        when = f"{at - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
        alert(
            place.world,
            name,
            place.subscription,
            detectedDateTime=when,
            status=status,
            displayName=f"{name}\x1b[2J",
            **more,
        )
    alert(place.world, "unknown-age", place.subscription, detectedDateTime="")
    code, out, _ = firebreak("intake", "unresolved", "--json")
    found = json.loads(out)
    assert (code, found["due"], found["late"]) == (0, 1, 1)
    assert [one["id"] for one in found["alerts"]] == ["unknown-age", "late", "due", "young"]
    assert [one["is_test"] for one in found["alerts"]] == [False, False, True, False]
    assert found["alerts"][2]["answer_before"] == f"{at + timedelta(days=5):%Y-%m-%d}"
    _, out, _ = firebreak("intake", "unresolved")
    assert "4 alerts are open; 1 must be answered before day sixty; 1 are sixty days old or older." in out
    assert "\x1b" not in out


def test_a_list_that_cannot_be_read_is_not_an_empty_one(place: Installation, firebreak: Firebreak) -> None:
    place.world.faults.append(Fault("status", status=403, method="GET", url="securityAlerts"))
    try:
        code, out, _ = firebreak("intake", "unresolved")
    finally:
        place.world.faults.clear()
    assert code == 1
    assert "NOT LOOKED AT" in out
    assert "No alert is open" not in out
