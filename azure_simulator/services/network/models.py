"""Network interfaces and public addresses as machines use them: taken, left, released with the power."""

from __future__ import annotations

from azure_simulator.services.network.exceptions import InterfaceInUseError, InvalidResourceReferenceError
from azure_simulator.world import Document, World

INTERFACE = "Microsoft.Network/networkInterfaces"
PUBLIC_ADDRESS = "Microsoft.Network/publicIPAddresses"
VIRTUAL_NETWORK = "Microsoft.Network/virtualNetworks"
SECURITY_GROUP = "Microsoft.Network/networkSecurityGroups"


def user_of(world: World, interface_id: str) -> str:
    """The id of the machine that uses an interface, "" when none does."""
    interface = world.resources.get(interface_id)
    named = str(((interface or {}).get("properties", {}).get("virtualMachine") or {}).get("id", ""))
    return named if named in world.resources else ""


def check_free(world: World, interface_id: str, machine_id: str) -> None:
    """Refuse an interface that a new machine cannot take.

    Raises:
        InvalidResourceReferenceError: 400, it does not exist. InterfaceInUseError: another machine has it.
    """
    if interface_id not in world.resources:
        raise InvalidResourceReferenceError(interface_id, machine_id)
    user = user_of(world, interface_id)
    if user and user.lower() != machine_id.lower():
        raise InterfaceInUseError(interface_id, user)


def take(world: World, interface_id: str, machine_id: str) -> None:
    """Note on the interface which machine uses it."""
    if (interface := world.resources.get(interface_id)) is not None:
        interface["properties"]["virtualMachine"] = {"id": machine_id}


def leave(world: World, interface_id: str, machine_id: str) -> None:
    """Free the interface when that machine had it."""
    interface = world.resources.get(interface_id)
    if (
        interface
        and str((interface["properties"].get("virtualMachine") or {}).get("id", "")).lower() == machine_id.lower()
    ):
        del interface["properties"]["virtualMachine"]


def addresses(world: World, interface: Document) -> list[Document]:
    """The public addresses of an interface."""
    named = (
        str(((c.get("properties") or {}).get("publicIPAddress") or {}).get("id", ""))
        for c in interface["properties"].get("ipConfigurations") or []
    )
    return [found for found in map(world.resources.get, named) if found is not None]


def release_dynamic_addresses(world: World, interface_id: str) -> None:
    """A deallocated machine loses its dynamic public address; a static one stays and goes on costing."""
    if (interface := world.resources.get(interface_id)) is not None:
        for address in addresses(world, interface):
            if str(address["properties"].get("publicIPAllocationMethod", "Dynamic")).lower() == "dynamic":
                address["properties"].pop("ipAddress", None)


def assign_dynamic_addresses(world: World, interface_id: str) -> None:
    """A started machine gets a (usually different) dynamic public address, out of the documentation range."""
    if (interface := world.resources.get(interface_id)) is not None:
        for address in addresses(world, interface):
            if "ipAddress" not in address["properties"]:
                address["properties"]["ipAddress"] = f"198.51.100.{world.chance.randrange(1, 255)}"


def remove_interface(world: World, interface_id: str) -> None:
    """Delete an interface and unlink its public addresses; those stay unless their own `deleteOption` is Delete."""
    interface = world.resources.get(interface_id)
    if interface is None:
        return
    for configuration in interface["properties"].get("ipConfigurations") or []:
        reference = (configuration.get("properties") or {}).get("publicIPAddress") or {}
        address = world.resources.get(str(reference.get("id", "")))
        if address is None:
            continue
        address["properties"].pop("ipConfiguration", None)
        if str((reference.get("properties") or {}).get("deleteOption", "Detach")).lower() == "delete":
            del world.resources[address["id"]]
    del world.resources[interface["id"]]
