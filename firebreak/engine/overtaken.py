"""Plans that people's own words have overtaken: what was confirmed after a plan was made would make it another one.

An approver says yes to a plan as it is. When somebody then confirms, with a code, that the signal is legitimate, an approved action that tells
Microsoft *fraud* must not leave: it is refused as stale, the stage is planned anew, and people are asked about the new plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from firebreak.approval import said_at_plans
from firebreak.engine.room import EngineRoom
from firebreak.errors import ResponseError
from firebreak.model.alert import Incident
from firebreak.model.case import Case
from firebreak.model.plan import UNDO, Action, Plan
from firebreak.model.step import LoadedStep
from firebreak.model.todo import Confirmation, said_of


class OneIncident(Protocol):
    """What is asked here of the engine of an incident."""

    room: EngineRoom
    incident: Incident

    def case(self, number: int) -> Case: ...

    def value(self, key: str) -> Any: ...


def overtaken(engine: OneIncident, plan: Plan, actions: Sequence[Action] = ()) -> dict[str, str]:
    """Return the actions of a plan, or those given, that are no longer proposed as they are, by id, with the sentence that says why."""
    if plan.stage == UNDO:
        return {}
    now = engine.room.confirmations.accepted(engine.incident.id)
    then = said_at_plans(engine.room.audit.records(engine.incident.id)).get((plan.stage, plan.round))
    if then is None or said_of(then) == said_of(now):
        return {}
    case = engine.case(int(engine.value(f"facts-of-{plan.stage}-{plan.round}") or 1))
    was, would = case.with_said(said_of(then)), case.with_said(said_of(now))
    why = _why(now[len(then) :])
    found: dict[str, str] = {}
    for step in {action.step for action in actions or plan.actions}:
        loaded = engine.room.steps[step]
        before, after = _proposed(loaded, was), _proposed(loaded, would)
        mine = [action for action in actions or plan.actions if action.step == step]
        found |= {one.id: why for one in mine if before.get(one.id) != after.get(one.id)}
    return found


def ask_again_where_overtaken(engine: OneIncident) -> tuple[str, ...]:
    """Ask anew at the open gates of an incident whose plans are overtaken, so that who answers reads it; return those gates."""
    room, asked = engine.room, []
    for view in room.desk.list(open_only=True):
        if view.incident != engine.incident.id or view.stage == UNDO:
            continue
        found = overtaken(engine, room.store.plans.load(view.plan_digest))
        if found:
            room.desk.unanswered(view.id, view.ask, _page_says(found), who="engine")
            asked.append(view.id)
    return tuple(asked)


def _page_says(found: dict[str, str]) -> str:
    number = f"{len(found)} actions are" if len(found) > 1 else "One action is"
    return f"{next(iter(found.values()))} {number} not sent as planned here: approve what is left, and the rest is planned anew and asked again."


def _proposed(loaded: LoadedStep, case: Case) -> dict[str, tuple[object, ...]]:
    """What a step proposes, as far as it decides what is sent and who has to approve it."""
    if loaded.plan is None:
        return {}
    try:
        proposals = list(loaded.plan(case))
    except ResponseError:
        return {}
    return {
        one.id: (one.kind, one.target, msgspec.json.encode(one.params, order="sorted"))
        for one in proposals
        if isinstance(one, Action)
    }


def _why(since: Sequence[Confirmation]) -> str:
    last = since[-1] if since else None
    if last is None:
        return "What people confirmed has changed since the plan was made."
    return f"{last.by} said {last.answer.replace('_', ' ')!r} to {last.item} at {last.at:%H:%M} UTC, after the plan was made."
