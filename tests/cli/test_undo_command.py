"""`firebreak incidents undo` without a cloud: what has nothing to undo, what is refused before anything is sent, what the exit codes say."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from firebreak.cli.main import main
from firebreak.cli.rooms import engine_room
from firebreak.engine import Undo
from firebreak.engine.undos import ask_for_undo, save_undo, undo_of
from firebreak.errors import ContentError
from firebreak.model.mode import Mode
from firebreak.settings import Settings
from tests.flows.room_in_process import alert_bytes
from tests.support.inprocess import settings_for

Firebreak = Callable[..., tuple[int, str, str]]


@pytest.fixture
def firebreak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firebreak:
    monkeypatch.setenv("FIREBREAK_HOME", str(tmp_path / "home"))

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["firebreak", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


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
