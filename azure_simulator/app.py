"""The application: requests in, answers out, in process or behind a server.

app = AsgiApp(world)
client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://localhost")
call_as(world, attacker.object_id, "PUT", f"{group}/providers/Microsoft.Compute/virtualMachines/x", {...})
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from azure_simulator import control, faults, pipeline
from azure_simulator.chance import Chance
from azure_simulator.clock import Clock, stamp
from azure_simulator.faults import ConnectionDropped, Fault
from azure_simulator.http import ArmError, Request, Response, Route
from azure_simulator.operations import ROUTES as OPERATION_ROUTES
from azure_simulator.routing import Router, router
from azure_simulator.services.authorization import builtin as roles
from azure_simulator.services.policy import builtin as policies
from azure_simulator.services.signin.exceptions import TokenRefusedError
from azure_simulator.world import LoggedRequest, Principal, World

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_UNLOGGED_HEADERS = ("authorization", "x-ms-authorization-auxiliary", "cookie", "x-ms-copy-source-authorization")
_SECRET_FIELDS = (
    "client_secret",
    "client_assertion",
    "refresh_token",
    "password",
    "assertion",
    "code",
    "device_code",
    "user_code",
    "code_verifier",
)
_OPERATIONS = Router(OPERATION_ROUTES)


def endpoints(world: World) -> dict[str, str]:
    """Where each cloud service of the world is reached."""
    base = world.base_url
    return {
        "resource_manager": base,
        "login": base,
        "graph": f"{base}/graph",
        "partner_center": f"{base}/partnercenter",
        "prices": f"{base}/prices",
    }


def dispatch(world: World, request: Request) -> Response:
    """Answer one request and log it.

    Raises:
        ConnectionDropped: an injected fault breaks the connection.
    """
    return _answer(world, request, direct=False)


def call_as(
    world: World,
    object_id: str,
    method: str,
    path: str,
    body: Any = None,
    *,
    address: str = "203.0.113.7",
    headers: dict[str, str] | None = None,
    session_started: datetime | None = None,
    token: str = "",
    token_lives: bool = False,
) -> Response:
    """Do something as a simulated person, through RBAC, locks, policy and the activity log, but without token and request log.

    `path` may have a query; `token` is the id of the access token as the activity log shows it. A disabled principal, or one whose sessions were revoked after `session_started`, gets 401,
    unless `token_lives`: a service that does not hear of it takes an access token until it ends.
    """
    where, _, query = path.partition("?")
    principal = world.principals[object_id]
    request = Request(
        method=method.upper(),
        path=where,
        query=dict(parse_qsl(query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in (headers or {}).items()},
        body=b"" if body is None else json.dumps(body).encode(),
        principal=principal,
        target=path,
        address=address,
        claims={"uti": token} if token else {},
    )
    revoked = principal.sessions_revoked_at
    ended = session_started is not None and revoked is not None and session_started <= revoked
    if not token_lives and (ended or not principal.enabled):
        refused = TokenRefusedError(world, "InvalidAuthenticationToken", "The session was revoked.", challenge=True)
        return Response(refused.status, refused.body(), refused.headers)
    return _answer(world, request, direct=True)


def _answer(world: World, request: Request, *, direct: bool) -> Response:
    if not world.settling:
        world.settle()
    request.path = _normal(request.path)
    if request.path.startswith("/_simulator/") and not direct:
        return control.answer(world, request)
    request.target = request.target or request.path + (f"?{urlencode(request.query)}" if request.query else "")
    chance: Chance = world.memory.setdefault("request_chance", world.chance.child("requests"))
    request.request_id = chance.guid()
    request.correlation_id = request.headers.get("x-ms-correlation-request-id") or chance.guid()
    route, params, known = _find(world, request.method, request.path)
    request.params = params
    rule = None if direct else faults.pick(world, request.method, request.target)
    left: dict[str, str] = {}
    try:
        faults.before_effect(rule)
        failing = rule is not None and rule.kind == "fail_operation"
        response, left = pipeline.serve(world, request, route, known, direct=direct, fail_operation=failing)
        faults.after_effect(rule)
    except ArmError as exc:
        response = Response(exc.status, exc.body(), dict(exc.headers))
    except ConnectionDropped:
        _log(world, request, route, 0, rule)
        raise
    if request.method == "HEAD":
        response.body = None
    if rule is not None and rule.kind == "truncate_page":
        whole = encode(response.body)
        response = Response(
            response.status, whole[: len(whole) // 2], {**response.headers, "content-length": str(len(whole))}
        )
        response.headers.setdefault("content-type", "application/json; charset=utf-8")
    response.headers = {
        "Cache-Control": "no-cache",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "x-ms-request-id": request.request_id,
        "x-ms-correlation-request-id": request.correlation_id,
        "x-ms-routing-request-id": f"SIMULATOR:{world.clock.now():%Y%m%dT%H%M%SZ}:{request.request_id}",
        **left,
        **response.headers,
    }
    if client := request.headers.get("x-ms-client-request-id"):
        response.headers["x-ms-client-request-id"] = client
    if not direct:
        _log(world, request, route, response.status, rule)
    return response


def _normal(path: str) -> str:
    while "//" in path:
        path = path.replace("//", "/")
    return path.rstrip("/") or "/"


def _find(world: World, method: str, path: str) -> tuple[Route | None, dict[str, str], bool]:
    """The route of a path. Status addresses of running operations come before routes that take any path."""
    routes = router()
    route, params, known = routes.match(method, path)
    if route is None and method == "HEAD":
        route, params, known = routes.match("GET", path)
    if method == "GET" and (route is None or route.weight[0] == 0):
        status, captured, _ = _OPERATIONS.match(method, path)
        if status is not None and (route is None or captured["id"] in world.operations or route.weight < status.weight):
            return status, captured, True
    return route, params, known


def _log(world: World, request: Request, route: Route | None, status: int, rule: Fault | None) -> None:
    body = ""
    if request.body and request.method not in ("GET", "HEAD"):
        body = request.body.decode("utf-8", "replace")
        if route is not None and route.kind == "vault":
            body = "***"
        elif route is not None and route.kind == "login":
            form = parse_qsl(body, keep_blank_values=True)
            body = urlencode([(name, "***" if name in _SECRET_FIELDS else value) for name, value in form])
    world.requests.append(
        LoggedRequest(
            at=stamp(world.clock.now()),
            method=request.method,
            url=request.target,
            status=status,
            service=route.kind if route is not None else "arm",
            principal=request.principal.object_id if request.principal else "",
            body=body,
            fault=rule.kind if rule is not None else "",
            headers={name: value for name, value in request.headers.items() if name not in _UNLOGGED_HEADERS},
        )
    )


def encode(body: Any) -> bytes:
    """The bytes of an answer: nothing, bytes as they are, or JSON."""
    if body is None:
        return b""
    return body if isinstance(body, bytes) else msgspec.json.encode(body)


class AsgiApp:
    """The world as an ASGI application. `abort` is told the client's address when a fault breaks its connection; without it (in
    process) `ConnectionDropped` is raised to the caller."""

    def __init__(self, world: World, *, abort: Callable[[tuple[str, int]], None] | None = None) -> None:
        self.world = world
        self._abort = abort

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        chunks = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            chunks.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        query = scope.get("query_string", b"").decode("latin-1")
        raw = (scope.get("raw_path") or scope["path"].encode()).split(b"?")[0].decode("latin-1")
        client = scope.get("client") or ("127.0.0.1", 0)
        request = Request(
            method=scope["method"].upper(),
            path=scope["path"],
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            body=b"".join(chunks),
            target=raw + (f"?{query}" if query else ""),
            address=client[0],
        )
        try:
            response = dispatch(self.world, request)
        except ConnectionDropped:
            if self._abort is None:
                raise
            self._abort((client[0], client[1]))
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        content = encode(response.body)
        headers = {name.lower(): value for name, value in response.headers.items()}
        if content and not isinstance(response.body, bytes):
            headers.setdefault("content-type", "application/json; charset=utf-8")
        if response.status != 204:
            headers.setdefault("content-length", str(len(content)))
        await send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else content})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Keep the world moving between requests while a server runs it."""
        ticking: asyncio.Task[None] | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                ticking = asyncio.create_task(self._tick())
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if ticking is not None:
                    ticking.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await ticking
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            self.world.settle()


