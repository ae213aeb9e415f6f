"""Two plans compared: what came, what went and why, and what is no difference."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firebreak.model.plan import Limits, NoOp, Plan
from firebreak.replay.differences import CHANGED, NOT_REACHED, ONLY_NOW, ONLY_THEN, SAME, PlanChange, compare
from firebreak.replay.past import Point
from tests.unit.firebreak.execution.builders import machine_id, make_action, make_small_plan

CONTAIN = Point("contain", 1)


def between(old: Plan, new: Plan) -> PlanChange:
    (found,) = compare({CONTAIN: old}, {CONTAIN: new})
    return found


def changed(plan: Plan, **fields: Any) -> Plan:
    return msgspec.structs.replace(plan, **fields)


def test_the_same_plan_of_another_engine_and_playbook_is_no_change() -> None:
    plan = make_small_plan()
    limits = Limits(max_actions=7, max_share=Decimal(1), max_per_hour=Decimal(1), max_regions=1)
    other = changed(plan, engine_version="9", playbook_digest="0" * 64, limits=limits)
    found = between(plan, other)
    assert (found.state, found.is_change) == (SAME, False)
    assert found.digest_then != found.digest_now


def test_an_action_that_went_says_why_its_target_is_left_alone_now() -> None:
    plan = make_small_plan(make_action(1), make_action(2))
    rest = tuple(action for action in plan.actions if action.target != machine_id(2))
    left = NoOp(step="contain.stop", target=machine_id(2), reason="Protected by the tag keep.")
    found = between(plan, changed(plan, actions=rest, no_ops=(left,)))
    (gone,) = [one for one in found.actions if one.target == machine_id(2)]
    assert (gone.change, gone.because) == ("removed", "Protected by the tag keep.")
    assert [(one.target, one.then, one.now) for one in found.left_alone] == [
        (machine_id(2), (), ("Protected by the tag keep.",))
    ]
    back = between(changed(plan, actions=rest, no_ops=(left,)), plan)
    assert [(one.change, one.because) for one in back.actions] == [("added", "Protected by the tag keep.")]


def test_reasons_that_moved_and_other_fields_are_told_apart() -> None:
    plan = make_small_plan(make_action(1, reasons=("A", "B")))
    other = changed(
        plan, actions=(msgspec.structs.replace(plan.actions[0], reasons=("B", "C"), params={"force": "yes"}),)
    )
    (found,) = between(plan, other).actions
    assert (found.change, found.reasons_added, found.reasons_removed) == ("changed", ("C",), ("A",))
    assert found.fields == {"params": ({}, {"force": "yes"})}


def test_another_order_is_a_change() -> None:
    plan = make_small_plan(make_action(1), make_action(2))
    found = between(plan, changed(plan, actions=plan.actions[::-1]))
    assert (found.state, found.reordered, found.actions) == (CHANGED, True, ())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("applyable", False),
        ("complete", False),
        ("errored", True),
        ("problems", ("Locks were not read.",)),
        ("over_limits", ("2 actions, the limit is 1.",)),
    ],
)
def test_a_plan_that_may_not_be_carried_out_as_before_is_a_change(field: str, value: Any) -> None:
    plan = changed(make_small_plan(), complete=True, problems=())
    found = between(plan, changed(plan, **{field: value}))
    assert found.flags == {field: (getattr(plan, field), value)}
    assert found.is_change


def test_plans_that_only_one_side_has() -> None:
    plan, empty = make_small_plan(), changed(make_small_plan(), actions=())
    assert [(c.state, c.is_change) for c in compare({CONTAIN: plan}, {})] == [(ONLY_THEN, True)]
    assert [(c.state, c.is_change) for c in compare({}, {CONTAIN: plan})] == [(ONLY_NOW, True)]
    assert [(c.state, c.is_change) for c in compare({CONTAIN: empty}, {})] == [(ONLY_THEN, False)]
    assert [(c.state, c.is_change) for c in compare({CONTAIN: plan}, {}, reached=False)] == [(NOT_REACHED, False)]


@given(st.sets(st.integers(1, 8)), st.sets(st.integers(1, 8)))
def test_what_is_told_turns_the_one_plan_into_the_other(then: set[int], now: set[int]) -> None:
    old, new = (
        changed(make_small_plan(), actions=tuple(make_action(n) for n in sorted(chosen))) for chosen in (then, now)
    )
    found = between(old, new)
    targets = {action.target for action in old.actions}
    targets -= {one.target for one in found.actions if one.change == "removed"}
    targets |= {one.target for one in found.actions if one.change == "added"}
    assert targets == {action.target for action in new.actions}
    assert found.is_change is (then != now)
