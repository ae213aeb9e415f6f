"""Load balancers of the embedded Azure: parts with ids, pools that list who names them, and refusals to delete what is in use."""

from __future__ import annotations

from datetime import UTC, datetime

from azure_simulator import build

BALANCERS = "Microsoft.Network/loadBalancers"


def make_balancer(cloud, name="lb1"):
    address = cloud.json(
        "PUT",
        "Microsoft.Network/publicIPAddresses/ip1",
        {"location": "westeurope", "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}},
    )["id"]
    body = {
        "location": "westeurope",
        "sku": {"name": "Standard"},
        "properties": {
            "frontendIPConfigurations": [{"name": "front", "properties": {"publicIPAddress": {"id": address}}}],
            "backendAddressPools": [{"name": "web"}],
        },
    }
    assert cloud.call("PUT", f"{BALANCERS}/{name}", body).status == 201
    return cloud.stored(f"{BALANCERS}/{name}")["id"], address


def make_interface(cloud, *pools):
    inner = {"loadBalancerBackendAddressPools": [{"id": pool} for pool in pools]}
    body = {"location": "westeurope", "properties": {"ipConfigurations": [{"name": "ipconfig1", "properties": inner}]}}
    return cloud.json("PUT", "Microsoft.Network/networkInterfaces/nic1", body)["id"]


def members(cloud, balancer):
    (found,) = cloud.json("GET", balancer)["properties"]["backendAddressPools"]
    return [row["id"] for row in found["properties"].get("backendIPConfigurations", [])]


def test_parts_have_ids_and_the_pool_lists_whoever_names_it(cloud):
    balancer, address = make_balancer(cloud)
    pool = f"{balancer}/backendAddressPools/web"
    assert members(cloud, balancer) == []
    nic = make_interface(cloud, pool)
    profile = {
        "networkProfile": {
            "networkInterfaceConfigurations": [
                {
                    "name": "nic",
                    "properties": {
                        "ipConfigurations": [
                            {"name": "one", "properties": {"loadBalancerBackendAddressPools": [{"id": pool}]}}
                        ]
                    },
                }
            ]
        }
    }
    scale_set = cloud.make_scale_set(capacity=1, virtualMachineProfile=profile)["id"]
    make_interface(cloud, pool)
    instance = next(iter(cloud.stored("virtualMachineScaleSets/vmss1")["_instances"]))
    assert members(cloud, balancer) == [
        f"{nic}/ipConfigurations/ipconfig1",
        f"{scale_set}/virtualMachines/{instance}/networkInterfaces/nic/ipConfigurations/one",
    ]
    front = cloud.json("GET", address)["properties"]["ipConfiguration"]["id"]
    assert front == f"{balancer}/frontendIPConfigurations/front"
    listed = cloud.json("GET", f"/subscriptions/{cloud.subscription}/providers/{BALANCERS}")["value"]
    assert [row["id"] for row in listed] == [balancer]


def test_an_interface_that_leaves_or_goes_is_no_member_any_more(cloud):
    balancer, _ = make_balancer(cloud)
    pool = f"{balancer}/backendAddressPools/web"
    make_interface(cloud, pool)
    make_interface(cloud)
    assert members(cloud, balancer) == []
    nic = make_interface(cloud, pool)
    assert len(members(cloud, balancer)) == 1
    cloud.call("DELETE", nic)
    cloud.wait(60)
    assert members(cloud, balancer) == []


def test_what_is_in_use_is_not_deleted(cloud):
    balancer, address = make_balancer(cloud)
    assert cloud.error("DELETE", address) == (400, "PublicIPAddressCannotBeDeleted")
    nic = make_interface(cloud, f"{balancer}/backendAddressPools/web")
    assert cloud.call("DELETE", balancer).status in (200, 202)
    cloud.wait(60)
    (configuration,) = cloud.json("GET", nic)["properties"]["ipConfigurations"]
    assert configuration["properties"]["loadBalancerBackendAddressPools"] == []
    assert cloud.call("DELETE", address).status in (200, 202)


def test_bodies_of_another_form_and_front_ends_on_nothing_are_refused(cloud):
    nowhere = {"id": f"{cloud.group}/providers/Microsoft.Network/publicIPAddresses/none"}
    for properties, code in (
        ({"backendAddressPools": "web"}, "InvalidRequestContent"),
        (
            {"frontendIPConfigurations": [{"name": "f", "properties": {"publicIPAddress": nowhere}}]},
            "InvalidResourceReference",
        ),
    ):
        body = {"location": "westeurope", "properties": properties}
        assert cloud.error("PUT", f"{BALANCERS}/lb1", body) == (400, code)
    assert cloud.error("GET", f"{BALANCERS}/lb1")[0] == 404


def test_the_clusters_load_balancer_stands_before_all_its_nodes_and_is_not_deleted_under_them():
    world = build("false-alarm", seed=7, now=datetime(2026, 11, 20, 3, tzinfo=UTC))
    (balancer,) = world.resources.of_type(BALANCERS)
    nodes = [
        row for row in world.resources.of_type("Microsoft.Compute/virtualMachineScaleSets") if row.get("managedBy")
    ]
    count = sum(len(row["_instances"]) for row in nodes)
    assert count > 1
    for pool in balancer["properties"]["backendAddressPools"]:
        named = {row["id"].lower() for row in pool["properties"]["backendIPConfigurations"]}
        assert len(named) == count
        assert {name.split("/virtualmachines/")[0] for name in named} == {row["id"].lower() for row in nodes}
    (front,) = balancer["properties"]["frontendIPConfigurations"]
    address = world.resources[front["properties"]["publicIPAddress"]["id"]]
    assert address["properties"]["ipConfiguration"]["id"] == front["id"]
