"""A whole response to an intruder who mines only behind platform services: with real attribution, gates, journal and the reacting attacker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from azure_simulator import build
from azure_simulator.truth import score
from azure_simulator.world import World
from firebreak.engine import EngineRoom
from firebreak.model.mode import Mode
from tests.flows.room_in_process import Ran, alert_bytes, engine_room_of, go_on, writes
from tests.support.platform_attack import COMPUTE, build_everywhere, is_billed
from tests.support.playbooks import small_playbook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


def _playbook(name: str, *deletes: str) -> str:
    return small_playbook(
        name,
        reads=("investigate.platform_compute", "investigate.prices"),
        first=("contain.stop_batch_pools", "contain.stop_machine_learning"),
        stops=("contain.stop_clusters", "contain.stop_container_groups", "contain.stop_apps"),
        deletes=deletes,
    )


PLAYBOOKS = {"platform": _playbook("platform", "eradicate.delete_resources"), "stops": _playbook("stops")}


@dataclass
class Attacked:
    world: World
    room: EngineRoom
    made: dict[str, str]

    def respond(self, playbook: str) -> Ran:
        opened = self.room.open(
            alert_bytes(self.world), place="test", mode=Mode.LIVE, requested_by="intake", playbook=playbook
        )
        return go_on(self.room, self.world, opened.incident.id)


@pytest.fixture
def attacked(tmp_path: Path) -> Iterator[Attacked]:
    world = build("quiet-persistence", seed=7, now=NOW - timedelta(hours=4))
    thief = world.truth["attackers"][0]
    made = build_everywhere(
        world, thief["principal_id"], "rg-render-farm", region=world.truth["regions"][0], address=thief["addresses"][0]
    )
    world.clock.advance((NOW - world.clock.now()).total_seconds())
    world.settle()
    world.truth["rogue"] += list(made.values())
    world.truth["rogue_compute"] += [made[name] for name in COMPUTE]
    folder = tmp_path / "home" / "playbooks"
    folder.mkdir(parents=True)
    for name, text in PLAYBOOKS.items():
        (folder / f"{name}.yaml").write_text(text)
    with engine_room_of(world, tmp_path / "home") as room:
        yield Attacked(world, room, made)


@pytest.mark.parametrize("playbook", ["platform", "platform-compute"])
def test_a_miner_behind_platform_services_is_stopped_deleted_and_does_not_come_back(
    attacked: Attacked, playbook: str
) -> None:
    world = attacked.world
    ran = attacked.respond(playbook)
    assert ran.state == "done", ran.dossier.note
    for _ in range(6):
        world.clock.advance(600)
        world.settle()
    told = score(world)
    assert told["rogue_running"] == []
    assert [one for one in told["protected_touched"] if "nic" not in one["id"]] == []
    assert told["legitimate_stopped"] == []
    kinds = {row.action.kind for row in ran.dossier.actions if row.is_good}
    assert {
        "batch_pool.scale_to_zero",
        "ml_cluster.scale_to_zero",
        "cluster.stop",
        "container_group.stop",
        "site.stop",
    } <= kinds
    stopped = [row for row in writes(world) if row.url.split("?")[0].endswith(("/stop", "/pools/frames"))]
    assert all("rg-render-farm" in row.url for row in stopped)
    left = [name for name in COMPUTE if is_billed(world, attacked.made[name])]
    assert left == []


def test_a_run_is_not_done_while_the_plan_under_a_stopped_app_is_billed(attacked: Attacked) -> None:
    ran = attacked.respond("stops")
    assert ran.state == "failed"
    assert "still runs and is billed (1)" in ran.dossier.note
    assert ran.dossier.still_running == (attacked.made["asp-render"],)
    assert [name for name in COMPUTE if is_billed(attacked.world, attacked.made[name])] == ["asp-render"]
