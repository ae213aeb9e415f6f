"""What every Graph answer shares: ids in headers and errors, query options, paging by `@odata.nextLink`."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from azure_simulator import odata
from azure_simulator.http import ArmError, Handler, Request, Response
from azure_simulator.services.graph.exceptions import GraphBadRequestError, UnsupportedQueryError
from azure_simulator.world import Document, World, public

LARGEST_PAGE = 999
_ADVANCED = "ConsistencyLevel:eventual"


def _directory_refusal(message: str) -> ArmError:
    return UnsupportedQueryError(f"Unsupported or invalid query filter clause specified: {message}")


@dataclass(frozen=True)
class Collection:
    """How one list may be asked for.

    `filters` says which properties may be compared and by which operators ("eq ge"; "" for any). `advanced` operators need the header
    `ConsistencyLevel: eventual` and `$count=true`. `largest` is the largest page, and a larger `$top` is refused, or cut when `cut`.
    `newest_first`: rows are added at the front, and pages go on where they ended all the same. `default` are the properties that are
    answered without `$select` (none: all). `refusal` makes the error for a filter that is not taken.
    """

    path: str
    filters: Mapping[str, str] = field(default_factory=dict)
    page: int = 100
    largest: int = LARGEST_PAGE
    cut: bool = False
    advanced: frozenset[str] = frozenset()
    order: tuple[str, ...] = ()
    newest_first: bool = False
    default: tuple[str, ...] = ()
    refusal: Callable[[str], ArmError] = _directory_refusal


def bad_request(message: str) -> ArmError:
    """The refusal of collections outside the directory."""
    return GraphBadRequestError(f"Invalid filter clause: {message}")


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


def is_beta(request: Request) -> bool:
    return request.path.lower().startswith("/graph/beta")


def context(world: World, request: Request, path: str) -> str:
    """An `@odata.context`; `path` follows the `#`."""
    return f"{world.base_url}/graph/{'beta' if is_beta(request) else 'v1.0'}/$metadata#{path}"


def listed(
    world: World,
    request: Request,
    items: list[Document],
    collection: Collection,
    *,
    shape: Callable[[Document], Document] | None = None,
) -> Response:
    """A list under `$filter`, `$orderby`, `$select`, `$count`, `$top` and `$skiptoken`; `shape` is given the rows of the page.

    Raises:
        ArmError: 400 for a filter, an order or an option that the collection does not take.
    """
    items = _ordered(request, filtered(request, items, collection), collection)
    top = _page_size(request, collection)
    start = _start(request, len(items), newest_first=collection.newest_first)
    body: Document = {"@odata.context": context(world, request, collection.path)}
    if request.q("$count").lower() == "true":
        body["@odata.count"] = len(items)
    end = start + top
    if end < len(items):
        mark = len(items) - end if collection.newest_first else end
        token = base64.urlsafe_b64encode(f"p{mark}".encode()).decode().rstrip("=")
        kept = {k: v for k, v in request.query.items() if k.lower() != "$skiptoken"} | {"$skiptoken": token}
        body["@odata.nextLink"] = f"{world.base_url}{quote(request.path)}?{urlencode(kept, safe='$')}"
    page = [shape(item) for item in items[start:end]] if shape else items[start:end]
    body["value"] = [selected(request, item, collection.default) for item in page]
    return Response(200, body)


def filtered(request: Request, items: list[Document], collection: Collection) -> list[Document]:
    """The items that fit `$filter`."""
    text = request.q("$filter")
    if not text:
        return items
    used: set[str] = set()
    try:
        fits = odata.parse(text, known=collection.filters, used=used)
    except ValueError as exc:
        raise collection.refusal(str(exc)) from exc
    if (hit := used & collection.advanced) and not _is_advanced(request):
        raise UnsupportedQueryError(
            f"Operator '{sorted(hit)[0]}' is not supported because the required parameters might be missing. Try adding "
            f"$count=true query parameter and {_ADVANCED} header. Refer to https://aka.ms/graph-docs/advanced-queries "
            "for more information"
        )
    return [item for item in items if fits(item)]


def one(world: World, request: Request, item: Document, path: str, default: tuple[str, ...] = ()) -> Response:
    """One object under `$select`."""
    body = {"@odata.context": context(world, request, f"{path}/$entity")}
    return Response(200, body | selected(request, public(item), default))


def selected(request: Request, item: Document, default: tuple[str, ...] = ()) -> Document:
    """The item with only the properties of `$select`; without it those of `default`, all when there are none."""
    wanted = {name.strip().lower() for name in request.q("$select").split(",") if name.strip()}
    if not wanted:
        wanted = {name.lower() for name in default}
    return {k: v for k, v in item.items() if k.lower() in wanted or k.startswith("@")} if wanted else item


def selects(request: Request, name: str) -> bool:
    """Whether `$select` names the property."""
    return name.lower() in (part.strip().lower() for part in request.q("$select").split(","))


def expands(request: Request, known: tuple[str, ...]) -> list[str]:
    """The relations of `$expand`, their own options left aside.

    Raises:
        GraphBadRequestError: one that the collection does not have.
    """
    found, depth, name = [], 0, ""
    for sign in request.q("$expand") + ",":
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            found.append(name.partition("(")[0].strip())
            name = ""
        else:
            name += sign
    lower = {each.lower(): each for each in known}
    if unknown := [each for each in found if each and each.lower() not in lower]:
        raise GraphBadRequestError(
            f"Parsing OData Select and Expand failed: Could not find a property named '{unknown[0]}'."
        )
    return [lower[each.lower()] for each in found if each]


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


def _is_advanced(request: Request) -> bool:
    header = request.headers.get("consistencylevel", "")
    return header.lower() == "eventual" and request.q("$count").lower() == "true"


def _ordered(request: Request, items: list[Document], collection: Collection) -> list[Document]:
    text = request.q("$orderby").strip()
    if not text:
        return items
    name, _, direction = text.partition(" ")
    known = {each.lower(): each for each in collection.order}
    if name.lower() not in known or direction.strip().lower() not in ("", "asc", "desc"):
        raise UnsupportedQueryError(f"Sorting by '{text}' is not supported for this query.")
    key = known[name.lower()]
    return sorted(items, key=lambda item: str(item.get(key) or ""), reverse=direction.strip().lower() == "desc")


def _page_size(request: Request, collection: Collection) -> int:
    text = request.q("$top")
    if text and not text.isdigit():
        raise GraphBadRequestError(f"Invalid value '{text}' for $top.")
    top = int(text) if text else collection.page
    if collection.cut and top > collection.largest:
        top = collection.largest
    if not 1 <= top <= collection.largest:
        raise GraphBadRequestError(
            f"Invalid page size specified: '{top}'. Must be between 1 and {collection.largest} inclusive."
        )
    return top


def _start(request: Request, count: int, *, newest_first: bool) -> int:
    text = request.q("$skiptoken")
    if not text:
        return 0
    try:
        mark = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        number = int(mark.removeprefix("p"))
    except (ValueError, binascii.Error) as exc:
        raise GraphBadRequestError("The skip token is not valid.") from exc
    return max(0, count - number) if newest_first else number
