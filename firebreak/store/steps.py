"""Which steps ran, how long they took and how they ended: for people and for the report, not for deciding."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, and_, func, select, update

from firebreak.clients.policies.redaction import without_secrets
from firebreak.errors import ContentError
from firebreak.store.database import Clock, insert_once, reading, writing
from firebreak.store.schema import steps

STATES = ("pending", "running", "done", "failed", "skipped")


class StepRow(NamedTuple):
    """One step in one round of one stage; `seconds` is None until it ended."""

    round: int
    stage: str
    step: str
    state: str
    seconds: float | None
    note: str
    started_at: datetime | None


class StepRepository:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock

    def begin(self, incident: str, round: int, stage: str, step: str, *, state: str = "running") -> None:  # noqa: A002
        """Note that a step begins (or, with state "pending", that it will). Beginning again starts its time anew."""
        _check(state)
        now = self._clock() if state == "running" else None
        key: dict[str, Any] = {"incident": incident, "round": round, "stage": stage, "step": step}
        with writing(self._engine) as tx:
            top = tx.execute(select(func.max(steps.c.position)).where(steps.c.incident == incident)).scalar()
            row = {**key, "position": (top or 0) + 1, "state": state, "started_at": now, "seconds": None, "note": ""}
            if not insert_once(tx, steps, row):
                tx.execute(update(steps).where(_at(key)).values(state=state, started_at=now, seconds=None, note=""))

    def finish(
        self,
        incident: str,
        round: int,  # noqa: A002
        stage: str,
        step: str,
        state: str = "done",
        *,
        seconds: float | None = None,
        note: str = "",
    ) -> None:
        """Note how a step ended; `seconds` defaults to the time since it began. A step never begun is entered as well."""
        _check(state)
        note = without_secrets(note)
        key: dict[str, Any] = {"incident": incident, "round": round, "stage": stage, "step": step}
        now = self._clock()
        with writing(self._engine) as tx:
            began = tx.execute(select(steps.c.started_at).where(_at(key))).one_or_none()
            if began is None:
                top = tx.execute(select(func.max(steps.c.position)).where(steps.c.incident == incident)).scalar()
                row = {**key, "position": (top or 0) + 1, "state": state, "seconds": seconds, "note": note}
                insert_once(tx, steps, row)
                return
            if seconds is None and began.started_at is not None:
                seconds = (now - began.started_at).total_seconds()
            tx.execute(update(steps).where(_at(key)).values(state=state, seconds=seconds, note=note))

    def list(self, incident: str) -> list[StepRow]:
        """All step records of an incident in the order they were first entered."""
        wanted = select(steps).where(steps.c.incident == incident).order_by(steps.c.position)
        with reading(self._engine) as tx:
            rows = tx.execute(wanted).all()
        return [StepRow(r.round, r.stage, r.step, r.state, r.seconds, r.note, r.started_at) for r in rows]


def _at(key: Mapping[str, Any]) -> ColumnElement[bool]:
    return and_(*(steps.c[name] == value for name, value in key.items()))


def _check(state: str) -> None:
    if state not in STATES:
        raise ContentError(f"{state!r} is not a state of a step.", hint=f"One of {', '.join(STATES)}.")
