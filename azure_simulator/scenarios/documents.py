"""ARM documents that a tenant and an attack consist of: the envelope, networks, storage, access. Compute is in `compute_parts`."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.clock import stamp
from azure_simulator.scenarios import ids
from azure_simulator.world import Document


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
        "systemData": {"createdAt": stamp(created)},
        "_created": stamp(created),
    }
