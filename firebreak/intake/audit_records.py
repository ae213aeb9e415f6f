"""Fraud events in Partner Center's audit records: Microsoft's own note that it raised an alert, whether or not a webhook came. Pure.

https://learn.microsoft.com/partner-center/developer/get-a-record-of-partner-center-activity-by-user
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from firebreak.analysis import documents as doc
from firebreak.errors import AlertError
from firebreak.intake.alerts import FRAUD_EVENT
from firebreak.intake.documents import read_json
from firebreak.model.alert import Alert
from firebreak.model.ids import guid

SOURCE: Final = "audit-records"
_FRAUD: Final = "azurefraudeventdetected"


def is_fraud(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a fraud event. How the interface spells the operation is not documented: only its letters are compared."""
    return re.sub(r"[^a-z]", "", doc.text(record, "operationType").lower()) == _FRAUD


def subscription_of(record: Mapping[str, Any]) -> str:
    """The subscription that a fraud event names, lower-case, "" when it names none."""
    value = doc.mapping(record, "resourceNewValue")
    return (doc.text(value, "subscriptionId") or doc.text(value, "id")).lower()


def time_of(record: Mapping[str, Any]) -> datetime | None:
    return doc.moment(doc.text(record, "operationDate"))


def parse(raw: bytes, *, now: datetime, default_tenant: str) -> Alert:
    """Return the alert that a record alone tells of: which subscription, since when, and nothing more.

    Raises:
        AlertError: it names no subscription.
        ScopeError: an id is no GUID.
    """
    record = read_json(raw, SOURCE)
    subscription = subscription_of(record)
    if not subscription:
        raise AlertError(
            f"{SOURCE}: the record of a fraud event names no subscription.",
            hint="Look for the alert in Partner Center, under Security alerts.",
        )
    at = time_of(record)
    return Alert(
        id=hashlib.sha256(f"{SOURCE}|{subscription}|{at}".encode()).hexdigest()[:32],
        source=SOURCE,
        type=FRAUD_EVENT,
        title="Azure fraud event that only Partner Center's audit records tell of",
        severity="high",
        subscription_id=guid(subscription, "subscriptionId"),
        customer_tenant_id=guid(doc.text(record, "customerId") or default_tenant, "customerId"),
        detected_at=at or now,
        raw_digest=hashlib.sha256(raw).hexdigest(),
    )
