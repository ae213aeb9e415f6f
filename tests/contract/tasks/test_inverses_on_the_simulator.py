"""Inverse actions against the simulated Azure: what stands there now is compared before anything is sent, and a difference is named."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from azure_simulator import build
from azure_simulator.world import World
from firebreak.clients import Connection
from firebreak.execution.looking import why_stale
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, LoadedStep, Target
from tasks.contain.block_creation import DENY, TYPES, _document
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import NOW
from tests.support.inprocess import simulated

SUBSCRIPTION = "/subscriptions/33333333-3333-4333-8333-333333333333"


@pytest.fixture
def world() -> World:
    return build("crypto-mining", seed=7, now=NOW)


def action(step: str, kind: str, target: str, **fields: Any) -> Action:
    given = {"title": f"Remove {kind} from it", "effect": Effect.REVERSIBLE, "reasons": ("For a test.",)} | fields
    return Action(id=action_id(step, kind, target), step=step, kind=kind, target=target, **given)


async def look(one: Action, connection: Connection) -> Target:
    found = load_steps()[one.step].look
    assert found is not None
    return (await found([one], connection.eyes))[one.id]


async def carry_out(one: Action, connection: Connection, world: World) -> Action | NoOp | None:
    """Do it as the engine does, and return the inverse made from what was saved before the write."""
    loaded: LoadedStep = load_steps()[one.step]
    before = await look(one, connection)
    assert not before.already_so, one.kind
    assert not why_stale(one, before), one.kind
    assert loaded.apply is not None
    await loaded.apply(one, connection.hands)
    world.clock.advance(300)
    world.settle()
    assert (await look(one, connection)).already_so, one.kind
    assert loaded.undo is not None
    inverse: Action | NoOp | None = loaded.undo(one, before.prior)
    return inverse


async def undone(one: Action, connection: Connection, world: World) -> Action:
    inverse = await carry_out(one, connection, world)
    assert isinstance(inverse, Action)
    return inverse


def rogue(world: World, kind: str) -> str:
    return next(str(r) for r in world.truth["rogue_compute"] if f"/{kind}/" in str(r))


async def test_a_block_that_somebody_changed_since_is_not_removed(world: World) -> None:
    target = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments/firebreak-inc-1"
    async with simulated(world) as connection:
        block = action("contain.block_creation", DENY, target, params={"document": _document("INC-1", TYPES)})
        inverse = await undone(block, connection, world)
        assert not why_stale(inverse, await look(inverse, connection))
        denied = world.policy_assignments[target]["properties"]["parameters"]["listOfResourceTypesNotAllowed"]
        denied["value"] = ["Microsoft.Compute/virtualMachines"]
        assert "denied is virtualMachines (was".lower() in why_stale(inverse, await look(inverse, connection)).lower()


async def test_a_role_is_given_back_only_to_a_principal_that_still_exists(world: World) -> None:
    target = str(world.truth["rogue_grants"][0])
    row = copy.deepcopy(world.role_assignments[target])
    async with simulated(world) as connection:
        inverse = await undone(action("contain.remove_access", "access.remove", target), connection, world)
        assert not why_stale(inverse, await look(inverse, connection))
        holder = world.principals.pop(row["properties"]["principalId"])
        assert "deleted from the directory" in why_stale(inverse, await look(inverse, connection))
        world.principals[holder.object_id] = holder
        again = await undone(inverse, connection, world)
        restored = world.role_assignments[target]["properties"]
        for name in ("principalId", "roleDefinitionId", "principalType", "scope"):
            assert restored[name] == row["properties"][name]
        assert (again.kind, why_stale(again, await look(again, connection))) == ("access.remove", "")


async def test_a_lock_is_not_placed_over_another_one(world: World) -> None:
    target = str(world.truth["rogue_locks"][0])
    async with simulated(world) as connection:
        inverse = await undone(action("contain.remove_locks", "lock.remove", target), connection, world)
        other = {"id": target, "name": "DoNotDelete", "properties": {"level": "ReadOnly"}}
        world.locks[target] = other
        assert "taken by a lock of level ReadOnly" in why_stale(inverse, await look(inverse, connection))


async def test_only_instances_that_were_running_are_started_again(world: World) -> None:
    target = rogue(world, "virtualMachineScaleSets")
    instances = {key: row for key, row in world.resources.items() if key.lower().startswith(target.lower() + "/")}
    async with simulated(world) as connection:
        listed = await connection.eyes.arm.list(f"{target}/virtualMachines", "2026-04-01")
        first = str(listed[0]["instanceId"])
        await connection.hands.arm.post(f"{target}/deallocate", "2026-04-01", {"instanceIds": [first]})
        world.clock.advance(300)
        world.settle()
        inverse = await undone(
            action("contain.deallocate_scale_sets", "scale_set.deallocate", target), connection, world
        )
        assert first not in inverse.params["instances"]
        assert len(inverse.params["instances"]) == len(listed) - 1
        await undone(inverse, connection, world)
        powers = [t async for t in _powers(target, connection)]
    assert powers.count("running") == len(listed) - 1, instances


async def _powers(target: str, connection: Connection) -> Any:
    for one in await connection.eyes.arm.list(f"{target}/virtualMachines", "2026-04-01", {"$expand": "instanceView"}):
        codes = [s["code"] for s in one["properties"]["instanceView"]["statuses"]]
        yield next(c.split("/")[1] for c in codes if c.startswith("PowerState/"))


async def test_a_machine_that_was_not_running_is_not_started(world: World) -> None:
    target = rogue(world, "virtualMachines")
    async with simulated(world) as connection:
        await connection.hands.arm.post(f"{target}/powerOff", "2026-04-01")
        world.clock.advance(300)
        world.settle()
        inverse = await carry_out(
            action("contain.deallocate_machines", "machine.deallocate", target), connection, world
        )
    assert isinstance(inverse, NoOp)
    assert "was stopped before, not running" in inverse.reason


async def test_a_disk_comes_back_as_it_was_and_not_without_its_snapshot(world: World) -> None:
    step = "eradicate.delete_unattached_disks"
    target, disk = next(
        (key, row)
        for key, row in world.resources.items()
        if row.get("type") == "Microsoft.Compute/disks"
        and row["properties"].get("diskState") == "Unattached"
        and key in {str(one).lower() for one in world.truth["rogue"]}
    )
    disk = copy.deepcopy(disk)
    snapshot = f"{target.rsplit('/', 2)[0]}/snapshots/kept"
    body = {
        "location": disk["location"],
        "properties": {"incremental": True, "creationData": {"createOption": "Copy", "sourceResourceId": target}},
    }
    keep = action(step, "disk.snapshot", target, params={"snapshot": snapshot, "document": body})
    remove = action(step, "disk.delete", target, effect=Effect.IRREVERSIBLE, params={"snapshot": snapshot})
    async with simulated(world) as connection:
        assert isinstance(await carry_out(keep, connection, world), NoOp)
        inverse = await undone(remove, connection, world)
        kept = world.resources.pop(snapshot)
        assert "snapshot is gone (was ready" in why_stale(inverse, await look(inverse, connection))
        world.resources[snapshot] = kept
        stays = await carry_out(inverse, connection, world)
    assert isinstance(stays, NoOp)
    again = world.resources[target]
    for name in ("name", "location", "tags", "zones"):
        assert again.get(name) == disk.get(name), name
    assert again["sku"]["name"] == disk["sku"]["name"]
    assert again["properties"]["diskSizeGB"] == disk["properties"]["diskSizeGB"]
    assert again["properties"].get("osType") == disk["properties"].get("osType")
    assert again["properties"]["creationData"]["sourceResourceId"] == snapshot


async def test_another_disk_of_the_same_name_is_left_alone(world: World) -> None:
    step = "eradicate.delete_unattached_disks"
    target = next(key for key, row in world.resources.items() if row.get("type") == "Microsoft.Compute/disks")
    snapshot = f"{target.rsplit('/', 2)[0]}/snapshots/kept"
    loaded = load_steps()[step]
    assert loaded.undo is not None
    inverse = loaded.undo(
        action(step, "disk.delete", target, params={"snapshot": snapshot}), {"document": {"location": "eastus"}}
    )
    async with simulated(world) as connection:
        assert "taken by another disk" in why_stale(inverse, await look(inverse, connection))


def test_what_has_no_inverse_says_so_before_it_is_approved() -> None:
    """Each changing step either makes an inverse or its actions carry the sentence that the gate shows."""
    for step, loaded in load_steps().items():
        if loaded.step.effect is Effect.REVERSIBLE:
            assert loaded.undo is not None, step
    bare = action(
        "notify.support_ticket", "support.ticket", f"{SUBSCRIPTION}/providers/Microsoft.Support/supportTickets/x"
    )
    undo = load_steps()["notify.support_ticket"].undo
    assert undo is not None
    assert "close it there" in msgspec.convert(undo(bare, {}), NoOp, from_attributes=True).reason
