"""Lists of Azure lag behind. What was done in the incident is read alone, so that no later plan, cost or proof rests on an old list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from azure_simulator.app import call_as, empty_world
from azure_simulator.world import World
from firebreak.model.alert import Alert
from firebreak.model.case import Case
from firebreak.model.plan import Action, action_id
from firebreak.model.step import Effect
from tasks.arm import COMPUTE, DISKS, NETWORK
from tasks.investigate import inventory, unattached_disks
from tasks.removal import RESOURCE
from tasks.removed import look_at_removals
from tests.steps.investigation import incident_for, playbook_with
from tests.support.inprocess import sent, simulated, subscription_of
from tests.torture.scene import NOW

LAG = 600
DISK = {"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
MACHINE = {"location": "westeurope", "properties": {"hardwareProfile": {"vmSize": "Standard_D2s_v5"}}}
NETWORK_BODY = {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}


class Late:
    """A small cloud whose lists show it as it was before everything that is done here."""

    def __init__(self) -> None:
        self.world: World = empty_world(NOW)
        self.owner = next(p.object_id for p in self.world.principals.values() if p.kind == "User")
        self.group = f"/subscriptions/{subscription_of(self.world)}/resourceGroups/rg-rogue"
        self.do("PUT", self.group, "2025-04-01", {"location": "westeurope"})
        for number in (1, 2):
            self.do("PUT", self.machine(number), COMPUTE, MACHINE)
            self.do("PUT", self.disk(number), DISKS, DISK)
            self.do("PUT", self.network(number), NETWORK, NETWORK_BODY)
        self.world.list_lag_seconds = LAG
        self.world.note_changes()
        self.world.clock.advance(2 * LAG)

    def machine(self, number: int) -> str:
        return f"{self.group}/providers/Microsoft.Compute/virtualMachines/vm-{number}"

    def disk(self, number: int) -> str:
        return f"{self.group}/providers/Microsoft.Compute/disks/disk-{number}"

    def network(self, number: int) -> str:
        return f"{self.group}/providers/Microsoft.Network/virtualNetworks/net-{number}"

    def do(self, method: str, path: str, version: str, body: Any = None) -> None:
        answer = call_as(self.world, self.owner, method, f"{path}?api-version={version}", body)
        assert answer.status < 300, answer.body
        self.world.clock.advance(10)
        self.world.settle()

    def case(self, changed: Mapping[str, str]) -> Case:
        alert = Alert(
            id="a",
            source="file",
            type="cryptoMining",
            title="Late",
            severity="high",
            subscription_id=subscription_of(self.world),
            customer_tenant_id=self.world.tenant_id,
            detected_at=NOW - timedelta(hours=1),
        )
        return Case(
            incident=incident_for(alert, NOW),
            playbook=playbook_with(),
            now=NOW,
            facts={},
            changed={target.lower(): frozenset({kind}) for target, kind in changed.items()},
        )

    async def asked_alone(self, path: str) -> bool:
        return any(url.split("?")[0].lower().startswith(path.lower()) for _, url in sent(self.world, "GET"))


@pytest.fixture
def late() -> Late:
    return Late()


async def test_a_machine_that_was_deallocated_is_not_counted_as_running_by_a_late_list(late: Late) -> None:
    late.do("POST", f"{late.machine(1)}/deallocate", COMPUTE)
    async with simulated(late.world) as connection:
        facts = await inventory.collect(connection.eyes, late.case({late.machine(1): "machine.deallocate"}))
        blind = await inventory.collect(connection.eyes, late.case({}))
    assert {m.name: m.power for m in blind.machines} == {"vm-1": "running", "vm-2": "running"}, "the list is late"
    assert {m.name: m.power for m in facts.machines} == {"vm-1": "deallocated", "vm-2": "running"}


async def test_a_list_that_agrees_with_what_was_done_costs_no_further_reads(late: Late) -> None:
    late.do("POST", f"{late.machine(1)}/deallocate", COMPUTE)
    late.world.list_lag_seconds = 0
    async with simulated(late.world) as connection:
        facts = await inventory.collect(connection.eyes, late.case({late.machine(1): "machine.deallocate"}))
    assert {m.name: m.power for m in facts.machines} == {"vm-1": "deallocated", "vm-2": "running"}
    assert not await late.asked_alone(late.machine(1))


async def test_what_was_deleted_is_gone_though_lists_still_show_it(late: Late) -> None:
    late.do("DELETE", late.machine(1), COMPUTE)
    late.do("DELETE", late.disk(1), DISKS)
    late.do("DELETE", late.network(1), NETWORK)
    changed = {
        late.machine(1): "machine.delete",
        late.disk(1): "disk.delete",
        late.network(1): "resource.delete",
        late.network(2): "resource.delete",  # told as deleted, and made again since
    }
    async with simulated(late.world) as connection:
        facts = await inventory.collect(connection.eyes, late.case(changed))
        disks = await unattached_disks.collect(connection.eyes, late.case(changed))
    names = {r.name for r in facts.resources}
    assert {m.name for m in facts.machines} == {"vm-2"}
    assert not names & {"vm-1", "disk-1", "net-1"}
    assert {"vm-2", "disk-2", "net-2"} <= names
    assert [d.name for d in disks.disks if d.name.startswith("disk-")] == ["disk-2"]


async def test_a_deleted_resource_is_seen_as_gone_when_it_is_looked_at_alone(late: Late) -> None:
    actions = [removal_of(late.network(number)) for number in (1, 2)]
    late.do("DELETE", late.network(1), NETWORK)
    async with simulated(late.world) as connection:
        found = await look_at_removals(actions, connection.eyes)
    assert [found[action.id].already_so for action in actions] == [True, False]
    assert found[actions[1].id].fingerprint["createdTime"]


async def test_a_resource_that_a_late_list_does_not_show_yet_is_not_taken_for_gone(late: Late) -> None:
    late.do("PUT", late.network(3), NETWORK, NETWORK_BODY)
    action = removal_of(late.network(3))
    async with simulated(late.world) as connection:
        target = (await look_at_removals([action], connection.eyes))[action.id]
    assert (target.exists, target.already_so) == (True, False)


def removal_of(target: str) -> Action:
    return Action(
        id=action_id("eradicate.delete_resources", RESOURCE, target),
        step="eradicate.delete_resources",
        kind=RESOURCE,
        target=target,
        title="Delete a network",
        effect=Effect.IRREVERSIBLE,
        reasons=("Test.",),
        params={"type": "microsoft.network/virtualnetworks"},
    )
