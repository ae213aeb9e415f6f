"""Webhook registration: one per partner, so that whoever puts another takes the events away from whoever had them."""

from __future__ import annotations

from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.http import Request, Response
from azure_simulator.services.partner_center.exceptions import (
    BadRequestError,
    MissingRegistrationError,
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


def list_events(_world: World, _request: Request) -> Response:
    return Response(200, list(EVENTS))


def get_registration(world: World, _request: Request) -> Response:
    return Response(200, registration(world))


def post_registration(world: World, request: Request) -> Response:
    if world.partner.get("webhook"):
        raise RegistrationExistsError
    return Response(200, _register(world, request))


def put_registration(world: World, request: Request) -> Response:
    """PUT replaces the whole registration, and so takes the events away from whoever had them."""
    registration(world)
    return Response(200, _register(world, request))


def registration(world: World) -> Document:
    """The partner's registration.

    Raises:
        MissingRegistrationError: 404.
    """
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
    made: Document = world.partner["webhook"]
    return made
