"""Validation events: a signed `test-created` to the registered address, and how each attempt to deliver it ended."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from http import HTTPStatus

from azure_simulator.clock import stamp
from azure_simulator.http import Request, Response
from azure_simulator.services.partner_center import sender, signing
from azure_simulator.services.partner_center.exceptions import BadRequestError, PartnerError
from azure_simulator.services.partner_center.webhooks import registration
from azure_simulator.world import Document, World

EVENT = "test-created"
TABLE = "partner.validations"
PER_MINUTE = 2


def post(world: World, _request: Request) -> Response:
    """POST .../validationEvents: two a minute, and only when test-created is registered."""
    registered = registration(world)
    if EVENT not in registered["WebhookEvents"]:
        raise BadRequestError(f"The event '{EVENT}' is not registered.")
    now = world.clock.now()
    recent: list[datetime] = [at for at in world.memory.get(TABLE, []) if at > now - timedelta(minutes=1)]
    if len(recent) >= PER_MINUTE:
        wait = int((recent[0] + timedelta(minutes=1) - now).total_seconds()) + 1
        body = {"statusCode": 429, "message": f"Rate limit is exceeded. Try again in {wait} seconds."}
        return Response(429, body, {"Retry-After": str(wait)})
    world.memory[TABLE] = [*recent, now]
    correlation = world.chance.guid()
    row: Document = {
        "correlationId": correlation,
        "partnerId": world.partner_tenant_id,
        "status": "inprogress",
        "callbackUrl": registered["WebhookUrl"],
        "results": [],
    }
    world.table(TABLE)[correlation] = row
    content = sender.event(world, EVENT, correlation=correlation)
    headers = signing.sign(world, content, in_own_header=registered["SignatureTokenToMsSignatureHeader"])

    def deliver() -> None:
        def note(status: int, answer: str) -> None:
            row["results"].append(_result(world, status, answer))

        sender.deliver(world, registered["WebhookUrl"], content, headers, note)
        row["status"] = "completed"

    threading.Thread(target=deliver, name="validation-sender", daemon=True).start()
    return Response(200, {"correlationId": correlation})


def get(world: World, request: Request) -> Response:
    """GET .../validationEvents/{id}: one result per attempt so far."""
    if request.params["id"] not in world.table(TABLE):
        raise PartnerError(404, "404", f"Validation event '{request.params['id']}' was not found.")
    return Response(200, world.table(TABLE)[request.params["id"]])


def _result(world: World, status: int, answer: str) -> Document:
    name = HTTPStatus(status).phrase.replace(" ", "") if status in HTTPStatus._value2member_map_ else ""
    return {
        "responseCode": name,
        "responseMessage": "" if 200 <= status < 300 else answer[:200],
        "systemError": status == 0,
        "dateTimeUtc": stamp(world.clock.now()),
    }
