"""The clock of the gates: a suspended gate holds no process, so somebody has to look now and then whether its time has come.

`look` may be called by any number of watchers at once and as often as they like: each thing happens once, in the transaction that also
writes its audit record and its notice.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from firebreak.approval import gate_rows, notices
from firebreak.approval.checks import escalates_at
from firebreak.approval.desk import GateDesk
from firebreak.approval.gate_rows import GateRow
from firebreak.approval.notices import Notice
from firebreak.approval.views import place
from firebreak.audit import AuditLog
from firebreak.store import Store


class GateWatch:
    """Asks again what has expired, warns before it expires, reminds and escalates when the playbook says so."""

    def __init__(self, store: Store, desk: GateDesk, audit: AuditLog) -> None:
        self._store, self._desk, self._audit = store, desk, audit

    def look(self) -> None:
        """Do what is due at every open gate."""
        self._desk.reopen_expired()
        now = self._store.clock()
        with self._store.read() as tx:
            due = [row.id for row in gate_rows.load_all(tx, open_only=True) if _is_due(row, now)]
        for gate_id in due:
            with self._store.write() as tx:
                row = gate_rows.load(tx, gate_id, lock=True)
                if row.state == "open" and row.expires_at > now:
                    self._remind(tx, row, now)
                    self._escalate(tx, row, now)
                    self._warn(tx, row, now)

    def _remind(self, tx: Connection, row: GateRow, now: datetime) -> None:
        at = _reminds_at(row)
        if at is None or now < at:
            return
        text = f"{row.gate.title} has waited for an answer since {row.opened_at:%Y-%m-%d %H:%M} UTC."
        if notices.add(tx, _notice(row, notices.REMINDER, text, now)):
            data = {**place(row), "waiting_since": f"{row.opened_at:%Y-%m-%dT%H:%M:%SZ}"}
            self._audit.append(row.incident, "gate.reminded", who="engine", data=data, tx=tx)

    def _warn(self, tx: Connection, row: GateRow, now: datetime) -> None:
        if now < _warns_at(row):
            return
        text = f"{row.gate.title} Question {row.ask} expires at {row.expires_at:%Y-%m-%d %H:%M} UTC; then it is asked again and approvals given so far are void."
        notices.add(tx, _notice(row, notices.EXPIRING, text, now, number=row.ask))

    def _escalate(self, tx: Connection, row: GateRow, now: datetime) -> None:
        at = escalates_at(row.gate, row.opened_at)
        if at is None or now < at:
            return
        roles = " or ".join(row.gate.escalate_to)
        text = f"Escalated: not decided within {row.gate.escalate_after_minutes} minutes; role {roles} may answer as well now."
        if notices.add(tx, _notice(row, notices.ESCALATED, text, now)):
            data = {**place(row), "roles": list(row.gate.escalate_to), "since": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
            self._audit.append(row.incident, "gate.escalated", who="engine", data=data, tx=tx)
            # A new question, because the form of the old one does not offer those who may answer now. It expires when the old one would.
            gate_rows.close_ask(tx, row, now, "escalated")
            gate_rows.ask_again(tx, row, now, row.expires_at, text)


def _reminds_at(row: GateRow) -> datetime | None:
    minutes = row.gate.remind_after_minutes
    return row.opened_at + timedelta(minutes=minutes) if minutes else None


def _warns_at(row: GateRow) -> datetime:
    """When a tenth of the time to answer is left, at most an hour and at least a minute."""
    tenth = timedelta(minutes=row.gate.expires_after_minutes) / 10
    return row.expires_at - min(max(tenth, timedelta(minutes=1)), timedelta(hours=1))


def _is_due(row: GateRow, now: datetime) -> bool:
    moments = (_reminds_at(row), escalates_at(row.gate, row.opened_at), _warns_at(row))
    return any(at is not None and at <= now for at in moments)


def _notice(row: GateRow, kind: str, text: str, now: datetime, *, number: int = 0) -> Notice:
    return Notice(about=row.id, kind=kind, number=number, incident=row.incident, text=text, at=now)
