"""Answers of the tags API, whose writes are long-running in the SDKs and done at once here."""

from __future__ import annotations

from azure_simulator.http import ArmError, Request, Response
from azure_simulator.services.resources.exceptions import ResourceGroupNotFoundError, ResourceNotFoundError
from azure_simulator.world import Document, World

LIMIT = 50


def get_tags(world: World, request: Request) -> Response:
    return Response(200, _document(_holder(world, request)))


def put_tags(world: World, request: Request) -> Response:
    """Replace all tags."""
    holder = _holder(world, request)
    _store(holder, _sent(request))
    return Response(200, _document(holder))


def patch_tags(world: World, request: Request) -> Response:
    """Merge, Replace or Delete tags."""
    holder, sent = _holder(world, request), _sent(request)
    operation = str(request.json().get("operation", ""))
    held: dict[str, str] = dict(holder.get("tags") or {})
    names = {name.lower(): name for name in held}
    if operation.lower() == "merge":
        for name, value in sent.items():
            held[names.get(name.lower(), name)] = value
    elif operation.lower() == "replace":
        held = dict(sent)
    elif operation.lower() == "delete":
        for name, value in sent.items():
            kept = names.get(name.lower())
            if kept is not None and held[kept] == value:
                del held[kept]
    else:
        raise ArmError(
            400, "InvalidTagsOperation", f"The tags operation '{operation}' is not one of Merge, Replace, Delete."
        )
    _store(holder, held)
    return Response(200, _document(holder))


def delete_tags(world: World, request: Request) -> Response:
    holder = _holder(world, request)
    holder.pop("tags", None)
    return Response(200)


def _holder(world: World, request: Request) -> Document:
    scope = request.params["scope"]
    found = world.subscriptions.get(scope) or world.groups.get(scope) or world.resources.get(scope)
    if found is not None:
        return found
    segments = scope.strip("/").split("/")
    if len(segments) == 4:
        raise ResourceGroupNotFoundError(segments[3])
    raise ResourceNotFoundError(scope)


def _sent(request: Request) -> dict[str, str]:
    tags = (request.json().get("properties") or {}).get("tags")
    if not isinstance(tags, dict):
        raise ArmError(400, "InvalidRequestContent", "The request needs 'properties.tags'.")
    return {str(name): str(value) for name, value in tags.items()}


def _store(holder: Document, tags: dict[str, str]) -> None:
    if len(tags) > LIMIT:
        raise ArmError(400, "InvalidTags", f"The number of tags '{len(tags)}' exceeds the limit of {LIMIT}.")
    holder["tags"] = tags


def _document(holder: Document) -> Document:
    return {
        "id": f"{holder['id']}/providers/Microsoft.Resources/tags/default",
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": dict(holder.get("tags") or {})},
    }
