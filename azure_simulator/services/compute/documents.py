"""How resource documents are found, made, changed and answered: what every resource type of the compute side shares.

Routes name their captures `s` (subscription), `g` (group), `name`, and `child` for a nested type.

    DISK = "Microsoft.Compute/disks"
    disk = stored(world, request, DISK)                # or 404 ResourceNotFound
    return Response(200, public(disk))
"""

from __future__ import annotations

import re
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.http import Handler, Request, Response, Route, page, route
from azure_simulator.services.compute.exceptions import (
    InvalidLocationChangeError,
    InvalidRequestContentError,
    LocationRequiredError,
    ParentResourceNotFoundError,
    ResourceGroupNotFoundError,
    ResourceNotFoundError,
)
from azure_simulator.services.compute.operations import recover
from azure_simulator.services.network.models import PARTS_OF_BALANCER
from azure_simulator.world import Document, World, public

_OF_ENVELOPE = ("tags", "sku", "kind", "zones", "identity", "plan", "extendedLocation")
_OBJECTS = {
    "properties",
    "hardwareProfile",
    "storageProfile",
    "osDisk",
    "managedDisk",
    "imageReference",
    "vhd",
    "networkProfile",
    "osProfile",
    "creationData",
    "virtualMachineScaleSet",
    "virtualMachineProfile",
    "scaleSettings",
    "fixedScale",
    "publicIPAddress",
    "subnet",
    "networkSecurityGroup",
    "deleteRetentionPolicy",
}
_LISTS = {
    "dataDisks",
    "networkInterfaces",
    "profiles",
    "ipConfigurations",
    "subnets",
    "networkInterfaceConfigurations",
    "loadBalancerBackendAddressPools",
    *PARTS_OF_BALANCER,
    "agentPoolProfiles",
    "containers",
}
_NUMBERS = {"diskSizeGB", "durationInSeconds", "maxShares", "lun", "count"}
_FREE_FORM = {"tags", "settings", "protectedSettings", "metadata"}


def body_of(request: Request) -> Document:
    """The JSON body, an object whose well-known parts have the type they must have.

    Raises:
        InvalidRequestContentError: 400, it is something else; names the place.
    """
    body = request.json()
    if not isinstance(body, dict):
        raise InvalidRequestContentError("the body", "an object")
    _check_types(body, "")
    return body


def _check_types(node: Any, place: str) -> None:
    if isinstance(node, list):
        for index, inner in enumerate(node):
            _check_types(inner, f"{place}[{index}]")
        return
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        here = f"{place}.{key}" if place else key
        if value is None:
            continue
        if (key in _OBJECTS or here in ("sku", "tags")) and not isinstance(value, dict):
            raise InvalidRequestContentError(here, "an object")
        if key in _LISTS and not (isinstance(value, list) and all(isinstance(row, dict) for row in value)):
            raise InvalidRequestContentError(here, "a list of objects")
        if (key in _NUMBERS or here == "sku.capacity") and not re.fullmatch(r"-?\d{1,9}", str(value)):
            raise InvalidRequestContentError(here, "a number")
        if key not in _FREE_FORM:
            _check_types(value, here)


def scope(request: Request) -> str:
    """The subscription or, where the path names one, the group."""
    base = f"/subscriptions/{request.params['s']}"
    return f"{base}/resourceGroups/{request.params['g']}" if "g" in request.params else base


def resource_id(request: Request, kind: str) -> str:
    """The id that the path names; for a nested type it ends with the `child` capture."""
    namespace, *types = kind.split("/")
    names = [request.params["name"], request.params.get("child", "")]
    tail = "/".join(f"{t}/{n}" for t, n in zip(types, names, strict=False))
    return f"{scope(request)}/providers/{namespace}/{tail}"


def group_of(world: World, request: Request) -> Document:
    """The group that the path names.

    Raises:
        ResourceGroupNotFoundError: it does not exist.
    """
    found = world.groups.get(scope(request))
    if found is None:
        raise ResourceGroupNotFoundError(request.params["g"])
    return found


def stored(world: World, request: Request, kind: str) -> Document:
    """The document that the path names.

    Raises:
        ResourceNotFoundError, ParentResourceNotFoundError, ResourceGroupNotFoundError: 404, whichever is missing first.
    """
    identity = resource_id(request, kind)
    if (found := world.resources.get(identity)) is not None:
        recover(world, found)
        return found
    group_of(world, request)
    if "child" in request.params:
        parent_kind, _, _ = kind.rpartition("/")
        if identity.rsplit("/", 2)[0] not in world.resources:
            raise ParentResourceNotFoundError(f"{parent_kind}/{request.params['name']}")
        raise ResourceNotFoundError(kind, f"{request.params['name']}/{request.params['child']}", request.params["g"])
    raise ResourceNotFoundError(kind, request.params["name"], request.params["g"])


def region(name: str) -> str:
    """A region as ARM stores it: "West Europe" is westeurope."""
    return name.replace(" ", "").lower()


