"""Answers about resource groups."""

from __future__ import annotations

from datetime import datetime

from azure_simulator.clock import stamp
from azure_simulator.http import ArmError, Request, Response, accepted, page
from azure_simulator.services.authorization import models as authorization
from azure_simulator.services.resources import filters, models
from azure_simulator.services.resources.exceptions import LocationRequiredError
from azure_simulator.world import Document, World, public


def list_groups(world: World, request: Request) -> Response:
    """Groups that the caller may read: all with a role on the subscription, else those where it has one."""
    assert request.principal is not None
    fits = filters.parse(request.q("$filter"))
    scope, who = f"/subscriptions/{request.params['s']}", request.principal.object_id
    rows = world.listed(world.groups).below(f"{scope}/resourceGroups")
    action = "Microsoft.Resources/subscriptions/resourceGroups/read"
    if authorization.grant_for(world, who, action, scope) is None:
        rows = [row for row in rows if authorization.grant_for(world, who, action, row["id"]) is not None]
    return page(
        world, request, [row for row in rows if fits(row)], wrap=lambda row: _shown(world, row, world.listed_at())
    )


def get_group(world: World, request: Request) -> Response:
    return Response(200, _shown(world, models.group(world, request.params["s"], request.params["name"])))


def head_group(world: World, request: Request) -> Response:
    """Existence: 204 or 404."""
    exists = f"/subscriptions/{request.params['s']}/resourceGroups/{request.params['name']}" in world.groups
    return Response(204 if exists else 404)


def put_group(world: World, request: Request) -> Response:
    body = request.json()
    identifier = f"/subscriptions/{request.params['s']}/resourceGroups/{request.params['name']}"
    known = world.groups.get(identifier)
    if known is None and not body.get("location"):
        raise LocationRequiredError
    location = str(body.get("location") or (known or {}).get("location")).replace(" ", "").lower()
    if known is not None and known["location"] != location:
        raise ArmError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{location}'. The Resource group already exists in location '{known['location']}'.",
        )
    document: Document = {
        "id": known["id"] if known else identifier,
        "name": known["name"] if known else request.params["name"],
        "type": "Microsoft.Resources/resourceGroups",
        "location": location,
        "tags": body.get("tags") or {},
        "properties": {"provisioningState": "Succeeded"},
        "_created": known.get("_created") if known else stamp(world.clock.now()),
        **({"managedBy": body["managedBy"]} if body.get("managedBy") else {}),
    }
    world.groups[identifier] = document
    return Response(200 if known else 201, public(document))


def patch_group(world: World, request: Request) -> Response:
    row, body = models.group(world, request.params["s"], request.params["name"]), request.json()
    if "tags" in body:
        row["tags"] = body["tags"] or {}
    return Response(200, _shown(world, row))


def delete_group(world: World, request: Request) -> Response:
    """Start deleting a group with all it holds: `Location` only, as recorded."""
    row = models.group(world, request.params["s"], request.params["name"])
    answer = accepted(
        world,
        request,
        lambda: models.remove_group(world, row),
        operations_path=f"/subscriptions/{request.params['s']}/operationresults",
        async_header=False,
    )
    row["_deletion"] = next(reversed(world.operations))
    return answer


def _shown(world: World, row: Document, moment: datetime | None = None) -> Document:
    """The group as answered: `Deleting` while its deletion runs (or ran at that moment), as before when that failed."""
    document = public(row)
    deletion = world.operations.get(row.get("_deletion", ""))
    ended = deletion.ended_at if deletion is not None else None
    if deletion is not None and (ended is None or (moment is not None and ended > moment)):
        document["properties"] = {**row["properties"], "provisioningState": "Deleting"}
    return document
