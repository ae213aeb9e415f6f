"""Parse one alert: a Graph partner security alert, Partner Center's webhook event or its FraudEvents row, or our own small form. Pure.

https://learn.microsoft.com/graph/api/resources/partner-security-partnersecurityalert
https://learn.microsoft.com/partner-center/developer/partner-center-webhook-events
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from firebreak.errors import AlertError, NothingToDoError, ScopeError
from firebreak.intake import fraud_events
from firebreak.intake.documents import LARGEST, is_resource_id, read_json
from firebreak.model.alert import WEBHOOK, Alert, Incident
from firebreak.model.ids import guid
from firebreak.model.mode import Mode

FRAUD_EVENT = "azure-fraud-event-detected"
_MOST_RESOURCES = 1000

__all__ = ["FRAUD_EVENT", "LARGEST", "open_incident", "parse_alert"]


def parse_alert(raw: bytes, *, place: str, now: datetime, default_tenant: str = "") -> Alert:
    """Return the alert in `raw`.

    Args:
        raw: JSON, at most 1 MiB.
        place: where it came from, for error messages (a file name, "intake").
        now: taken as the detection time when the alert names none.
        default_tenant: the customer's tenant when the alert names none (a Partner Center event does not).

    Raises:
        AlertError: not JSON, not an alert, or without a usable subscription id; says what to do.
    """
    document = _object(raw, place)
    lowered = {str(k).lower(): v for k, v in document.items()}
    digest = hashlib.sha256(raw).hexdigest()
    try:
        if "eventname" in lowered:
            return _fraud_event(lowered, digest, place, now, default_tenant)
        if fraud_events.is_fraud_event(document):
            return fraud_events.parse(document, digest, place=place, now=now, default_tenant=default_tenant)
        return _partner_alert(lowered, digest, place, now, default_tenant)
    except ScopeError as exc:
        raise AlertError(
            f"{place}: {exc.message}", hint="The alert must name one Azure subscription by its GUID."
        ) from exc


def open_incident(
    alert: Alert, *, playbook: str, mode: Mode, now: datetime, requested_by: str, number: int = 1, beside: bool = False
) -> Incident:
    """Return the incident of an alert. The same alert always gives the same case; `number` tells dry runs of it apart.

    `beside`: not the alert's own incident but a further one under another playbook, with a case of its own.
    """
    identity = f"{alert.id}:{playbook}" if beside else alert.id
    case = case_of(alert.customer_tenant_id, alert.subscription_id, identity)
    suffix = (
        "" if mode is Mode.LIVE else f"-{'dry' if mode is Mode.DRY_RUN else 'replay'}{number if number > 1 else ''}"
    )
    return Incident(
        id=case + suffix, case=case, alert=alert, playbook=playbook, mode=mode, opened_at=now, requested_by=requested_by
    )


def case_of(customer_tenant_id: str, subscription_id: str, alert_id: str) -> str:
    """Return the id of the case of an alert."""
    seed = f"{customer_tenant_id}:{subscription_id}:{alert_id}".lower()
    return "INC-" + hashlib.sha256(seed.encode()).hexdigest()[:8]


def _object(raw: bytes, place: str) -> dict[str, Any]:
    document = read_json(raw, place)
    if isinstance(document, dict) and isinstance(document.get("value"), list) and len(document["value"]) == 1:
        document = document["value"][0]
    if not isinstance(document, dict):
        raise AlertError(
            f"{place}: an alert is one JSON object, this is {type(document).__name__}.",
            hint="Save a single alert, not a list.",
        )
    return document


def _partner_alert(alert: Mapping[str, Any], digest: str, place: str, now: datetime, default_tenant: str) -> Alert:
    subscription = alert.get("subscriptionid") or alert.get("subscription_id")
    if not isinstance(subscription, str) or not subscription:
        raise AlertError(
            f"{place}: no subscriptionId in the alert (keys: {', '.join(sorted(alert)[:12]) or 'none'}).",
            hint="Firebreak reads Graph partner security alerts and Partner Center fraud events.",
        )
    identity = str(alert.get("id") or digest[:32])
    kind = str(alert.get("alerttype") or alert.get("type") or "unknown")
    affected = [
        str(item.get("resourceId") or item.get("azureResourceId") or "")
        for item in alert.get("affectedresources") or []
        if isinstance(item, dict)
    ]
    details = alert.get("additionaldetails")
    return Alert(
        id=identity,
        source="graph" if "alerttype" in alert else "file",
        type=kind,
        title=str(alert.get("displayname") or alert.get("title") or kind),
        severity=str(alert.get("severity") or "unknown"),
        subscription_id=guid(subscription, "subscriptionId"),
        customer_tenant_id=guid(str(alert.get("customertenantid") or default_tenant), "customerTenantId"),
        detected_at=_time(alert.get("detecteddatetime"), place) or now,
        first_observed_at=_time(alert.get("firstobserveddatetime"), place),
        last_observed_at=_time(alert.get("lastobserveddatetime"), place),
        affected_resources=tuple(i for i in affected if is_resource_id(i))[:_MOST_RESOURCES],
        details={str(k): str(v) for k, v in details.items()} if isinstance(details, dict) else {},
        is_test=str(alert.get("istest", "")).lower() == "true",
        raw_digest=digest,
    )


def _fraud_event(event: Mapping[str, Any], digest: str, place: str, now: datetime, default_tenant: str) -> Alert:
    name = str(event["eventname"])
    if name != FRAUD_EVENT:
        raise NothingToDoError(f"{place}: the event {name!r} opens no incident.", hint=f"Only {FRAUD_EVENT} does.")
    found = _subscriptions(str(event.get("resourceuri") or ""))
    if len(found) != 1:
        raise AlertError(
            f"{place}: ResourceUri names {len(found)} subscriptions.", hint="It must hold exactly one SubscriptionId."
        )
    at = _time(event.get("resourcechangeutcdate"), place)
    return Alert(
        id=hashlib.sha256(f"{name}|{found[0].lower()}|{event.get('resourcechangeutcdate')}".encode()).hexdigest()[:32],
        source=WEBHOOK,
        type=name,
        title="Azure fraud event",
        severity="high",
        subscription_id=guid(found[0], "SubscriptionId in ResourceUri"),
        customer_tenant_id=guid(default_tenant, "the customer's tenant (FIREBREAK_CREDENTIAL__TENANT_ID)"),
        detected_at=at or now,
        raw_digest=digest,
    )


def _subscriptions(uri: str) -> list[str]:
    try:
        query = parse_qs(urlsplit(uri).query, max_num_fields=20)
    except ValueError:
        return []
    return [value for name, values in query.items() if name.lower() == "subscriptionid" for value in values]


def _time(value: object, place: str) -> datetime | None:
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as exc:
        raise AlertError(f"{place}: {value!r} is not a time.", hint="Times look like 2026-03-02T04:09:57Z.") from exc
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
