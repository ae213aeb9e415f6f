"""Container groups, Batch, Machine Learning, alerts, diagnostic settings and networks of the embedded Azure."""

from __future__ import annotations

from azure_simulator.services.compute.sizes import SIZES

PLACE = {"location": "westeurope"}


def test_container_group_stops_and_is_deleted(cloud):
    path = "Microsoft.ContainerInstance/containerGroups/miner"
    cloud.json("PUT", path, PLACE | {"properties": {"containers": []}})
    assert cloud.call("POST", f"{path}/stop").status == 204
    assert cloud.json("GET", path)["properties"]["instanceView"]["state"] == "Stopped"
    assert cloud.call("DELETE", path).status == 200
    assert cloud.call("DELETE", path).status == 204
    assert ("container_group.deleted", "miner") in cloud.told


def test_batch_pool_is_scaled_to_nothing_and_goes_with_its_account(cloud):
    account = "Microsoft.Batch/batchAccounts/batch1"
    cloud.json("PUT", account, PLACE)
    cloud.json("PUT", f"{account}/pools/p1", {"properties": {"vmSize": "Standard_D2s_v5", "currentDedicatedNodes": 4}})
    body = {"properties": {"scaleSettings": {"fixedScale": {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0}}}}
    cloud.world.operation_seconds = 5
    assert cloud.json("PATCH", f"{account}/pools/p1", body)["properties"]["allocationState"] == "Resizing"
    cloud.wait(5)
    pool = cloud.json("GET", f"{account}/pools")["value"][0]["properties"]
    assert (pool["allocationState"], pool["currentDedicatedNodes"]) == ("Steady", 0)
    assert cloud.call("DELETE", account).status == 202
    cloud.wait(5)
    assert cloud.error("GET", f"{account}/pools/p1") == (404, "ParentResourceNotFound")


def test_machine_learning_instances_stop_and_clusters_scale(cloud):
    workspace = "Microsoft.MachineLearningServices/workspaces/ws1"
    cloud.json("PUT", workspace, PLACE)
    for name, kind in (("ci", "ComputeInstance"), ("cluster", "AmlCompute")):
        inner = {"scaleSettings": {"minNodeCount": 2, "maxNodeCount": 8}, "currentNodeCount": 8}
        cloud.json("PUT", f"{workspace}/computes/{name}", {"properties": {"computeType": kind, "properties": inner}})
    assert cloud.call("POST", f"{workspace}/computes/ci/stop").status == 202
    assert cloud.json("GET", f"{workspace}/computes/ci")["properties"]["properties"]["state"] == "Stopped"
    assert cloud.error("POST", f"{workspace}/computes/cluster/stop") == (400, "UserError")
    change = {"properties": {"properties": {"scaleSettings": {"maxNodeCount": 0}}}}
    scaled = cloud.json("PATCH", f"{workspace}/computes/cluster", change)["properties"]["properties"]
    assert (scaled["currentNodeCount"], scaled["scaleSettings"]["minNodeCount"]) == (0, 0)
    assert cloud.call("DELETE", f"{workspace}/computes/cluster?underlyingResourceAction=Delete").status == 202
    assert [c["name"] for c in cloud.json("GET", f"{workspace}/computes")["value"]] == ["ci"]


def test_diagnostic_settings_belong_to_exactly_their_scope(cloud):
    machine = cloud.make_vm()["id"]
    suffix = "/providers/Microsoft.Insights/diagnosticSettings"
    of_subscription = f"/subscriptions/{cloud.subscription}{suffix}"
    cloud.json("PUT", f"{of_subscription}/audit", {"properties": {"workspaceId": "w"}})
    cloud.json("PUT", f"{machine}{suffix}/metrics", {"properties": {"workspaceId": "w"}})
    assert [s["name"] for s in cloud.json("GET", of_subscription)["value"]] == ["audit"]
    assert [s["name"] for s in cloud.json("GET", f"{machine}{suffix}")["value"]] == ["metrics"]
    assert cloud.call("DELETE", f"{of_subscription}/audit").status == 200
    assert cloud.error("GET", f"{of_subscription}/audit") == (404, "ResourceNotFound")


