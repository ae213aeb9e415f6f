"""Partner Center's webhook sender: an event as compact JSON, signed over exactly these bytes, sent up to ten times from a thread of its own.

https://learn.microsoft.com/partner-center/developer/partner-center-webhook-events
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from azure_simulator.http import ArmError, Request, Response
from azure_simulator.services.partner_center import signing
from azure_simulator.services.partner_center.exceptions import PartnerError
from azure_simulator.services.partner_center.webhooks import EVENTS
from azure_simulator.world import Document, World

FRAUD = "azure-fraud-event-detected"
API = "https://api.partnercenter.microsoft.com"
ATTEMPTS = 10
_PAUSE_SECONDS = 1.0
_TIMEOUT_SECONDS = 10


def event(world: World, name: str, *, subscription: str = "", status: str = "active", correlation: str = "") -> bytes:
    """The raw body of an event, as it goes over the wire: without whitespace. `correlation` is a validation event's id."""
    uri = f"{API}/v1/customers"
    if name == FRAUD:
        uri = f"{API}/v1/fraudEvents?SubscriptionId={subscription}&EventStatus={status}"
    elif name == "test-created":
        uri = f"{API}/webhooks/v1/registration/validationEvents/{correlation or world.chance.guid()}"
    now = world.clock.now()
    document = {
        "EventName": name,
        "ResourceUri": uri,
        "AuditUri": f"{API}/auditactivity/v1/auditrecords/{world.chance.guid()}" if name == FRAUD else None,
        "ResourceChangeUtcDate": f"{now:%Y-%m-%dT%H:%M:%S.%f}0+00:00",
    }
    return json.dumps(document, separators=(",", ":")).encode()


def post(world: World, body: Any) -> Response:
    """The control route `POST /_simulator/webhooks`: `{"event", "subscription_id", "to"}`.

    Without `to` the signed delivery is returned, with it it is sent from here; `GET /_simulator/webhooks` says what was answered.

    Raises:
        ArmError: 400, not such a body.
    """
    given: Mapping[str, Any] = body if isinstance(body, dict) else {}
    name, to = str(given.get("event") or FRAUD), str(given.get("to") or "")
    if name not in EVENTS:
        raise ArmError(400, "InvalidEvent", f"The events are {', '.join(EVENTS)}; got {name!r}.")
    if to and urlsplit(to).scheme not in ("http", "https"):
        raise ArmError(400, "InvalidAddress", f"'to' must be a web address; got {to!r}.")
    first = next(iter(world.alerts.values()), {})
    content = event(world, name, subscription=str(given.get("subscription_id") or first.get("subscriptionId") or ""))
    headers = signing.sign(world, content)
    if not to:
        return Response(200, {"headers": headers, "body": content.decode()})
    sent: Document = {"event": name, "to": to, "attempts": []}
    deliveries(world).append(sent)

    def note(status: int, answer: str) -> None:
        sent["attempts"].append({"status": status, "answer": answer})

    sending = threading.Thread(target=deliver, args=(world, to, content, headers, note), daemon=True)
    sending.start()
    return Response(202, sent)


def deliveries(world: World) -> list[Document]:
    """What was sent, with the status of each attempt; 0 when nobody answered."""
    found: list[Document] = world.memory.setdefault("partner.deliveries", [])
    return found


def certificate(world: World, request: Request) -> Response:
    """What lies in the storage account that the header names; any other name is not there."""
    if request.params["name"].lower() != urlsplit(signing.CERTIFICATE_URL).path.rsplit("/", 1)[1]:
        raise PartnerError(404, "BlobNotFound", "The specified blob does not exist.")
    return Response(200, signing.signers(world).signer.der, {"content-type": "application/octet-stream"})


def issuer(world: World, request: Request) -> Response:
    """The issuing authority's certificate, where the signer's certificate says it is."""
    if request.params["name"].lower() != urlsplit(signing.ISSUER_URL).path.rsplit("/", 1)[1]:
        raise PartnerError(404, "NotFound", "There is no such certificate.")
    return Response(200, signing.signers(world).issuer.der, {"content-type": "application/pkix-cert"})


def deliver(
    world: World, to: str, content: bytes, headers: Mapping[str, str], note: Callable[[int, str], None]
) -> None:
    """Send up to ten times until somebody takes it; `note` gets status and answer of each attempt, status 0 when nobody answered.

    It is sent to this machine alone: an address elsewhere needs a tunnel (`World.tunnels`) that leads here.
    """
    place = tunnelled(world, to)
    if urlsplit(place).hostname not in ("localhost", "127.0.0.1", "::1"):
        note(0, "Not on this machine, and no tunnel leads there: see the settings of the embedded Azure.")
        return
    pause = threading.Event()
    for number in range(ATTEMPTS):
        if number:
            pause.wait(_PAUSE_SECONDS)
        status, answer = _attempt(place, content, headers)
        note(status, answer)
        if 200 <= status < 300:
            return


def tunnelled(world: World, to: str) -> str:
    """Where an address leads."""
    parts = urlsplit(to)
    there = world.tunnels.get(f"{parts.scheme}://{parts.netloc}")
    return f"{there.rstrip('/')}{parts.path}" if there else to


def _attempt(to: str, content: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    parts = urlsplit(to)
    place = parts.netloc
    connection = (
        http.client.HTTPSConnection(place, timeout=_TIMEOUT_SECONDS, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(place, timeout=_TIMEOUT_SECONDS)
    )
    try:
        connection.request("POST", parts.path or "/", content, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, type(error).__name__
    finally:
        connection.close()
