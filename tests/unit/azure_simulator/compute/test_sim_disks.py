"""Managed disks and snapshots of the embedded Azure."""

from __future__ import annotations

DISK = {
    "location": "westeurope",
    "sku": {"name": "Premium_LRS"},
    "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 64},
}


def copy_of(source: str):
    return {
        "location": "westeurope",
        "properties": {"incremental": True, "creationData": {"createOption": "Copy", "sourceResourceId": source}},
    }


def test_an_attached_disk_is_not_deleted(cloud):
    machine = cloud.make_vm()
    path = "disks/" + machine["properties"]["storageProfile"]["osDisk"]["name"]
    assert cloud.error("DELETE", path) == (409, "OperationNotAllowed")
    assert cloud.has(path)
    cloud.call("POST", "virtualMachines/vm1/deallocate")
    assert cloud.stored(path)["properties"]["diskState"] == "Reserved"
    assert cloud.error("DELETE", path) == (409, "OperationNotAllowed")
    cloud.call("DELETE", "virtualMachines/vm1")
    assert cloud.call("DELETE", path).status == 202
    assert not cloud.has(path)
    assert cloud.call("DELETE", path).status == 204


def test_a_disk_attached_while_its_deletion_runs_survives(cloud):
    cloud.json("PUT", "disks/d1", DISK)
    cloud.world.operation_seconds = 5
    cloud.call("DELETE", "disks/d1")
    operation = list(cloud.world.operations.values())[-1]
    cloud.stored("disks/d1")["managedBy"] = "/subscriptions/x/vm"
    cloud.wait(5)
    assert cloud.has("disks/d1")
    assert operation.error["code"] == "OperationNotAllowed"


def test_a_snapshot_copies_its_disk_and_survives_it(cloud):
    disk = cloud.json("PUT", "disks/d1", DISK)
    cloud.world.operation_seconds = 5
    first = cloud.call("PUT", "snapshots/s1", copy_of(disk["id"]))
    assert first.status == 202
    assert first.body["properties"]["completionPercent"] == 0.0
    cloud.wait(5)
    snapshot = cloud.json("GET", "snapshots/s1")
    assert snapshot["properties"]["provisioningState"] == "Succeeded"
    assert snapshot["properties"]["completionPercent"] == 100.0
    assert snapshot["properties"]["diskSizeGB"] == 64
    assert (
        snapshot["properties"]["creationData"]["sourceUniqueId"] == cloud.stored("disks/d1")["properties"]["uniqueId"]
    )
    cloud.call("DELETE", "disks/d1")
    cloud.wait(5)
    assert not cloud.has("disks/d1")
    assert cloud.has("snapshots/s1")


def test_a_snapshot_of_nothing_is_refused(cloud):
    body = copy_of(f"{cloud.group}/providers/Microsoft.Compute/disks/none")
    assert cloud.error("PUT", "snapshots/s1", body) == (400, "InvalidParameter")
    assert not cloud.has("snapshots/s1")


def test_sas_access_blocks_deletion_until_it_ends(cloud):
    cloud.json("PUT", "disks/d1", DISK)
    response = cloud.call("POST", "disks/d1/beginGetAccess", {"access": "Read", "durationInSeconds": 3600})
    link = cloud.json("GET", response.headers["Location"].removeprefix(cloud.world.base_url))["accessSAS"]
    assert link.startswith("https://")
    assert cloud.stored("disks/d1")["properties"]["diskState"] == "ActiveSAS"
    assert cloud.error("DELETE", "disks/d1") == (409, "OperationNotAllowed")
    cloud.call("POST", "disks/d1/endGetAccess")
    assert cloud.stored("disks/d1")["properties"]["diskState"] == "Unattached"
    cloud.call("POST", "disks/d1/beginGetAccess", {"access": "Read", "durationInSeconds": 60})
    cloud.wait(61)
    assert cloud.stored("disks/d1")["properties"]["diskState"] == "Unattached"


def test_a_shared_disk_stays_attached_while_one_machine_is_left(cloud):
    shared = {**DISK, "properties": {**DISK["properties"], "maxShares": 2}}
    identity = cloud.json("PUT", "disks/shared", shared)["id"]
    slot = {"lun": 0, "createOption": "Attach", "managedDisk": {"id": identity}}
    for name in ("vm1", "vm2"):
        cloud.make_vm(
            name,
            storageProfile={
                "osDisk": {"createOption": "FromImage"},
                "dataDisks": [dict(slot, managedDisk={"id": identity})],
            },
        )
    assert len(cloud.stored("disks/shared")["managedByExtended"]) == 2
    cloud.call("DELETE", "virtualMachines/vm1")
    assert cloud.stored("disks/shared")["properties"]["diskState"] == "Attached"
    assert cloud.error("DELETE", "disks/shared") == (409, "OperationNotAllowed")
    cloud.call("DELETE", "virtualMachines/vm2")
    assert cloud.stored("disks/shared")["properties"]["diskState"] == "Unattached"


def test_a_disk_of_another_machine_cannot_be_attached(cloud):
    identity = cloud.json("PUT", "disks/d1", DISK)["id"]
    profile = {
        "osDisk": {"createOption": "FromImage"},
        "dataDisks": [{"lun": 0, "createOption": "Attach", "managedDisk": {"id": identity}}],
    }
    cloud.make_vm("vm1", storageProfile=profile)
    body = {
        "location": "westeurope",
        "properties": {"hardwareProfile": {"vmSize": "Standard_B2s"}, "storageProfile": profile},
    }
    assert cloud.error("PUT", "virtualMachines/vm2", body) == (409, "OperationNotAllowed")
    assert not cloud.has("virtualMachines/vm2")
    assert len(cloud.world.resources.of_type("Microsoft.Compute/disks")) == 2


def test_a_disk_cannot_shrink(cloud):
    cloud.json("PUT", "disks/d1", DISK)
    assert cloud.error("PATCH", "disks/d1", {"properties": {"diskSizeGB": 32}}) == (400, "InvalidParameter")
    assert (
        cloud.json("PATCH", "disks/d1", {"properties": {"diskSizeGB": 128}})["properties"]["diskSizeBytes"]
        == 128 * 1024**3
    )


def test_data_disks_follow_the_machines_list(cloud):
    first, second = (cloud.json("PUT", f"disks/{n}", DISK)["id"] for n in ("d1", "d2"))
    slot = {"lun": 0, "createOption": "Attach", "managedDisk": {"id": first}}
    cloud.make_vm(storageProfile={"osDisk": {"createOption": "FromImage"}, "dataDisks": [slot]})
    cloud.call("POST", "virtualMachines/vm1/deallocate")
    change = {
        "properties": {
            "storageProfile": {"dataDisks": [{"lun": 1, "createOption": "Attach", "managedDisk": {"id": second}}]}
        }
    }
    assert cloud.call("PATCH", "virtualMachines/vm1", change).status == 200
    assert cloud.stored("disks/d1")["properties"]["diskState"] == "Unattached"
    assert "managedBy" not in cloud.stored("disks/d1")
    assert cloud.stored("disks/d2")["properties"]["diskState"] == "Reserved"
    assert cloud.stored("virtualMachines/vm1")["properties"]["storageProfile"]["osDisk"]["managedDisk"]["id"]
