"""Every alert of Microsoft's that nobody has resolved, the oldest first, with the day by which it has to be answered.

    digest = await unresolved_alerts(room)
    digest.due            # to be answered before day sixty: https://learn.microsoft.com/partner-center/security/security-alerts-dashboard

Microsoft's daily summary goes on while an unresolved alert of the last sixty days exists; what is older has to be answered all the same.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from firebreak.analysis import documents as doc
from firebreak.engine.polls import detected_at, is_unresolved
from firebreak.engine.room import EngineRoom
from firebreak.engine.sources import look_at_graph
from firebreak.errors import AlertError, ScopeError
from firebreak.intake.alerts import parse_alert

LAST_DAY: Final = 60


class Unresolved(msgspec.Struct, frozen=True, kw_only=True):
    """One open alert as Graph lists it. Texts are strangers'. `age_days` is None when it does not say when it was detected; `incident` is the
    one that it is in, "" when it is in none.
    """

    id: str
    type: str
    title: str
    severity: str
    status: str
    subscription_id: str
    customer_tenant_id: str
    detected_at: datetime | None
    age_days: int | None
    is_test: bool
    incident: str

    @property
    def answer_before(self) -> datetime | None:
        return self.detected_at + timedelta(days=LAST_DAY) if self.detected_at else None


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """All open alerts, the oldest first. With `problems` there may be more: they were not looked at, or not to the end.

    `due_from` is the age in days at which an alert is escalated.
    """

    at: datetime
    due_from: int
    alerts: tuple[Unresolved, ...]
    problems: tuple[str, ...] = ()

    @property
    def due(self) -> tuple[Unresolved, ...]:
        """Those that reach day sixty soon."""
        return tuple(
            one for one in self.alerts if one.age_days is not None and self.due_from <= one.age_days < LAST_DAY
        )

    @property
    def late(self) -> tuple[Unresolved, ...]:
        """Those that are sixty days old or older."""
        return tuple(one for one in self.alerts if one.age_days is not None and one.age_days >= LAST_DAY)


async def unresolved_alerts(room: EngineRoom) -> Digest:
    """Ask Graph for everything that is open. Never raises for what Graph does: see `Digest.problems`."""
    look, now = await look_at_graph(room, None), room.clock()
    alerts = [_unresolved(room, row, now) for row in look.rows if is_unresolved(row)]
    # What does not say how old it is comes first: it may be the oldest.
    alerts.sort(key=lambda one: (one.detected_at is not None, one.detected_at or now, one.id))
    due_from = room.settings.poll.escalate_days
    return Digest(at=now, due_from=due_from, alerts=tuple(alerts), problems=tuple(look.problems))


def _unresolved(room: EngineRoom, row: dict[str, Any], now: datetime) -> Unresolved:
    at = detected_at(row)
    return Unresolved(
        id=doc.text(row, "id"),
        type=doc.text(row, "alertType"),
        title=doc.text(row, "displayName"),
        severity=doc.text(row, "severity").lower(),
        status=doc.text(row, "status").lower(),
        subscription_id=doc.text(row, "subscriptionId").lower(),
        customer_tenant_id=doc.text(row, "customerTenantId").lower(),
        detected_at=at,
        age_days=max(0, (now - at).days) if at else None,
        is_test=str(doc.field(row, "isTest")).lower() == "true",
        incident=_incident_of(room, row, now),
    )


def _incident_of(room: EngineRoom, row: dict[str, Any], now: datetime) -> str:
    tenant = room.settings.credential.tenant_id
    try:
        alert = parse_alert(json.dumps(row).encode(), place="Graph", now=now, default_tenant=tenant)
    except (AlertError, ScopeError):
        return ""
    return room.store.cases.incident_of(alert)
