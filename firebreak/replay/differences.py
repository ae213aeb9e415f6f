"""Two courses of plans compared, action by action: what came, what went and why, whose reasons moved. Pure.

What only says where a plan comes from (version of the engine, digest and limits of the playbook, ids of the case) is no difference: a limit
shows in what it does to a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from firebreak.model.plan import Action, Plan
from firebreak.replay.past import Point

SAME, CHANGED, ONLY_THEN, ONLY_NOW, NOT_REACHED = "same", "changed", "only then", "only now", "not reached"
_FLAGS = ("complete", "applyable", "errored", "problems", "over_limits", "currency")
_SAID_APART = ("id", "step", "kind", "target", "reasons")


class ActionChange(msgspec.Struct, frozen=True, kw_only=True):
    """One action that was added, removed or changed.

    `because` is the reason why its target was left alone then (added) or is now (removed), "" when it was or is not even considered.
    `fields` has what else changed, as (then, now).
    """

    change: str
    id: str
    kind: str
    target: str
    title: str
    because: str = ""
    reasons_added: tuple[str, ...] = ()
    reasons_removed: tuple[str, ...] = ()
    fields: dict[str, tuple[Any, Any]] = {}


class LeftAlone(msgspec.Struct, frozen=True, kw_only=True):
    """A target that was or is looked at and left alone: the reasons then and now, none where it was not left alone."""

    step: str
    target: str
    then: tuple[str, ...]
    now: tuple[str, ...]


class PlanChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one plan. `flags` has what changed of the plan as a whole, as (then, now); `reordered`: the same actions in another order."""

    stage: str
    attempt: int
    state: str
    digest_then: str = ""
    digest_now: str = ""
    actions_then: int = 0
    actions_now: int = 0
    actions: tuple[ActionChange, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()
    flags: dict[str, tuple[Any, Any]] = {}
    reordered: bool = False

    @property
    def is_change(self) -> bool:
        """Whether it matters to those who answer: a plan without an action that is not made any more does not."""
        if self.state in (ONLY_THEN, ONLY_NOW):
            return bool(self.actions)
        return self.state == CHANGED


def compare(then: Mapping[Point, Plan], now: Mapping[Point, Plan], *, reached: bool = True) -> tuple[PlanChange, ...]:
    """Compare plan by plan, in the order of then. With `reached` false, plans that are missing now lie behind a gate that stopped the run."""
    changes = []
    for point in [*then, *(place for place in now if place not in then)]:
        old, new = then.get(point), now.get(point)
        if old is not None and new is not None:
            changes.append(_between(point, old, new))
        elif old is not None and not reached:
            changes.append(
                PlanChange(
                    stage=point.stage,
                    attempt=point.attempt,
                    state=NOT_REACHED,
                    digest_then=old.digest,
                    actions_then=len(old.actions),
                )
            )
        elif old is not None:
            gone = tuple(_one("removed", action, "") for action in old.actions)
            changes.append(_only(point, ONLY_THEN, old, gone))
        elif new is not None:
            come = tuple(_one("added", action, "") for action in new.actions)
            changes.append(_only(point, ONLY_NOW, new, come))
    return tuple(changes)


def _only(point: Point, state: str, plan: Plan, actions: tuple[ActionChange, ...]) -> PlanChange:
    is_old = state == ONLY_THEN
    return PlanChange(
        stage=point.stage,
        attempt=point.attempt,
        state=state,
        digest_then=plan.digest if is_old else "",
        digest_now="" if is_old else plan.digest,
        actions_then=len(plan.actions) if is_old else 0,
        actions_now=0 if is_old else len(plan.actions),
        actions=actions,
    )


def _between(point: Point, old: Plan, new: Plan) -> PlanChange:
    was, now = ({action.id: action for action in plan.actions} for plan in (old, new))
    left_then, left_now = _left(old), _left(new)
    actions = [
        *(_one("removed", was[i], _because(was[i], left_now)) for i in was if i not in now),
        *(_one("added", now[i], _because(now[i], left_then)) for i in now if i not in was),
        *(change for i in was if i in now and (change := _changed(was[i], now[i]))),
    ]
    both = [i for i in was if i in now]
    flags = {
        name: (getattr(old, name), getattr(new, name)) for name in _FLAGS if getattr(old, name) != getattr(new, name)
    }
    left = tuple(
        LeftAlone(step=step, target=target, then=left_then.get(key, ()), now=left_now.get(key, ()))
        for key in sorted({*left_then, *left_now})
        for step, target in [key]
        if left_then.get(key, ()) != left_now.get(key, ())
    )
    reordered = both != [i for i in now if i in was]
    differs = bool(actions or left or flags or reordered)
    return PlanChange(
        stage=point.stage,
        attempt=point.attempt,
        state=CHANGED if differs else SAME,
        digest_then=old.digest,
        digest_now=new.digest,
        actions_then=len(was),
        actions_now=len(now),
        actions=tuple(actions),
        left_alone=left,
        flags=flags,
        reordered=reordered,
    )


def _one(change: str, action: Action, because: str) -> ActionChange:
    added = action.reasons if change == "added" else ()
    removed = action.reasons if change == "removed" else ()
    return ActionChange(
        change=change,
        id=action.id,
        kind=action.kind,
        target=action.target,
        title=action.title,
        because=because,
        reasons_added=added,
        reasons_removed=removed,
    )


def _changed(old: Action, new: Action) -> ActionChange | None:
    if old == new:
        return None
    names = [name for name in Action.__struct_fields__ if name not in _SAID_APART]
    fields = {name: (getattr(old, name), getattr(new, name)) for name in names}
    return ActionChange(
        change="changed",
        id=new.id,
        kind=new.kind,
        target=new.target,
        title=new.title,
        reasons_added=tuple(r for r in new.reasons if r not in old.reasons),
        reasons_removed=tuple(r for r in old.reasons if r not in new.reasons),
        fields={name: pair for name, pair in fields.items() if pair[0] != pair[1]},
    )


def _left(plan: Plan) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for one in plan.no_ops:
        key = (one.step, one.target)
        found[key] = (*found.get(key, ()), one.reason)
    return found


def _because(action: Action, left: Mapping[tuple[str, str], tuple[str, ...]]) -> str:
    return " ".join(left.get((action.step, action.target), ()))
