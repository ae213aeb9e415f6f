"""What cannot be read or planned about accounts is said, asks nobody, and lets the response go on to the compute."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from azure_simulator import build
from azure_simulator.faults import Fault
from azure_simulator.truth import score
from azure_simulator.world import World
from firebreak.engine import EngineRoom
from firebreak.errors import ResponseError
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.intrusion import Intrusion
from firebreak.model.mode import Mode
from tests.flows.room_in_process import Ran, alert_bytes, engine_room_of, go_on, writes
from tests.support.playbooks import small_playbook

pytestmark = pytest.mark.timeout(420)
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
REFUSED = Fault(kind="status", url="/graph/", status=403, code="Authorization_RequestDenied")


def playbook(name: str, *hunts: str) -> str:
    """Accounts first, at a gate that may be skipped; then as in every small playbook."""
    book = json.loads(small_playbook(name, hunts=hunts))
    doors = {
        "id": "close-doors",
        "title": "Close the accounts",
        "gate": "identities",
        "steps": ["contain.block_sign_in"],
    }
    book["stages"].insert(1, doors)
    book["gates"]["identities"] = {
        "title": "Close them?", "approvers": ["responder", "lead"], "optional": True, "expires_after": "1h"
    }  # fmt: skip
    return json.dumps(book)


def respond(room: EngineRoom, world: World, home: Path, texts: Mapping[str, str], name: str) -> Ran:
    folder = home / "playbooks"
    folder.mkdir(parents=True, exist_ok=True)
    for each, text in texts.items():
        (folder / f"{each}.yaml").write_text(text)
    opened = room.open(alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake", playbook=name)
    return go_on(room, world, opened.incident.id)


def test_without_rights_in_graph_the_machines_are_stopped_all_the_same(tmp_path: Path) -> None:
    world = build("crypto-mining", seed=7, now=NOW)
    world.faults.append(REFUSED)
    with engine_room_of(world, tmp_path) as room:
        ran = respond(room, world, tmp_path, {"small": playbook("small", "investigate.intruders")}, "small")
    assert ran.state == "done"
    assert "close-doors" not in {one.view.stage for one in ran.runtime.asked}
    (said,) = [text for text in ran.runtime.said if text.startswith("Close the accounts: ")]
    assert "nothing to do in what could be read; not looked at: " in said
    assert [row for row in writes(world) if "/graph/" in row.url] == []
    assert score(world)["rogue_running"] == []


@pytest.mark.slow
def test_where_nothing_can_be_planned_about_accounts_the_reason_is_left_to_people(tmp_path: Path) -> None:
    async def collect(eyes: Eyes, case: Case) -> Intrusion:
        raise ResponseError("The directory answered in a way that nobody foresaw.")

    world, name = build("crypto-mining", seed=7, now=NOW), "investigate.intruders"
    with engine_room_of(world, tmp_path) as room:
        broken = msgspec.structs.replace(room.steps[name], collect=collect)
        blind = replace(room, steps={**room.steps, name: broken})
        ran = respond(blind, world, tmp_path, {"small": playbook("small", name)}, "small")
    assert ran.state == "done"
    (said,) = [text for text in ran.runtime.said if text.startswith("Close the accounts: ")]
    assert "could not be planned, nothing was changed" in said
    assert any("contain.block_sign_in" in problem for plan in ran.dossier.plans for problem in plan.problems)
    assert score(world)["rogue_running"] == []
