"""The journal: one row per action of an incident, moved forward only, and the fence that every move passes.

`apply` is one transaction: lease still held, rows moved, audit records added. When it returns, a request may leave.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, select, update

from firebreak.audit import AuditLog, Entry
from firebreak.clients.policies.redaction import without_secrets
from firebreak.errors import IntegrityError
from firebreak.execution.lease import Lease
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.plan import Action, Plan
from firebreak.store import Clock, Store
from firebreak.store.database import insert_once
from firebreak.store.schema import UtcTime, journal, journal_history

_INTENDED, _STARTED = ActionState.INTENDED, ActionState.STARTED
_BEFORE: Final[dict[ActionState, tuple[ActionState, ...]]] = {
    _STARTED: (_INTENDED, _STARTED),
    ActionState.DONE: (_STARTED,),
    ActionState.ALREADY_SO: (_INTENDED,),
    ActionState.REFUSED: (_INTENDED, _STARTED),
    ActionState.FAILED: (_INTENDED, _STARTED),
    ActionState.UNKNOWN: (_STARTED,),
    ActionState.LEFT_OUT: (_INTENDED,),
}


_KEY: Final = (journal.c.incident == bindparam("row_incident")) & (journal.c.action_id == bindparam("row_action"))
_TEXT: Final = {"request_id": func.coalesce(func.nullif(bindparam("request_id"), ""), journal.c.request_id)}
# Built once: 32 writers move thousands of rows, and building a statement costs more than running it.
_MOVES: Final = {
    "send": update(journal)
    .where(_KEY)
    .values(
        state=_STARTED.value,
        attempt=bindparam("attempt"),
        run_id=bindparam("run_id"),
        started_at=bindparam("now", type_=UtcTime),
        answered_at=None,
        prior=func.coalesce(bindparam("prior"), journal.c.prior),
    ),
    "renew": update(journal).where(_KEY).values(started_at=bindparam("now", type_=UtcTime)),
    "answer": update(journal)
    .where(_KEY)
    .values(operation_url=bindparam("operation_url"), answered_at=bindparam("now", type_=UtcTime), **_TEXT),
    "end": update(journal)
    .where(_KEY)
    .values(
        state=bindparam("state"),
        reason=bindparam("reason"),
        state_read_back=bindparam("read_back"),
        ended_at=bindparam("now", type_=UtcTime),
        **_TEXT,
    ),
}
_BINDS: Final = {
    "send": ("row_incident", "row_action", "attempt", "run_id", "now", "prior"),
    "renew": ("row_incident", "row_action", "now"),
    "answer": ("row_incident", "row_action", "operation_url", "now", "request_id"),
    "end": ("row_incident", "row_action", "state", "reason", "read_back", "now", "request_id"),
}


class JournalRow(msgspec.Struct, frozen=True, kw_only=True):
    """One action and how far it came. `prior` is the target's state before the write; `answered_at` is when the cloud answered it.

    `operation_url` may hold a signature of Azure's: never show it.
    """

    incident: str
    plan_digest: str
    stage: str
    round: int
    position: int
    action: Action
    state: ActionState
    reason: str = ""
    prior: dict[str, Any] = {}
    request_id: str = ""
    operation_url: str = ""
    state_read_back: str = ""
    run_id: str = ""
    attempt: int = 0
    intended_at: datetime
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def outcome(self) -> Outcome:
        """What is told of it; a row that has not ended gives its state of now."""
        return Outcome(
            action_id=self.action.id,
            state=self.state,
            reason=self.reason,
            state_read_back=self.state_read_back,
            request_id=self.request_id,
            started_at=self.started_at,
            ended_at=self.ended_at,
        )


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One step forward of one row. STARTED with an `attempt` is a sending, without one it is the cloud's answer to it.

    `renews`: the request of this attempt waited, or was refused as throttled, and leaves only now; `started_at` becomes the time of that.
    """

    action_id: str
    state: ActionState
    reason: str = ""
    prior: dict[str, Any] | None = None
    request_id: str = ""
    operation_url: str = ""
    state_read_back: str = ""
    attempt: int = 0
    renews: bool = False


