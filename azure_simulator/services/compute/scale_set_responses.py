"""Scale sets and their instances over HTTP."""

from __future__ import annotations

from azure_simulator.clock import stamp
from azure_simulator.http import Handler, Request, Response, page
from azure_simulator.services.compute import models, notices, power, scale_sets
from azure_simulator.services.compute.documents import (
    body_of,
    create,
    existing_for_put,
    patch,
    region,
    resource_id,
    stored,
)
from azure_simulator.services.compute.exceptions import ConflictError, InvalidParameterError, ResourceNotFoundError
from azure_simulator.services.compute.operations import long_running, recover
from azure_simulator.services.compute.quota import SCALE_SET
from azure_simulator.world import Document, World, public


def put_scale_set(world: World, request: Request) -> Response:
    """Create a set with its instances (201), or update one (200)."""
    body = body_of(request)
    found = existing_for_put(world, request, SCALE_SET, body)
    if found is not None:
        return _change(world, request, found, body)
    wanted = int((body.get("sku") or {}).get("capacity") or 0)
    models.size_or_refuse(scale_sets.size_name(body))
    if body.get("location") and wanted:
        probe = {
            "location": region(str(body["location"])),
            "properties": body.get("properties") or {},
            "sku": body["sku"],
        }
        scale_sets.check_growth(world, request.params["s"], probe, wanted)
    scale_set = create(world, request, SCALE_SET, body)
    scale_set["sku"].setdefault("tier", "Standard")
    properties, now = scale_set["properties"], stamp(world.clock.now())
    properties.setdefault("orchestrationMode", "Uniform")
    properties |= {"uniqueId": world.chance.guid(), "timeCreated": now, "provisioningState": "Creating"}
    properties.setdefault("virtualMachineProfile", {})["timeCreated"] = now
    if not scale_sets.is_flexible(scale_set):
        scale_set["_instances"] = {}
    made = scale_sets.grow(world, scale_set, wanted, state="starting")

    def created() -> None:
        properties["provisioningState"] = "Succeeded"
        scale_sets.set_power(world, scale_set, made, "running")
        world.changed("scale_set.created", scale_set)

    return long_running(world, request, scale_set, created, status=201, body=public(scale_set), location=False)


def patch_scale_set(world: World, request: Request) -> Response:
    """Scale (`sku.capacity`) or change a set."""
    return _change(world, request, stored(world, request, SCALE_SET), body_of(request))


def _change(world: World, request: Request, scale_set: Document, body: Document) -> Response:
    before = len(scale_sets.instances(world, scale_set))
    wanted = (body.get("sku") or {}).get("capacity")
    target = before if wanted is None else int(wanted)
    if target < 0:
        raise InvalidParameterError("The value of parameter sku.capacity is invalid.", "sku.capacity")
    if target > before:
        scale_sets.check_growth(world, request.params["s"], scale_set, target - before)
    recover(world, scale_set)
    if scale_set.get("_operation"):
        raise ConflictError
    leaving = scale_sets.newest(world, scale_set, before - target) if target < before else []
    made = scale_sets.grow(world, scale_set, target, state="starting") if target > before else []

    def changed() -> None:
        scale_set["properties"]["provisioningState"] = "Succeeded"
        scale_sets.shrink(world, scale_set, leaving)
        scale_sets.set_power(world, scale_set, made, "running")
        if target != before:
            notices.tell(world, "scale_set.scaled", scale_set)

    def unchanged() -> None:
        scale_sets.shrink(world, scale_set, made)

    response = long_running(world, request, scale_set, changed, status=200, location=False, undo=unchanged)
    fixed = ("uniqueId", "timeCreated", "orchestrationMode", "provisioningState")
    patch(
        scale_set, {**body, "properties": {k: v for k, v in (body.get("properties") or {}).items() if k not in fixed}}
    )
    if scale_set.get("_operation"):
        scale_set["properties"]["provisioningState"] = "Updating"
    response.body = public(scale_set)
    return response


def delete_scale_set(world: World, request: Request) -> Response:
    """Delete a set and its instances; 204 when it is absent."""
    scale_set = world.resources.get(resource_id(request, SCALE_SET))
    if scale_set is None:
        return Response(204)

    def deleted() -> None:
        scale_sets.dissolve(world, scale_set)
        notices.tell(world, "scale_set.deleted", scale_set)

    forced = request.q("forceDeletion").lower() == "true"
    response = long_running(world, request, scale_set, deleted, overtake=forced)
    scale_set["properties"]["provisioningState"] = "Deleting"
    return response


