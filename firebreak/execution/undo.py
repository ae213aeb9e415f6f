"""Undo: a plan of inverse actions from the journal. It goes through guard rails, a gate and execution like any other plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from firebreak.execution.journal import JournalRow
from firebreak.model.case import Case
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, NoOp, Plan
from firebreak.model.step import LoadedStep
from firebreak.planning import Draft

STAGE = "undo"


def inverse_plan(
    case: Case,
    rows: Iterable[JournalRow],
    steps: Mapping[str, LoadedStep],
    *,
    round: int = 1,  # noqa: A002 - the field's word
    engine_version: str,
) -> Plan:
    """Return the plan that takes back what was done, the last first; what cannot be taken back becomes a no-op that says so.

    Only actions that ended as done (or may have: unknown) are considered: what was already so is not ours to change. Dependencies are
    turned round.
    """
    undone: list[tuple[JournalRow, Action]] = []
    left: list[NoOp] = []
    touched = [row for row in rows if row.state in (ActionState.DONE, ActionState.UNKNOWN)]
    for row in sorted(touched, key=lambda r: (r.round, r.started_at or r.intended_at, r.position), reverse=True):
        loaded = steps.get(row.action.step)
        inverse = loaded.undo(row.action, row.prior) if loaded is not None and loaded.undo is not None else None
        if inverse is None:
            why = row.action.irreversible_because or "There is no inverse of this action."
            left.append(NoOp(step=row.action.step, target=row.action.target, reason=f"Cannot be undone. {why}"))
        else:
            undone.append((row, inverse))
    by_origin = {row.action.id: inverse.id for row, inverse in undone}
    waits: dict[str, set[str]] = {}
    for row, inverse in undone:
        for earlier in row.action.after:
            if earlier in by_origin:
                waits.setdefault(by_origin[earlier], set()).add(inverse.id)
    order = list(dict.fromkeys(row.action.step for row, _ in undone))
    draft = Draft(case, order)
    for row, inverse in undone:
        after = tuple(sorted({*inverse.after, *waits.get(inverse.id, set())}))
        draft.propose(steps[row.action.step].step, [msgspec.structs.replace(inverse, after=after)])
    for no_op in left:
        draft.leave(no_op.step, no_op.target, no_op.reason)
    return draft.plan(stage=STAGE, round=round, engine_version=engine_version)
