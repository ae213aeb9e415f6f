"""The score: nothing legitimate changes unseen, and removing what is the attacker's is no offence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from azure_simulator import truth
from azure_simulator.app import call_as
from azure_simulator.scenarios import SCENARIOS
from azure_simulator.world import Principal, World

Worlds = Callable[..., World]


def responder(world: World) -> Principal:
    return next(p for p in world.principals.values() if p.name == "firebreak-responder")


def legitimate(world: World, kind: str) -> str:
    rogue = {i.lower() for i in world.truth["rogue"]}
    return next(
        str(row["id"])
        for row in world.resources.of_type(kind)
        if row["id"].lower() not in rogue and row.get("_power", "running") == "running"
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_untouched_world_has_nothing_touched(name: str, read_only: Worlds) -> None:
    result = truth.score(read_only(name))
    assert result["protected_touched"] == []
    assert result["legitimate_stopped"] == []
    assert result["rogue_deleted"] == []
    assert result["rogue_deallocated"] == []
    assert len(result["rogue_running"]) == result["rogue_compute_total"]
    assert result["verdict"] == ("legitimate" if name == "false-alarm" else "fraud")


def test_every_touch_of_something_legitimate_is_named(fresh: Worlds) -> None:
    world = fresh("crypto-mining")
    machine = legitimate(world, "Microsoft.Compute/virtualMachines")
    disk = legitimate(world, "Microsoft.Compute/disks")
    lock = next(key for key in world.locks if key not in {i.lower() for i in world.truth["rogue_locks"]})
    policy = next(iter(world.policy_assignments))
    owners = [row for row in world.role_assignments.values() if row["properties"]["principalType"] == "ForeignGroup"]
    blob = next(iter(world.blobs))
    world.resources[machine]["_power"] = "deallocated"
    world.resources[disk].setdefault("tags", {})["touched"] = "yes"
    del world.locks[lock], world.policy_assignments[policy], world.role_assignments[owners[0]["id"]], world.blobs[blob]
    victim = next(p for p in world.principals.values() if p.name == "Emergency Access 1")
    victim.enabled = False
    result = truth.score(world)
    touched = {row["id"].lower(): row["what"] for row in result["protected_touched"]}
    assert touched[machine.lower()].startswith("resource changed: _power running -> deallocated")
    assert "tags.touched" in touched[disk.lower()]
    assert touched[lock] == "lock is gone"
    assert touched[policy] == "policy assignment is gone"
    assert touched[owners[0]["id"].lower()] == "role assignment is gone"
    assert touched[blob] == "blob is gone"
    assert touched[victim.object_id] == "principal changed: enabled True -> False"
    assert result["legitimate_stopped"] == [machine]
    assert len(touched) == 7


def test_containing_the_attack_touches_nothing_protected(fresh: Worlds) -> None:
    world = fresh("crypto-mining")
    me = responder(world).object_id
    stolen = next(row for row in world.truth["attackers"] if row["kind"] == "stolen")
    world.principals[stolen["principal_id"]].sessions_revoked_at = world.clock.now()
    for row in world.role_assignments.values():
        if row["properties"]["principalId"] in {a["principal_id"] for a in world.truth["attackers"]}:
            assert call_as(world, me, "DELETE", f"{row['id']}?api-version=2022-04-01").status == 200
    for lock in world.truth["rogue_locks"]:
        assert call_as(world, me, "DELETE", f"{lock}?api-version=2020-05-01").status in (200, 204)
    for identity in world.truth["rogue_compute"]:
        assert call_as(world, me, "DELETE", f"{identity}?api-version=2024-07-01").status == 202
    world.clock.advance(120)
    result = truth.score(world)
    assert result["rogue_running"] == []
    assert set(world.truth["rogue_compute"]) <= set(result["rogue_deleted"])
    assert result["protected_touched"] == []
    assert result["attacker_access_left"] == []
    assert any(
        "/disks/" in identity for identity in result["rogue_left"]
    )  # deleteOption Detach: still there, still costing


def test_what_a_simulated_colleague_does_can_be_forgiven(fresh: Worlds) -> None:
    world = fresh("false-alarm")
    machine = legitimate(world, "Microsoft.Compute/virtualMachines")
    world.resources[machine]["_power"] = "deallocated"
    assert truth.score(world)["protected_touched"]
    truth.forgive(world, machine)
    assert truth.score(world)["protected_touched"] == []


def test_a_machine_that_is_only_powered_off_still_counts_as_running(fresh: Worlds) -> None:
    world = fresh("crypto-mining")
    identity = world.truth["rogue_compute"][0]
    world.resources[identity]["_power"] = "stopped"
    assert identity in truth.score(world)["rogue_running"]