def test_action_groups_and_alerts_are_kept_as_sent(cloud):
    group = cloud.json(
        "PUT",
        "Microsoft.Insights/actionGroups/soc",
        {"location": "Global", "properties": {"groupShortName": "soc", "enabled": True}},
    )
    alert = {
        "location": "Global",
        "properties": {
            "scopes": ["/".join(group["id"].split("/")[:3])],
            "enabled": True,
            "condition": {"allOf": [{"field": "category", "equals": "Administrative"}]},
            "actions": {"actionGroups": [{"actionGroupId": group["id"]}]},
        },
    }
    assert cloud.call("PUT", "Microsoft.Insights/activityLogAlerts/roles", alert).status == 201
    assert cloud.call("PUT", "Microsoft.Insights/activityLogAlerts/roles", alert).status == 200
    everywhere = f"/subscriptions/{cloud.subscription}/providers/microsoft.insights/activityLogAlerts"
    assert (
        cloud.json("GET", everywhere)["value"][0]["properties"]["actions"]["actionGroups"][0]["actionGroupId"]
        == group["id"]
    )


def test_network_and_security_group_in_use_are_not_deleted(cloud):
    network = cloud.json(
        "PUT", "Microsoft.Network/virtualNetworks/net", PLACE | {"properties": {"subnets": [{"name": "default"}]}}
    )
    rules = cloud.json("PUT", "Microsoft.Network/networkSecurityGroups/nsg", PLACE | {"properties": {}})
    subnet = network["properties"]["subnets"][0]["id"]
    properties = {
        "networkSecurityGroup": {"id": rules["id"]},
        "ipConfigurations": [{"name": "c", "properties": {"subnet": {"id": subnet}}}],
    }
    cloud.json("PUT", "Microsoft.Network/networkInterfaces/nic", PLACE | {"properties": properties})
    assert cloud.error("DELETE", "Microsoft.Network/virtualNetworks/net") == (400, "InUseSubnetCannotBeDeleted")
    assert cloud.error("DELETE", "Microsoft.Network/networkSecurityGroups/nsg") == (
        400,
        "InUseNetworkSecurityGroupCannotBeDeleted",
    )
    cloud.call("DELETE", "Microsoft.Network/networkInterfaces/nic")
    assert cloud.call("DELETE", "Microsoft.Network/virtualNetworks/net").status == 202
    assert network["id"] not in cloud.world.resources


def test_skus_of_a_region_name_their_gpus(cloud):
    path = f"/subscriptions/{cloud.subscription}/providers/Microsoft.Compute/skus?$filter=location eq 'eastus'"
    rows = cloud.json("GET", path)["value"]
    assert len(rows) == len(SIZES) >= 60
    gpu = next(r for r in rows if r["name"] == "Standard_NC96ads_A100_v4")
    assert {c["name"]: c["value"] for c in gpu["capabilities"]}["GPUs"] == "4"
    assert gpu["locations"] == ["eastus"]


def test_stopping_a_site_and_listing_what_a_vault_protects(cloud):
    site = f"{cloud.group}/providers/Microsoft.Web/sites/shop"
    cloud.world.resources[site] = {
        "id": site,
        "name": "shop",
        "type": "Microsoft.Web/sites",
        "properties": {"state": "Running"},
    }
    assert cloud.call("POST", f"{site}/stop").status == 200
    assert cloud.json("GET", site)["properties"]["state"] == "Stopped"
    vault = cloud.json("PUT", "Microsoft.RecoveryServices/vaults/v1", PLACE)["id"]
    assert cloud.json("GET", f"{vault}/backupProtectedItems")["value"] == []