def create(world: World, request: Request, kind: str, body: Document, *, tracked: bool = True) -> Document:
    """Store a new document of that type from a PUT body and return it; `_created` is now.

    Raises:
        LocationRequiredError, ResourceGroupNotFoundError, ParentResourceNotFoundError: what the body or the path lack.
    """
    group = group_of(world, request)
    if "child" in request.params and resource_id(request, kind).rsplit("/", 2)[0] not in world.resources:
        raise ParentResourceNotFoundError(f"{kind.rpartition('/')[0]}/{request.params['name']}")
    if tracked and not body.get("location"):
        raise LocationRequiredError
    identity = resource_id(request, kind).replace(scope(request), group["id"], 1)
    document: Document = {"id": identity, "name": identity.rsplit("/", 1)[1], "type": kind}
    if body.get("location"):
        document["location"] = region(str(body["location"]))
    document |= {key: body[key] for key in _OF_ENVELOPE if body.get(key) is not None}
    document["properties"] = dict(body.get("properties") or {})
    document["_created"] = stamp(world.clock.now())
    world.resources[identity] = document
    return document


def existing_for_put(world: World, request: Request, kind: str, body: Document) -> Document | None:
    """The document a PUT would update, None when it would create.

    Raises:
        InvalidLocationChangeError: the name is taken in another region.
    """
    found = world.resources.get(resource_id(request, kind))
    if (
        found is not None
        and body.get("location")
        and region(str(body["location"])) != region(found.get("location", ""))
    ):
        raise InvalidLocationChangeError(found["name"], found.get("location", ""), kind, request.params.get("g", ""))
    return found


def merge(into: Document, change: Document) -> None:
    """JSON merge: objects are merged, null removes, everything else replaces. Private keys of the body are dropped."""
    for key, value in change.items():
        if key.startswith("_"):
            continue
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def patch(document: Document, body: Document) -> None:
    """Apply a PATCH body: tags are replaced as a whole, `properties` merged, the envelope replaced; ids cannot be changed."""
    for key in _OF_ENVELOPE:
        if key == "sku" and isinstance(body.get(key), dict) and isinstance(document.get(key), dict):
            merge(document[key], body[key])
        elif body.get(key) is not None:
            document[key] = body[key]
    if isinstance(body.get("properties"), dict):
        merge(document.setdefault("properties", {}), body["properties"])


def listed(world: World, request: Request, kind: str) -> list[Document]:
    """Documents of a type in the subscription or group that the path names, as late as lists are: not to be changed."""
    if "g" in request.params:
        group_of(world, request)
    for document in world.resources.of_type(kind, scope(request)):
        if "_operation" in document:
            recover(world, document)
    return world.listed(world.resources).of_type(kind, scope(request))


# Types without behaviour of their own: simple documents ------------------------------------------------------------------


def lister(kind: str) -> Handler:
    """A handler that lists a type."""
    return lambda world, request: page(world, request, listed(world, request, kind), wrap=public)


def children(kind: str) -> Handler:
    """A handler that lists what is of a nested type below the resource that the path names."""

    def answer(world: World, request: Request) -> Response:
        parent = stored(world, request, kind.rpartition("/")[0])
        return page(world, request, world.listed(world.resources).of_type(kind, parent["id"]), wrap=public)

    return answer


def getter(kind: str) -> Handler:
    """A handler that answers one document."""
    return lambda world, request: Response(200, public(stored(world, request, kind)))


def putter(kind: str, *, tracked: bool = True) -> Handler:
    """A handler that creates (201) or replaces (200) a document; it is provisioned at once."""

    def put(world: World, request: Request) -> Response:
        body = body_of(request)
        found = existing_for_put(world, request, kind, body)
        if found is None:
            document = create(world, request, kind, body, tracked=tracked)
            document["properties"].setdefault("provisioningState", "Succeeded")
            return Response(201, public(document))
        kept = {k: v for k, v in found["properties"].items() if k.startswith("_") or k == "provisioningState"}
        found["properties"] = dict(body.get("properties") or {}) | kept
        patch(found, {k: v for k, v in body.items() if k != "properties"})
        return Response(200, public(found))

    return put


def patcher(kind: str) -> Handler:
    """A handler that merges a PATCH body into a document."""

    def change(world: World, request: Request) -> Response:
        document = stored(world, request, kind)
        patch(document, body_of(request))
        return Response(200, public(document))

    return change


def deleter(kind: str) -> Handler:
    """A handler that deletes a document and what is below it: 200, or 204 when it is absent."""

    def delete(world: World, request: Request) -> Response:
        identity = resource_id(request, kind)
        if identity not in world.resources:
            return Response(204)
        remove(world, identity)
        return Response(200)

    return delete


def remove(world: World, identity: str) -> None:
    """Remove a document and everything below it."""
    for row in world.resources.below(identity):
        del world.resources[row["id"]]


def paths(kind: str) -> tuple[str, str, str]:
    """The paths of a top-level type: all in the subscription, all in a group, one."""
    group = f"/subscriptions/{{s}}/resourceGroups/{{g}}/providers/{kind}"
    return f"/subscriptions/{{s}}/providers/{kind}", group, f"{group}/{{name}}"


def simple_routes(kind: str, *, tracked: bool = True, changes: bool = True) -> list[Route]:
    """List, get and (with `changes`) put, patch and delete of a top-level type without behaviour of its own."""
    everywhere, in_group, one = paths(kind)
    routes = [
        route("GET", everywhere, lister(kind), f"{kind}/read"),
        route("GET", in_group, lister(kind), f"{kind}/read"),
        route("GET", one, getter(kind), f"{kind}/read"),
    ]
    if changes:
        routes += [
            route("PUT", one, putter(kind, tracked=tracked), f"{kind}/write"),
            route("PATCH", one, patcher(kind), f"{kind}/write"),
            route("DELETE", one, deleter(kind), f"{kind}/delete"),
        ]
    return routes
