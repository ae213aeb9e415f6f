"""`firebreak incidents undo` without a cloud: what has nothing to undo, what is refused before anything is sent, what the exit codes say."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from firebreak.cli.rooms import engine_room
from firebreak.engine import Undo
from firebreak.engine.undos import ask_for_undo, save_undo, undo_of
from firebreak.errors import ContentError
from firebreak.model.mode import Mode
from firebreak.settings import Settings
from flows.alive import SILENT_SECONDS, alive, sign, who_is_at
from flows.start import is_at_it
from tests.cli.conftest import Firebreak
from tests.flows.room_in_process import alert_bytes
from tests.support.inprocess import settings_for


@pytest.fixture
def incident_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Mode, str], str]:
    """An incident of this mode and state in the store."""

    def make(mode: Mode, state: str) -> str:
        from azure_simulator import build

        world = build("false-alarm", seed=7, now=datetime(2026, 11, 20, 3, tzinfo=UTC))
        monkeypatch.setenv("FIREBREAK_HOME", str(tmp_path / "home"))
        with engine_room(settings_for(world, home=tmp_path / "home")) as room:
            incident = room.open(alert_bytes(world), place="test", mode=mode, requested_by="intake").incident.id
            room.store.incidents.set_state(incident, state)
        return incident

    return make


def test_a_dry_run_has_nothing_to_undo(firebreak: Firebreak, incident_of: Callable[[Mode, str], str]) -> None:
    incident = incident_of(Mode.DRY_RUN, "done")
    code, out, _ = firebreak("incidents", "undo", incident)
    assert code == 0
    assert "it changed nothing, so there is nothing to undo" in out
    code, out, _ = firebreak("incidents", "undo", incident, "--json")
    assert (code, json.loads(out)["undo"]) == (0, [])


@pytest.mark.parametrize("state", ["waiting", "executing", "investigating", "open"])
def test_a_response_that_has_not_ended_is_not_undone(
    firebreak: Firebreak, incident_of: Callable[[Mode, str], str], state: str
) -> None:
    incident = incident_of(Mode.LIVE, state)
    code, out, _ = firebreak("incidents", "undo", incident, "--json")
    assert code == 3
    error = json.loads(out)["error"]
    assert f"{incident} is {state}" in error["message"]
    assert "firebreak gates list" in error["hint"]
    code, out, _ = firebreak("incidents", "undo", incident, "--dry-run", "--json")
    assert code == 3  # else it would say that there is nothing to take back
    assert json.loads(out)["error"] == error


@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_response_does_not_go_on_while_an_undo_is_open(
    firebreak: Firebreak, incident_of: Callable[[Mode, str], str], state: str
) -> None:
    incident = incident_of(Mode.LIVE, state)
    with engine_room(Settings.load()) as room:
        ask_for_undo(room.store, incident, Undo(number=0, requested_by="grace", asked_at=room.clock()))
    code, out, _ = firebreak("respond", "--incident", incident, "--json")
    assert code == 3
    error = json.loads(out)["error"]
    assert f"{incident} is being undone (undo 1, asked for by grace)" in error["message"]
    assert f"firebreak incidents undo {incident}" in error["hint"]
    code, out, _ = firebreak("incidents", "show", incident, "--json")
    assert json.loads(out)["state"] == state


def test_a_run_that_comes_late_finds_its_own_undo_and_asks_for_no_other(
    incident_of: Callable[[Mode, str], str],
) -> None:
    incident = incident_of(Mode.LIVE, "done")
    with engine_room(Settings.load()) as room:
        asked = ask_for_undo(room.store, incident, Undo(number=0, requested_by="grace", asked_at=room.clock()))
        save_undo(room.store, incident, msgspec.structs.replace(asked, state="nothing"))
        found = undo_of(room.store, incident, 1)
        assert found is not None
        assert found.has_ended
        assert undo_of(room.store, incident, 0) is None  # nobody has asked yet: the run asks itself
        with pytest.raises(ContentError, match="has no undo 2"):
            undo_of(room.store, incident, 2)


def test_what_the_incident_did_not_do_cannot_be_chosen(
    firebreak: Firebreak, incident_of: Callable[[Mode, str], str]
) -> None:
    incident = incident_of(Mode.LIVE, "done")
    for words in (("--only", "machine.deallocate:0000000000"), ("--stage", "contain")):
        code, out, _ = firebreak("incidents", "undo", incident, *words, "--json")
        assert code == 1
        assert words[1] in json.loads(out)["error"]["message"]
    code, out, _ = firebreak("incidents", "show", incident, "--json")
    assert json.loads(out)["undo"] == []  # a request that was refused leaves no open undo behind


def test_an_incident_that_is_not_there(firebreak: Firebreak) -> None:
    code, _, err = firebreak("incidents", "undo", "INC-00000000")
    assert code == 1
    assert "INC-00000000" in err


def test_a_second_undo_while_a_run_is_at_it_starts_none(
    firebreak: Firebreak, incident_of: Callable[[Mode, str], str]
) -> None:
    incident = incident_of(Mode.LIVE, "done")
    with engine_room(Settings.load()) as room:
        asked = ask_for_undo(room.store, incident, Undo(number=0, requested_by="grace", asked_at=room.clock()))
        sign(room, incident, f"undo-{asked.number}", "local-another")
    code, out, _ = firebreak("incidents", "undo", incident, "--local", "--json")
    assert code == 3
    assert f"Run local-another is at undo 1 of {incident}" in json.loads(out)["error"]["message"]
    with engine_room(Settings.load()) as room:
        told = who_is_at(room, incident, "undo-1")
        assert told is not None
        assert told[0] == "local-another"  # nobody has taken its place


async def test_a_run_gives_signs_of_life_until_it_ends_and_is_forgotten_when_it_falls_silent(
    incident_of: Callable[[Mode, str], str],
) -> None:
    incident = incident_of(Mode.LIVE, "done")
    with engine_room(Settings.load()) as room:
        async with alive(room, incident, "undo-1", "run-a"):
            told = who_is_at(room, incident, "undo-1")
            assert told is not None
            assert told[0] == "run-a"
        assert who_is_at(room, incident, "undo-1") is None
        long_ago = (room.clock() - timedelta(seconds=SILENT_SECONDS)).isoformat()
        room.store.values.set(incident, "undo-1-alive", {"run": "run-b", "at": long_ago})
        assert who_is_at(room, incident, "undo-1") is None
        async with alive(room, incident, "undo-1", "run-c"):
            sign(room, incident, "undo-1", "run-d")
        told = who_is_at(room, incident, "undo-1")
        assert told is not None
        assert told[0] == "run-d"  # a run that was taken over does not speak for the other


@pytest.mark.parametrize(
    ("state", "ended", "lives", "at_it"),
    [
        ("Suspended", False, False, True),
        ("Scheduled", False, False, True),
        ("Running", False, True, True),
        ("Running", False, False, False),
        ("Pending", False, True, True),
        ("Crashed", True, True, False),
        ("Completed", True, False, False),
    ],
)
def test_which_run_of_an_undo_is_still_at_it(state: str, ended: bool, lives: bool, at_it: bool) -> None:
    assert is_at_it(state, ended=ended, lives=lives) is at_it
