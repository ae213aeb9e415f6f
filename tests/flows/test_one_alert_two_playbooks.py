"""One alert under two playbooks: both are carried out, and a check that a person starts swallows no alert."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from azure_simulator.world import World
from firebreak.engine import EngineRoom
from firebreak.engine.room import Opened
from firebreak.model.mode import Mode
from tests.flows.room_in_process import engine_room_of, go_on, writes
from tests.flows.test_hardening_run import alert_of
from tests.support.hardened import P2, bare_world


def _mining(world: World, name: str = "harden-1") -> bytes:
    return json.dumps({**json.loads(alert_of(world)), "id": name, "type": "cryptoMining"}).encode()


def _open(room: EngineRoom, raw: bytes, playbook: str = "", *, joins: bool = False, mode: Mode = Mode.LIVE) -> Opened:
    return room.open(raw, place="test", mode=mode, requested_by="intake", playbook=playbook, joins=joins)


@pytest.fixture
def world() -> World:
    made = bare_world(*P2)
    made.directory_rules = False
    return made


def test_a_second_playbook_is_carried_out_beside_the_first(world: World, tmp_path: Path) -> None:
    with engine_room_of(world, tmp_path / "home") as room:
        first = _open(room, _mining(world), joins=True)
        assert first.incident.playbook == "compromised-subscription"
        second = _open(room, _mining(world), "harden-subscription")
        assert (second.is_new, second.beside) == (True, first.incident.id)
        assert second.incident.case != first.incident.case
        done = go_on(room, world, second.incident.id, decide=lambda _: "approve")
        assert done.state == "done", done.json["note"]
        assert [row for row in writes(world) if "activityLogAlerts" in row.url]
        # However often it is asked for, it stays one; and a delivery of the alert finds its own incident.
        assert _open(room, _mining(world), "harden-subscription").incident.id == second.incident.id
        assert not _open(room, _mining(world), "harden-subscription").is_new
        assert _open(room, _mining(world), joins=True).incident.id == first.incident.id


def test_a_check_that_was_started_first_swallows_no_alert(world: World, tmp_path: Path) -> None:
    with engine_room_of(world, tmp_path / "home") as room:
        check = _open(room, _mining(world), "harden-subscription")
        assert check.is_new
        delivered = _open(room, _mining(world), joins=True)
        assert (delivered.is_new, delivered.incident.playbook) == (True, "compromised-subscription")
        assert delivered.incident.id != check.incident.id
        joined = _open(room, _mining(world, "another"), joins=True)
        assert (joined.is_joined, joined.incident.id) == (True, delivered.incident.id)


def test_a_review_that_finds_a_compromise_is_answered_by_the_response(world: World, tmp_path: Path) -> None:
    with engine_room_of(world, tmp_path / "home") as room:
        review = _open(room, alert_of(world), joins=True)
        assert review.incident.playbook == "review-subscription"
        response = _open(room, alert_of(world), "compromised-subscription")
        assert (response.is_new, response.beside) == (True, review.incident.id)
        dry = _open(room, alert_of(world), "compromised-subscription", mode=Mode.DRY_RUN)
        assert dry.incident.case == response.incident.case
