"""Scale sets of the embedded Azure, and what autoscale and managed clusters do about them."""

from __future__ import annotations

from azure_simulator.services.containers import node_pools
from azure_simulator.services.monitor import autoscale


def states(cloud, name="vmss1"):
    rows = cloud.json("GET", f"virtualMachineScaleSets/{name}/virtualMachines?$expand=instanceView")["value"]
    return {
        r["instanceId"]: r["properties"]["instanceView"]["statuses"][1]["code"].removeprefix("PowerState/")
        for r in rows
    }


def make_autoscale(cloud, minimum=2, enabled=True):
    body = {
        "location": "westeurope",
        "properties": {
            "enabled": enabled,
            "targetResourceUri": f"{cloud.group}/providers/Microsoft.Compute/virtualMachineScaleSets/vmss1",
            "profiles": [
                {"name": "p", "capacity": {"minimum": str(minimum), "maximum": "9", "default": "2"}, "rules": []}
            ],
        },
    }
    return cloud.json("PUT", "Microsoft.Insights/autoscaleSettings/as1", body)


def test_instances_stop_together_or_one_by_one(cloud):
    cloud.make_scale_set()
    cloud.call("POST", "virtualMachineScaleSets/vmss1/deallocate", {"instanceIds": ["1"]})
    assert states(cloud) == {"0": "running", "1": "deallocated", "2": "running"}
    cloud.call("POST", "virtualMachineScaleSets/vmss1/powerOff")
    assert states(cloud) == {"0": "stopped", "1": "deallocated", "2": "stopped"}
    cloud.call("POST", "virtualMachineScaleSets/vmss1/virtualMachines/0/start")
    assert states(cloud)["0"] == "running"
    assert cloud.told.count(("scale_set.stopped", "vmss1")) == 2


def test_unknown_instance_is_refused(cloud):
    cloud.make_scale_set()
    assert cloud.error("POST", "virtualMachineScaleSets/vmss1/deallocate", {"instanceIds": ["77"]}) == (
        400,
        "InvalidParameter",
    )
    assert cloud.error("GET", "virtualMachineScaleSets/vmss1/virtualMachines/77") == (404, "ResourceNotFound")


def test_scaling_removes_the_newest_and_never_reuses_an_id(cloud):
    cloud.make_scale_set()
    assert cloud.json("PATCH", "virtualMachineScaleSets/vmss1", {"sku": {"capacity": 1}})["sku"]["capacity"] == 1
    assert list(states(cloud)) == ["0"]
    assert ("scale_set.scaled", "vmss1") in cloud.told
    cloud.call("PATCH", "virtualMachineScaleSets/vmss1", {"sku": {"capacity": 2}})
    assert list(states(cloud)) == ["0", "3"]


def test_scaling_above_quota_is_refused(cloud):
    cloud.make_scale_set()
    assert cloud.error("PATCH", "virtualMachineScaleSets/vmss1", {"sku": {"capacity": 51}}) == (
        409,
        "OperationNotAllowed",
    )
    assert len(states(cloud)) == 3


def test_deleting_instances_lowers_the_capacity(cloud):
    scale_set = cloud.make_scale_set()
    cloud.call("POST", "virtualMachineScaleSets/vmss1/delete", {"instanceIds": ["0", "2"]})
    assert list(states(cloud)) == ["1"]
    assert scale_set["sku"]["capacity"] == 1
    assert cloud.call("DELETE", "virtualMachineScaleSets/vmss1").status == 202
    assert not cloud.has("virtualMachineScaleSets/vmss1")


def test_instance_view_counts_states(cloud):
    cloud.make_scale_set()
    cloud.call("POST", "virtualMachineScaleSets/vmss1/deallocate", {"instanceIds": ["1"]})
    counts = cloud.json("GET", "virtualMachineScaleSets/vmss1/instanceView")["virtualMachine"]["statusesSummary"]
    assert {c["code"]: c["count"] for c in counts} == {
        "ProvisioningState/succeeded": 3,
        "PowerState/deallocated": 1,
        "PowerState/running": 2,
    }


def test_instances_of_a_flexible_set_are_machines(cloud):
    cloud.make_scale_set(capacity=2, orchestrationMode="Flexible")
    machines = cloud.json("GET", "virtualMachines")["value"]
    assert len(machines) == 2
    assert all(m["properties"]["virtualMachineScaleSet"]["id"].endswith("/vmss1") for m in machines)
    cloud.call("PATCH", "virtualMachineScaleSets/vmss1", {"sku": {"capacity": 0}})
    assert cloud.json("GET", "virtualMachines")["value"] == []
    assert cloud.json("GET", "disks")["value"] == []


