"""Whatever a client sends, the compute side answers with an error of Azure's and is left as it was."""

from __future__ import annotations

import json

import pytest

from azure_simulator.http import ArmError, Request
from azure_simulator.services.compute.documents import body_of

WRONG = ["text", 7, [], ["x"], {"a": 1}, True]
PLACES = [
    ("virtualMachines/vm1", ("properties",)),
    ("virtualMachines/vm1", ("properties", "hardwareProfile")),
    ("virtualMachines/vm1", ("properties", "storageProfile")),
    ("virtualMachines/vm1", ("properties", "storageProfile", "osDisk")),
    ("virtualMachines/vm1", ("properties", "storageProfile", "dataDisks")),
    ("virtualMachines/vm1", ("properties", "networkProfile")),
    ("virtualMachines/vm1", ("properties", "networkProfile", "networkInterfaces")),
    ("virtualMachines/vm1", ("tags",)),
    ("virtualMachineScaleSets/s1", ("sku",)),
    ("virtualMachineScaleSets/s1", ("sku", "capacity")),
    ("virtualMachineScaleSets/s1", ("properties", "virtualMachineProfile")),
    ("disks/d1", ("properties", "creationData")),
    ("disks/d1", ("properties", "diskSizeGB")),
    ("snapshots/p1", ("properties", "creationData")),
    ("Microsoft.Network/networkInterfaces/n1", ("properties", "ipConfigurations")),
    ("Microsoft.Network/virtualNetworks/n1", ("properties", "subnets")),
    ("Microsoft.Insights/autoscaleSettings/a1", ("properties", "profiles")),
    ("Microsoft.Storage/storageAccounts/acct1", ("sku",)),
    ("Microsoft.ContainerService/managedClusters/k1", ("properties", "agentPoolProfiles")),
]


@pytest.mark.parametrize(("path", "keys"), PLACES)
def test_wrong_types_are_refused_or_taken_but_never_break(cloud, path, keys):
    for wrong in WRONG:
        body = {"location": "westeurope"}
        node = body
        for key in keys[:-1]:
            node = node.setdefault(key, {})
        node[keys[-1]] = wrong
        for method in ("PUT", "PATCH"):
            answer = cloud.call(method, path, body)
            assert answer.status in (200, 201, 202, 400, 404, 405, 409), (wrong, answer)


@pytest.mark.parametrize("raw", [b"[1,2]", b'"x"', b"7", b"{", b"null"])
def test_bodies_that_are_no_objects_are_bad_requests(raw):
    with pytest.raises(ArmError) as refused:
        body_of(Request("POST", "/", {}, {}, raw))
    assert (refused.value.status, refused.value.code) == (400, "InvalidRequestContent")


def test_extensions_are_children_of_their_machine(cloud):
    body = {
        "location": "westeurope",
        "properties": {"publisher": "P", "type": "CustomScript", "settings": {"properties": "free form"}},
    }
    assert cloud.error("PUT", "virtualMachines/vm1/extensions/x", body) == (404, "ParentResourceNotFound")
    cloud.make_vm()
    assert cloud.call("PUT", "virtualMachines/vm1/extensions/x", body).status == 201
    assert cloud.json("GET", "virtualMachines/vm1/extensions")["value"][0]["properties"]["type"] == "CustomScript"
    assert cloud.json("GET", "virtualMachines")["value"][0]["resources"][0]["id"].endswith("/extensions/x")
    cloud.call("DELETE", "virtualMachines/vm1")
    assert json.dumps([r["name"] for r in cloud.world.resources.values()]).count('"x"') == 0
