"""Operations that are made to fail leave a state that Azure could be in, and do not block the next one."""

from __future__ import annotations

import json


def fail(cloud):
    """Let the newest operation end as failed."""
    operation = next(reversed(cloud.world.operations.values()))
    operation.finish = lambda: {"code": "InternalExecutionError", "message": "An internal execution error occurred."}
    cloud.wait(5)
    assert operation.status == "Failed"


def test_a_failed_deallocation_leaves_the_machine_running_and_free(cloud):
    cloud.make_vm()
    cloud.world.operation_seconds = 5
    cloud.call("POST", "virtualMachines/vm1/deallocate")
    fail(cloud)
    row = cloud.json("GET", "virtualMachines?statusOnly=true")["value"][0]["properties"]
    assert [s["code"] for s in row["instanceView"]["statuses"]] == ["ProvisioningState/failed", "PowerState/running"]
    assert ("machine.stopped", "vm1") not in cloud.told
    assert cloud.call("POST", "virtualMachines/vm1/deallocate").status == 202
    cloud.wait(5)
    row = cloud.json("GET", "virtualMachines/vm1/instanceView")
    assert [s["code"] for s in row["statuses"]] == ["ProvisioningState/succeeded", "PowerState/deallocated"]


def test_a_failed_start_reserves_the_disks_again(cloud):
    machine = cloud.make_vm()
    cloud.call("POST", "virtualMachines/vm1/deallocate")
    cloud.world.operation_seconds = 5
    cloud.call("POST", "virtualMachines/vm1/start")
    fail(cloud)
    cloud.json("GET", "virtualMachines/vm1")
    disk = cloud.world.resources[machine["properties"]["storageProfile"]["osDisk"]["managedDisk"]["id"]]
    assert disk["properties"]["diskState"] == "Reserved"


def test_a_failed_deletion_keeps_the_disk(cloud):
    body = {"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
    cloud.json("PUT", "disks/d1", body)
    cloud.world.operation_seconds = 5
    cloud.call("DELETE", "disks/d1")
    fail(cloud)
    assert cloud.json("GET", "disks/d1")["properties"]["diskState"] == "Unattached"
    assert cloud.call("DELETE", "disks/d1").status == 202
    cloud.wait(5)
    assert not cloud.has("disks/d1")


def test_a_snapshot_that_failed_is_made_by_another_put(cloud):
    disk = {"location": "westeurope", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
    source = cloud.json("PUT", "disks/d1", disk)["id"]
    copy = {
        "location": "westeurope",
        "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": source}},
    }
    cloud.world.operation_seconds = 5
    cloud.call("PUT", "snapshots/s1", copy)
    fail(cloud)
    assert cloud.json("GET", "snapshots/s1")["properties"]["provisioningState"] == "Failed"
    cloud.call("PUT", "snapshots/s1", copy)
    cloud.wait(5)
    made = cloud.json("GET", "snapshots/s1")["properties"]
    assert (made["provisioningState"], made["completionPercent"]) == ("Succeeded", 100.0)


def test_failed_scaling_takes_its_instances_back(cloud):
    scale_set = cloud.make_scale_set()
    cloud.world.operation_seconds = 5
    cloud.call("PATCH", "virtualMachineScaleSets/vmss1", {"sku": {"capacity": 5}})
    assert len(scale_set["_instances"]) == 5
    fail(cloud)
    assert cloud.json("GET", "virtualMachineScaleSets/vmss1")["sku"]["capacity"] == 3
    cloud.call("POST", "virtualMachineScaleSets/vmss1/deallocate")
    fail(cloud)
    cloud.json("GET", "virtualMachineScaleSets/vmss1")
    assert {i["_power"] for i in scale_set["_instances"].values()} == {"running"}


def test_the_same_seed_and_calls_give_the_same_world(make_cloud):
    def play():
        made = make_cloud()
        made.make_vm()
        made.make_scale_set()
        made.call("POST", "virtualMachines/vm1/deallocate")
        made.call("DELETE", "virtualMachines/vm1")
        return json.dumps(list(made.world.resources.values()), sort_keys=True)

    assert play() == play()
