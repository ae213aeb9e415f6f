"""Incidents and where each stands."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, select, update

from firebreak.clients.policies.redaction import without_secrets
from firebreak.errors import ContentError
from firebreak.model.alert import Incident
from firebreak.store.database import Clock, insert_once, reading, writing
from firebreak.store.schema import incidents

STATES: Final = ("open", "investigating", "waiting", "executing", "done", "stopped", "failed")


class IncidentRow(NamedTuple):
    """An incident with its state; `note` says why it is in it."""

    incident: Incident
    state: str
    updated_at: datetime
    note: str


class IncidentRepository:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def add(self, incident: Incident, *, raw_alert_digest: str, tx: Connection | None = None) -> bool:
        """Open an incident; False when there is one with this id already, which then stays as it is. `tx`: the caller's transaction."""
        if tx is None:
            with writing(self._engine) as own:
                return self.add(incident, raw_alert_digest=raw_alert_digest, tx=own)
        return insert_once(
            tx,
            incidents,
            {
                "id": incident.id,
                "case_id": incident.case,
                "body": msgspec.json.encode(incident).decode(),
                "raw_alert_digest": raw_alert_digest,
                "state": "open",
                "note": "",
                "opened_at": incident.opened_at,
                "updated_at": self._clock(),
            },
        )

    def get(self, incident_id: str) -> Incident:
        """Return one incident.

        Raises:
            ContentError: there is none with this id.
        """
        return self._row(incident_id).incident

    def row(self, incident_id: str) -> IncidentRow:
        """Return one incident with its state. Raises as `get`."""
        return self._row(incident_id)

    def find(self, incident_id: str) -> Incident | None:
        """Return one incident, or None."""
        with reading(self._engine) as tx:
            body = tx.execute(select(incidents.c.body).where(incidents.c.id == incident_id)).scalar()
        return None if body is None else msgspec.json.decode(body, type=Incident)

    def list(self) -> list[IncidentRow]:
        """All incidents, the newest first."""
        with reading(self._engine) as tx:
            rows = tx.execute(select(incidents).order_by(incidents.c.opened_at.desc(), incidents.c.id)).all()
        return [_as_row(row.body, row.state, row.updated_at, row.note) for row in rows]

    def state(self, incident_id: str) -> str:
        """Return one of `STATES`. Raises as `get`."""
        return self._row(incident_id).state

    def set_state(self, incident_id: str, state: str, note: str = "", *, tx: Connection | None = None) -> None:
        """Say where the incident stands. `tx`: the caller's transaction.

        Raises:
            ContentError: no such incident, or no such state.
        """
        if tx is None:
            with writing(self._engine) as own:
                return self.set_state(incident_id, state, note, tx=own)
        if state not in STATES:
            raise ContentError(f"{state!r} is not a state of an incident.", hint=f"One of {', '.join(STATES)}.")
        changed = tx.execute(
            update(incidents)
            .where(incidents.c.id == incident_id)
            .values(state=state, note=without_secrets(note), updated_at=self._clock())
        )
        if changed.rowcount != 1:
            raise _unknown(incident_id)
        return None

    def raw_alert_digest(self, incident_id: str) -> str:
        """The evidence digest of the bytes the alert came as. Raises as `get`."""
        with reading(self._engine) as tx:
            digest = tx.execute(select(incidents.c.raw_alert_digest).where(incidents.c.id == incident_id)).scalar()
        if digest is None:
            raise _unknown(incident_id)
        return str(digest)

    def _row(self, incident_id: str) -> IncidentRow:
        with reading(self._engine) as tx:
            row = tx.execute(select(incidents).where(incidents.c.id == incident_id)).one_or_none()
        if row is None:
            raise _unknown(incident_id)
        return _as_row(row.body, row.state, row.updated_at, row.note)


def _as_row(body: str, state: str, updated_at: datetime, note: str) -> IncidentRow:
    return IncidentRow(msgspec.json.decode(body, type=Incident), state, updated_at, note)


def _unknown(incident_id: str) -> ContentError:
    return ContentError(f"There is no incident {incident_id!r}.", hint="See `firebreak incidents list`.")
