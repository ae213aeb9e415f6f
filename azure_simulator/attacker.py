"""The attacker reacts: while a way in is left and nothing denies it, a machine that was stopped or deleted comes back under a new name.

Everything goes through `call_as`, so roles, locks, policy and quota decide, and each attempt stands in the activity log. An identity
that can no longer sign in leaves no trace there: its attempts end at the sign-in.
"""

from __future__ import annotations

import json
from typing import Any

from azure_simulator.app import call_as
from azure_simulator.chance import Chance
from azure_simulator.services.monitor import autoscale
from azure_simulator.truth import MACHINE, SCALE_SET, can_sign_in
from azure_simulator.world import Document, World, public

NOTICES_AFTER = (25.0, 55.0)  # seconds on the world's clock
COMPUTE_VERSION = "2024-07-01"
NETWORK_VERSION = "2024-05-01"
GROUP_VERSION = "2021-04-01"
# What Azure says of a thing and nobody asks for.
_TOLD_BY_AZURE = frozenset(
    {
        "allocationState",
        "createdOn",
        "creationTime",
        "currentDedicatedNodes",
        "currentLowPriorityNodes",
        "instanceView",
        "nodeResourceGroup",
        "powerState",
        "provisioningState",
        "state",
    }
)


class Attacker:
    """Listens to a world and rebuilds what was taken down."""

    def __init__(self, world: World, stem: str) -> None:
        self._world = world
        self._stem = stem
        self._chance: Chance = world.chance.child("attacker")
        self._pending: set[str] = set()
        self._names: set[str] = set()

    @classmethod
    def enlist(cls, world: World, stem: str) -> Attacker:
        """Let an attacker listen to the world; harmless in a world without attackers. `stem` is how new machines are named."""
        attacker = cls(world, stem)
        world.on_change.append(attacker.hear)
        return attacker

    def hear(self, what: str, document: Document) -> None:
        """A listener of `world.on_change`: plan the comeback of a rogue machine or scale set that was stopped or deleted."""
        identity = str(document.get("id", "")).lower()
        if not what.endswith((".stopped", ".deleted", ".scaled")) or identity in self._pending:
            return
        if identity not in {each.lower() for each in self._world.truth.get("rogue_compute", ())}:
            return
        if not what.endswith(".deleted") and self._need_not(document):
            return
        self._pending.add(identity)
        # A copy: the document may be taken apart before the attacker looks again.
        model = json.loads(json.dumps(document, default=str))
        low, high = NOTICES_AFTER
        self._world.later(low + (high - low) * self._chance.random(), lambda: self._rebuild(model))

    def _need_not(self, document: Document) -> bool:
        """Whether a scale set still has instances at work, or autoscale will see to it."""
        if str(document["type"]).lower() != SCALE_SET:
            return False
        return _runs(document) or bool(autoscale.settings_for(self._world, str(document["id"])))

    def _rebuild(self, model: Document) -> None:
        """Try with each identity that is left, the own account first, until one succeeds."""
        self._pending.discard(str(model["id"]).lower())
        rows = sorted(self._world.truth["attackers"], key=lambda row: row["kind"] != "created")
        for row in rows:
            principal = self._world.principals.get(row["principal_id"])
            if principal is None or not can_sign_in(row, principal):
                continue
            if self._rebuild_as(row, model):
                return

    def _rebuild_as(self, row: Document, model: Document) -> bool:
        group = str(model["id"]).split("/providers/")[0]
        region, name = str(model.get("location", "")), self._new_name()
        path = f"{str(model['id']).rsplit('/', 1)[0]}/{name}"
        if group not in self._world.groups:
            status = self._call(row, "PUT", f"{group}?api-version={GROUP_VERSION}", {"location": region})
            if status >= 300:
                return False
        if str(model["type"]).lower() == MACHINE:
            made = self._machine(row, model, group, path, name)
        else:
            made = self._call(row, "PUT", f"{path}?api-version={COMPUTE_VERSION}", _body(model)) < 300
        if made:
            self._record(path, compute=True)
            self._world.truth["comebacks"].append({"id": path, "instead_of": model["id"], "by": row["caller"]})
        return made

    def _machine(self, row: Document, model: Document, group: str, path: str, name: str) -> bool:
        """Create the machine, then, when only its interface was missing, that and the machine again.

        Who is refused at the first try leaves nothing behind but the refusal in the log.
        """
        interface = f"{group}/providers/Microsoft.Network/networkInterfaces/{name}-nic"
        body, url = _machine_body(model, name, interface), f"{path}?api-version={COMPUTE_VERSION}"
        status = self._call(row, "PUT", url, body)
        if status < 300 or status in (401, 403, 429):
            return status < 300
        region = str(model["location"])
        subnet = self._subnet(row, group, region)
        nic_url = f"{interface}?api-version={NETWORK_VERSION}"
        if not subnet or self._call(row, "PUT", nic_url, _interface_body(region, subnet)) >= 300:
            return False
        self._record(interface)
        if self._call(row, "PUT", url, body) < 300:
            return True
        self._call(row, "DELETE", nic_url)
        return False

    def _call(self, row: Document, method: str, path: str, body: Document | None = None) -> int:
        """Act as one of the identities; returns the status."""
        return call_as(
            self._world, row["principal_id"], method, path, body, address=row["addresses"][0], token=row["token"]
        ).status

    def _subnet(self, row: Document, group_path: str, region: str) -> str:
        """A subnet of the group in that region, made when there is none."""
        for network in self._world.resources.of_type("Microsoft.Network/virtualNetworks", group_path):
            if network.get("location") == region and network["properties"].get("subnets"):
                return str(network["properties"]["subnets"][0]["id"])
        path = f"{group_path}/providers/Microsoft.Network/virtualNetworks/{self._stem}-net"
        body = {
            "location": region,
            "properties": {
                "addressSpace": {"addressPrefixes": ["10.77.0.0/16"]},
                "subnets": [{"name": "default", "properties": {"addressPrefix": "10.77.0.0/24"}}],
            },
        }
        if self._call(row, "PUT", f"{path}?api-version={NETWORK_VERSION}", body) >= 300:
            return ""
        self._record(path)
        return f"{path}/subnets/default"

    def _record(self, identity: str, *, compute: bool = False) -> None:
        """Take down what the attacker made: the resource and, for a machine, its disks."""
        truth = self._world.truth
        truth["rogue"].append(identity)
        if compute:
            truth["rogue_compute"].append(identity)
            truth["rogue"].extend(
                disk["id"]
                for disk in self._world.resources.of_type("Microsoft.Compute/disks", identity.split("/providers/")[0])
                if str(disk.get("managedBy", "")).lower() == identity.lower()
            )

    def _new_name(self) -> str:
        """A name in the manner of the others that was never used."""
        while True:
            name = f"{self._stem}-{self._chance.getrandbits(16):04x}"
            if name not in self._names:
                self._names.add(name)
                return name