class Journal:
    """Reads and moves the rows of one store."""

    def __init__(self, store: Store, audit: AuditLog, clock: Clock) -> None:
        self._store, self._audit, self._clock = store, audit, clock

    def rows(self, incident: str) -> list[JournalRow]:
        """All rows of an incident by round and place in the plan."""
        wanted = select(journal).where(journal.c.incident == incident)
        with self._store.read() as tx:
            rows = tx.execute(wanted.order_by(journal.c.round, journal.c.stage, journal.c.position)).all()
        return [_row(row._mapping) for row in rows]

    def outcomes(self, incident: str) -> dict[str, Outcome]:
        """Every action of the incident that ended, by id: what a `Case` is made with."""
        return {row.action.id: row.outcome for row in self.rows(incident) if row.state.is_final}

    def intend(self, plan: Plan, left_out: Iterable[str], lease: Lease, entries: Sequence[Entry] = ()) -> None:
        """Enter every action of a plan before the first write; what is entered already stays as it is.

        An action that ended badly under an earlier plan is open again, because people approved it again; its old row is kept in the
        history. One that ended well is not.

        Raises:
            LeaseLostError: another run executes this incident.
        """
        gone, digest, now = frozenset(left_out), plan.digest, self._clock()
        with self._store.write() as tx:
            lease.check(tx)
            self._audit.append_all(lease.incident, entries, tx=tx)
            known = {
                row.action_id: row
                for row in tx.execute(select(journal).where(journal.c.incident == lease.incident)).all()
            }
            for position, action in enumerate(plan.actions):
                out = action.id in gone
                fresh = {
                    "incident": lease.incident,
                    "action_id": action.id,
                    "plan_digest": digest,
                    "stage": plan.stage,
                    "round": plan.round,
                    "position": position,
                    "action": msgspec.json.encode(action).decode(),
                    "state": ActionState.LEFT_OUT if out else _INTENDED,
                    "reason": "Left out by an approver." if out else "",
                    "prior": "{}",
                    "request_id": "",
                    "operation_url": "",
                    "state_read_back": "",
                    "run_id": lease.run_id,
                    "attempt": 0,
                    "intended_at": now,
                    "started_at": None,
                    "answered_at": None,
                    "ended_at": now if out else None,
                }
                self._enter(tx, known.get(action.id), fresh)

    def apply(self, changes: Sequence[Change], lease: Lease) -> None:
        """Move rows forward, all or none, while the lease is held.

        Raises:
            LeaseLostError: another run executes this incident.
            IntegrityError: a row would go backwards, or there is none.
        """
        now = self._clock()
        with self._store.write() as tx:
            lease.check(tx)
            entries = [entry for change in changes if (entry := _entry(change))]
            self._audit.append_all(lease.incident, entries, tx=tx)
            self._move(tx, changes, lease, now)

    def _enter(self, tx: Connection, old: Any, fresh: dict[str, Any]) -> None:
        if old is None:
            insert_once(tx, journal, fresh)
            return
        state = ActionState(old.state)
        if old.plan_digest == fresh["plan_digest"] or state.is_good:
            return
        key = {"incident": old.incident, "action_id": old.action_id, "plan_digest": old.plan_digest}
        history = journal_history.c
        tx.execute(delete(journal_history).where(*(history[name] == value for name, value in key.items())))
        insert_once(tx, journal_history, {**key, "body": msgspec.json.encode(_row(old._mapping)).decode()})
        mine = (journal.c.incident == old.incident) & (journal.c.action_id == old.action_id)
        if state is _STARTED:
            # Sent under the earlier plan: it is settled by looking, whatever plan asks for it now.
            fresh = {name: fresh[name] for name in ("plan_digest", "stage", "round", "position", "action")}
        tx.execute(update(journal).where(mine).values(**fresh))

    def _move(self, tx: Connection, changes: Sequence[Change], lease: Lease, now: datetime) -> None:
        wanted = select(journal.c.action_id, journal.c.state).where(
            journal.c.incident == lease.incident, journal.c.action_id.in_([change.action_id for change in changes])
        )
        found = {row.action_id: ActionState(row.state) for row in tx.execute(wanted.with_for_update())}
        rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _MOVES}
        for change in changes:
            before = found.get(change.action_id)
            if before not in _BEFORE[change.state]:
                raise IntegrityError(
                    f"Journal of {lease.incident}: {change.action_id} cannot go from "
                    f"{before.value if before else 'nothing'} to {change.state.value}.",
                    hint="Two runs may have worked on it. Nothing was sent; look at the audit log.",
                )
            found[change.action_id] = change.state
            kind = _kind(change)
            values = {name: getattr(change, name) for name in ("state", "reason", "request_id", "operation_url")}
            values |= {
                "reason": without_secrets(change.reason),
                "read_back": without_secrets(change.state_read_back),
                "attempt": change.attempt,
                "run_id": lease.run_id,
                "now": now,
            }
            values |= {"row_incident": lease.incident, "row_action": change.action_id}
            # An inverse that gives back a tag gives the mark back where a SAS stood: better than a SAS in the store and on pages.
            values["prior"] = (
                None if change.prior is None else without_secrets(msgspec.json.encode(change.prior).decode())
            )
            rows[kind].append({name: values[name] for name in _BINDS[kind]})
        for kind, batch in rows.items():
            if batch:
                tx.execute(_MOVES[kind], batch)


def _kind(change: Change) -> str:
    if change.state.is_final:
        return "end"
    if change.renews:
        return "renew"
    return "send" if change.attempt else "answer"


def _entry(change: Change) -> Entry | None:
    data = {"action": change.action_id, "state": change.state.value}
    if change.state.is_final:
        data |= {"reason": change.reason, "read_back": change.state_read_back, "request_id": change.request_id}
        return Entry(kind="action.ended", who="engine", data=data)
    if change.renews:
        return None
    if change.attempt:
        return Entry(kind="action.started", who="engine", data={**data, "attempt": change.attempt})
    # What ties the record to the cloud's own logs; the end of the action is only a look that needs no id.
    return Entry(kind="action.answered", who="engine", data={**data, "request_id": change.request_id})


def _row(row: Any) -> JournalRow:
    skip = ("action", "state", "prior")
    fields = {name: row[name] for name in JournalRow.__struct_fields__ if name not in skip}
    return JournalRow(
        action=msgspec.json.decode(row["action"], type=Action),
        state=ActionState(row["state"]),
        prior=msgspec.json.decode(row["prior"]),
        **fields,
    )
