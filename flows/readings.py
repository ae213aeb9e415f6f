"""The alerts in a delivery, channel by channel. What opens no incident is an AlertError that says why; the delivery is kept all the same."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from firebreak.engine import EngineRoom
from firebreak.engine.customers import NOBODY, customer_of
from firebreak.engine.hints import alerts_about
from firebreak.errors import AccessError, AlertError, ContentError, NothingToDoError, RemoteError
from firebreak.intake import audit_records, azure_monitor, cost_alerts
from firebreak.intake.alerts import parse_alert
from firebreak.intake.channels import (
    AZURE_MONITOR,
    DEFENDER,
    JSON,
    PARTNER_CENTER,
    POLL,
    POLL_AUDIT_RECORDS,
    POLL_COST_ALERTS,
    SENTINEL,
)
from firebreak.intake.documents import read_json
from firebreak.intake.inbox import Delivery
from firebreak.intake.mapping import NAME, apply, read_mapping
from firebreak.intake.security_alerts import parse_defender, parse_sentinel
from firebreak.model.alert import DELIVERED_BY, POLLED, WEBHOOK
from firebreak.settings import Settings
from flows.deliveries import Reading

LOG = logging.getLogger("firebreak.intake")
_PARSERS = {AZURE_MONITOR: azure_monitor.parse, DEFENDER: parse_defender, SENTINEL: parse_sentinel}
_OPEN = ("active", "investigating")
# Graph may list an alert a little after its event; an event that is older and unknown is nobody's.
_LISTED_WITHIN = timedelta(minutes=30)


async def read(room: EngineRoom, delivery: Delivery) -> Sequence[Reading]:
    """The alerts of a delivery, each about a subscription that this installation responds for.

    Raises:
        AlertError: it opens no incident.
        AccessError, RemoteError: whether it does cannot be said yet.
    """
    if delivery.channel == PARTNER_CENTER:
        return await _partner_center(room, delivery)
    if delivery.channel in _PARSERS or delivery.channel.startswith(JSON):
        return await _of_customers(room, _keyed(room, delivery))
    if delivery.channel.startswith(POLL):
        return [_polled(room, delivery)]
    several = len(room.settings.customer_tenants) > 1
    tenant = NOBODY if several else room.settings.credential.tenant_id
    alert = parse_alert(delivery.body, place="intake", now=delivery.received_at, default_tenant=tenant)
    _check_ours(room, alert.subscription_id, unless_listed=True)
    readings = [Reading(alert, delivery.body)]
    return await _of_customers(room, readings) if alert.customer_tenant_id == NOBODY else readings


async def _of_customers(room: EngineRoom, readings: list[Reading]) -> list[Reading]:
    """The same alerts, each with the customer whose subscription it is about: these channels name none."""
    if len(room.settings.customer_tenants) == 1:
        return readings
    found = []
    for one in readings:
        tenant = await customer_of(room, one.alert.subscription_id)
        found.append(Reading(msgspec.structs.replace(one.alert, customer_tenant_id=tenant), one.raw))
    return found


def mapping_file(settings: Settings, name: str) -> Path | None:
    """The mapping of a door for other JSON; None when there is none of this name."""
    path = settings.home / "intake" / f"{name}.yaml"
    return path if NAME.fullmatch(name) and path.is_file() else None


def _keyed(room: EngineRoom, delivery: Delivery) -> list[Reading]:
    channel, tenant = delivery.channel, room.settings.credential.tenant_id
    document = read_json(delivery.body, channel)
    if channel in _PARSERS:
        alerts = _PARSERS[channel](document, delivery.body, now=delivery.received_at, tenant=tenant)
    else:
        path = mapping_file(room.settings, channel.removeprefix(JSON))
        if path is None:
            # An operator may have moved it for a moment: what is kept waits for it.
            raise ContentError(
                f"There is no mapping for {channel}.", hint="Put it back into the folder intake of the home folder."
            )
        mapping = read_mapping(path)
        alerts = apply(mapping, document, delivery.body, place=channel, now=delivery.received_at, tenant=tenant)
    ours = [one for one in alerts if room.settings.intake.may_respond_for(one.subscription_id, unless_listed=False)]
    if not ours:
        _check_ours(room, alerts[0].subscription_id, unless_listed=False)
    return [Reading(one, delivery.body) for one in ours]


async def _partner_center(room: EngineRoom, delivery: Delivery) -> list[Reading]:
    event = _event(delivery.body)
    name = str(event.get("eventname", ""))
    if name.lower() == "test-created":
        raise NothingToDoError("A validation event: the registration works.", hint="Nothing is to be done.")
    tenant = room.settings.credential.tenant_id or "00000000-0000-0000-0000-000000000000"
    hint = parse_alert(delivery.body, place=PARTNER_CENTER, now=delivery.received_at, default_tenant=tenant)
    _check_ours(room, hint.subscription_id, unless_listed=True)
    try:
        rows = await alerts_about(room, hint.subscription_id)
    except (AccessError, RemoteError) as error:
        if not room.settings.intake.may_respond_for(hint.subscription_id, unless_listed=False):
            raise
        LOG.warning("Graph cannot confirm the alert about %s: %s", hint.subscription_id, error.message)
        unconfirmed = {**hint.details, "confirmed": f"no: {error.message}"[:300]}
        alone = [Reading(msgspec.structs.replace(hint, details=unconfirmed), delivery.body)]
        return await _of_customers(room, alone)
    open_ones = [row for row in rows if str(row.get("status", "")).lower() in _OPEN]
    if open_ones:
        return [_listed(row, delivery) for row in open_ones]
    if rows:
        raise NothingToDoError(
            f"Graph lists no open alert about {hint.subscription_id}.", hint="It was resolved before."
        )
    if room.clock() - delivery.received_at < _LISTED_WITHIN:
        raise RemoteError(f"Graph does not list an alert about {hint.subscription_id} yet.", hint="It is asked again.")
    raise AlertError(
        f"Graph lists no alert about {hint.subscription_id}.", hint="Is it a subscription of another partner?"
    )


def _polled(room: EngineRoom, delivery: Delivery) -> Reading:
    """What a poll found in Microsoft's own lists, read with our own identity: nobody else needs to confirm it."""
    tenant, now = room.settings.credential.tenant_id, delivery.received_at
    if delivery.channel == POLL_AUDIT_RECORDS:
        alert = audit_records.parse(delivery.body, now=now, default_tenant=tenant)
    elif delivery.channel == POLL_COST_ALERTS:
        alert = cost_alerts.parse(delivery.body, now=now, tenant=tenant)
    else:
        alert = parse_alert(delivery.body, place=delivery.channel, now=now, default_tenant=tenant)
    _check_ours(room, alert.subscription_id, unless_listed=True)
    return Reading(msgspec.structs.replace(alert, details={**alert.details, DELIVERED_BY: POLLED}), delivery.body)


def _listed(row: dict[str, Any], delivery: Delivery) -> Reading:
    raw = json.dumps(row, separators=(",", ":")).encode()
    alert = parse_alert(raw, place="Graph", now=delivery.received_at)
    # What the alert says is Graph's; how it reached us decides what people are asked to set up.
    return Reading(msgspec.structs.replace(alert, details={**alert.details, DELIVERED_BY: WEBHOOK}), raw)


def _event(raw: bytes) -> dict[str, Any]:
    document = read_json(raw, PARTNER_CENTER)
    if not isinstance(document, dict) or not any(str(key).lower() == "eventname" for key in document):
        raise AlertError("There is no EventName in the delivery.", hint="Is it an event of Partner Center?")
    return {str(key).lower(): value for key, value in document.items()}


def _check_ours(room: EngineRoom, subscription: str, *, unless_listed: bool) -> None:
    if not room.settings.intake.may_respond_for(subscription, unless_listed=unless_listed):
        raise AlertError(
            f"This installation does not respond for the subscription {subscription}.",
            hint="See FIREBREAK_INTAKE__SUBSCRIPTIONS.",
        )
