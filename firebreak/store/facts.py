"""Facts and findings, exactly as the steps made them: Decimals and times come back unchanged after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import Engine, delete, select

from firebreak.clients.policies.redaction import without_secrets
from firebreak.errors import IntegrityError
from firebreak.model.facts import Facts
from firebreak.model.finding import Finding
from firebreak.store.database import Clock, insert_once, reading, writing
from firebreak.store.schema import facts as facts_table
from firebreak.store.schema import findings as findings_table

F = TypeVar("F", bound=Facts)
_REMEMBERED = 128


class FactsRepository:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        # What was read last from a stored body. A run asks for the facts of its round hundreds of times; they are frozen, and the body is
        # compared each time, so that another process's save is seen.
        self._read: dict[tuple[str, int, str, str], tuple[str, Facts]] = {}

    def save(self, incident: str, round: int, step: str, facts: Facts) -> None:  # noqa: A002
        """Keep one step's facts of one round; saving again replaces them."""
        key = {"incident": incident, "round": round, "step": step, "kind": type(facts).__name__}
        table = facts_table
        with writing(self._engine) as tx:
            tx.execute(delete(table).where(*(table.c[name] == value for name, value in key.items())))
            insert_once(tx, table, {**key, "body": _kept(facts), "saved_at": self._clock()})

    def steps_with(self, incident: str, round: int) -> frozenset[str]:  # noqa: A002
        """The steps whose facts of a round are kept: asking for each of the others costs as much as reading it."""
        table = facts_table
        wanted = select(table.c.step).where(table.c.incident == incident, table.c.round == round)
        with reading(self._engine) as tx:
            return frozenset(tx.execute(wanted).scalars())

    def load(self, incident: str, round: int, step: str, kind: type[F]) -> F | None:  # noqa: A002
        """Return what `save` was given, or None when nothing was saved.

        Raises:
            IntegrityError: the stored body is not a `kind` (the database was edited, or the type changed since).
        """
        table = facts_table
        key = {"incident": incident, "round": round, "step": step, "kind": kind.__name__}
        wanted = select(table.c.body).where(*(table.c[name] == value for name, value in key.items()))
        with reading(self._engine) as tx:
            body = tx.execute(wanted).scalar()
        if body is None:
            return None
        at = (incident, round, step, kind.__name__)
        before = self._read.get(at)
        if before is not None and before[0] == body and isinstance(before[1], kind):
            return before[1]
        try:
            read = msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise IntegrityError(
                f"Stored {kind.__name__} of {incident}, round {round}, cannot be read: {error}",
                hint="Begin a fresh round; the raw evidence is kept.",
            ) from error
        while len(self._read) >= _REMEMBERED:
            self._read.pop(next(iter(self._read)), None)
        self._read[at] = (body, read)
        return read

    def save_findings(self, incident: str, round: int, step: str, findings: Sequence[Finding]) -> None:  # noqa: A002
        """Keep one step's findings of one round; saving again replaces them."""
        key = {"incident": incident, "round": round, "step": step}
        table = findings_table
        with writing(self._engine) as tx:
            tx.execute(delete(table).where(*(table.c[name] == value for name, value in key.items())))
            insert_once(tx, table, {**key, "body": _kept(tuple(findings)), "saved_at": self._clock()})

    def load_findings(self, incident: str, round: int, step: str) -> tuple[Finding, ...] | None:  # noqa: A002
        """Return one step's findings, or None when none were saved (an empty tuple means: looked, found nothing)."""
        key = {"incident": incident, "round": round, "step": step}
        wanted = select(findings_table.c.body).where(*(findings_table.c[name] == value for name, value in key.items()))
        with reading(self._engine) as tx:
            body = tx.execute(wanted).scalar()
        return None if body is None else msgspec.json.decode(body, type=tuple[Finding, ...])

    def findings(self, incident: str, round: int) -> tuple[Finding, ...]:  # noqa: A002
        """All findings of one round, by step."""
        wanted = (
            select(findings_table.c.body)
            .where(findings_table.c.incident == incident, findings_table.c.round == round)
            .order_by(findings_table.c.step)
        )
        with reading(self._engine) as tx:
            bodies = tx.execute(wanted).scalars().all()
        return tuple(f for body in bodies for f in msgspec.json.decode(body, type=tuple[Finding, ...]))


def _kept(value: object) -> str:
    """JSON without secrets: a tag or an address from Azure may hold one, and facts go into plans and pages."""
    return without_secrets(msgspec.json.encode(value).decode())
