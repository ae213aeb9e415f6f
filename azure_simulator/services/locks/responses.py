"""Answers of management locks."""

from __future__ import annotations

from azure_simulator.arm import covers, scope_of
from azure_simulator.clock import stamp
from azure_simulator.http import ArmError, Request, Response, page
from azure_simulator.services.locks import models
from azure_simulator.world import Document, World, public


def list_locks(world: World, request: Request) -> Response:
    """Locks at and below the scope, and those above that it inherits; `atScope()` leaves out those below."""
    scope = _scope(request)
    only_here = "atscope()" in request.q("$filter").lower()
    rows = [
        lock
        for lock in world.locks.values()
        if covers(scope_of(lock["id"]), scope) or (not only_here and covers(scope, scope_of(lock["id"])))
    ]
    return page(world, request, rows, wrap=public)


def get_lock(world: World, request: Request) -> Response:
    lock = world.locks.get(_lock_id(request))
    if lock is None:
        raise ArmError(404, "LockNotFound", f"The lock '{request.params['name']}' could not be found.")
    return Response(200, public(lock))


def put_lock(world: World, request: Request) -> Response:
    wanted = request.json().get("properties", {})
    level = models.LEVELS.get(str(wanted.get("level", "")).lower())
    if level is None:
        raise ArmError(
            400,
            "InvalidLockLevel",
            f"The lock level '{wanted.get('level')}' is invalid. Use 'CanNotDelete' or 'ReadOnly'.",
        )
    known = world.locks.get(_lock_id(request))
    document: Document = {
        "id": known["id"] if known else _lock_id(request),
        "type": "Microsoft.Authorization/locks",
        "name": request.params["name"],
        "properties": {"level": level, **{k: wanted[k] for k in ("notes", "owners") if wanted.get(k)}},
        "systemData": (known or {}).get("systemData") or {"createdAt": stamp(world.clock.now())},
    }
    world.locks[document["id"]] = document
    return Response(200 if known else 201, public(document))


def delete_lock(world: World, request: Request) -> Response:
    """Remove a lock; 204 when there was none."""
    return Response(200 if world.locks.pop(_lock_id(request), None) is not None else 204)


def _scope(request: Request) -> str:
    return request.params.get("scope", "").rstrip("/") or "/"


def _lock_id(request: Request) -> str:
    return f"{_scope(request).rstrip('/')}/providers/Microsoft.Authorization/locks/{request.params['name']}"
