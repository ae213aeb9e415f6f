"""Answers of the generic view: any type, by list or by id. Services with routes of their own come first."""

from __future__ import annotations

from typing import Any

from azure_simulator import arm
from azure_simulator.clock import stamp
from azure_simulator.http import ArmError, Request, Response, page
from azure_simulator.services.resources import filters, models
from azure_simulator.services.resources.exceptions import LocationRequiredError, ResourceNotFoundError
from azure_simulator.world import Document, World, public

_REPLACED = ("tags", "sku", "kind", "plan", "identity", "zones", "managedBy")


def list_resources(world: World, request: Request) -> Response:
    """Resources of a subscription or group in the generic envelope."""
    scope = f"/subscriptions/{request.params['s']}"
    if name := request.params.get("group"):
        scope = models.group(world, request.params["s"], name)["id"]
    fits = filters.parse(request.q("$filter"))
    expand = {word.strip().lower() for word in request.q("$expand").split(",") if word.strip()}
    rows = [row for row in world.listed(world.resources).below(scope) if models.is_listed(row) and fits(row)]
    return page(world, request, rows, wrap=lambda row: models.envelope(row, expand))


def get_by_id(world: World, request: Request) -> Response:
    """One resource by id, or the list of a type where no service has a route for it."""
    aim = _aim(request)
    if aim.collection:
        scope = arm.subject(request.path)
        if aim.group and f"/subscriptions/{aim.subscription_id}/resourceGroups/{aim.group}" in world.groups:
            scope = f"/subscriptions/{aim.subscription_id}/resourceGroups/{aim.group}" if not aim.name else scope
        return page(world, request, world.listed(world.resources).of_type(aim.kind, scope), wrap=public)
    row = world.resources.get(request.path)
    if row is None:
        if aim.group:
            models.group(world, aim.subscription_id, aim.group)
        raise ResourceNotFoundError(request.path)
    return Response(200, public(row))


def head_by_id(world: World, request: Request) -> Response:
    """Existence: 204 or 404."""
    return Response(204 if request.path in world.resources else 404)


def put_by_id(world: World, request: Request) -> Response:
    """Create or replace a resource of a type that has no service of its own here: it is stored as sent and succeeds at once."""
    aim, body = _aim(request), _object(request)
    if aim.collection:
        raise ArmError(405, "MethodNotAllowed", f"The method 'PUT' is not allowed on '{request.path}'.")
    known = world.resources.get(request.path)
    parent = arm.scope_of(request.path) if aim.kind.count("/") == 1 else request.path.rsplit("/", 2)[0]
    if aim.group:
        models.group(world, aim.subscription_id, aim.group)
    if aim.kind.count("/") > 1 and parent not in world.resources:
        raise ArmError(
            404,
            "ParentResourceNotFound",
            f"Failed to perform 'write' on resource(s) of type '{aim.kind}', because the parent resource '{parent}' could not be found.",
        )
    if known is None and not body.get("location") and aim.kind.count("/") == 1 and aim.group:
        raise LocationRequiredError
    now = stamp(world.clock.now())
    document: Document = {
        **body,
        "id": known["id"] if known else request.path,
        "name": aim.name,
        "type": known["type"] if known else aim.kind,
        "properties": {**(body.get("properties") or {}), "provisioningState": "Succeeded"},
        "_created": known.get("_created", now) if known else now,
        "_changed": now,
    }
    document = {
        key: value for key, value in document.items() if not key.startswith("_") or key in ("_created", "_changed")
    }
    world.resources[request.path] = document
    world.changed("resource.changed" if known else "resource.created", document)
    return Response(200 if known else 201, public(document))


def patch_by_id(world: World, request: Request) -> Response:
    """Update tags, sku and properties of a stored resource."""
    _aim(request)
    row, body = world.resources.get(request.path), _object(request)
    if row is None:
        raise ResourceNotFoundError(request.path)
    for key in _REPLACED:
        if key in body:
            row[key] = body[key]
    if isinstance(body.get("properties"), dict):
        row["properties"] = {
            **(row.get("properties") or {}),
            **{k: v for k, v in body["properties"].items() if not k.startswith("_")},
        }
    row["_changed"] = stamp(world.clock.now())
    return Response(200, public(row))


def delete_by_id(world: World, request: Request) -> Response:
    """Delete a stored resource with its children; 204 when there is none."""
    _aim(request)
    row = world.resources.get(request.path)
    if row is None:
        return Response(204)
    models.remove_below(world, row["id"])
    return Response(200)


def _aim(request: Request) -> arm.Target:
    aim = arm.target(request.path)
    if not aim.kind:
        raise ArmError(404, "NotFound", f"No HTTP resource was found that matches the request path '{request.path}'.")
    return aim


def _object(request: Request) -> dict[str, Any]:
    body = request.json()
    if not isinstance(body, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content must be a JSON object.")
    return body
