"""Virtual machines of the embedded Azure: life, power, disks and refusals."""

from __future__ import annotations

import pytest


def os_disk(cloud, machine):
    return cloud.world.resources[machine["properties"]["storageProfile"]["osDisk"]["managedDisk"]["id"]]


def power(cloud, name="vm1"):
    view = cloud.json("GET", f"virtualMachines/{name}/instanceView")
    return next(s["code"] for s in view["statuses"] if s["code"].startswith("PowerState/"))


def test_creating_a_machine_makes_its_disk_and_ids(cloud):
    machine = cloud.make_vm()
    disk = os_disk(cloud, machine)
    assert disk["managedBy"] == machine["id"]
    assert disk["properties"]["diskState"] == "Attached"
    assert disk["properties"]["LastOwnershipUpdateTime"] == "2026-11-20T03:00:00.0000000Z"
    assert len(machine["properties"]["vmId"]) == 36
    assert machine["properties"]["timeCreated"] == "2026-11-20T03:00:00.0000000Z"
    assert machine["properties"]["provisioningState"] == "Succeeded"
    assert cloud.told == [("machine.created", "vm1")]


def test_private_keys_are_never_answered(cloud):
    cloud.make_vm()
    answer = cloud.json("GET", "virtualMachines/vm1")
    assert not [key for key in answer if key.startswith("_")]
    assert "instanceView" not in answer["properties"]


def test_deallocate_shows_the_state_between_and_reserves_the_disks(cloud):
    machine = cloud.make_vm()
    cloud.world.operation_seconds = 5
    response = cloud.call("POST", "virtualMachines/vm1/deallocate")
    assert response.status == 202
    assert "/locations/westeurope/operations/" in response.headers["Azure-AsyncOperation"]
    assert response.headers["Location"].endswith("monitor=true")
    assert power(cloud) == "PowerState/deallocating"
    assert os_disk(cloud, machine)["properties"]["diskState"] == "Attached"
    cloud.wait(5)
    assert power(cloud) == "PowerState/deallocated"
    assert os_disk(cloud, machine)["properties"]["diskState"] == "Reserved"
    assert ("machine.stopped", "vm1") in cloud.told
    cloud.world.operation_seconds = 0
    cloud.call("POST", "virtualMachines/vm1/start")
    assert power(cloud) == "PowerState/running"
    assert os_disk(cloud, machine)["properties"]["diskState"] == "Attached"


def test_power_off_stops_but_stays_allocated(cloud):
    machine = cloud.make_vm()
    cloud.call("POST", "virtualMachines/vm1/powerOff")
    assert power(cloud) == "PowerState/stopped"
    assert os_disk(cloud, machine)["properties"]["diskState"] == "Attached"


def test_power_off_does_not_allocate_what_is_deallocated(cloud):
    cloud.make_vm()
    cloud.make_scale_set()
    cloud.call("POST", "virtualMachines/vm1/deallocate")
    cloud.call("POST", "virtualMachines/vm1/powerOff")
    assert power(cloud) == "PowerState/deallocated"
    cloud.call("POST", "virtualMachineScaleSets/vmss1/deallocate", {"instanceIds": ["0"]})
    cloud.call("POST", "virtualMachineScaleSets/vmss1/powerOff")
    instances = cloud.stored("virtualMachineScaleSets/vmss1")["_instances"]
    assert [i["_power"] for i in instances.values()] == ["deallocated", "stopped", "stopped"]


def test_a_second_operation_conflicts_while_one_runs(cloud):
    cloud.make_vm()
    cloud.world.operation_seconds = 5
    cloud.call("POST", "virtualMachines/vm1/deallocate")
    refused = cloud.call("POST", "virtualMachines/vm1/start")
    assert (refused.status, refused.body["error"]["code"]) == (409, "Conflict")
    assert "Retry-After" not in refused.headers
    assert cloud.error("DELETE", "virtualMachines/vm1") == (409, "Conflict")
    cloud.wait(5)
    assert cloud.call("POST", "virtualMachines/vm1/start").status == 202


