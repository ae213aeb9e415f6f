"""Gates in the database: the row, its questions (asks) and its approvals. Every function works inside the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update

from firebreak.approval import notices
from firebreak.approval.notices import Notice
from firebreak.errors import ApprovalError, ContentError
from firebreak.model.approval import Approval
from firebreak.model.playbook import Gate
from firebreak.store.database import insert_once
from firebreak.store.schema import approvals, asks, gates, journal


class GateRow(msgspec.Struct, frozen=True, kw_only=True):
    """A gate as stored; `gate` is the playbook's definition at the time it was opened."""

    id: str
    incident: str
    stage: str
    round: int
    plan_digest: str
    gate: Gate
    state: str
    ask: int
    opened_at: datetime
    asked_at: datetime
    expires_at: datetime
    last_problem: str
    closed_by: str
    closing_reason: str


class SealedApproval(msgspec.Struct, frozen=True):
    """An approval with the MAC it was stored under."""

    approval: Approval
    seal: str


def insert(tx: Connection, row: GateRow) -> bool:
    """Enter a new gate with its first question; False when it exists."""
    fields = {name: getattr(row, name) for name in row.__struct_fields__ if name != "gate"}
    if not insert_once(tx, gates, {**fields, "definition": msgspec.json.encode(row.gate).decode()}):
        return False
    insert_once(tx, asks, {"gate": row.id, "ask": row.ask, "asked_at": row.asked_at, "outcome": ""})
    _note_waiting(tx, row, row.ask, row.asked_at, row.gate.title)
    return True


def load(tx: Connection, gate_id: str, *, lock: bool = False) -> GateRow:
    """Return one gate, locked against other answers when asked to.

    Raises:
        ContentError: there is none with this id.
    """
    wanted = select(gates).where(gates.c.id == gate_id)
    row = tx.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        raise ContentError(f"There is no gate {gate_id!r}.", hint="See `firebreak gates list`.")
    return _gate(row._mapping)


def load_all(tx: Connection, *, open_only: bool) -> list[GateRow]:
    """All gates, the newest question first."""
    wanted = select(gates).order_by(gates.c.asked_at.desc(), gates.c.id)
    if open_only:
        wanted = wanted.where(gates.c.state == "open")
    return [_gate(row._mapping) for row in tx.execute(wanted).all()]


def close_ask(tx: Connection, row: GateRow, now: datetime, outcome: str) -> None:
    """Close the current question. Exactly one answer can.

    Raises:
        ApprovalError: reason old_ask, another answer was faster.
    """
    current = (asks.c.gate == row.id) & (asks.c.ask == row.ask) & asks.c.closed_at.is_(None)
    if tx.execute(update(asks).where(current).values(closed_at=now, outcome=outcome)).rowcount != 1:
        raise ApprovalError("The question was answered already.", reason="old_ask", hint="Look at the gate again.")


def ask_again(tx: Connection, row: GateRow, now: datetime, expires_at: datetime, problem: str) -> None:
    """Open the next question."""
    number = row.ask + 1
    insert_once(tx, asks, {"gate": row.id, "ask": number, "asked_at": now, "outcome": ""})
    _note_waiting(tx, row, number, now, f"{row.gate.title} {problem}")
    tx.execute(
        update(gates)
        .where(gates.c.id == row.id)
        .values(state="open", ask=number, asked_at=now, expires_at=expires_at, last_problem=problem)
    )


def close(tx: Connection, row: GateRow, state: str, *, by: str, reason: str) -> None:
    """End the gate as approved, rejected or skipped."""
    changed = {"state": state, "last_problem": "", "closed_by": by, "closing_reason": reason}
    tx.execute(update(gates).where(gates.c.id == row.id).values(**changed))


def what_is_sealed(row: GateRow, approval: Approval) -> object:
    """An approval with the gate's definition and age: nobody may lower its demands in the database after the answer."""
    return [approval, row.gate, row.opened_at]


def add_approval(tx: Connection, approval: Approval, person: str, seal: str) -> None:
    row = {"gate": approval.gate, "ask": approval.ask, "person": person, "seal": seal, "void": ""}
    insert_once(tx, approvals, {**row, "body": msgspec.json.encode(approval).decode()})


def load_approvals(tx: Connection, gate_id: str) -> list[SealedApproval]:
    """The approvals that were not made void, in the order they were given."""
    wanted = select(approvals).where(approvals.c.gate == gate_id, approvals.c.void == "").order_by(approvals.c.ask)
    return [SealedApproval(msgspec.json.decode(row.body, type=Approval), row.seal) for row in tx.execute(wanted).all()]


def void(tx: Connection, gate_id: str, ask: int, why: str) -> None:
    """Take one approval out of the count; it stays in the table."""
    tx.execute(update(approvals).where(approvals.c.gate == gate_id, approvals.c.ask == ask).values(void=why))


def open_actions(tx: Connection, incident: str, plan_digest: str) -> int | None:
    """How many journalled actions of a plan have not ended; None when its execution never began."""
    mine = (journal.c.incident == incident) & (journal.c.plan_digest == plan_digest)
    total = tx.execute(select(func.count()).where(mine)).scalar_one()
    still = tx.execute(select(func.count()).where(mine, journal.c.state.in_(("intended", "started")))).scalar_one()
    return int(still) if total else None


def _note_waiting(tx: Connection, row: GateRow, number: int, now: datetime, text: str) -> None:
    notice = Notice(about=row.id, kind=notices.WAITING, number=number, incident=row.incident, text=text, at=now)
    notices.add(tx, notice)


def _gate(row: Any) -> GateRow:
    fields = {name: row[name] for name in GateRow.__struct_fields__ if name != "gate"}
    return GateRow(gate=msgspec.json.decode(row["definition"], type=Gate), **fields)
