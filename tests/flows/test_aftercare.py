"""After closure: what comes back is responded to once; a quiet subscription is only read; what was not read is not called quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from azure_simulator.faults import Fault
from firebreak.engine.aftercare import closed_incidents, reopen
from firebreak.model.alert import Incident
from firebreak.model.mode import Mode
from firebreak.settings import AftercareSettings
from flows import aftercare
from flows.aftercare import Look, is_blind, lines_of, summary, watch_once
from tests.flows.room_in_process import writes
from tests.flows.test_how_a_run_ends import RIGS, Estate, estate, opened, run


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Estate]:
    """A subscription whose two rigs were stopped, an hour ago."""
    for found in estate(tmp_path / "home", *RIGS[:2]):
        assert run(found, opened(found)).state == "done"
        found.world.clock.advance(3600)
        yield found


def look(found: Estate) -> Look:
    return asyncio.run(watch_once(found.room, start=False))


def come_back(found: Estate) -> None:
    found.call("POST", f"{found.id_of('rig-1')}/start")


def live(found: Estate) -> list[Incident]:
    return [row.incident for row in found.room.store.incidents.list()]


def test_a_quiet_subscription_is_only_read_and_opens_nothing(closed: Estate) -> None:
    before, written = len(closed.world.requests), len(writes(closed.world))
    seen = look(closed)
    assert (len(seen.watched), seen.reopened, is_blind(seen)) == (1, {}, False)
    assert len(closed.world.requests) > before
    assert len(writes(closed.world)) == written
    assert [one.id for one in live(closed)] == ["INC-0000d1ed"]
    assert summary(seen) == "1 closed incident looked at; 0 came back"


def test_what_comes_back_opens_one_incident_that_names_the_old_one(closed: Estate) -> None:
    come_back(closed)
    seen = look(closed)
    new = seen.reopened["INC-0000d1ed"]
    again = look(closed)
    assert (again.watched, again.reopened) == ((), {})
    assert sorted(one.id for one in live(closed)) == sorted(["INC-0000d1ed", new])
    incident = closed.room.store.incidents.get(new)
    assert (incident.mode, incident.playbook) == (Mode.LIVE, "compromised-subscription")
    assert incident.alert.details["reopens"] == "INC-0000d1ed"
    assert "rig-1" in incident.alert.title
    kinds = [record.kind for record in closed.room.audit.records("INC-0000d1ed")]
    assert kinds.count("incident.reopened") == 1
    assert any("came back" in line and "rig-1" in line for line in lines_of(seen))
    assert summary(seen) == f"1 closed incident looked at; 1 came back: INC-0000d1ed as {new}"
    assert writes(closed.world)[-1].url.split("?")[0].endswith("/deallocate")  # nothing but the response itself wrote


def test_two_watchers_at_once_open_one_incident(closed: Estate) -> None:
    come_back(closed)
    seen = look(closed).watched[0]
    assert (
        reopen(closed.room, seen)
        == reopen(closed.room, seen)
        == closed.room.store.values.get(seen.incident, "reopened-as")
    )
    assert len(live(closed)) == 2
    assert [r.kind for r in closed.room.audit.records(seen.incident)].count("incident.reopened") == 1


def test_a_run_that_could_not_be_started_is_started_by_the_next_look(
    closed: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    come_back(closed)
    new = look(closed).reopened["INC-0000d1ed"]
    started: list[str] = []

    async def start(_room: object, incident: str, *, key: str) -> str:
        started.append(key)
        closed.room.store.values.set(incident, "flow_run", "11111111-0000-4000-8000-000000000001")
        return ""

    monkeypatch.setattr(aftercare, "start_run", start)  # Prefect's side: what the runner would be asked
    for _ in range(2):
        asyncio.run(watch_once(closed.room))
    assert started == [new]


def test_what_people_let_run_did_not_come_back(tmp_path: Path) -> None:
    for found in estate(tmp_path / "home", *RIGS[:2]):
        assert run(found, opened(found), leave_out="rig-2").state == "stopped"
        found.world.clock.advance(3600)
        assert look(found).reopened == {}
        come_back(found)
        assert list(look(found).reopened) == ["INC-0000d1ed"]


def test_what_cannot_be_read_is_not_called_quiet(closed: Estate) -> None:
    come_back(closed)
    closed.world.faults.append(Fault(kind="status", status=403, method="GET", url="virtualMachines"))
    seen = look(closed)
    assert (seen.reopened, is_blind(seen)) == ({}, True)
    assert any(line.startswith("NOT LOOKED AT after INC-0000d1ed") for line in lines_of(seen))
    closed.world.faults.clear()
    assert list(look(closed).reopened) == ["INC-0000d1ed"]


def test_what_ended_too_long_ago_is_not_watched(closed: Estate) -> None:
    assert len(closed_incidents(closed.room)) == 1
    closed.world.clock.advance(timedelta(days=31).total_seconds())
    assert closed_incidents(closed.room) == []
    longer = closed.room.settings.model_copy(update={"aftercare": AftercareSettings(days=60)})
    assert len(closed_incidents(replace(closed.room, settings=longer))) == 1


@pytest.mark.parametrize("kind", [{"is_test": True}, {"mode": Mode.DRY_RUN}])
def test_tests_and_dry_runs_are_not_watched(tmp_path: Path, kind: dict[str, object]) -> None:
    for found in estate(tmp_path / "home", *RIGS[:2]):
        run(found, opened(found, **kind))  # type: ignore[arg-type]
        assert closed_incidents(found.room) == []