def test_forced_deletion_overtakes_and_the_overtaken_operation_fails(cloud):
    cloud.make_vm()
    cloud.world.operation_seconds = 5
    cloud.call("POST", "virtualMachines/vm1/deallocate")
    overtaken = list(cloud.world.operations.values())[-1]
    cloud.wait(1)
    assert cloud.call("DELETE", "virtualMachines/vm1?forceDeletion=true").status == 202
    cloud.wait(10)
    assert not cloud.has("virtualMachines/vm1")
    assert overtaken.error == {
        "code": "OperationPreempted",
        "message": "Operation execution has been preempted by a more recent operation.",
    }


def test_deleting_a_machine_leaves_its_disk_unattached_by_default(cloud):
    machine = cloud.make_vm()
    disk = os_disk(cloud, machine)
    cloud.wait(60)
    assert cloud.call("DELETE", "virtualMachines/vm1").status == 202
    assert not cloud.has("virtualMachines/vm1")
    assert "managedBy" not in disk
    assert disk["properties"]["diskState"] == "Unattached"
    assert disk["properties"]["LastOwnershipUpdateTime"] == "2026-11-20T03:01:00.0000000Z"
    assert cloud.told[-1] == ("machine.deleted", "vm1")
    assert cloud.call("DELETE", "virtualMachines/vm1").status == 204


def test_delete_option_delete_takes_disk_and_interface_along(cloud):
    interface = cloud.json(
        "PUT",
        "Microsoft.Network/networkInterfaces/nic1",
        {"location": "westeurope", "properties": {"ipConfigurations": []}},
    )["id"]
    machine = cloud.make_vm(
        storageProfile={"osDisk": {"createOption": "FromImage", "deleteOption": "Delete"}},
        networkProfile={"networkInterfaces": [{"id": interface, "properties": {"deleteOption": "Delete"}}]},
    )
    disk_id = os_disk(cloud, machine)["id"]
    cloud.call("DELETE", "virtualMachines/vm1")
    assert disk_id not in cloud.world.resources
    assert interface not in cloud.world.resources


def test_an_interface_in_use_cannot_be_deleted_or_taken_twice(cloud):
    path = "Microsoft.Network/networkInterfaces/nic1"
    interface = cloud.json("PUT", path, {"location": "westeurope", "properties": {"ipConfigurations": []}})["id"]
    slot = {"networkInterfaces": [{"id": interface}]}
    cloud.make_vm(networkProfile=slot)
    assert cloud.error("DELETE", path) == (400, "NicInUse")
    second = {
        "location": "westeurope",
        "properties": {"hardwareProfile": {"vmSize": "Standard_B2s"}, "networkProfile": slot},
    }
    assert cloud.error("PUT", "virtualMachines/vm2", second) == (400, "NicInUse")
    assert not cloud.has("virtualMachines/vm2")
    cloud.call("DELETE", "virtualMachines/vm1")
    assert cloud.call("DELETE", path).status == 202
    assert interface not in cloud.world.resources


def test_dynamic_public_address_is_released_and_the_static_one_kept(cloud):
    world = cloud.world
    for name, method in (("dyn", "Dynamic"), ("fix", "Static")):
        cloud.json(
            "PUT",
            f"Microsoft.Network/publicIPAddresses/{name}",
            {
                "location": "westeurope",
                "properties": {"publicIPAllocationMethod": method, "ipAddress": f"198.51.100.{len(name)}"},
            },
        )
    base = f"{cloud.group}/providers/Microsoft.Network/publicIPAddresses"
    configurations = [{"name": n, "properties": {"publicIPAddress": {"id": f"{base}/{n}"}}} for n in ("dyn", "fix")]
    interface = cloud.json(
        "PUT",
        "Microsoft.Network/networkInterfaces/nic1",
        {"location": "westeurope", "properties": {"ipConfigurations": configurations}},
    )["id"]
    cloud.make_vm(networkProfile={"networkInterfaces": [{"id": interface}]})
    cloud.call("POST", "virtualMachines/vm1/deallocate")
    assert "ipAddress" not in world.resources[f"{base}/dyn"]["properties"]
    assert world.resources[f"{base}/fix"]["properties"]["ipAddress"] == "198.51.100.3"
    assert cloud.error("DELETE", "Microsoft.Network/publicIPAddresses/fix") == (400, "PublicIPAddressCannotBeDeleted")


