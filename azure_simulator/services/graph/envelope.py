"""What every Graph answer shares: ids in headers and errors, query options, paging by `@odata.nextLink`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from azure_simulator import odata
from azure_simulator.http import ArmError, Handler, Request, Response
from azure_simulator.services.graph.exceptions import GraphBadRequestError
from azure_simulator.world import Document, World

LARGEST_PAGE = 999


def answered(handler: Handler) -> Handler:
    """Wrap a handler: Graph's headers, and its error body whatever is raised."""

    @functools.wraps(handler)
    def respond(world: World, request: Request) -> Response:
        client = request.headers.get("client-request-id") or request.request_id
        try:
            response = handler(world, request)
        except ArmError as error:
            inner = {
                "date": world.clock.now().strftime("%Y-%m-%dT%H:%M:%S"),
                "request-id": request.request_id,
                "client-request-id": client,
            }
            body = {"error": {"code": error.code, "message": error.message, "innerError": inner}}
            response = Response(error.status, body, dict(error.headers))
        response.headers |= {"request-id": request.request_id, "client-request-id": client}
        return response

    return respond


def tenant_of(world: World, request: Request) -> str:
    """The tenant that the token was issued by, lower-case."""
    return str(request.claims.get("tid") or world.tenant_id).lower()


def context(world: World, request: Request, path: str) -> str:
    """An `@odata.context`; `path` follows the `#`."""
    version = "beta" if request.path.lower().startswith("/graph/beta") else "v1.0"
    return f"{world.base_url}/graph/{version}/$metadata#{path}"


def listed(
    world: World, request: Request, items: list[Document], *, path: str, filterable: set[str], size: int = 100
) -> Response:
    """A list under `$filter`, `$select`, `$count`, `$top` and `$skiptoken`.

    Raises:
        GraphBadRequestError: a filter on another property, or an option that is no number.
    """
    if request.q("$filter"):
        try:
            fits = odata.parse(request.q("$filter"), known=filterable)
        except ValueError as exc:
            raise GraphBadRequestError(f"Invalid filter clause: {exc}") from exc
        items = [item for item in items if fits(item)]
    top = _number(request, "$top", size)
    if not 1 <= top <= LARGEST_PAGE:
        raise GraphBadRequestError(
            f"Invalid page size specified: '{top}'. Must be between 1 and {LARGEST_PAGE} inclusive."
        )
    start = _number(request, "$skiptoken", 0)
    body: Document = {"@odata.context": context(world, request, path)}
    if request.q("$count").lower() == "true":
        body["@odata.count"] = len(items)
    if start + top < len(items):
        kept = {k: v for k, v in request.query.items() if k.lower() != "$skiptoken"} | {"$skiptoken": str(start + top)}
        body["@odata.nextLink"] = f"{world.base_url}{quote(request.path)}?{urlencode(kept, safe='$')}"
    body["value"] = [selected(request, item) for item in items[start : start + top]]
    return Response(200, body)


def selected(request: Request, item: Document) -> Document:
    """The item with only the properties of `$select`, all without it."""
    wanted = {name.strip().lower() for name in request.q("$select").split(",") if name.strip()}
    return {k: v for k, v in item.items() if k.lower() in wanted} if wanted else item


def body_of(request: Request) -> Document:
    """The body as an object.

    Raises:
        GraphBadRequestError: it is none.
    """
    body: Any = request.json()
    if not isinstance(body, dict):
        raise GraphBadRequestError("Unable to read JSON request payload.")
    return body


def not_found(missing: Callable[[str], ArmError]) -> Handler:
    """A handler for paths that nothing answers."""

    def refuse(_world: World, request: Request) -> Response:
        raise missing(request.path)

    return refuse


def _number(request: Request, name: str, default: int) -> int:
    text = request.q(name)
    if not text:
        return default
    if not text.isdigit():
        raise GraphBadRequestError(f"Invalid value '{text}' for {name}.")
    return int(text)