def test_autoscale_restores_its_minimum_minutes_after_a_stop(cloud):
    cloud.make_scale_set()
    make_autoscale(cloud)
    cloud.wait(autoscale.DELAY_SECONDS)
    cloud.call("POST", "virtualMachineScaleSets/vmss1/deallocate")
    cloud.wait(autoscale.DELAY_SECONDS - 1)
    assert list(states(cloud).values()) == ["deallocated"] * 3
    cloud.wait(1)
    assert sorted(states(cloud).values()) == ["deallocated", "running", "running"]
    assert cloud.told[-1] == ("scale_set.restored", "vmss1")
    logged = cloud.world.events[-1]
    assert logged["operationName"]["value"] == "Microsoft.Insights/AutoscaleSettings/Scaleup/Action"
    assert (logged["caller"], logged["category"]["value"]) == ("Microsoft.Insights/autoscaleSettings", "Autoscale")


def test_autoscale_undoes_scaling_to_zero_unless_it_is_switched_off(cloud):
    cloud.make_scale_set()
    make_autoscale(cloud)
    cloud.call("PATCH", "virtualMachineScaleSets/vmss1", {"sku": {"capacity": 0}})
    cloud.wait(autoscale.DELAY_SECONDS)
    assert list(states(cloud).values()) == ["running", "running"]
    cloud.json("PATCH", "Microsoft.Insights/autoscaleSettings/as1", {"properties": {"enabled": False}})
    cloud.call("PATCH", "virtualMachineScaleSets/vmss1", {"sku": {"capacity": 0}})
    cloud.wait(10 * autoscale.DELAY_SECONDS)
    assert states(cloud) == {}


def make_cluster(cloud):
    nodes = cloud.group.replace("rg-app", "MC_rg-app_aks1_westeurope")
    cloud.world.groups[nodes] = {
        "id": nodes,
        "name": "MC_rg-app_aks1_westeurope",
        "location": "westeurope",
        "properties": {},
    }
    cloud.json(
        "PUT",
        "Microsoft.ContainerService/managedClusters/aks1",
        {
            "location": "westeurope",
            "properties": {
                "nodeResourceGroup": "mc_rg-app_AKS1_westeurope",
                "powerState": {"code": "Running"},
                "agentPoolProfiles": [{"name": "system", "count": 2}],
            },
        },
    )
    path = f"{nodes}/providers/Microsoft.Compute/virtualMachineScaleSets/aks-system-vmss"
    body = {
        "location": "westeurope",
        "tags": {"aks-managed-poolName": "system"},
        "sku": {"name": "Standard_D2s_v5", "capacity": 2},
        "properties": {},
    }
    cloud.json("PUT", path, body)
    return path


def powers(cloud, path):
    return [i["_power"] for i in cloud.world.resources[path]["_instances"].values()]


def test_a_running_cluster_puts_its_nodes_back(cloud):
    path = make_cluster(cloud)
    cloud.call("POST", f"{path}/deallocate")
    assert powers(cloud, path) == ["deallocated"] * 2
    cloud.wait(node_pools.DELAY_SECONDS)
    assert powers(cloud, path) == ["running"] * 2
    cloud.call("PATCH", path, {"sku": {"capacity": 0}})
    cloud.wait(node_pools.DELAY_SECONDS)
    assert powers(cloud, path) == ["running"] * 2


def test_a_stopped_cluster_stays_stopped_and_starts_again(cloud):
    path = make_cluster(cloud)
    assert cloud.call("POST", "Microsoft.ContainerService/managedClusters/aks1/stop").status == 202
    cloud.wait(10 * node_pools.DELAY_SECONDS)
    assert powers(cloud, path) == ["deallocated"] * 2
    assert cloud.error("POST", "Microsoft.ContainerService/managedClusters/aks1/stop") == (409, "OperationNotAllowed")
    cloud.call("POST", "Microsoft.ContainerService/managedClusters/aks1/start")
    assert powers(cloud, path) == ["running"] * 2
    cloud.call("DELETE", "Microsoft.ContainerService/managedClusters/aks1")
    assert path not in cloud.world.resources
