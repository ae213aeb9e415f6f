"""ARM documents of disks, machines and scale sets, with everything that is made together with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.clock import stamp
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.documents import resource
from azure_simulator.world import Document

IMAGES: dict[str, dict[str, str]] = {
    "Linux": {
        "publisher": "Canonical",
        "offer": "ubuntu-24_04-lts",
        "sku": "server",
        "version": "latest",
        "exactVersion": "24.04.202509100",
    },
    "Windows": {
        "publisher": "MicrosoftWindowsServer",
        "offer": "WindowsServer",
        "sku": "2022-datacenter-azure-edition",
        "version": "latest",
        "exactVersion": "20348.4052.250903",
    },
    "LinuxGpu": {
        "publisher": "microsoft-dsvm",
        "offer": "ubuntu-hpc",
        "sku": "2204",
        "version": "latest",
        "exactVersion": "22.04.2025061901",
    },
}

DISK_TIERS = {"Premium_LRS": "Premium", "StandardSSD_LRS": "Standard", "Standard_LRS": "Standard"}


def disk(
    chance: Chance,
    group_name: str,
    name: str,
    region: str,
    created: datetime,
    *,
    size_gb: int,
    sku: str = "Premium_LRS",
    os: str = "",
    owner: str = "",
    state: str = "",
    detached: datetime | None = None,
    creation: dict[str, Any] | None = None,
    tags: dict[str, str] | None = None,
) -> Document:
    """A managed disk. `owner` is the machine it is attached to; without one its state is Unattached unless `state` says otherwise."""
    properties: dict[str, Any] = {
        "diskState": state or ("Attached" if owner else "Unattached"),
        "diskSizeGB": size_gb,
        "diskSizeBytes": size_gb * 1024**3,
        "timeCreated": stamp(created),
        "uniqueId": chance.guid(),
        "creationData": creation or {"createOption": "Empty"},
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "LastOwnershipUpdateTime": stamp(detached or created),
    }
    if os:
        properties["osType"] = os
    envelope: dict[str, Any] = {"sku": {"name": sku, "tier": DISK_TIERS[sku]}}
    if owner:
        envelope["managedBy"] = owner
    return resource(group_name, ids.DISK, name, region, created, properties, tags=tags, **envelope)


@dataclass(frozen=True)
class MachineParts:
    """A machine with everything that was made for it."""

    machine: Document
    interface: Document
    os_disk: Document
    data_disks: list[Document] = field(default_factory=list)
    address: Document | None = None

    def all(self) -> list[Document]:
        made = [self.interface, self.os_disk, *self.data_disks, self.machine]
        return [self.address, *made] if self.address else made


def machine(
    chance: Chance,
    group_name: str,
    name: str,
    region: str,
    created: datetime,
    *,
    size: str,
    subnet: str,
    os: str = "Linux",
    image: str = "",
    power: str = "running",
    data_gb: tuple[int, ...] = (),
    disk_sku: str = "Premium_LRS",
    public_address: str = "",
    private_address: str = "10.0.0.4",
    delete_option: str = "Detach",
    admin: str = "azureuser",
    priority: str = "Regular",
    tags: dict[str, str] | None = None,
) -> MachineParts:
    """A virtual machine with its interface, disks and, if `public_address` is given, its public address."""
    machine_id = ids.resource_id(group_name, ids.VIRTUAL_MACHINE, name)
    disk_state = "Reserved" if power == "deallocated" else "Attached"
    reference = IMAGES[image or os]
    os_disk = disk(
        chance,
        group_name,
        f"{name}_OsDisk_1_{chance.guid().replace('-', '')}",
        region,
        created + timedelta(seconds=4),
        size_gb=127 if os == "Windows" else 64,
        sku=disk_sku,
        os=os,
        owner=machine_id,
        state=disk_state,
        creation={
            "createOption": "FromImage",
            "imageReference": {
                "id": f"{ids.SUBSCRIPTION}/Providers/Microsoft.Compute/Locations/{region}/Publishers/{reference['publisher']}"
                f"/ArtifactTypes/VMImage/Offers/{reference['offer']}/Skus/{reference['sku']}/Versions/{reference['exactVersion']}"
            },
        },
        tags=tags,
    )
    data = [
        disk(
            chance,
            group_name,
            f"{name}_DataDisk_{lun}",
            region,
            created + timedelta(seconds=5 + lun),
            size_gb=size_gb,
            sku=disk_sku,
            owner=machine_id,
            state=disk_state,
            tags=tags,
        )
        for lun, size_gb in enumerate(data_gb)
    ]
    address = None
    if public_address:
        address = resource(
            group_name,
            ids.PUBLIC_ADDRESS,
            f"{name}-ip",
            region,
            created - timedelta(seconds=20),
            {
                "publicIPAllocationMethod": "Static",
                "publicIPAddressVersion": "IPv4",
                "ipAddress": public_address,
                "idleTimeoutInMinutes": 4,
            },
            tags=tags,
            sku={"name": "Standard", "tier": "Regional"},
        )
    configuration: dict[str, Any] = {
        "privateIPAddress": private_address,
        "privateIPAllocationMethod": "Dynamic",
        "subnet": {"id": subnet},
        "primary": True,
    }
    if address:
        configuration["publicIPAddress"] = {"id": address["id"]}
    interface = resource(
        group_name,
        ids.NETWORK_INTERFACE,
        f"{name}-nic",
        region,
        created - timedelta(seconds=12),
        {
            "ipConfigurations": [{"name": "ipconfig1", "properties": configuration}],
            "macAddress": "-".join(f"{chance.randrange(256):02X}" for _ in range(6)),
            "enableAcceleratedNetworking": True,
            "virtualMachine": {"id": machine_id},
        },
        tags=tags,
    )
    if address:
        address["properties"]["ipConfiguration"] = {"id": f"{interface['id']}/ipConfigurations/ipconfig1"}
    properties: dict[str, Any] = {
        "vmId": chance.guid(),
        "hardwareProfile": {"vmSize": size},
        "timeCreated": stamp(created),
        "storageProfile": {
            "imageReference": dict(reference),
            "osDisk": {
                "osType": os,
                "name": os_disk["name"],
                "createOption": "FromImage",
                "caching": "ReadWrite",
                "managedDisk": {"storageAccountType": disk_sku, "id": os_disk["id"]},
                "deleteOption": delete_option,
                "diskSizeGB": os_disk["properties"]["diskSizeGB"],
            },
            "dataDisks": [
                {
                    "lun": lun,
                    "name": each["name"],
                    "createOption": "Empty",
                    "caching": "None",
                    "managedDisk": {"storageAccountType": disk_sku, "id": each["id"]},
                    "deleteOption": delete_option,
                    "diskSizeGB": each["properties"]["diskSizeGB"],
                    "toBeDetached": False,
                }
                for lun, each in enumerate(data)
            ],
        },
        "networkProfile": {
            "networkInterfaces": [
                {"id": interface["id"], "properties": {"primary": True, "deleteOption": delete_option}}
            ]
        },
        "osProfile": {"computerName": name[:15], "adminUsername": admin, "allowExtensionOperations": True},
    }
    if priority != "Regular":
        properties |= {"priority": priority, "evictionPolicy": "Deallocate", "billingProfile": {"maxPrice": -1}}
    document = resource(group_name, ids.VIRTUAL_MACHINE, name, region, created, properties, tags=tags, _power=power)
    return MachineParts(document, interface, os_disk, data, address)


def scale_set(
    chance: Chance,
    group_name: str,
    name: str,
    region: str,
    created: datetime,
    *,
    size: str,
    capacity: int,
    subnet: str,
    image: str = "Linux",
    admin: str = "azureuser",
    priority: str = "Regular",
    tags: dict[str, str] | None = None,
    **envelope: Any,
) -> Document:
    """A Uniform scale set with `capacity` running instances."""
    prefix = name[:9]
    profile: dict[str, Any] = {
        "osProfile": {"computerNamePrefix": prefix, "adminUsername": admin},
        "storageProfile": {
            "osDisk": {
                "osType": "Linux",
                "createOption": "FromImage",
                "caching": "ReadWrite",
                "managedDisk": {"storageAccountType": "Premium_LRS"},
                "diskSizeGB": 64,
            },
            "imageReference": dict(IMAGES[image]),
        },
        "networkProfile": {
            "networkInterfaceConfigurations": [
                {
                    "name": f"{name}-nic",
                    "properties": {
                        "primary": True,
                        "ipConfigurations": [{"name": "ipconfig1", "properties": {"subnet": {"id": subnet}}}],
                    },
                }
            ]
        },
        "timeCreated": stamp(created),
    }
    if priority != "Regular":
        profile |= {"priority": priority, "evictionPolicy": "Delete"}
    return resource(
        group_name,
        ids.SCALE_SET,
        name,
        region,
        created,
        {
            "uniqueId": chance.guid(),
            "orchestrationMode": "Uniform",
            "singlePlacementGroup": False,
            "overprovision": False,
            "upgradePolicy": {"mode": "Manual"},
            "timeCreated": stamp(created),
            "virtualMachineProfile": profile,
        },
        tags=tags,
        sku={"name": size, "tier": "Standard", "capacity": capacity},
        _instances={
            str(index): {
                "vmId": chance.guid(),
                "_power": "running",
                "name": f"{name}_{index}",
                "timeCreated": stamp(created + timedelta(seconds=30 + index)),
            }
            for index in range(capacity)
        },
        **envelope,
    )


def autoscale(
    group: str, name: str, target: Document, created: datetime, minimum: int, maximum: int, tags: dict[str, str] | None
) -> Document:
    """An autoscale setting that keeps `target` at `minimum` instances or more."""
    return resource(
        group,
        ids.AUTOSCALE,
        name,
        target["location"],
        created,
        {
            "enabled": True,
            "name": name,
            "targetResourceUri": target["id"],
            "profiles": [
                {
                    "name": "default",
                    "capacity": {"minimum": str(minimum), "maximum": str(maximum), "default": str(minimum)},
                    "rules": [
                        {
                            "metricTrigger": {
                                "metricName": "Percentage CPU",
                                "metricResourceUri": target["id"],
                                "timeGrain": "PT1M",
                                "statistic": "Average",
                                "timeWindow": "PT10M",
                                "timeAggregation": "Average",
                                "operator": "GreaterThan",
                                "threshold": 70,
                            },
                            "scaleAction": {
                                "direction": "Increase",
                                "type": "ChangeCount",
                                "value": "1",
                                "cooldown": "PT5M",
                            },
                        }
                    ],
                }
            ],
        },
        tags=tags,
    )