def test_status_only_list_has_state_and_identity_of_every_machine(cloud):
    cloud.make_vm("vm1")
    cloud.make_vm("vm2")
    cloud.call("POST", "virtualMachines/vm2/deallocate")
    rows = cloud.json(
        "GET", f"/subscriptions/{cloud.subscription}/providers/Microsoft.Compute/virtualMachines?statusOnly=true"
    )["value"]
    states = {r["name"]: r["properties"]["instanceView"]["statuses"][1]["code"] for r in rows}
    assert states == {"vm1": "PowerState/running", "vm2": "PowerState/deallocated"}
    assert all(r["properties"]["vmId"] for r in rows)
    assert "storageProfile" not in rows[0]["properties"]


def test_lists_by_location_by_scale_set_and_with_view(cloud):
    cloud.make_vm("vm1")
    cloud.make_vm(
        "vm2", virtualMachineScaleSet={"id": f"{cloud.group}/providers/Microsoft.Compute/virtualMachineScaleSets/Flex"}
    )
    base = f"/subscriptions/{cloud.subscription}/providers/Microsoft.Compute"
    assert len(cloud.json("GET", f"{base}/locations/westeurope/virtualMachines")["value"]) == 2
    assert cloud.json("GET", f"{base}/locations/eastus/virtualMachines")["value"] == []
    wanted = f"{cloud.group}/providers/microsoft.compute/virtualmachinescalesets/flex"
    found = cloud.json("GET", f"{base}/virtualMachines?$filter='virtualMachineScaleSet/id' eq '{wanted}'")["value"]
    assert [m["name"] for m in found] == ["vm2"]
    view = cloud.json("GET", "virtualMachines?$expand=instanceView")["value"][0]["properties"]["instanceView"]
    assert view["statuses"][1] == {"code": "PowerState/running", "level": "Info", "displayStatus": "VM running"}


def test_quota_refuses_what_does_not_fit_and_nothing_is_made(cloud):
    family = "standardNCADSA100v4Family"
    body = {"location": "westeurope", "properties": {"hardwareProfile": {"vmSize": "Standard_NC24ads_A100_v4"}}}
    assert cloud.error("PUT", "virtualMachines/gpu1", body) == (409, "OperationNotAllowed")
    cloud.world.quotas[f"{cloud.subscription}/westeurope/{family}"] = {
        "subscription": cloud.subscription,
        "region": "westeurope",
        "family": family,
        "title": "Standard NCADS_A100_v4 Family vCPUs",
        "limit": 30,
    }
    assert cloud.call("PUT", "virtualMachines/gpu1", body).status == 201
    refused = cloud.call("PUT", "virtualMachines/gpu2", body)
    assert (
        "Current Limit: 30, Current Usage: 24, Additional Required: 24, (Minimum) New Limit Required: 48"
        in refused.body["error"]["message"]
    )
    assert not cloud.has("virtualMachines/gpu2")
    assert not cloud.world.resources.of_type("Microsoft.Compute/disks", cloud.group)[1:]

    cloud.call("POST", "virtualMachines/gpu1/deallocate")
    assert cloud.call("PUT", "virtualMachines/gpu2", body).status == 201
    assert cloud.error("POST", "virtualMachines/gpu1/start") == (409, "OperationNotAllowed")


