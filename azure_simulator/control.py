"""The simulator's own routes under `/_simulator`: its request log, its state, its clock, its faults, its
settings, its webhooks and alerts. Anonymous; never in the request log."""

from __future__ import annotations

import dataclasses
import hmac
import importlib
import importlib.util
from datetime import UTC, datetime
from typing import Any

from azure_simulator import faults, tuning
from azure_simulator.clock import stamp
from azure_simulator.http import ArmError, Request, Response
from azure_simulator.services.partner_center import raising, sender
from azure_simulator.services.signin import consents
from azure_simulator.world import Document, Principal, World, public

_LOGS = ("signIns", "signInDetails", "directoryAudits", "places")  # of the directory; Graph answers them in pages


def answer(world: World, request: Request) -> Response:
    """Answer a control request; errors have ARM's envelope."""
    name = request.path.removeprefix("/_simulator/").lower()
    try:
        if world.sealed_with:
            _check_key(world, request, name)
        match request.method, name:
            case "GET", "requests":
                return Response(200, [dataclasses.asdict(row) for row in world.requests])
            case "GET", "state":
                return Response(200, state(world))
            case "GET", "truth":
                return Response(200, _score(world))
            case "GET", "clock":
                return Response(200, {"now": stamp(world.clock.now())})
            case "POST", "clock":
                return _advance(world, request.json())
            case "GET", "settings":
                return Response(200, tuning.shown(world))
            case "POST", "settings":
                return tuning.change(world, request.json())
            case "GET", "faults":
                return Response(200, [rule.document() for rule in world.faults])
            case "POST", "faults":
                world.faults[:] = faults.read(request.json() or [])
                return Response(200, [rule.document() for rule in world.faults])
            case "DELETE", "faults":
                world.faults.clear()
                return Response(204)
            case "GET", "webhooks":
                return Response(200, sender.deliveries(world))
            case "POST", "webhooks":
                return sender.post(world, request.json())
            case "POST", "alerts":
                return raising.post(world, request.json())
            case "POST", "consent":
                return consents.consent(world, request.json())
            case "POST", "act":
                return _act(world, request.json())
            case "POST", "forget":
                return _forget(world, request.json())
            case "GET", "health":
                return Response(200, {"status": "ok", "scenario": world.scenario, "seed": world.seed})
        raise ArmError(404, "NotFound", f"The simulator has no control route '{request.method} {request.path}'.")
    except ArmError as exc:
        return Response(exc.status, exc.body(), exc.headers)


def _check_key(world: World, request: Request, name: str) -> None:
    """A sealed world tells nothing of itself but to whoever has the key; it only goes on signing webhooks."""
    if (request.method, name) == ("POST", "webhooks"):
        return
    given = request.headers.get("x-simulator-key", "")
    if hmac.compare_digest(given.encode(), world.sealed_with.encode()):
        return
    raise ArmError(
        403, "Sealed", f"This world is sealed: '{name}' is told to whoever has its key, when the drill has ended."
    )


def state(world: World) -> Document:
    """What stands in the world, for people and tests: ARM documents, machines with their power state."""

    def of(kind: str) -> list[Document]:
        return [public(row) for row in world.resources.of_type(kind)]

    machines = [
        {**public(row), "powerState": row.get("_power", "")}
        for row in world.resources.of_type("Microsoft.Compute/virtualMachines")
    ]
    sets = [
        {**public(row), "instances": _instances(row, machines)}
        for row in world.resources.of_type("Microsoft.Compute/virtualMachineScaleSets")
    ]
    return {
        "now": stamp(world.clock.now()),
        "scenario": world.scenario,
        "subscriptions": [public(row) for row in world.subscriptions.values()],
        "groups": [public(row) for row in world.groups.values()],
        "machines": machines,
        "scale_sets": sets,
        "disks": of("Microsoft.Compute/disks"),
        "snapshots": of("Microsoft.Compute/snapshots"),
        "resources": [public(row) for row in world.resources.values()],
        "role_assignments": [public(row) for row in world.role_assignments.values()],
        "locks": [public(row) for row in world.locks.values()],
        "policy_assignments": [public(row) for row in world.policy_assignments.values()],
        "blobs": [{"id": key, **public(row)} for key, row in world.blobs.items()],
        "tickets": [public(row) for row in world.support_tickets.values()],
        "quota_requests": [public(row) for row in world.quota_requests.values()],
        "quotas": [{"id": key, **public(row)} for key, row in world.quotas.items()],
        "budgets": [public(row) for row in world.budgets.values()],
        "entitlements": _entitlements(world),
        "alerts": list(world.alerts.values()),
        "directory": {
            name.partition(".")[2]: [public(row) for row in table.values()]
            for name, table in sorted(world.tables.items())
            if name.startswith("graph.") and name.partition(".")[2] not in _LOGS
        },
        "principals": [
            {
                "objectId": one.object_id,
                "kind": one.kind,
                "name": one.name,
                "upn": one.upn,
                "appId": one.app_id,
                "enabled": one.enabled,
                "sessionsRevokedAt": stamp(one.sessions_revoked_at) if one.sessions_revoked_at else None,
            }
            for one in world.principals.values()
        ],
    }


