"""Webhook registration: one per partner. Nothing is sent from here; a validation event is answered as if it had been delivered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.http import Request, Response
from azure_simulator.services.partner_center.exceptions import (
    BadRequestError,
    MissingRegistrationError,
    PartnerError,
    RegistrationExistsError,
)
from azure_simulator.world import Document, World

EVENTS = (
    "azure-fraud-event-detected",
    "subscription-updated",
    "test-created",
    "usagerecords-thresholdExceeded",
    "granular-admin-relationship-approved",
    "granular-admin-relationship-activated",
    "granular-admin-relationship-terminated",
    "granular-admin-relationship-expired",
    "dap-admin-relationship-terminated",
    "reseller-relationship-accepted-by-customer",
    "invoice-ready",
)
VALIDATIONS = "partner.validations"
PER_MINUTE = 2


def list_events(_world: World, _request: Request) -> Response:
    return Response(200, list(EVENTS))


def get_registration(world: World, _request: Request) -> Response:
    return Response(200, _registration(world))


def post_registration(world: World, request: Request) -> Response:
    if world.partner.get("webhook"):
        raise RegistrationExistsError
    return Response(200, _register(world, request))


def put_registration(world: World, request: Request) -> Response:
    """PUT replaces the whole registration, and so takes the events away from whoever had them."""
    _registration(world)
    return Response(200, _register(world, request))


def post_validation(world: World, _request: Request) -> Response:
    """POST .../validationEvents: two a minute, and only when test-created is registered."""
    registration = _registration(world)
    if "test-created" not in registration["WebhookEvents"]:
        raise BadRequestError("The event 'test-created' is not registered.")
    now = world.clock.now()
    recent: list[datetime] = [
        at for at in world.memory.get("partner.validations", []) if at > now - timedelta(minutes=1)
    ]
    if len(recent) >= PER_MINUTE:
        wait = int((recent[0] + timedelta(minutes=1) - now).total_seconds()) + 1
        body = {"statusCode": 429, "message": f"Rate limit is exceeded. Try again in {wait} seconds."}
        return Response(429, body, {"Retry-After": str(wait)})
    world.memory["partner.validations"] = [*recent, now]
    correlation = world.chance.guid()
    world.table(VALIDATIONS)[correlation] = {
        "correlationId": correlation,
        "partnerId": world.partner_tenant_id,
        "status": "completed",
        "callbackUrl": registration["WebhookUrl"],
        "results": [{"responseCode": "OK", "responseMessage": "", "systemError": False, "dateTimeUtc": stamp(now)}],
    }
    return Response(200, {"correlationId": correlation})


def get_validation(world: World, request: Request) -> Response:
    if request.params["id"] not in world.table(VALIDATIONS):
        raise PartnerError(404, "404", f"Validation event '{request.params['id']}' was not found.")
    return Response(200, world.table(VALIDATIONS)[request.params["id"]])


def _registration(world: World) -> Document:
    found: Document | None = world.partner.get("webhook")
    if not found:
        raise MissingRegistrationError
    return found


def _register(world: World, request: Request) -> Document:
    body: Any = request.json()
    given = {str(k).lower(): v for k, v in body.items()} if isinstance(body, dict) else {}
    url, events = str(given.get("webhookurl") or ""), given.get("webhookevents")
    if not url.lower().startswith("https://"):
        raise BadRequestError("'WebhookUrl' must be an https address.")
    if not isinstance(events, list) or not events:
        raise BadRequestError("'WebhookEvents' is missing.")
    if unknown := [event for event in events if event not in EVENTS]:
        raise BadRequestError(f"Unknown events: {', '.join(map(str, unknown))}.")
    world.partner["webhook"] = {
        "SubscriberId": world.partner_tenant_id,
        "WebhookUrl": url,
        "WebhookEvents": events,
        "SignatureTokenToMsSignatureHeader": bool(given.get("signaturetokentomssignatureheader", False)),
        "lastModifiedTimestamp": stamp(world.clock.now()),
    }
    registration: Document = world.partner["webhook"]
    return registration
