"""An identity that may only read: the investigation works, the gate says what is missing, and a run that changed nothing is not "done"."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from azure_simulator import build
from azure_simulator.services.authorization import builtin
from azure_simulator.truth import score
from azure_simulator.world import World
from firebreak.model.facts import Class
from tests.flows.room_in_process import alert_bytes, engine_room_of, go_on, respond_in, writes
from tests.support.inprocess import responder


def give(world: World, role: str) -> None:
    """Let the acting identity have exactly this role wherever it has one."""
    for row in world.role_assignments.values():
        if row["properties"]["principalId"] == responder(world).object_id:
            scope = str(row["properties"]["scope"])
            row["properties"]["roleDefinitionId"] = builtin.role_id(role, scope.split("/")[2])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_identity_without_rights_is_told_so_the_run_fails_and_a_later_one_tries_again(tmp_path: Path) -> None:
    world = build("service-principal-abuse", seed=7, now=datetime(2026, 11, 20, 3, tzinfo=UTC))
    give(world, builtin.READER)
    kept = len(world.truth["rogue_compute"])
    with engine_room_of(world, tmp_path) as room:
        ran = respond_in(room, world, alert_bytes(world))
        row = room.store.incidents.row(ran.incident)
        refused, running = writes(world), score(world)["rogue_running"]
        give(world, builtin.OWNER)
        world.clock.advance(120)  # the codes of the first run are used up
        second = go_on(room, world, ran.incident)
    # The gate about accounts comes first and lacks nothing: the directory asks for other rights.
    page = next(question.page for question in ran.runtime.asked if question.view.stage == "contain")
    assert "Not allowed now" in page
    assert "Microsoft.Compute/virtualMachines/deallocate/action" in page
    assert "Microsoft.Authorization/policyAssignments/write" in page
    assert ran.dossier.attribution is not None
    found = {j.id.lower() for j in ran.dossier.attribution.resources if j.cls is Class.ATTACKER}
    assert {identity.lower() for identity in world.truth["rogue_compute"]} <= found
    # Graph asks for other rights, and has them.
    assert {write.status for write in refused if "/graph/" not in write.url} == {403}
    assert len(running) == kept
    stops = [action for action in ran.json["actions"] if action["kind"].endswith(".deallocate")]
    assert {action["state"] for action in stops if action["stage"] == "contain"} == {"failed"}
    assert all("403" in action["reason"] for action in stops)
    assert (ran.state, row.state) == ("failed", "failed")
    assert "still runs and is billed" in row.note

    # With the rights granted, a further run asks anew and carries it out.
    assert second.state == "done"
    assert score(world)["rogue_running"] == []
    assert score(world)["protected_touched"] == []
