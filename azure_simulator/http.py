"""Requests, answers and routes: what a service's `urls.py` and `responses.py` are written with.

    ROUTES = [
        route("GET", "/subscriptions/{s}/providers/Microsoft.Compute/disks", responses.list_disks, "Microsoft.Compute/disks/read"),
        route("DELETE", "{scope...}/providers/Microsoft.Authorization/locks/{name}", responses.delete_lock, "Microsoft.Authorization/locks/delete"),
    ]

Paths match without regard to case; `{name}` is one segment, `{name...}` any number. Captured values keep the case they were sent in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from azure_simulator.world import Document, LongRunning, Principal, World


@dataclass
class Request:
    """One request as a service sees it. `params` are path captures, `query` the decoded query (keys as sent, look up with `q`)."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # lower-case names
    body: bytes
    params: dict[str, str] = field(default_factory=dict)
    principal: Principal | None = None
    claims: Document = field(default_factory=dict)
    request_id: str = ""
    correlation_id: str = ""
    target: str = ""  # path and query as sent, when known
    address: str = "127.0.0.1"  # where it came from

    def q(self, name: str, default: str = "") -> str:
        """A query value, name compared without regard to case."""
        return next((v for k, v in self.query.items() if k.lower() == name.lower()), default)

    def json(self) -> Any:
        """The body as JSON; an empty body is {}.

        Raises:
            ArmError: 400 InvalidRequestContent.
        """
        if not self.body:
            return {}
        try:
            return json.loads(self.body)
        except ValueError as exc:
            raise ArmError(
                400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{exc}'."
            ) from exc


@dataclass
class Response:
    """An answer. `body` is a document for JSON, bytes for anything else, None for no content."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class ArmError(Exception):
    """An error in ARM's envelope; services raise subclasses from their `exceptions.py`."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.extra = status, code, message, extra
        self.headers = headers or {}

    def body(self) -> Document:
        return {"error": {"code": self.code, "message": self.message, **self.extra}}


Handler = Callable[[World, Request], Response]


@dataclass(frozen=True)
class Route:
    """`permission` is the ARM action checked by RBAC ("" for none: anonymous or not ARM); `service` groups the log; `kind` is
    "arm", "graph", "partner", "prices", "login", "blob", "vault" and decides which parts of the pipeline apply."""

    method: str
    pattern: str
    handler: Handler
    permission: str
    kind: str
    regex: re.Pattern[str]
    weight: tuple[int, int]


def route(method: str, pattern: str, handler: Handler, permission: str = "", *, kind: str = "arm") -> Route:
    """Declare a route. More literal segments win over captures, `{x...}` comes last."""
    parts = []
    for piece in re.split(r"(\{[^}]+\})", pattern):
        if piece.startswith("{") and piece.endswith("...}"):
            parts.append(f"(?P<{piece[1:-4]}>.*)")
        elif piece.startswith("{"):
            parts.append(f"(?P<{piece[1:-1]}>[^/]+)")
        else:
            parts.append(re.escape(piece))
    literal = sum(1 for segment in pattern.split("/") if segment and "{" not in segment)
    return Route(
        method,
        pattern,
        handler,
        permission,
        kind,
        re.compile("".join(parts) + "/?", re.IGNORECASE),
        (0 if "...}" in pattern else 1, literal),
    )


def find(routes: list[Route], method: str, path: str) -> tuple[Route | None, dict[str, str], bool]:
    """Return (route, captures, whether any method matched the path)."""
    best: tuple[Route, dict[str, str]] | None = None
    seen = False
    for candidate in routes:
        match = candidate.regex.fullmatch(path)
        if not match:
            continue
        seen = True
        if candidate.method == method and (best is None or candidate.weight > best[0].weight):
            best = (candidate, match.groupdict())
    return (best[0], best[1], seen) if best else (None, {}, seen)


def page(
    world: World, request: Request, items: list[Any], *, size: int = 1000, wrap: Callable[[Any], Any] | None = None
) -> Response:
    """Answer a list as ARM does: `value` and an absolute `nextLink` with an opaque `$skiptoken`."""
    top, start = _number(request, "$top"), _number(request, "$skiptoken")
    size = min(size, top) if top else size
    chunk = items[start : start + size]
    body: Document = {"value": [wrap(item) for item in chunk] if wrap else chunk}
    if start + size < len(items):
        kept = {k: v for k, v in request.query.items() if k.lower() != "$skiptoken"} | {"$skiptoken": str(start + size)}
        body["nextLink"] = f"{world.base_url}{quote(request.path)}?{urlencode(kept)}"
    return Response(200, body)


def _number(request: Request, name: str) -> int:
    """A paging value; 0 when absent. Raises ArmError 400 when it is not a number."""
    text = request.q(name) or "0"
    if not (text.isascii() and text.isdigit()):
        raise ArmError(
            400, "InvalidQueryParameterValue", f"The value '{text}' of the query parameter '{name}' is invalid."
        )
    return int(text)


def accepted(
    world: World,
    request: Request,
    finish: Callable[[], Document | None],
    *,
    operations_path: str,
    seconds: float | None = None,
    async_header: bool = True,
    location: bool = True,
    status: int = 202,
    body: Any = None,
    result: Callable[[], Document | None] | None = None,
) -> Response:
    """Start a long-running operation and answer as Azure does: 202 with `Azure-AsyncOperation` and/or `Location`.

    `operations_path` is e.g. `/subscriptions/{s}/providers/Microsoft.Compute/locations/{l}/operations`. `finish` is called when due.
    No Retry-After is sent when the operation is shorter than a second: SDKs would then wait thirty.
    """
    took = world.operation_seconds if seconds is None else seconds
    now = world.clock.now()
    operation = LongRunning(
        id=world.chance.guid(), started_at=now, due_at=now + timedelta(seconds=took), finish=finish, result=result
    )
    world.operations[operation.id] = operation
    version = request.q("api-version")
    url = f"{world.base_url}{operations_path}/{operation.id}?api-version={version}"
    headers = {}
    if async_header:
        headers["Azure-AsyncOperation"] = url
    if location:
        headers["Location"] = url + "&monitor=true"
    if took >= 1:
        headers["Retry-After"] = str(max(1, min(10, int(took))))
    if took == 0:
        world.settle()
    return Response(status, body, headers)
