"""What happened, read from a bundle: the rounds, the plans with the round each was made from, what people answered, how each action ended. Pure.

Undos are left aside: they are no part of the response.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec

from firebreak.approval import said_at_plans
from firebreak.audit import AuditRecord
from firebreak.bundle import Bundle
from firebreak.bundle.documents import RoundPart
from firebreak.errors import BundleError
from firebreak.execution import JournalRow
from firebreak.model.outcome import ActionState
from firebreak.model.plan import UNDO, Action, Plan
from firebreak.model.todo import said_of

_LAST_ROUND = 999  # the looks of undos have numbers above


class Point(NamedTuple):
    """A place in the course where a plan is made: the stage, and which of its plans, from 1."""

    stage: str
    attempt: int

    def __str__(self) -> str:
        return self.stage if self.attempt == 1 else f"{self.stage}, plan {self.attempt}"


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """How a gate ended: approved, rejected or skipped; by whom, why, and what they left out. `lifted`: it was approved over its limits."""

    state: str
    by: tuple[str, ...]
    reason: str = ""
    left_out: tuple[str, ...] = ()
    at: datetime
    plan_digest: str
    lifted: bool = False
    pre_authorised: bool = False


@dataclass(frozen=True)
class Past:
    """The course of a recorded incident. `rows` are the actions that were carried out or left out, as a journal has them, by point; `said` is
    what people had confirmed when each plan was made; `put_off` the stages that another one went before, with that one.
    """

    rounds: Mapping[int, RoundPart]
    plans: Mapping[Point, Plan]
    facts_rounds: Mapping[Point, int]
    answers: Mapping[Point, Answered]
    rows: Mapping[Point, tuple[JournalRow, ...]]
    said: Mapping[Point, Mapping[str, str]] = field(default_factory=dict)
    put_off: Mapping[str, str] = field(default_factory=dict)

    @property
    def last_round(self) -> int:
        return max(self.rounds, default=1)

    def round_after(self, point: Point) -> int | None:
        """The round from which the next plan after this one was made, the last round after the last plan; None when there was no such plan."""
        order = list(self.plans)
        if point not in self.plans:
            return None
        following = order[order.index(point) + 1 :]
        return self.facts_rounds[following[0]] if following else self.last_round

    def rows_known(self, number: int, acted: Collection[Point]) -> list[JournalRow]:
        """What had become of the actions when round `number` began, and of those of the points in `acted`; the newest row of each."""
        found: dict[str, JournalRow] = {}
        for point, rows in self.rows.items():
            if point not in acted and self.facts_rounds[point] >= number:
                continue
            for row in rows:
                kept = found.get(row.action.id)
                if kept is None or not kept.state.is_good:
                    found[row.action.id] = row
        return list(found.values())


def past_of(bundle: Bundle) -> Past:
    """Read the course of a bundle whose audit chain was verified.

    Raises:
        BundleError: the bundle has no round, so that nothing was looked at, or its audit log cannot be made sense of.
    """
    head = bundle.head
    rounds = {part.round: part for part in head.rounds if 0 < part.round <= _LAST_ROUND}
    if not rounds:
        raise BundleError(
            f"{bundle.place}: incident.yaml has no rounds: nothing was looked at, so there is nothing to replay.",
            hint="Export the incident again when its run has looked at the subscription.",
        )
    parts = {Point(p.stage, p.attempt): p for p in head.plans if p.stage != UNDO}
    plans = {point: bundle.plans[part.digest] for point, part in parts.items()}
    try:
        records = [msgspec.json.decode(line, type=AuditRecord) for line in bundle.audit_log().splitlines()]
        return Past(
            rounds=rounds,
            plans=plans,
            facts_rounds={point: part.facts_round for point, part in parts.items()},
            answers=_answers(records, bundle.incident.id, plans),
            rows=_rows(records, bundle.incident.id, plans),
            said=_said(records),
            put_off={str(r.data["stage"]): str(r.data["behind"]) for r in records if r.kind == "stage.put_off"},
        )
    except (ValueError, TypeError, LookupError) as error:
        raise BundleError(
            f"{bundle.place}: audit.jsonl tells what no audit log tells ({type(error).__name__}: {str(error)[:100]}).",
            hint="Get the bundle again, whole.",
        ) from error


def _point(gate: object, incident: str) -> Point | None:
    name, _, number = str(gate).removeprefix(f"{incident}.").rpartition(".")
    return Point(name, int(number)) if name and name != UNDO and number.isdecimal() else None


def _said(records: Iterable[AuditRecord]) -> dict[Point, dict[str, str]]:
    """What people had confirmed when each plan was made."""
    return {Point(*place): said_of(confirmed) for place, confirmed in said_at_plans(records).items()}


def _answers(records: Iterable[AuditRecord], incident: str, plans: Mapping[Point, Plan]) -> dict[Point, Answered]:
    """How each gate ended; those without an end, or whose approvals ran out, are not in it."""
    yeses: dict[Point, list[AuditRecord]] = {}
    needed: dict[Point, int] = {}
    found: dict[Point, Answered] = {}
    for record in records:
        data = record.data
        point = _point(data.get("gate"), incident)
        if point is None:
            continue
        at, digest = datetime.fromisoformat(record.at), str(data.get("plan_digest", ""))
        if record.kind == "gate.opened":
            needed[point] = int(data.get("required", 1))
        elif record.kind == "gate.expired":
            yeses.pop(point, None)
            found.pop(point, None)
        elif record.kind == "gate.pre_authorised":
            found[point] = Answered(
                state="approved", by=(f"pre-authorised: {data.get('playbook')}",), at=at, plan_digest=digest, pre_authorised=True
            )  # fmt: skip
        elif record.kind == "gate.answered" and data.get("accepted"):
            if data.get("decision") == "approve":
                yeses.setdefault(point, []).append(record)
            if data.get("decision") != "approve":
                state = "skipped" if data.get("decision") == "skip" else "rejected"
                found[point] = Answered(
                    state=state, by=(record.who,), reason=str(data.get("reason", "")), at=at, plan_digest=digest
                )
            elif len(yeses[point]) >= needed.get(point, 1):
                given = yeses[point]
                plan = plans.get(point)
                found[point] = Answered(
                    state="approved",
                    by=tuple(dict.fromkeys(one.who for one in given)),
                    reason="; ".join(filter(None, (str(one.data.get("reason", "")) for one in given))),
                    left_out=tuple(sorted({str(a) for one in given for a in one.data.get("left_out", ())})),
                    at=at,
                    plan_digest=digest,
                    lifted=plan is not None and bool(plan.over_limits),
                )
    return found


def _rows(
    records: Iterable[AuditRecord], incident: str, plans: Mapping[Point, Plan]
) -> dict[Point, tuple[JournalRow, ...]]:
    """The ends of actions, by the point whose carrying out they belong to."""
    rows: dict[Point, dict[str, JournalRow]] = {}
    actions: Mapping[str, tuple[int, Action]] = {}
    point: Point | None = None
    for record in records:
        if record.kind == "execution.began":
            point = _point(record.data.get("gate"), incident)
            plan = plans.get(point) if point else None
            actions = {action.id: (place, action) for place, action in enumerate(plan.actions)} if plan else {}
            for name in record.data.get("left_out", ()):
                _enter(rows, point, incident, plan, actions, str(name), ActionState.LEFT_OUT, record)
        elif record.kind == "action.ended":
            plan = plans.get(point) if point else None
            state = ActionState(record.data["state"])
            _enter(rows, point, incident, plan, actions, str(record.data["action"]), state, record)
    return {place: tuple(found.values()) for place, found in rows.items()}


def _enter(
    rows: dict[Point, dict[str, JournalRow]],
    point: Point | None,
    incident: str,
    plan: Plan | None,
    actions: Mapping[str, tuple[int, Action]],
    name: str,
    state: ActionState,
    record: AuditRecord,
) -> None:
    if point is None or plan is None or name not in actions:
        return
    position, action = actions[name]
    at = datetime.fromisoformat(record.at)
    rows.setdefault(point, {})[name] = JournalRow(
        incident=incident,
        plan_digest=plan.digest,
        stage=plan.stage,
        round=plan.round,
        position=position,
        action=action,
        state=state,
        reason=str(record.data.get("reason", "")),
        state_read_back=str(record.data.get("read_back", "")),
        intended_at=at,
        ended_at=at,
    )