def _runs(document: Document) -> bool:
    rows = document.get("_instances", {}).values()
    return any(
        row.get("_power", "running") not in ("deallocated", "stopped", "deallocating", "stopping") for row in rows
    )


def _interface_body(region: str, subnet: str) -> Document:
    configuration = {
        "name": "ipconfig1",
        "properties": {"subnet": {"id": subnet}, "privateIPAllocationMethod": "Dynamic"},
    }
    return {"location": region, "properties": {"ipConfigurations": [configuration]}}


def _machine_body(model: Document, name: str, interface: str) -> Document:
    old = model["properties"]
    storage = old["storageProfile"]
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": old["hardwareProfile"]["vmSize"]},
        "storageProfile": {
            "imageReference": storage.get("imageReference", {}),
            "osDisk": {
                "createOption": "FromImage",
                "osType": storage["osDisk"].get("osType", "Linux"),
                "managedDisk": {"storageAccountType": "Premium_LRS"},
            },
        },
        "osProfile": {"computerName": name[:15], "adminUsername": "azureuser"},
        "networkProfile": {"networkInterfaces": [{"id": interface, "properties": {"primary": True}}]},
    }
    properties |= {key: old[key] for key in ("priority", "evictionPolicy", "billingProfile") if key in old}
    return {"location": model["location"], "properties": properties}


def _body(model: Document) -> Document:
    """What to ask for to have the like again."""
    if str(model["type"]).lower() == SCALE_SET:
        return _scale_set_body(model)
    shown = public(model)
    properties = {k: v for k, v in shown["properties"].items() if k not in _TOLD_BY_AZURE}
    return {k: shown[k] for k in ("location", "sku", "kind") if k in shown} | {"properties": properties}


def _scale_set_body(model: Document) -> Document:
    shown = public(model)
    properties = shown["properties"]
    return {
        "location": model["location"],
        "sku": shown["sku"]
        | {"capacity": max(1, int(shown["sku"].get("capacity", 0)), len(model.get("_instances", {})))},
        "properties": {
            key: properties[key]
            for key in ("upgradePolicy", "virtualMachineProfile", "orchestrationMode")
            if key in properties
        },
    }
