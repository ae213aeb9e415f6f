"""Managed disks and snapshots: how they are made, attached, detached and reserved, and when they may not be deleted."""

from __future__ import annotations

from azure_simulator.clock import stamp
from azure_simulator.services.compute.exceptions import InvalidParameterError, OperationNotAllowedError
from azure_simulator.world import Document, World

DISK = "Microsoft.Compute/disks"
SNAPSHOT = "Microsoft.Compute/snapshots"


def owners(disk: Document) -> list[str]:
    """The machines that a disk is attached to."""
    single = [disk["managedBy"]] if disk.get("managedBy") else []
    return single + [o for o in disk.get("managedByExtended") or [] if o.lower() not in {s.lower() for s in single}]


def complete(world: World, disk: Document) -> None:
    """Give a new disk or snapshot what the service adds: ids, state, encryption, tier."""
    properties = disk["properties"]
    sku = str(disk.setdefault("sku", {}).setdefault("name", "Standard_LRS"))
    disk["sku"]["tier"] = "Premium" if sku.startswith("Premium") else "Ultra" if sku.startswith("Ultra") else "Standard"
    properties.setdefault("creationData", {"createOption": "Empty"})
    source = world.resources.get(str(properties["creationData"].get("sourceResourceId", "")))
    if source is not None:
        properties.setdefault("diskSizeGB", source["properties"].get("diskSizeGB", 32))
        if source["properties"].get("osType"):
            properties.setdefault("osType", source["properties"]["osType"])
        properties["creationData"]["sourceUniqueId"] = source["properties"].get("uniqueId", "")
    size = int(properties.setdefault("diskSizeGB", 32))
    properties |= {
        "diskState": "Unattached",
        "diskSizeBytes": size * 1024**3,
        "timeCreated": stamp(world.clock.now()),
        "uniqueId": world.chance.guid(),
        "provisioningState": "Updating",
        "encryption": properties.get("encryption") or {"type": "EncryptionAtRestWithPlatformKey"},
    }
    properties.setdefault("networkAccessPolicy", "AllowAll")
    properties.setdefault("publicNetworkAccess", "Enabled")


def check_creation(world: World, properties: Document, kind: str) -> None:
    """Refuse creation data that names nothing to copy.

    Raises:
        InvalidParameterError: 400, the creation data is missing or its source does not exist.
    """
    data = properties.get("creationData")
    if not isinstance(data, dict) or not data.get("createOption"):
        raise InvalidParameterError(
            "Required parameter 'creationData.createOption' is missing (null).", "creationData.createOption"
        )
    if data["createOption"] in ("Copy", "CopyStart"):
        source = str(data.get("sourceResourceId", ""))
        found = world.resources.get(source)
        if found is None or str(found.get("type", "")).lower() not in (DISK.lower(), SNAPSHOT.lower()):
            raise InvalidParameterError(f"Resource {source} is not found.", "creationData.sourceResourceId")
    elif data["createOption"] == "Empty" and kind == DISK and not properties.get("diskSizeGB"):
        raise InvalidParameterError("Required parameter 'disk.diskSizeGB' is missing (null).", "disk.diskSizeGB")


def check_attachable(disk: Document, machine_id: str) -> None:
    """Refuse a disk that a machine cannot take.

    Raises:
        OperationNotAllowedError: it is attached elsewhere, or has an active SAS.
    """
    taken = [o for o in owners(disk) if o.lower() != machine_id.lower()]
    if taken and int(disk["properties"].get("maxShares", 1)) <= len(taken):
        raise OperationNotAllowedError(
            f"Cannot attach data disk '{disk['name']}' to VM '{machine_id.rsplit('/', 1)[1]}' because the disk is currently attached "
            f"to VM '{taken[0].rsplit('/', 1)[1]}'."
        )
    if str(disk["properties"].get("diskState", "")).startswith("ActiveSAS"):
        raise OperationNotAllowedError(
            f"Disk {disk['name']} has an active shared access signature and cannot be attached."
        )


def attach(world: World, disk: Document, machine_id: str) -> None:
    """Attach a disk that passed `check_attachable`; a shared one keeps its other machines."""
    if int(disk["properties"].get("maxShares", 1)) > 1:
        disk["managedByExtended"] = [*(o for o in owners(disk) if o.lower() != machine_id.lower()), machine_id]
    else:
        disk["managedBy"] = machine_id
    disk["properties"] |= {"diskState": "Attached", "LastOwnershipUpdateTime": stamp(world.clock.now())}


def detach(world: World, disk: Document, machine_id: str) -> None:
    """Detach a disk from one machine; without another owner it becomes Unattached as of now."""
    left = [o for o in disk.get("managedByExtended") or [] if o.lower() != machine_id.lower()]
    if str(disk.get("managedBy", "")).lower() == machine_id.lower():
        disk.pop("managedBy")
    disk.pop("managedByExtended", None)
    if left:
        disk["managedByExtended"] = left
    disk["properties"]["LastOwnershipUpdateTime"] = stamp(world.clock.now())
    if not owners(disk):
        disk["properties"]["diskState"] = "Unattached"


def reserve(disk: Document, *, reserved: bool) -> None:
    """Follow the machine's power: Reserved while it is deallocated, Attached otherwise. States of SAS and upload are left alone."""
    before, after = ("Attached", "Reserved") if reserved else ("Reserved", "Attached")
    if disk["properties"].get("diskState") == before:
        disk["properties"]["diskState"] = after


def check_deletable(disk: Document) -> None:
    """Refuse to delete what is in use.

    Raises:
        OperationNotAllowedError: attached, or an active SAS.
    """
    if attached := owners(disk):
        raise OperationNotAllowedError(f"Disk {disk['name']} is attached to VM {attached[0]}.")
    if str(disk["properties"].get("diskState", "")).startswith("ActiveSAS"):
        raise OperationNotAllowedError(
            f"Cannot perform operation 'Delete' on resource '{disk['name']}' since it has an active shared access signature. "
            "Please revoke access and try again."
        )
