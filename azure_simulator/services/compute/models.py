"""Virtual machines: how one is made and taken apart, what follows its power, and its instance view."""

from __future__ import annotations

from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.services.compute import disks, power, vhds
from azure_simulator.services.compute.documents import remove
from azure_simulator.services.compute.exceptions import InvalidParameterError
from azure_simulator.services.compute.sizes import Size, size_of
from azure_simulator.services.network import models as network
from azure_simulator.world import Document, World, public

EXTENSION = "Microsoft.Compute/virtualMachines/extensions"


def size_or_refuse(name: str) -> Size:
    """The size of that name.

    Raises:
        InvalidParameterError: 400, there is none.
    """
    found = size_of(name)
    if found is None:
        raise InvalidParameterError(f"The value {name} provided for the VM size is not valid.", "vmSize")
    return found


def size_name(machine: Document) -> str:
    """The machine's size as written, "" when it has none."""
    return str(machine["properties"].get("hardwareProfile", {}).get("vmSize", ""))


def disk_slots(machine: Document) -> list[Document]:
    """The machine's own entries for its OS disk and data disks, managed or not."""
    storage = machine["properties"].get("storageProfile") or {}
    os_disk = storage.get("osDisk")
    return ([os_disk] if os_disk else []) + list(storage.get("dataDisks") or [])


def managed_disks(world: World, machine: Document) -> list[tuple[Document, Document]]:
    """The machine's managed disks that exist, each with the machine's entry for it."""
    found = (
        (slot, world.resources.get(str(slot.get("managedDisk", {}).get("id", "")))) for slot in disk_slots(machine)
    )
    return [(slot, disk) for slot, disk in found if disk is not None]


def network_slots(machine: Document) -> list[Document]:
    """The machine's entries for its network interfaces."""
    return list((machine["properties"].get("networkProfile") or {}).get("networkInterfaces") or [])


def check_new(world: World, identity: str, body: Document) -> Size:
    """Refuse a machine that cannot be made, before anything is.

    Raises:
        ArmError: 400 for a missing or unknown size or a missing interface, 409 for what another machine uses.
    """
    properties = body.get("properties") or {}
    size = size_or_refuse(str((properties.get("hardwareProfile") or {}).get("vmSize") or ""))
    for slot in (properties.get("networkProfile") or {}).get("networkInterfaces") or []:
        network.check_free(world, str(slot.get("id", "")), identity)
    check_disks(world, identity, properties.get("storageProfile") or {})
    return size


def check_disks(world: World, identity: str, storage: Document) -> None:
    """Refuse existing disks that the machine cannot take.

    Raises:
        InvalidParameterError: 400, one does not exist. OperationNotAllowedError: 409, another machine or a SAS holds one.
    """
    for slot in [storage.get("osDisk") or {}, *(storage.get("dataDisks") or [])]:
        named = str((slot.get("managedDisk") or {}).get("id", ""))
        disk = world.resources.get(named)
        if disk is not None:
            disks.check_attachable(disk, identity)
        elif slot.get("createOption") == "Attach" and named:
            raise InvalidParameterError(f"Disk {named} is not found.", "managedDisk.id")


def furnish(world: World, machine: Document) -> None:
    """Give a new machine what the service adds, and make or attach its disks and take its interfaces."""
    properties, now = machine["properties"], stamp(world.clock.now())
    properties |= {"vmId": world.chance.guid(), "timeCreated": now, "provisioningState": "Creating"}
    machine["_power"] = "starting"
    storage = properties.setdefault("storageProfile", {})
    os_disk = storage.setdefault("osDisk", {"createOption": "FromImage"})
    image = storage.get("imageReference") or {}
    windows = "windows" in str(image.get("publisher", "")).lower() or "windowsConfiguration" in (
        properties.get("osProfile") or {}
    )
    os_disk.setdefault("osType", "Windows" if windows else "Linux")
    os_disk.setdefault("name", f"{machine['name']}_OsDisk_1_{world.chance.guid().replace('-', '')}")
    os_disk.setdefault("caching", "ReadWrite")
    storage.setdefault("dataDisks", [])
    for slot in disk_slots(machine):
        _plug_in(world, machine, slot, image if slot is os_disk else None)
    for slot in network_slots(machine):
        network.take(world, str(slot.get("id", "")), machine["id"])


