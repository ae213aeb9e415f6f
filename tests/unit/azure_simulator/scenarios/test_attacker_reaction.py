"""The attacker comes back as long as a way in is left, and only then. What they try goes through the simulated control plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure_simulator import truth
from azure_simulator.app import call_as
from azure_simulator.world import Document, Principal, World

Fresh = Callable[[str], World]
COMPUTE = "api-version=2024-07-01"
NOT_ALLOWED_TYPES = "/providers/Microsoft.Authorization/policyDefinitions/6c112d4e-5bc7-47ae-a041-ea2d9dccd749"


def responder(world: World) -> Principal:
    return next(p for p in world.principals.values() if p.name == "firebreak-responder")


def act(world: World, method: str, path: str, body: Any = None) -> int:
    return call_as(world, responder(world).object_id, method, path, body, address="198.51.100.9").status


def wait(world: World, seconds: float) -> None:
    for _ in range(4):
        world.clock.advance(seconds / 4)
        world.settle()


def machines(world: World) -> list[str]:
    return [i for i in world.truth["rogue_compute"] if "/virtualMachines/" in i]


def stop(world: World, identity: str) -> None:
    assert act(world, "POST", f"{identity}/deallocate?{COMPUTE}") == 202
    wait(world, 8)


def tried(world: World, since: int) -> list[Document]:
    names = ("Microsoft.Compute/virtualMachines/write", "Microsoft.Network/networkInterfaces/write")
    return [row for row in world.events[since:] if row["operationName"]["value"] in names]


def test_a_stopped_machine_comes_back_under_a_new_name_within_a_minute(fresh: Fresh) -> None:
    world = fresh("crypto-mining")
    victim = machines(world)[0]
    before = truth.score(world)
    stop(world, victim)
    wait(world, 70)
    after = truth.score(world)
    (comeback,) = after["comebacks"]
    assert comeback["instead_of"] == victim
    assert comeback["id"] != victim
    assert world.resources[comeback["id"]]["location"] == world.resources[victim]["location"]
    assert len(after["rogue_running"]) == len(before["rogue_running"])
    assert after["rogue_deallocated"] == [victim]
    assert after["rogue_total"] == before["rogue_total"] + 3  # machine, interface, disk


def test_machines_stopped_together_all_come_back(fresh: Fresh) -> None:
    world = fresh("crypto-mining")
    together = machines(world)[:5]
    for identity in together:
        assert act(world, "POST", f"{identity}/deallocate?{COMPUTE}") == 202
    wait(world, 80)
    assert sorted(row["instead_of"] for row in world.truth["comebacks"]) == sorted(together)


def test_a_deleted_machine_comes_back_too(fresh: Fresh) -> None:
    world = fresh("crypto-mining")
    victim = next(i for i in machines(world) if "/virtualMachines/" in i and not _locked(world, i))
    assert act(world, "DELETE", f"{victim}?{COMPUTE}") == 202
    wait(world, 80)
    assert [row["instead_of"] for row in world.truth["comebacks"]] == [victim]


def test_nobody_comes_back_once_role_and_session_are_gone(fresh: Fresh) -> None:
    world = fresh("crypto-mining")
    assert act(world, "DELETE", f"{world.truth['rogue_grants'][0]}?api-version=2022-04-01") == 200
    thief = next(row for row in world.truth["attackers"] if row["kind"] == "stolen")
    world.principals[thief["principal_id"]].sessions_revoked_at = world.clock.now()
    since = len(world.events)
    stop(world, machines(world)[0])
    wait(world, 70)
    assert world.truth["comebacks"] == []
    attempts = tried(world, since)
    assert {row["status"]["value"] for row in attempts} == {"Started", "Failed"}  # the guest tries and is refused
    assert {row["caller"] for row in attempts} == {
        row["caller"] for row in world.truth["attackers"] if row["kind"] == "created"
    }
    assert truth.score(world)["attacker_access_left"] == []


def test_the_stolen_session_is_a_way_in_of_its_own(fresh: Fresh) -> None:
    world = fresh("crypto-mining")
    assert act(world, "DELETE", f"{world.truth['rogue_grants'][0]}?api-version=2022-04-01") == 200
    stop(world, machines(world)[0])
    wait(world, 70)
    thief = next(row for row in world.truth["attackers"] if row["kind"] == "stolen")
    assert [row["by"] for row in world.truth["comebacks"]] == [thief["caller"]]


def test_a_policy_that_denies_machines_stops_the_comeback_and_leaves_nothing_behind(fresh: Fresh) -> None:
    world = fresh("crypto-mining")
    subscription = next(iter(world.subscriptions.values()))["id"]
    body = {
        "properties": {
            "displayName": "no compute",
            "policyDefinitionId": NOT_ALLOWED_TYPES,
            "parameters": {"listOfResourceTypesNotAllowed": {"value": ["Microsoft.Compute/virtualMachines"]}},
        }
    }
    path = f"{subscription}/providers/Microsoft.Authorization/policyAssignments/deny?api-version=2022-06-01"
    assert act(world, "PUT", path, body) == 201
    before = truth.score(world)
    since = len(world.events)
    stop(world, machines(world)[0])
    wait(world, 70)
    after = truth.score(world)
    assert after["comebacks"] == []
    assert after["rogue_total"] == before["rogue_total"]
    refused = [row for row in tried(world, since) if row["status"]["value"] == "Failed"]
    assert {row["operationName"]["value"] for row in refused} == {"Microsoft.Compute/virtualMachines/write"}


def test_quota_that_is_used_up_stops_the_comeback(fresh: Fresh) -> None:
    world = fresh("crypto-mining")
    for row in world.quotas.values():
        row["limit"] = 0
    stop(world, machines(world)[0])
    wait(world, 70)
    assert world.truth["comebacks"] == []


def test_a_leaked_secret_is_a_way_in_until_it_is_removed(fresh: Fresh) -> None:
    world = fresh("service-principal-abuse")
    (thief,) = world.truth["attackers"]
    first, second = machines(world)[:2]
    stop(world, first)
    wait(world, 70)
    assert len(world.truth["comebacks"]) == 1
    world.principals[thief["principal_id"]].secrets.clear()
    since = len(world.events)
    stop(world, second)
    wait(world, 70)
    assert len(world.truth["comebacks"]) == 1
    assert tried(world, since) == []  # who cannot sign in leaves no trace in the activity log
    assert truth.score(world)["attacker_access_left"] == []


def test_autoscale_restores_its_scale_set_and_the_attacker_need_not(fresh: Fresh) -> None:
    world = fresh("crypto-mining")
    (scale_set,) = [i for i in world.truth["rogue_compute"] if "virtualMachineScaleSets" in i]
    assert act(world, "POST", f"{scale_set}/deallocate?{COMPUTE}") == 202
    wait(world, 70)
    assert scale_set in truth.score(world)["rogue_deallocated"]
    wait(world, 600)
    after = truth.score(world)
    assert scale_set in after["rogue_running"]
    assert after["comebacks"] == []


def test_stopping_what_is_legitimate_wakes_nobody(fresh: Fresh) -> None:
    world = fresh("crypto-mining")
    rogue = {i.lower() for i in world.truth["rogue"]}
    own = next(
        row["id"]
        for row in world.resources.of_type("Microsoft.Compute/virtualMachines")
        if row["id"].lower() not in rogue and row["_power"] == "running"
    )
    stop(world, own)
    wait(world, 70)
    assert world.truth["comebacks"] == []


def _locked(world: World, identity: str) -> bool:
    return any(identity.lower().startswith(key.split("/providers/")[0].lower() + "/") for key in world.locks)
