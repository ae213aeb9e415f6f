"""Which alerts belong to which incident: one alert is in exactly one, whoever delivers it, and how often; in one more for each further playbook."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, Engine, select, update

from firebreak.model.alert import Alert, Incident, identity_of
from firebreak.store.database import insert_once, reading
from firebreak.store.incidents import IncidentRepository
from firebreak.store.schema import incident_alerts, incidents, subscription_cases

RUNNING: Final = ("open", "investigating", "waiting", "executing")


class Claimed(NamedTuple):
    """The incident that an alert is in; `is_new` when it was opened for it, `is_joined` when the alert was added to one that was there."""

    incident: str
    is_new: bool
    is_joined: bool


class JoinedAlert(NamedTuple):
    """One alert of an incident. `raw_digest` names its bytes in the evidence store."""

    alert_id: str
    source: str
    raw_digest: str
    at: datetime


class CaseRepository:
    """The rows are written in the transaction that opens the incident, so that two deliveries at once find one another."""

    def __init__(self, engine: Engine, known: IncidentRepository) -> None:
        self._engine, self._incidents = engine, known

    def claim(
        self,
        tx: Connection,
        incident: Incident,
        *,
        raw_alert_digest: str,
        join_within: timedelta | None,
        beside: str = "",
    ) -> Claimed:
        """Find the incident of this one's alert, or open it.

        Args:
            tx: a write transaction.
            incident: what is opened when there is none.
            raw_alert_digest: of the alert's bytes in the evidence store.
            join_within: an incident of the same subscription that runs, and was opened no longer ago, takes the alert in; None: never.
            beside: the playbook that a person named, when this is not the alert's own incident but one more. It takes no other alert in.
        """
        alert = incident.alert
        found = self.find(
            tx,
            alert,
            raw_alert_digest=raw_alert_digest,
            join_within=join_within,
            now=incident.opened_at,
            beside=beside,
        )
        if found is not None:
            return found
        is_new = self._incidents.add(incident, raw_alert_digest=raw_alert_digest, tx=tx)
        if not beside:
            mine = subscription_cases.c.subscription == alert.subscription_id
            tx.execute(update(subscription_cases).where(mine).values(incident=incident.id))
        _note(tx, alert, incident.id, raw_alert_digest, incident.opened_at, beside)
        return Claimed(incident.id, is_new, False)

    def find(
        self,
        tx: Connection,
        alert: Alert,
        *,
        raw_alert_digest: str,
        join_within: timedelta | None,
        now: datetime,
        beside: str = "",
    ) -> Claimed | None:
        """Find the incident that an alert is in, or put it into the one of its subscription that runs; None when there is neither.

        The subscription's row stays locked in the transaction, so that the caller may open one. Arguments as `claim`.
        """
        known = _known(tx, alert, beside)
        if known is not None:
            return Claimed(known, False, False)
        # The subscription's row is the lock: PostgreSQL holds it until commit, SQLite has the write lock anyway.
        insert_once(tx, subscription_cases, {"subscription": alert.subscription_id, "incident": ""})
        wanted = select(subscription_cases.c.incident).where(subscription_cases.c.subscription == alert.subscription_id)
        last = str(tx.execute(wanted.with_for_update()).scalar_one())
        # Somebody may have delivered this very alert while we waited for the lock.
        known = _known(tx, alert, beside)
        if known is not None:
            return Claimed(known, False, False)
        if beside or join_within is None or not self._runs(tx, last, since=now - join_within):
            return None
        _note(tx, alert, last, raw_alert_digest, now)
        return Claimed(last, False, True)

    def incident_of(self, alert: Alert) -> str:
        """The incident that an alert is in, "" when it is in none. Nothing is claimed."""
        with reading(self._engine) as tx:
            return _known(tx, alert) or ""

    def alerts(self, incident: str) -> list[JoinedAlert]:
        """The alerts of an incident, in the order they came."""
        t = incident_alerts.c
        wanted = select(t.alert_id, t.source, t.raw_digest, t.at).where(t.incident == incident).order_by(t.at, t.alert)
        with reading(self._engine) as tx:
            return [JoinedAlert(*row) for row in tx.execute(wanted)]

    def _runs(self, tx: Connection, incident: str, *, since: datetime) -> bool:
        wanted = select(incidents.c.state, incidents.c.opened_at).where(incidents.c.id == incident)
        row = tx.execute(wanted).one_or_none()
        return row is not None and row.state in RUNNING and row.opened_at >= since


def _known(tx: Connection, alert: Alert, beside: str = "") -> str | None:
    wanted = select(incident_alerts.c.incident).where(incident_alerts.c.alert == _key(alert, beside))
    found = tx.execute(wanted).scalar()
    return None if found is None else str(found)


def _note(tx: Connection, alert: Alert, incident: str, raw_alert_digest: str, at: datetime, beside: str = "") -> None:
    row = {"alert": _key(alert, beside), "incident": incident, "alert_id": alert.id, "source": alert.source}
    insert_once(tx, incident_alerts, {**row, "raw_digest": raw_alert_digest, "at": at})


def _key(alert: Alert, beside: str) -> str:
    identity = identity_of(alert.id, alert.subscription_id)
    seed = f"{alert.customer_tenant_id}:{alert.subscription_id}:{identity}{f':{beside}' if beside else ''}".lower()
    return hashlib.sha256(seed.encode()).hexdigest()