def _plug_in(world: World, machine: Document, slot: Document, image: Document | None) -> None:
    """Complete the machine's entry for a disk and attach the disk, or lease the blob of an unmanaged one."""
    slot.setdefault("createOption", "Empty")
    slot.setdefault("deleteOption", "Detach")
    if image is None:
        slot.setdefault("lun", 0)
        slot.setdefault("toBeDetached", False)
        if not slot.get("name"):
            named = str((slot.get("managedDisk") or {}).get("id", "")).rpartition("/")[2]
            slot["name"] = named or f"{machine['name']}_disk{slot['lun'] + 2}_{world.chance.guid().replace('-', '')}"
    if slot.get("vhd"):
        vhds.take(world, str(slot["vhd"].get("uri", "")))
    else:
        _attach(world, machine, slot, image)


def replug(world: World, machine: Document, wanted: list[Document]) -> None:
    """Make `wanted` the machine's data disks: what is no longer there is detached, what is new is attached."""
    storage = machine["properties"].setdefault("storageProfile", {})
    before = {str(s.get("managedDisk", {}).get("id", "")).lower(): s for s in storage.get("dataDisks") or []}
    kept = [slot for slot in wanted if not slot.get("toBeDetached")]
    staying = {str((s.get("managedDisk") or {}).get("id", "")).lower() for s in kept}
    for identity in before.keys() - staying:
        if (disk := world.resources.get(identity)) is not None:
            disks.detach(world, disk, machine["id"])
    storage["dataDisks"] = kept
    for slot in kept:
        identity = str((slot.get("managedDisk") or {}).get("id", "")).lower()
        if identity in before:
            slot.update(before[identity] | slot)
        else:
            _plug_in(world, machine, slot, None)
    if machine.get("_power") == "deallocated":
        for _, disk in managed_disks(world, machine):
            disks.reserve(disk, reserved=True)


def _attach(world: World, machine: Document, slot: Document, image: Document | None) -> None:
    managed = slot.setdefault("managedDisk", {})
    disk = world.resources.get(str(managed.get("id", "")))
    if disk is None:
        group = machine["id"].rsplit("/providers/", 1)[0]
        managed["id"] = f"{group}/providers/{disks.DISK}/{slot['name']}"
        creation: Document = {"createOption": "Empty"}
        properties: Document = {
            "diskSizeGB": slot.get("diskSizeGB") or (127 if slot.get("osType") == "Windows" else 30)
        }
        if image is not None:
            creation = {"createOption": "FromImage", "imageReference": dict(image)}
            properties["osType"] = slot["osType"]
        disk = {
            "id": managed["id"],
            "name": slot["name"],
            "type": disks.DISK,
            "location": machine["location"],
            "sku": {"name": managed.get("storageAccountType") or "Standard_LRS"},
            "properties": properties | {"creationData": creation},
            "_created": stamp(world.clock.now()),
        }
        if machine.get("tags"):
            disk["tags"] = dict(machine["tags"])
        world.resources[disk["id"]] = disk
        disks.complete(world, disk)
        disk["properties"]["provisioningState"] = "Succeeded"
    managed.setdefault("storageAccountType", disk["sku"]["name"])
    slot.setdefault("diskSizeGB", disk["properties"].get("diskSizeGB"))
    disks.attach(world, disk, machine["id"])


def set_power(world: World, machine: Document, state: str) -> None:
    """Put the machine into a power state and let its disks and dynamic addresses follow."""
    machine["_power"] = state
    if state in ("deallocated", "starting", "running"):
        for _, disk in managed_disks(world, machine):
            disks.reserve(disk, reserved=state == "deallocated")
        for slot in network_slots(machine):
            if state == "deallocated":
                network.release_dynamic_addresses(world, str(slot.get("id", "")))
            else:
                network.assign_dynamic_addresses(world, str(slot.get("id", "")))


