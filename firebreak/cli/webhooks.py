"""Webhooks for drills and the demo: sent to an intake of one's own and nowhere else, and followed until it is known what became of them."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from firebreak.clients.transports import trust
from firebreak.engine import EngineRoom
from firebreak.errors import ContentError, RemoteError, ScopeError
from firebreak.intake.inbox import WAITING, Delivery, Inbox
from firebreak.intake.signature import sign
from firebreak.model.ids import guid
from firebreak.settings import Settings

HOOK, ALERTS = "/hooks/partner-center", "/alerts"
_SECONDS = 60.0
_API = "https://api.partnercenter.microsoft.com"


@dataclass(frozen=True)
class Webhook:
    """A signed event and the door that believes its signature."""

    path: str
    headers: Mapping[str, str]
    body: bytes


def own_intake(settings: Settings, address: str) -> str:
    """Return the address of an intake without its path.

    Raises:
        ScopeError: it is neither on this machine nor the one that FIREBREAK_INTAKE__PUBLIC_URL names.
    """
    parts = urlsplit(address)
    own = urlsplit(settings.intake.public_url)
    is_own = bool(own.hostname) and (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or not (is_own or _is_here(parts.hostname or "")):
        raise ScopeError(
            f"{address!r:.200} is no intake of this installation.",
            hint="Deliveries are sent to this machine, or to the address that FIREBREAK_INTAKE__PUBLIC_URL names.",
        )
    return f"{parts.scheme}://{parts.netloc}"


def signed_event(settings: Settings, event: str, subscription: str) -> Webhook:
    """Make an event as Partner Center sends it. Beside an embedded Azure that signs it, elsewhere with this installation's own key.

    Raises:
        RemoteError: the embedded Azure does not answer, or knows no such event.
        ScopeError: the subscription is no GUID.
    """
    if settings.cloud.partner_certificates:
        return _signed_by_simulator(settings, event, subscription)
    uri = f"{_API}/v1/fraudEvents?SubscriptionId={guid(subscription, 'subscription')}&EventStatus=active"
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}0+00:00"
    document = {"EventName": event, "ResourceUri": uri, "AuditUri": None, "ResourceChangeUtcDate": now}
    body = json.dumps(document, separators=(",", ":")).encode()
    return Webhook(ALERTS, sign(settings.intake_secret(), body, int(time.time())), body)


def send(base: str, webhook: Webhook, *, trusted: Settings) -> tuple[int, dict[str, Any]]:
    """Send it and return status and answer.

    Raises:
        RemoteError: the intake does not answer.
    """
    url = f"{base}{webhook.path}"
    try:
        with httpx.Client(verify=trust(trusted.cloud.ca_bundle), timeout=_SECONDS, trust_env=False) as client:
            answer = client.post(url, content=webhook.body, headers=dict(webhook.headers))
        found = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise RemoteError(
            f"The intake at {url} does not answer ({type(error).__name__}).", hint="Start it with: firebreak up"
        ) from error
    return answer.status_code, found if isinstance(found, dict) else {}


def settled(room: EngineRoom, delivery: str, *, seconds: float = _SECONDS) -> Delivery:
    """Wait until a delivery is processed and return it; after that time as it is then.

    Raises:
        ContentError: there is no such delivery in this installation's store.
    """
    inbox, deadline = Inbox(room.store), time.monotonic() + seconds
    while True:
        found = inbox.get(delivery)
        if found is None:
            raise ContentError(
                f"The delivery {delivery[:12]} is not in this installation's store.", hint="See FIREBREAK_DATABASE_URL."
            )
        if found.state != WAITING or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def _signed_by_simulator(settings: Settings, event: str, subscription: str) -> Webhook:
    url = f"{settings.cloud.resource_manager}/_simulator/webhooks"
    wanted = {"event": event, "subscription_id": guid(subscription, "subscription") if subscription else ""}
    try:
        with httpx.Client(verify=trust(settings.cloud.ca_bundle), timeout=_SECONDS, trust_env=False) as client:
            answer = client.post(url, json=wanted)
        found = answer.json()
        if answer.status_code != 200:
            raise RemoteError(f"The embedded Azure says: {found['error']['message']}", status=answer.status_code)
        return Webhook(HOOK, {str(k): str(v) for k, v in found["headers"].items()}, str(found["body"]).encode())
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RemoteError(
            f"The embedded Azure at {url} does not sign ({type(error).__name__}).",
            hint="Is it up? Start it with: firebreak simulate",
        ) from error


def _is_here(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