def _instances(scale_set: Document, machines: list[Document]) -> list[Document]:
    """The instances of a scale set: those it keeps itself, and the machines that say they are of it."""
    own = [
        {**public(row), "instanceId": number, "powerState": row.get("_power", "")}
        for number, row in scale_set.get("_instances", {}).items()
    ]
    wanted = str(scale_set["id"]).lower()
    return own + [
        {"instanceId": row["name"], "name": row["name"], "id": row["id"], "powerState": row["powerState"]}
        for row in machines
        if str((row.get("properties", {}).get("virtualMachineScaleSet") or {}).get("id", "")).lower() == wanted
    ]


def _entitlements(world: World) -> list[Document]:
    """The Azure subscriptions below the customers' plans in Partner Center."""
    found = []
    for customer, row in world.partner.get("customers", {}).items():
        for plan, subscription in row.get("subscriptions", {}).items():
            for identifier, entitlement in (subscription.get("entitlements") or {}).items():
                found.append({"customer": customer, "subscription": plan, **public(entitlement), "id": identifier})
    return found


def _advance(world: World, body: Any) -> Response:
    seconds = body.get("seconds", body.get("advance_seconds")) if isinstance(body, dict) else None
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
        raise ArmError(400, "InvalidClock", f'The clock takes {{"seconds": number >= 0}}; got {body!r}.')
    world.clock.advance(seconds)
    world.settle()
    return Response(200, {"now": stamp(world.clock.now())})


def _act(world: World, body: Any) -> Response:
    """Do something as one of the world's people: through roles, locks, policy and quota, but without token and request log."""
    wanted = ("principal", "method", "url")
    if not isinstance(body, dict) or not all(isinstance(body.get(name), str) and body[name] for name in wanted):
        raise ArmError(
            400,
            "InvalidAct",
            'An act is {"principal": id, "method": "PUT", "url": "/subscriptions/...", "body": {...}}.',
        )
    who = body["principal"].lower()
    if not body["url"].lower().startswith("/subscriptions/"):
        raise ArmError(400, "InvalidAct", "An act is on one of this world's subscriptions.")
    from azure_simulator.app import call_as

    # Somebody whom no role names is somebody of the directory without rights.
    world.principals.setdefault(who, Principal(object_id=who, kind="User", name=who, tenant_id=world.tenant_id))
    done = call_as(
        world,
        who,
        body["method"],
        body["url"],
        body.get("body"),
        session_started=_begun(body),
        token_lives=body.get("token_lives") is True,
    )
    return Response(200, {"status": done.status, "answer": done.body if isinstance(done.body, dict) else None})


def _begun(body: Document) -> datetime | None:
    """Since when the one who acts is signed in; None: signed in anew for it."""
    told = body.get("session_started")
    try:
        return None if told is None else datetime.fromisoformat(told).astimezone(UTC)
    except (TypeError, ValueError):
        raise ArmError(400, "InvalidAct", "'session_started' is a time of ISO 8601.") from None


def _forget(world: World, body: Any) -> Response:
    """Take resources out of the world as if they had never been made; nobody is told, and what lies below goes too."""
    ids = body.get("ids") if isinstance(body, dict) else None
    if not isinstance(ids, list) or not all(isinstance(each, str) and each.count("/") > 2 for each in ids):
        raise ArmError(
            400, "InvalidForget", 'Forgetting takes {"ids": ["/subscriptions/.../resourceGroups/...", ...]}.'
        )
    tables = (world.resources, world.groups, world.role_assignments, world.locks, world.policy_assignments)
    gone = []
    for table in tables:
        for identity in {str(row["id"]): None for each in ids for row in table.below(each)}:
            del table[identity]
            gone.append(identity)
    return Response(200, {"forgotten": gone})


def _score(world: World) -> Any:
    if not world.truth:
        raise ArmError(404, "NotFound", "This world has no ground truth.")
    if importlib.util.find_spec("azure_simulator.truth") is None:
        raise ArmError(404, "NotFound", "This scenario has no ground truth.")
    return importlib.import_module("azure_simulator.truth").score(world)
