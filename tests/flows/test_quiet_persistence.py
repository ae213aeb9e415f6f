"""A whole response to an intruder who builds nothing that costs money and everything to come back through."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from azure_simulator import build
from azure_simulator.truth import score
from firebreak.model.mode import Mode
from tests.flows.room_in_process import alert_bytes, engine_room_of, go_on, writes
from tests.support.playbooks import small_playbook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
PLAYBOOK = small_playbook(
    "quiet", hunts=("investigate.footholds",), deletes=("eradicate.remove_footholds", "eradicate.delete_resources")
)


@pytest.mark.parametrize("seed", [7, 23])
def test_nothing_is_left_to_come_back_through_without_an_account(seed: int, tmp_path: Path) -> None:
    world = build("quiet-persistence", seed=seed, now=NOW)
    rogue = [str(one) for one in world.truth["rogue"]]
    kinds = {str(world.resources[one]["type"]) for one in rogue}
    assert {"Microsoft.Automation/automationAccounts", "Microsoft.Logic/workflows"} <= kinds
    own = {key for key, row in world.role_definitions.items() if row["properties"].get("type") == "CustomRole"}
    folder = tmp_path / "home" / "playbooks"
    folder.mkdir(parents=True)
    (folder / "quiet.yaml").write_text(PLAYBOOK)
    with engine_room_of(world, tmp_path / "home") as room:
        opened = room.open(alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake", playbook="quiet")
        ran = go_on(room, world, opened.incident.id)
    assert ran.state == "done", ran.dossier.note
    told = score(world)
    assert told["rogue_left"] == []
    # A disk has one link at a time: where the attacker asked for it, it is ended, whoever else uses it.
    links = {
        row["resourceId"].lower() for row in world.events if "begingetaccess" in row["operationName"]["value"].lower()
    }
    assert [one for one in told["protected_touched"] if one["id"].lower() not in links] == []
    assert all("diskState ActiveSAS -> Unattached" in one["what"] for one in told["protected_touched"])
    left = {key for key, row in world.role_definitions.items() if row["properties"].get("type") == "CustomRole"}
    assert {world.role_definitions[key]["properties"]["roleName"] for key in left} == set()
    assert len(own) == 1
    assert world.truth["rogue_groups"]
    assert not [group for group in world.truth["rogue_groups"] if group in world.groups]
    deleted = [row for row in writes(world) if row.method == "DELETE"]
    assert len(deleted) == len({row.url for row in deleted})
    findings = {finding.id for finding in ran.dossier.findings}
    assert "footholds" in findings