def test_usages_are_computed_from_what_is_allocated(cloud):
    cloud.make_vm("vm1", "Standard_D4s_v5")
    cloud.make_vm("vm2", "Standard_D2s_v5", priority="Spot")
    cloud.make_scale_set(capacity=3)
    path = f"/subscriptions/{cloud.subscription}/providers/Microsoft.Compute/locations/westeurope/usages"

    def used():
        rows = {r["name"]["value"]: r["currentValue"] for r in cloud.json("GET", path)["value"]}
        return rows["cores"], rows["standardDSv5Family"], rows["lowPriorityCores"]

    assert used() == (10, 10, 2)
    cloud.call("POST", "virtualMachines/vm1/powerOff")
    assert used() == (10, 10, 2)
    cloud.call("POST", "virtualMachines/vm1/deallocate")
    cloud.call("POST", "virtualMachineScaleSets/vmss1/deallocate", {"instanceIds": ["0"]})
    assert used() == (4, 4, 2)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("virtualMachines/vm9", {"location": "westeurope"}, (400, "InvalidParameter")),
        (
            "virtualMachines/vm9",
            {"location": "westeurope", "properties": {"hardwareProfile": {"vmSize": "Standard_Nope"}}},
            (400, "InvalidParameter"),
        ),
        (
            "virtualMachines/vm9",
            {"properties": {"hardwareProfile": {"vmSize": "Standard_B2s"}}},
            (400, "LocationRequired"),
        ),
        (
            "virtualMachines/vm1",
            {"location": "eastus", "properties": {"hardwareProfile": {"vmSize": "Standard_B2s"}}},
            (409, "InvalidResourceLocation"),
        ),
    ],
)
def test_bad_machines_are_refused(cloud, path, body, expected):
    cloud.make_vm()
    assert cloud.error("PUT", path, body) == expected


def test_put_again_keeps_identity(cloud):
    before = dict(cloud.make_vm()["properties"])
    response = cloud.call(
        "PUT",
        "virtualMachines/vm1",
        {
            "location": "westeurope",
            "tags": {"a": "b"},
            "properties": {"vmId": "forged", "hardwareProfile": {"vmSize": "Standard_D4s_v5"}},
        },
    )
    assert response.status == 200
    after = cloud.stored("virtualMachines/vm1")
    assert after["properties"]["vmId"] == before["vmId"]
    assert after["properties"]["hardwareProfile"]["vmSize"] == "Standard_D4s_v5"
    assert after["tags"] == {"a": "b"}


def test_run_command_needs_a_running_machine_and_gives_a_result(cloud):
    cloud.make_vm()
    response = cloud.call("POST", "virtualMachines/vm1/runCommand", {"commandId": "RunShellScript"})
    where = response.headers["Location"].removeprefix(cloud.world.base_url)
    assert cloud.json("GET", where)["value"][0]["code"] == "ProvisioningState/succeeded"
    cloud.call("POST", "virtualMachines/vm1/deallocate")
    assert cloud.error("POST", "virtualMachines/vm1/runCommand", {"commandId": "x"}) == (409, "OperationNotAllowed")


def test_absent_machine_and_group_have_their_own_errors(cloud):
    assert cloud.error("GET", "virtualMachines/none") == (404, "ResourceNotFound")
    elsewhere = cloud.group.replace("rg-app", "rg-none")
    assert cloud.error("GET", f"{elsewhere}/providers/Microsoft.Compute/virtualMachines/none") == (
        404,
        "ResourceGroupNotFound",
    )


def test_unmanaged_disk_is_leased_while_its_machine_exists(cloud):
    uri = "https://contosovhds.blob.core.windows.net/vhds/vm1.vhd"
    cloud.make_vm(storageProfile={"osDisk": {"createOption": "FromImage", "vhd": {"uri": uri}}})
    blob = cloud.world.blobs["contosovhds/vhds/vm1.vhd"]
    assert blob["leased"] is True
    cloud.call("POST", "virtualMachines/vm1/deallocate")
    assert blob["leased"] is True
    cloud.call("DELETE", "virtualMachines/vm1")
    assert blob["leased"] is False
