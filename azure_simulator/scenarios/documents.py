"""ARM documents of the resources that a tenant and an attack consist of. Nothing here draws chance beyond the ids of a document."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.clock import stamp
from azure_simulator.scenarios import ids
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


def resource(
    group: str,
    kind: str,
    name: str,
    region: str,
    created: datetime,
    properties: dict[str, Any] | None = None,
    /,
    *,
    tags: dict[str, str] | None = None,
    **envelope: Any,
) -> Document:
    """A resource; `envelope` is merged beside `properties` (sku, kind, managedBy, identity, private keys)."""
    document: Document = {
        "id": ids.resource_id(group, kind, name),
        "name": name.rsplit("/", 1)[-1],
        "type": kind,
        "location": region,
        "properties": {"provisioningState": "Succeeded", **(properties or {})},
        "_created": stamp(created),
    }
    if tags:
        document["tags"] = dict(tags)
    document.update(envelope)
    return document


def group(
    name: str, region: str, created: datetime, *, tags: dict[str, str] | None = None, **envelope: Any
) -> Document:
    """A resource group."""
    document: Document = {
        "id": ids.group_id(name),
        "name": name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": region,
        "properties": {"provisioningState": "Succeeded"},
        "_created": stamp(created),
    }
    if tags:
        document["tags"] = dict(tags)
    document.update(envelope)
    return document


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
                    "createOption": "Attach",
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


def network(
    group_name: str,
    name: str,
    region: str,
    created: datetime,
    prefix: str,
    *,
    subnets: tuple[str, ...] = ("default",),
    tags: dict[str, str] | None = None,
) -> Document:
    """A virtual network; `prefix` is its first two octets, each subnet takes the next third one."""
    network_id = ids.resource_id(group_name, ids.VIRTUAL_NETWORK, name)
    return resource(
        group_name,
        ids.VIRTUAL_NETWORK,
        name,
        region,
        created,
        {
            "addressSpace": {"addressPrefixes": [f"{prefix}.0.0/16"]},
            "subnets": [
                {
                    "id": f"{network_id}/subnets/{subnet}",
                    "name": subnet,
                    "type": "Microsoft.Network/virtualNetworks/subnets",
                    "properties": {"addressPrefix": f"{prefix}.{index}.0/24", "provisioningState": "Succeeded"},
                }
                for index, subnet in enumerate(subnets)
            ],
        },
        tags=tags,
    )


def subnet_of(document: Document, index: int = 0) -> str:
    """The id of a network's subnet."""
    return str(document["properties"]["subnets"][index]["id"])


def security_group(
    group_name: str,
    name: str,
    region: str,
    created: datetime,
    *,
    open_ports: tuple[str, ...] = (),
    source: str = "VirtualNetwork",
    tags: dict[str, str] | None = None,
) -> Document:
    """A network security group that lets `source` in on `open_ports`."""
    rules = [
        {
            "id": f"{ids.resource_id(group_name, ids.SECURITY_GROUP, name)}/securityRules/allow-{port}",
            "name": f"allow-{port}",
            "type": "Microsoft.Network/networkSecurityGroups/securityRules",
            "properties": {
                "priority": 100 + 10 * index,
                "direction": "Inbound",
                "access": "Allow",
                "protocol": "Tcp",
                "sourceAddressPrefix": source,
                "sourcePortRange": "*",
                "destinationAddressPrefix": "*",
                "destinationPortRange": port,
                "provisioningState": "Succeeded",
            },
        }
        for index, port in enumerate(open_ports)
    ]
    return resource(group_name, ids.SECURITY_GROUP, name, region, created, {"securityRules": rules}, tags=tags)


def storage_account(
    chance: Chance,
    group_name: str,
    name: str,
    region: str,
    created: datetime,
    *,
    sku: str = "Standard_LRS",
    tags: dict[str, str] | None = None,
) -> Document:
    """A storage account with its two keys."""
    from base64 import b64encode

    return resource(
        group_name,
        ids.STORAGE_ACCOUNT,
        name,
        region,
        created,
        {
            "creationTime": stamp(created),
            "primaryEndpoints": {"blob": f"https://{name}.blob.core.windows.net/"},
            "primaryLocation": region,
            "statusOfPrimary": "available",
            "supportsHttpsTrafficOnly": True,
            "minimumTlsVersion": "TLS1_2",
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": True,
        },
        tags=tags,
        sku={"name": sku, "tier": sku.split("_")[0]},
        kind="StorageV2",
        _keys=[b64encode(chance.randbytes(64)).decode() for _ in range(2)],
    )


def page_blob(
    account: str, container: str, name: str, size_gb: int, created: datetime, *, leased: bool, etag: str
) -> Document:
    """An unmanaged disk in the blob table's shape. `size` is in bytes, with the 512 bytes of a VHD's footer."""
    return {
        "account": account,
        "container": container,
        "name": name,
        "size": size_gb * 1024**3 + 512,
        "blob_type": "PageBlob",
        "leased": leased,
        "etag": f'"{etag}"',
        "created": stamp(created),
        "snapshots": [],
    }


def role_assignment(
    scope: str, guid: str, definition_id: str, principal: tuple[str, str], created: datetime, created_by: str
) -> Document:
    """A role assignment; `principal` is (object id, principal type)."""
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{guid}",
        "name": guid,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "scope": scope,
            "roleDefinitionId": definition_id,
            "principalId": principal[0],
            "principalType": principal[1],
            "condition": None,
            "conditionVersion": None,
            "createdOn": stamp(created),
            "updatedOn": stamp(created),
            "createdBy": created_by,
            "updatedBy": created_by,
        },
    }


def lock(scope: str, name: str, level: str, notes: str, created: datetime) -> Document:
    """A management lock at a subscription, group or resource."""
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/locks/{name}",
        "name": name,
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": level, "notes": notes},
        "_created": stamp(created),
    }
