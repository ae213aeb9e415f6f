"""The unmodified azure-mgmt-compute client against the embedded Azure over TLS: what it accepts is what nobody here wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity.aio import ClientSecretCredential
from azure.mgmt.compute.aio import ComputeManagementClient

from azure_simulator.app import empty_world
from azure_simulator.clock import Clock
from azure_simulator.faults import Fault
from azure_simulator.server import Running, serve
from azure_simulator.world import World

REGION = "westeurope"


@dataclass
class Azure:
    """A running simulator and a client signed in to it as the responder."""

    world: World
    compute: ComputeManagementClient
    server: Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    world = empty_world(datetime(2026, 11, 20, 3, tzinfo=UTC), 11)
    world.clock = Clock(world.clock.now(), real_time=True)
    with serve(world, 0, Path(tmp_path_factory.mktemp("azure")), throttling=False) as running:
        yield running


@pytest.fixture
async def azure(server: Running) -> AsyncIterator[Azure]:
    world = server.world
    world.resources.clear()
    world.requests.clear()
    world.operation_seconds = 0.2
    subscription = next(iter(world.subscriptions.values()))["subscriptionId"]
    group = f"/subscriptions/{subscription}/resourceGroups/rg1"
    world.groups[group] = {
        "id": group,
        "name": "rg1",
        "location": REGION,
        "properties": {"provisioningState": "Succeeded"},
    }
    app = next(p for p in world.principals.values() if p.kind == "ServicePrincipal")
    credential = ClientSecretCredential(
        world.tenant_id,
        app.app_id,
        app.secrets[0],
        authority=server.base_url,
        disable_instance_discovery=True,
        connection_verify=server.ca_bundle,
    )
    compute = ComputeManagementClient(
        credential,
        subscription,
        base_url=server.base_url,
        credential_scopes=["https://management.azure.com/.default"],
        connection_verify=server.ca_bundle,
        polling_interval=0.05,
    )
    async with credential, compute:
        yield Azure(world, compute, server)


def machine(size: str = "Standard_D2s_v5") -> dict[str, object]:
    return {
        "location": REGION,
        "properties": {
            "hardwareProfile": {"vmSize": size},
            "storageProfile": {
                "imageReference": {
                    "publisher": "Canonical",
                    "offer": "ubuntu-24_04-lts",
                    "sku": "server",
                    "version": "latest",
                },
                "osDisk": {"createOption": "FromImage"},
            },
            "osProfile": {"computerName": "vm", "adminUsername": "azureuser"},
        },
    }


async def create(azure: Azure, name: str) -> str:
    made = await (await azure.compute.virtual_machines.begin_create_or_update("rg1", name, machine())).result()
    assert made.provisioning_state == "Succeeded"
    return str(made.storage_profile.os_disk.managed_disk.id)


async def test_machines_are_created_listed_and_deallocated(azure: Azure) -> None:
    await asyncio.gather(create(azure, "vm1"), create(azure, "vm2"))
    listed = {m.name: m async for m in azure.compute.virtual_machines.list_all()}
    assert sorted(listed) == ["vm1", "vm2"]
    assert listed["vm1"].hardware_profile.vm_size == "Standard_D2s_v5"
    assert listed["vm1"].time_created is not None
    await (await azure.compute.virtual_machines.begin_deallocate("rg1", "vm1")).result()
    view = await azure.compute.virtual_machines.instance_view("rg1", "vm1")
    assert [s.code for s in view.statuses] == ["ProvisioningState/succeeded", "PowerState/deallocated"]
    states = {
        m.name: m.instance_view.statuses[1].code
        async for m in azure.compute.virtual_machines.list_all(status_only="true")
    }
    assert states == {"vm1": "PowerState/deallocated", "vm2": "PowerState/running"}


async def test_an_interrupted_deallocation_is_followed_by_its_token_without_a_second_write(azure: Azure) -> None:
    await create(azure, "vm1")
    poller = await azure.compute.virtual_machines.begin_deallocate("rg1", "vm1")
    token = poller.continuation_token()
    resumed = await azure.compute.virtual_machines.begin_deallocate("rg1", "vm1", continuation_token=token)
    await resumed.result()
    await poller.result()
    assert sum(r.method == "POST" and "/deallocate" in r.url for r in azure.world.requests) == 1
    assert azure.world.resources.of_type("Microsoft.Compute/virtualMachines")[0]["_power"] == "deallocated"


async def test_an_attached_disk_is_refused_and_deleted_after_its_machine(azure: Azure) -> None:
    disk = (await create(azure, "vm1")).rsplit("/", 1)[1]
    with pytest.raises(ResourceExistsError) as refused:
        await azure.compute.disks.begin_delete("rg1", disk)
    assert refused.value.error is not None
    assert refused.value.error.code == "OperationNotAllowed"
    await (await azure.compute.virtual_machines.begin_delete("rg1", "vm1", force_deletion=True)).result()
    orphan = await azure.compute.disks.get("rg1", disk)
    assert (orphan.managed_by, orphan.disk_state) == (None, "Unattached")
    assert orphan.last_ownership_update_time is not None
    await (await azure.compute.disks.begin_delete("rg1", disk)).result()
    with pytest.raises(ResourceNotFoundError):
        await azure.compute.disks.get("rg1", disk)
    await (await azure.compute.disks.begin_delete("rg1", disk)).result()


async def test_a_snapshot_is_created_and_read_through_a_sas(azure: Azure) -> None:
    disk = await create(azure, "vm1")
    body = {
        "location": REGION,
        "properties": {"incremental": True, "creationData": {"createOption": "Copy", "sourceResourceId": disk}},
    }
    snapshot = await (await azure.compute.snapshots.begin_create_or_update("rg1", "s1", body)).result()
    assert (snapshot.provisioning_state, snapshot.completion_percent) == ("Succeeded", 100.0)
    granted = await (
        await azure.compute.snapshots.begin_grant_access("rg1", "s1", {"access": "Read", "durationInSeconds": 600})
    ).result()
    assert granted.access_sas.startswith("https://")
    await (await azure.compute.snapshots.begin_revoke_access("rg1", "s1")).result()
    assert [s.name async for s in azure.compute.snapshots.list()] == ["s1"]


async def test_scale_sets_scale_stop_and_go(azure: Azure) -> None:
    sets = azure.compute.virtual_machine_scale_sets
    body = {
        "location": REGION,
        "sku": {"name": "Standard_D2s_v5", "capacity": 3},
        "properties": {"virtualMachineProfile": {}},
    }
    made = await (await sets.begin_create_or_update("rg1", "vmss1", body)).result()
    assert made.sku.capacity == 3
    await (await sets.begin_deallocate("rg1", "vmss1", {"instanceIds": ["1"]})).result()
    instances = azure.compute.virtual_machine_scale_set_vms
    codes = {
        i.instance_id: i.instance_view.statuses[1].code
        async for i in instances.list("rg1", "vmss1", expand="instanceView")
    }
    assert codes == {"0": "PowerState/running", "1": "PowerState/deallocated", "2": "PowerState/running"}
    await (await sets.begin_update("rg1", "vmss1", {"sku": {"capacity": 0}})).result()
    assert [i async for i in instances.list("rg1", "vmss1")] == []
    await (await sets.begin_delete("rg1", "vmss1")).result()
    assert [s async for s in sets.list_all()] == []


async def test_usages_follow_and_quota_refuses(azure: Azure) -> None:
    await create(azure, "vm1")
    used = {u.name.value: (u.current_value, u.limit) async for u in azure.compute.usage.list(REGION)}
    assert used["standardDSv5Family"] == (2, 100)
    assert used["standardNCADSA100v4Family"] == (0, 0)
    with pytest.raises(HttpResponseError) as refused:
        await azure.compute.virtual_machines.begin_create_or_update("rg1", "gpu", machine("Standard_NC24ads_A100_v4"))
    assert refused.value.error is not None
    assert refused.value.error.code == "OperationNotAllowed"
    assert "NCADSA100v4" in str(refused.value.message)


async def test_a_conflict_is_not_repeated_by_the_client(azure: Azure) -> None:
    await create(azure, "vm1")
    azure.world.operation_seconds = 1
    first = await azure.compute.virtual_machines.begin_deallocate("rg1", "vm1")
    with pytest.raises(ResourceExistsError) as refused:
        await azure.compute.virtual_machines.begin_start("rg1", "vm1")
    assert refused.value.error is not None
    assert refused.value.error.code == "Conflict"
    assert sum(r.url.split("?")[0].endswith("/start") for r in azure.world.requests) == 1
    await first.result()


async def test_a_failed_operation_surfaces_and_can_be_repeated(azure: Azure) -> None:
    await create(azure, "vm1")
    azure.world.faults.append(Fault("fail_operation", url="/deallocate", times=1))
    with pytest.raises(HttpResponseError) as failed:
        await (await azure.compute.virtual_machines.begin_deallocate("rg1", "vm1")).result()
    assert "InternalExecutionError" in str(failed.value)
    view = await azure.compute.virtual_machines.instance_view("rg1", "vm1")
    assert [s.code for s in view.statuses] == ["ProvisioningState/failed", "PowerState/running"]
    await (await azure.compute.virtual_machines.begin_deallocate("rg1", "vm1")).result()
    assert azure.world.resources.of_type("Microsoft.Compute/virtualMachines")[0]["_power"] == "deallocated"
