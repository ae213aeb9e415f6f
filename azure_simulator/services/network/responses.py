"""Network resources over HTTP: documents, and refusals to delete what is in use. Deletions are long-running."""

from __future__ import annotations

from collections.abc import Callable

from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.compute.documents import body_of, create, existing_for_put, patch, remove, resource_id
from azure_simulator.services.compute.operations import long_running
from azure_simulator.services.network import models
from azure_simulator.services.network.exceptions import (
    InterfaceInUseError,
    InvalidResourceReferenceError,
    LoadBalancerInUseError,
    PublicAddressInUseError,
    SecurityGroupInUseError,
    SubnetInUseError,
)
from azure_simulator.world import Document, World, public


def put(kind: str) -> Handler:
    """The handler that creates (201) or replaces (200); what the service itself fills in is kept."""

    def handle(world: World, request: Request) -> Response:
        body = body_of(request)
        found = existing_for_put(world, request, kind, body)
        before = set(models.pools_of(found)) if found is not None and kind == models.INTERFACE else set()
        if kind == models.LOAD_BALANCER:
            _check_fronts(world, request, body)
        document = found if found is not None else create(world, request, kind, body)
        if found is not None:
            kept = ("virtualMachine", "ipConfiguration", "resourceGuid", "macAddress", "ipAddress")
            own = {k: v for k, v in found["properties"].items() if k in kept}
            found["properties"] = own | dict(body.get("properties") or {})
            patch(found, {k: v for k, v in body.items() if k != "properties"})
        properties = document["properties"]
        properties |= {
            "provisioningState": "Succeeded",
            "resourceGuid": properties.get("resourceGuid") or world.chance.guid(),
        }
        document["etag"] = f'W/"{world.chance.guid()}"'
        _complete(world, kind, document)
        if kind == models.INTERFACE:
            models.fill_pools(world, before | set(models.pools_of(document)))
        return Response(201 if found is None else 200, public(document))

    return handle


def _complete(world: World, kind: str, document: Document) -> None:
    properties = document["properties"]
    if kind == models.INTERFACE:
        properties.setdefault("macAddress", "-".join(f"{world.chance.randrange(256):02X}" for _ in range(6)))
        for configuration in properties.get("ipConfigurations") or []:
            configuration["id"] = f"{document['id']}/ipConfigurations/{configuration.get('name', '')}"
            inner = configuration.setdefault("properties", {})
            inner.setdefault("privateIPAddress", f"10.0.0.{world.chance.randrange(4, 255)}")
        for address in models.addresses(world, document):
            address["properties"]["ipConfiguration"] = {"id": f"{document['id']}/ipConfigurations/ipconfig1"}
    elif kind == models.PUBLIC_ADDRESS:
        properties.setdefault("publicIPAllocationMethod", "Dynamic")
        if properties["publicIPAllocationMethod"] == "Static":
            properties.setdefault("ipAddress", f"198.51.100.{world.chance.randrange(1, 255)}")
    elif kind == models.VIRTUAL_NETWORK:
        for subnet in properties.get("subnets") or []:
            subnet["id"] = f"{document['id']}/subnets/{subnet.get('name', '')}"
            subnet.setdefault("properties", {})["provisioningState"] = "Succeeded"
    elif kind == models.LOAD_BALANCER:
        _complete_balancer(world, document)


def _check_fronts(world: World, request: Request, body: Document) -> None:
    """Refuse a front end on a public address that is not there."""
    for front in (body.get("properties") or {}).get("frontendIPConfigurations") or []:
        named = str(((front.get("properties") or {}).get("publicIPAddress") or {}).get("id", ""))
        if named and named not in world.resources:
            raise InvalidResourceReferenceError(named, resource_id(request, models.LOAD_BALANCER))


def _complete_balancer(world: World, document: Document) -> None:
    """Give the parts of a load balancer their ids, its public addresses their user, and its pools their members."""
    for part in models.PARTS_OF_BALANCER:
        for row in document["properties"].get(part) or []:
            row["id"] = f"{document['id']}/{part}/{row.get('name', '')}"
            row["type"] = f"{models.LOAD_BALANCER}/{part}"
            row.setdefault("properties", {})["provisioningState"] = "Succeeded"
    for front in document["properties"].get("frontendIPConfigurations") or []:
        address = world.resources.get(str((front["properties"].get("publicIPAddress") or {}).get("id", "")))
        if address is not None:
            address["properties"]["ipConfiguration"] = {"id": front["id"]}
    pools = document["properties"].get("backendAddressPools") or []
    models.fill_pools(world, {str(pool["id"]).lower() for pool in pools})


def delete(kind: str) -> Handler:
    """The handler of DELETE: 204 when absent, 400 while something uses it."""

    def handle(world: World, request: Request) -> Response:
        document = world.resources.get(resource_id(request, kind))
        if document is None:
            return Response(204)
        _CHECKS[kind](world, document)

        def deleted() -> None:
            if kind == models.INTERFACE:
                models.remove_interface(world, document["id"])
            else:
                if kind == models.LOAD_BALANCER:
                    models.forget_balancer(world, document)
                remove(world, document["id"])

        return long_running(world, request, document, deleted, namespace="Microsoft.Network")

    return handle


def _interface_is_free(world: World, interface: Document) -> None:
    if user := models.user_of(world, interface["id"]):
        raise InterfaceInUseError(interface["id"], user)


def _address_is_free(world: World, address: Document) -> None:
    user = str((address["properties"].get("ipConfiguration") or {}).get("id", ""))
    if user.rsplit("/", 2)[0] in world.resources:
        raise PublicAddressInUseError(address["id"], user)


def _network_is_free(world: World, network: Document) -> None:
    below = f"{network['id'].lower()}/subnets/"
    for interface in world.resources.of_type(models.INTERFACE):
        for configuration in interface["properties"].get("ipConfigurations") or []:
            subnet = str(((configuration.get("properties") or {}).get("subnet") or {}).get("id", ""))
            if subnet.lower().startswith(below):
                raise SubnetInUseError(subnet, f"{interface['id']}/ipConfigurations/{configuration.get('name', '')}")


def _security_group_is_free(world: World, group: Document) -> None:
    wanted = group["id"].lower()
    for interface in world.resources.of_type(models.INTERFACE):
        if str((interface["properties"].get("networkSecurityGroup") or {}).get("id", "")).lower() == wanted:
            raise SecurityGroupInUseError(group["id"], interface["id"])
    for network in world.resources.of_type(models.VIRTUAL_NETWORK):
        for subnet in network["properties"].get("subnets") or []:
            used = str(((subnet.get("properties") or {}).get("networkSecurityGroup") or {}).get("id", ""))
            if used.lower() == wanted:
                raise SecurityGroupInUseError(group["id"], str(subnet.get("id", "")))


def _balancer_is_free(world: World, balancer: Document) -> None:
    if user := models.scale_set_behind(world, balancer):
        raise LoadBalancerInUseError(balancer["id"], user)


_CHECKS: dict[str, Callable[[World, Document], None]] = {
    models.INTERFACE: _interface_is_free,
    models.PUBLIC_ADDRESS: _address_is_free,
    models.VIRTUAL_NETWORK: _network_is_free,
    models.SECURITY_GROUP: _security_group_is_free,
    models.LOAD_BALANCER: _balancer_is_free,
}