def take_apart(world: World, machine: Document) -> None:
    """Remove the machine, its extensions and what it held."""
    let_go(world, machine)
    remove(world, machine["id"])


def let_go(world: World, machine: Document) -> None:
    """Let go of what a machine holds: disks and interfaces are deleted or detached after their `deleteOption`, leases end."""
    for slot, disk in managed_disks(world, machine):
        if str(slot.get("deleteOption", "Detach")).lower() == "delete" and len(disks.owners(disk)) <= 1:
            remove(world, disk["id"])
        else:
            disks.detach(world, disk, machine["id"])
    for slot in disk_slots(machine):
        if slot.get("vhd"):
            vhds.release(world, str(slot["vhd"].get("uri", "")))
    for slot in network_slots(machine):
        identity = str(slot.get("id", ""))
        network.leave(world, identity, machine["id"])
        if str((slot.get("properties") or {}).get("deleteOption", "Detach")).lower() == "delete":
            network.remove_interface(world, identity)


def instance_view(world: World, machine: Document, *, thin: bool = False) -> Document:
    """The machine's run-time status; `thin` is what lists with `statusOnly` answer."""
    properties, state = machine["properties"], machine.get("_power", "running")
    created = str(properties.get("timeCreated") or machine.get("_created") or stamp(world.clock.now()))
    view: Document = {
        "statuses": [
            power.provisioning(str(properties.get("provisioningState", "Succeeded")), created),
            power.status(state),
        ]
    }
    if thin:
        return view
    os_type = next((str(s.get("osType")) for s in disk_slots(machine) if s.get("osType")), "Linux")
    if state == "running":
        view["computerName"] = (properties.get("osProfile") or {}).get("computerName", machine["name"])
        view["osName"] = "Microsoft Windows Server 2022 Datacenter" if os_type == "Windows" else "ubuntu"
        ready = {
            "code": "ProvisioningState/succeeded",
            "level": "Info",
            "displayStatus": "Ready",
            "time": stamp(world.clock.now()),
        }
        view["vmAgent"] = {"vmAgentVersion": "2.12.0.2", "statuses": [ready | {"message": "Guest Agent is running"}]}
    view["hyperVGeneration"] = "V2"
    view["disks"] = [
        {"name": s.get("name", ""), "statuses": [power.provisioning("Succeeded", created)]} for s in disk_slots(machine)
    ]
    return view


def extensions_by_machine(world: World, below: str) -> dict[str, list[Document]]:
    """The machines' extensions as lists show them, by the machine's id in lower case."""
    found: dict[str, list[Document]] = {}
    for extension in world.listed(world.resources).of_type(EXTENSION, below):
        found.setdefault(extension["id"].lower().rsplit("/extensions/", 1)[0], []).append(extension)
    return found


def shown(
    world: World,
    machine: Document,
    *,
    expand: str = "",
    status_only: bool = False,
    extensions: list[Document] | None = None,
) -> Document:
    """The machine as answered: whole, with its instance view, or only its status. Lists hand in its `extensions`."""
    if status_only:
        properties = machine["properties"]
        kept = {k: properties[k] for k in ("vmId", "provisioningState", "timeCreated") if k in properties}
        envelope = {k: machine[k] for k in ("id", "name", "type", "location") if k in machine}
        return envelope | {"properties": kept | {"instanceView": instance_view(world, machine, thin=True)}}
    answer: dict[str, Any] = public(machine)
    if expand.lower() == "instanceview":
        answer["properties"] = answer["properties"] | {"instanceView": instance_view(world, machine)}
    children = world.resources.below(machine["id"] + "/extensions") if extensions is None else extensions
    if children:
        answer["resources"] = [public(c) if expand else {"id": c["id"]} for c in children]
    return answer