def empty_world(now: datetime, seed: int = 7) -> World:
    """A world with one tenant, one subscription, a user and a service principal "responder" (secret `responder-secret`), both Owner,
    and Azure's built-in roles and policies: for tests of one service."""
    chance = Chance(seed)
    world = World(seed=seed, clock=Clock(now), chance=chance, operation_seconds=0, scenario="empty")
    world.tenant_id, world.partner_tenant_id = chance.guid(), chance.guid()
    subscription = chance.guid()
    scope = f"/subscriptions/{subscription}"
    world.subscriptions[scope] = {
        "id": scope,
        "subscriptionId": subscription,
        "tenantId": world.tenant_id,
        "displayName": "Contoso Production",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "CSP_2015-05-01",
            "spendingLimit": "Off",
        },
    }
    roles.install(world)
    policies.install(world)
    people = [
        Principal(chance.guid(), "User", "Olivia Owner", upn="olivia@contoso.example", tenant_id=world.tenant_id),
        Principal(
            chance.guid(),
            "ServicePrincipal",
            "responder",
            app_id=chance.guid(),
            tenant_id=world.tenant_id,
            secrets=["responder-secret"],
        ),
    ]
    for principal in people:
        world.principals[principal.object_id] = principal
        assign(world, principal, roles.OWNER, scope)
    return world


def assign(world: World, principal: Principal, role_guid: str, scope: str) -> str:
    """Give a principal a role at a scope, as something that was always so; returns the assignment's id."""
    name = world.chance.guid()
    identifier = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}"
    moment = stamp(world.clock.now())
    subscription = scope.split("/")[2] if scope.lower().startswith("/subscriptions/") else ""
    world.role_assignments[identifier] = {
        "id": identifier,
        "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": roles.role_id(role_guid, subscription),
            "principalId": principal.object_id,
            "principalType": principal.kind,
            "scope": scope,
            "condition": None,
            "createdOn": moment,
            "updatedOn": moment,
            "createdBy": "",
            "updatedBy": "",
        },
    }
    return identifier
