"""Network interfaces and public addresses as machines use them: taken, left, released with the power; and the load balancers before them."""

from __future__ import annotations

from collections.abc import Iterator

from azure_simulator.services.network.exceptions import InterfaceInUseError, InvalidResourceReferenceError
from azure_simulator.world import Document, World

INTERFACE = "Microsoft.Network/networkInterfaces"
PUBLIC_ADDRESS = "Microsoft.Network/publicIPAddresses"
VIRTUAL_NETWORK = "Microsoft.Network/virtualNetworks"
SECURITY_GROUP = "Microsoft.Network/networkSecurityGroups"
LOAD_BALANCER = "Microsoft.Network/loadBalancers"
PARTS_OF_BALANCER = (
    "frontendIPConfigurations",
    "backendAddressPools",
    "loadBalancingRules",
    "probes",
    "inboundNatRules",
    "outboundRules",
)
_SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"


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
    pools = set(pools_of(interface))
    for configuration in interface["properties"].get("ipConfigurations") or []:
        reference = (configuration.get("properties") or {}).get("publicIPAddress") or {}
        address = world.resources.get(str(reference.get("id", "")))
        if address is None:
            continue
        address["properties"].pop("ipConfiguration", None)
        if str((reference.get("properties") or {}).get("deleteOption", "Detach")).lower() == "delete":
            del world.resources[address["id"]]
    del world.resources[interface["id"]]
    fill_pools(world, pools)


def pools_of(interface: Document) -> list[str]:
    """The backend pools that an interface's configurations name, in lower case."""
    return [pool.lower() for _, pool in _memberships(interface["properties"].get("ipConfigurations"), interface["id"])]


def fill_pools(world: World, wanted: set[str]) -> None:
    """Write into backend pools who their members are: interfaces and scale sets name the pool, and the pool lists their configurations.

    https://learn.microsoft.com/rest/api/load-balancer/load-balancers/list-all
    """
    if not wanted:
        return
    members: dict[str, list[Document]] = {}
    for configuration, pool in _members(world):
        members.setdefault(pool.lower(), []).append({"id": configuration})
    for balancer in world.resources.of_type(LOAD_BALANCER):
        for pool in balancer["properties"].get("backendAddressPools") or []:
            if str(pool.get("id", "")).lower() in wanted:
                inner = pool.setdefault("properties", {})
                inner.pop("backendIPConfigurations", None)
                if found := members.get(str(pool["id"]).lower()):
                    inner["backendIPConfigurations"] = found


def forget_balancer(world: World, balancer: Document) -> None:
    """Free the public addresses of a load balancer that goes, and take its pools out of the interfaces that name them."""
    below = f"{balancer['id'].lower()}/"
    for address in world.resources.of_type(PUBLIC_ADDRESS):
        if str((address["properties"].get("ipConfiguration") or {}).get("id", "")).lower().startswith(below):
            del address["properties"]["ipConfiguration"]
    for interface in world.resources.of_type(INTERFACE):
        for configuration in interface["properties"].get("ipConfigurations") or []:
            inner = configuration.get("properties") or {}
            if pools := inner.get("loadBalancerBackendAddressPools"):
                left = [pool for pool in pools if not str(pool.get("id", "")).lower().startswith(below)]
                inner["loadBalancerBackendAddressPools"] = left


def scale_set_behind(world: World, balancer: Document) -> str:
    """The id of a scale set that names one of the load balancer's pools, "" when none does."""
    below = f"{balancer['id'].lower()}/"
    for scale_set in world.resources.of_type(_SCALE_SET):
        if any(pool.lower().startswith(below) for _, pool in _of_scale_set(scale_set)):
            return str(scale_set["id"])
    return ""


def _members(world: World) -> Iterator[tuple[str, str]]:
    for interface in world.resources.of_type(INTERFACE):
        yield from _memberships(interface["properties"].get("ipConfigurations"), interface["id"])
    for scale_set in world.resources.of_type(_SCALE_SET):
        yield from _of_scale_set(scale_set)


def _of_scale_set(scale_set: Document) -> Iterator[tuple[str, str]]:
    profile = scale_set["properties"].get("virtualMachineProfile") or {}
    for slot in (profile.get("networkProfile") or {}).get("networkInterfaceConfigurations") or []:
        configurations = (slot.get("properties") or {}).get("ipConfigurations")
        for instance in scale_set.get("_instances") or {}:
            place = f"{scale_set['id']}/virtualMachines/{instance}/networkInterfaces/{slot.get('name', '')}"
            yield from _memberships(configurations, place)


def _memberships(configurations: list[Document] | None, interface_id: str) -> Iterator[tuple[str, str]]:
    """The id of each configuration with each pool that it names."""
    for configuration in configurations or []:
        for pool in (configuration.get("properties") or {}).get("loadBalancerBackendAddressPools") or []:
            yield f"{interface_id}/ipConfigurations/{configuration.get('name', '')}", str(pool.get("id", ""))