def _operate(world: World, request: Request, scale_set: Document, verb: str, wanted: list[str]) -> Response:
    change = power.CHANGES[verb]
    ids = scale_sets.selected(world, scale_set, wanted)
    known = scale_sets.instances(world, scale_set)
    if verb == "start":
        stopped = sum(known[i].get("_power") == "deallocated" for i in ids)
        scale_sets.check_growth(world, request.params["s"], scale_set, stopped)
    if verb == "powerOff":  # does not allocate what is deallocated
        ids = [i for i in ids if known[i].get("_power") != "deallocated"]
    before = {i: str(known[i].get("_power", "running")) for i in ids}
    affected = any(known[i].get("_power", "running") != change.after for i in ids)

    def done() -> None:
        scale_sets.set_power(world, scale_set, ids, change.after)
        if change.notice and affected:
            notices.tell(world, f"scale_set.{change.notice}", scale_set)

    def undone() -> None:
        for identity, state in before.items():
            scale_sets.set_power(world, scale_set, [identity], state)

    response = long_running(world, request, scale_set, done, undo=undone)
    if scale_set.get("_operation"):
        scale_sets.set_power(world, scale_set, ids, change.during)
    return response


def power_operation(verb: str) -> Handler:
    """The handler of a power operation on all instances or those in `instanceIds`."""

    def handle(world: World, request: Request) -> Response:
        wanted = [str(i) for i in body_of(request).get("instanceIds") or []]
        return _operate(world, request, stored(world, request, SCALE_SET), verb, wanted)

    return handle


def delete_instances(world: World, request: Request) -> Response:
    """Delete the instances named in the body; the capacity falls with them."""
    wanted = [str(i) for i in body_of(request).get("instanceIds") or []]
    if not wanted:
        raise InvalidParameterError("Required parameter 'instanceIds' is missing (null).", "instanceIds")
    return _remove(world, request, stored(world, request, SCALE_SET), wanted)


def _remove(world: World, request: Request, scale_set: Document, wanted: list[str]) -> Response:
    ids = scale_sets.selected(world, scale_set, wanted)

    def removed() -> None:
        scale_sets.shrink(world, scale_set, ids)
        notices.tell(world, "scale_set.scaled", scale_set)

    return long_running(world, request, scale_set, removed)


def get_summary(world: World, request: Request) -> Response:
    """How many instances are in which state."""
    return Response(200, scale_sets.summary(world, stored(world, request, SCALE_SET)))


def list_instances(world: World, request: Request) -> Response:
    """The set's instances, with their run-time status under `$expand=instanceView`."""
    scale_set = stored(world, request, SCALE_SET)
    ids = list(scale_sets.instances(world, scale_set))
    expand = request.q("$expand")
    return page(world, request, ids, wrap=lambda i: scale_sets.shown_instance(world, scale_set, i, expand=expand))


def _instance(world: World, request: Request) -> tuple[Document, str]:
    bare = Request(request.method, request.path, request.query, request.headers, request.body)
    bare.params = {k: v for k, v in request.params.items() if k != "child"}
    scale_set, identity = stored(world, bare, SCALE_SET), request.params["child"]
    if identity not in scale_sets.instances(world, scale_set):
        raise ResourceNotFoundError(scale_sets.INSTANCE, f"{scale_set['name']}/{identity}", request.params["g"])
    return scale_set, identity


def get_instance(world: World, request: Request) -> Response:
    """One instance."""
    scale_set, identity = _instance(world, request)
    return Response(200, scale_sets.shown_instance(world, scale_set, identity, expand=request.q("$expand")))


def get_instance_view(world: World, request: Request) -> Response:
    """One instance's run-time status."""
    scale_set, identity = _instance(world, request)
    instance = scale_sets.instances(world, scale_set)[identity]
    flexible = scale_sets.is_flexible(scale_set)
    return Response(200, models.instance_view(world, instance) if flexible else scale_sets.instance_view(instance))


def instance_operation(verb: str) -> Handler:
    """The handler of a power operation on one instance."""

    def handle(world: World, request: Request) -> Response:
        scale_set, identity = _instance(world, request)
        return _operate(world, request, scale_set, verb, [identity])

    return handle


def delete_instance(world: World, request: Request) -> Response:
    """Delete one instance."""
    scale_set, identity = _instance(world, request)
    return _remove(world, request, scale_set, [identity])
