"""A cost alert of Cost Management: a budget, credit or quota of spending that was passed. Pure.

https://learn.microsoft.com/rest/api/cost-management/alerts/list
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from firebreak.analysis import documents as doc
from firebreak.errors import AlertError, ScopeError
from firebreak.intake.documents import read_json
from firebreak.model.alert import Alert
from firebreak.model.ids import ResourceId

SOURCE: Final = "cost-alerts"


def is_open(row: Mapping[str, Any]) -> bool:
    """Whether the alert is raised; a status that is not known counts as raised."""
    return doc.text(row, "properties", "status").lower() not in ("none", "overridden", "resolved", "dismissed")


def time_of(row: Mapping[str, Any]) -> datetime | None:
    return doc.moment(doc.text(row, "properties", "creationTime"))


def parse(raw: bytes, *, now: datetime, tenant: str) -> Alert:
    """Return the alert of a row; its type is `CostManagement.` and the kind, such as Budget. `tenant` is the customer's where the row names none.

    Raises:
        AlertError: it is about no subscription.
    """
    row = read_json(raw, SOURCE)
    try:
        place = ResourceId.parse(doc.path(row, "id"))
    except ScopeError as error:
        raise AlertError(f"{SOURCE}: {error.message}", hint="The alert must be about one subscription.") from error
    kind = doc.text(row, "properties", "definition", "type")
    plain = "".join(c for c in kind if c.isalnum()) or "unknown"
    # A budget's alert may keep its name from month to month.
    identity = f"{place.key}|{doc.text(row, 'properties', 'creationTime')}"
    said = {
        "description": doc.text(row, "properties", "description"),
        "threshold": doc.text(row, "properties", "details", "threshold"),
        "amount": doc.text(row, "properties", "details", "amount"),
        "spent": doc.text(row, "properties", "details", "currentSpend"),
        "unit": doc.text(row, "properties", "details", "unit"),
    }
    return Alert(
        id=hashlib.sha256(identity.encode()).hexdigest()[:32],
        source=SOURCE,
        type=f"CostManagement.{plain}",
        title=said["description"] or f"Cost alert {doc.text(row, 'properties', 'costEntityId')}",
        severity="unknown",
        subscription_id=place.subscription,
        customer_tenant_id=doc.text(row, "customerTenantId").lower() or tenant,
        detected_at=time_of(row) or now,
        details={key: value for key, value in said.items() if value},
        raw_digest=hashlib.sha256(raw).hexdigest(),
    )
