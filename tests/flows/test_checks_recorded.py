"""Checks of the partner and of a subscription, exported: verified offline, replayed without a socket to the same plans, the same checks and the same reasons."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from azure_simulator import build
from firebreak.bundle import contents_of, open_bundle, write_bundle
from firebreak.engine import EngineRoom
from firebreak.model.mode import Mode
from tests.flows.room_in_process import Ran, engine_room_of, go_on
from tests.flows.test_hardening_run import alert_of
from tests.support.console import calling
from tests.support.hardened import P2, bare_world
from tests.support.partner_check import check_in, partner_room
from tests.support.recorded import files_in

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
Firebreak = Callable[..., tuple[int, str]]


def _exported(room: EngineRoom, ran: Ran, folder: Path) -> Path:
    return write_bundle(contents_of(room.store, room.evidence, room.audit, ran.incident), folder / "bundle.zip")


def _posture(folder: Path) -> tuple[Path, Ran]:
    world = copy.deepcopy(build("crypto-mining", seed=7, now=NOW))
    world.fill()
    with partner_room(world, folder / "home") as room:
        ran = check_in(room, world, mode=Mode.LIVE).ran
        return _exported(room, ran, folder), ran


def _hardening(folder: Path) -> tuple[Path, Ran]:
    world = bare_world(*P2)
    world.directory_rules = False
    with engine_room_of(world, folder / "home") as room:
        opened = room.open(
            alert_of(world), place="test", mode=Mode.LIVE, requested_by="intake", playbook="harden-subscription"
        )
        ran = go_on(room, world, opened.incident.id, decide=lambda _: "approve")
        return _exported(room, ran, folder), ran


@pytest.fixture(scope="module", params=["posture", "hardening"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    folder = tmp_path_factory.mktemp(request.param)
    return _posture(folder) if request.param == "posture" else _hardening(folder)


@pytest.fixture
def firebreak(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firebreak:
    """The command line, with a network that cannot be used."""

    def refuse(*_: object) -> None:
        raise AssertionError("a socket was used")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(f"socket.socket.{name}", refuse)
    call = calling(monkeypatch, capsys)
    return lambda *words: call(*words)[:2]


def test_a_check_is_verified_and_one_changed_byte_is_found(
    recorded: tuple[Path, Ran], firebreak: Firebreak, tmp_path: Path
) -> None:
    bundle, ran = recorded
    assert open_bundle(bundle).verify().records > 0
    code, said = firebreak("incidents", "verify", bundle)
    assert code == 0, said
    files = files_in(bundle)
    files["audit.jsonl"] = files["audit.jsonl"].replace(ran.incident.encode(), b"INC-ffffffff", 1)
    spoiled = tmp_path / "spoiled"
    for name, body in files.items():
        place = spoiled / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
    code, said = firebreak("incidents", "verify", spoiled)
    assert code != 0, said


def test_a_check_is_replayed_to_the_same_plans_and_checks(recorded: tuple[Path, Ran], firebreak: Firebreak) -> None:
    bundle, ran = recorded
    code, out = firebreak("replay", bundle, "--json")
    told = json.loads(out)
    assert (code, told["changed"], told["not_recorded"]) == (0, False, [])
    assert {p["digest"] for p in told["plans"]} == {plan.digest for plan in ran.dossier.plans}
    assert {change["state"] for change in told["diff"]} <= {"same"}
    before = json.loads(Path(ran.dossier.report_files["json"]).read_text(encoding="utf-8"))
    assert before["checks"]
    was, now = ({c["id"]: (c["status"], c["reason"]) for c in one["checks"]} for one in (before, told))
    assert was.keys() == now.keys()
    # Partner Center says it in a header, and of an answer its body is kept: the replay says that it was not seen, and so does the sum over it.
    differs = {one for one in was if was[one] != now[one]}
    assert differs <= {"own-second-factor", "ready"}
    assert {now[one][0] for one in differs} <= {"not looked at", "fail"}
