"""Confirmations: a person, proven by a one-time code, says that something left to people was done, and what came out.

It is proof of who said what, when. It approves nothing and changes nothing in Azure; whoever asked for the response may confirm too.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from firebreak.approval.answers import kept
from firebreak.approval.approvers import Approvers
from firebreak.audit import AuditLog, AuditRecord
from firebreak.clients.policies.redaction import without_secrets
from firebreak.errors import ApprovalError
from firebreak.model.alert import Incident
from firebreak.model.todo import REOPEN, Confirmation, Item
from firebreak.store import Clock, Store

KIND: Final = "item.confirmed"
_LONGEST_NAME: Final = 200
_LONGEST_TEXT: Final = 2000


class ConfirmationDesk:
    """The one place where an item is confirmed. What was said stands in the audit log alone: `confirmations_of` reads it there."""

    def __init__(self, store: Store, approvers: Approvers, audit: AuditLog, clock: Clock) -> None:
        self._store, self._approvers, self._audit, self._clock = store, approvers, audit, clock

    def confirm(
        self, incident: Incident, item: Item, *, who: str, code: str, answer: str, note: str = "", channel: str
    ) -> Confirmation:
        """Record that `who` confirms `item` with one of its answers, or opens it again; return it as recorded.

        A code works once, and a wrong one counts like a wrong one at a gate. What is refused is recorded too.

        Raises:
            ApprovalError: unknown_person, locked_out, wrong_code, reused_code, out_of_scope or bad_answer.
        """
        who, answer = kept(who, _LONGEST_NAME), kept(answer, 64)
        note, now = kept(without_secrets(note), _LONGEST_TEXT), self._clock()
        data = {"item": item.id, "text": item.text, "answer": answer, "note": note, "channel": channel}
        with self._store.write() as tx:
            try:
                name = self._check(tx, incident, item, who, kept(code, 64), answer, now)
                said, refusal = {**data, "accepted": True}, None
            except ApprovalError as error:
                name, refusal = who[:160], error
                said = {**data, "accepted": False, "refused_because": error.reason}
            record = self._audit.append(incident.id, KIND, who=name, data=said, tx=tx)
        if refusal is not None:
            raise refusal
        return _read(record)

    def accepted(self, incident: str) -> tuple[Confirmation, ...]:
        """All accepted confirmations of an incident, the oldest first."""
        return confirmations_of(self._audit, incident)

    def _check(
        self, tx: Connection, incident: Incident, item: Item, who: str, code: str, answer: str, now: datetime
    ) -> str:
        person = self._approvers.check(tx, who, code, now)
        if not person.covers(incident):
            raise ApprovalError(
                f"{person.name} may not answer for playbook {incident.playbook} and this customer.",
                reason="out_of_scope",
                hint="Ask somebody who may; `firebreak approvers list` shows for what each person was enrolled.",
            )
        if answer not in (*item.answers, REOPEN):
            raise ApprovalError(
                f"{answer!r} is no answer to {item.id}.",
                reason="bad_answer",
                hint=f"Say one of: {', '.join((*item.answers, REOPEN))}.",
            )
        return person.name


def confirmations_of(audit: AuditLog, incident: str) -> tuple[Confirmation, ...]:
    """All accepted confirmations of an incident, the oldest first."""
    return tuple(one for record in audit.records(incident) if (one := as_confirmation(record)))


def said_at_plans(records: Iterable[AuditRecord]) -> dict[tuple[str, int], tuple[Confirmation, ...]]:
    """What people had confirmed before each plan was made, by its stage and round, the oldest first."""
    confirmed: list[Confirmation] = []
    found: dict[tuple[str, int], tuple[Confirmation, ...]] = {}
    for record in records:
        if one := as_confirmation(record):
            confirmed.append(one)
        elif record.kind == "plan.made":
            found[str(record.data["stage"]), int(record.data["round"])] = tuple(confirmed)
    return found


def as_confirmation(record: AuditRecord) -> Confirmation | None:
    """Return the accepted confirmation that a record tells of, None when it tells of something else."""
    return _read(record) if record.kind == KIND and record.data.get("accepted") is True else None


def _read(record: AuditRecord) -> Confirmation:
    said = {name: str(record.data.get(name, "")) for name in ("item", "answer", "note", "text", "channel")}
    return Confirmation(by=record.who, at=datetime.fromisoformat(record.at), **said)
