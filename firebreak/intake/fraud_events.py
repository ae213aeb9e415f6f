"""A row of Partner Center's FraudEvents, the retiring form of the partner security alerts: strings for numbers, other names. Pure.

https://learn.microsoft.com/partner-center/developer/get-fraud-events
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from firebreak.analysis import documents as doc
from firebreak.errors import AlertError
from firebreak.intake.documents import is_resource_id
from firebreak.model.alert import Alert
from firebreak.model.ids import guid

SOURCE: Final = "fraud-events"
EVENT_ID: Final = "fraud_event_id"  # the detail that an answer over the same interface needs
_MOST_RESOURCES = 1000


def is_fraud_event(row: Mapping[str, Any]) -> bool:
    """Whether a document is such a row, whatever the case of its keys."""
    return bool(doc.text(row, "eventId") and doc.text(row, "eventStatus"))


def is_open(row: Mapping[str, Any]) -> bool:
    """Whether nobody has answered it; a status that is not known counts as open."""
    return doc.text(row, "eventStatus").lower() not in ("resolved", "resolve")


def event_time(row: Mapping[str, Any]) -> datetime | None:
    """When it was detected. Times come without a zone and are UTC."""
    return doc.moment(doc.text(row, "eventTime")) or doc.moment(doc.text(row, "firstObserved"))


def parse(row: Mapping[str, Any], digest: str, *, place: str, now: datetime, default_tenant: str) -> Alert:
    """Return the alert of a row. Its id is the part that Graph's id of the same alert ends with.

    Raises:
        AlertError: it names no subscription.
        ScopeError: an id is no GUID.
    """
    subscription = doc.text(row, "subscriptionId")
    if not subscription:
        raise AlertError(f"{place}: no subscriptionId in the fraud event.", hint="It is looked at in Partner Center.")
    event, kind = doc.text(row, "eventId"), doc.text(row, "eventType") or "unknown"
    listed = doc.field(row, "affectedResources")
    resources = [doc.path(one, "azureResourceId") for one in listed] if isinstance(listed, list) else []
    details = doc.field(row, "additionalDetails")
    said = {str(k): str(v) for k, v in details.items()} if isinstance(details, Mapping) else {}
    return Alert(
        id=event.rpartition("_")[2] or event,
        source=SOURCE,
        type=kind,
        title=doc.text(row, "displayName") or kind,
        severity=doc.text(row, "severity").lower() or "unknown",
        subscription_id=guid(subscription, "subscriptionId"),
        customer_tenant_id=guid(doc.text(row, "customerTenantId") or default_tenant, "customerTenantId"),
        detected_at=event_time(row) or now,
        first_observed_at=doc.moment(doc.text(row, "firstObserved")),
        last_observed_at=doc.moment(doc.text(row, "lastObserved")),
        affected_resources=tuple(one for one in resources if is_resource_id(one))[:_MOST_RESOURCES],
        details={**said, EVENT_ID: event},
        is_test=str(doc.field(row, "isTest")).lower() == "true",
        raw_digest=digest,
    )
