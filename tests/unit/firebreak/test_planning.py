"""Planning keeps the contract: ordered, guarded, honest about what is missing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from firebreak.errors import ScopeError
from firebreak.model.case import Case
from firebreak.model.facts import AccessFacts, BurnRate, DiskFacts, Inventory, RoleAssignment
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.plan import NoOp, Plan
from firebreak.model.step import Effect, LoadedStep, Step
from firebreak.planning import make_plan, waves
from tests.unit.firebreak.execution.builders import (
    NOON,
    SUBSCRIPTION,
    WIDE,
    make_action,
    make_case,
    make_machine,
    make_playbook,
    planning_step,
)

FACTS = (Inventory(machines=tuple(make_machine(n) for n in range(1, 9))), AccessFacts())


def plan_of(*steps: LoadedStep, case: Case | None = None) -> Plan:
    return make_plan(case or make_case(*FACTS), stage="contain", steps=steps, round=1, engine_version="test")


def numbers(plan: Plan) -> list[str]:
    return [action.target[-1] for action in plan.actions]


def test_the_dearest_goes_first_inside_a_step_and_steps_keep_their_order() -> None:
    first = planning_step([make_action(n, step="contain.b") for n in (1, 3, 2)], "contain.b")
    second = planning_step(
        [make_action(8, step="contain.a"), make_action(4, step="contain.a", per_hour=None)], "contain.a"
    )
    plan = plan_of(first, second)
    assert numbers(plan) == ["3", "2", "1", "8", "4"]
    assert (plan.complete, plan.applyable, plan.errored, plan.problems) == (True, True, False, ())
    assert [len(wave) for wave in waves(plan.actions)] == [3, 2]


def test_after_makes_waves_inside_a_step_and_across_steps() -> None:
    one, two = make_action(1), make_action(2, after=(make_action(1).id,))
    late = make_action(3, step="contain.remove")
    early = make_action(4, after=(late.id,))
    plan = plan_of(planning_step([two, early, one]), planning_step([late], "contain.remove"))
    assert numbers(plan) == ["1", "2", "3", "4"]
    assert [len(wave) for wave in waves(plan.actions)] == [1, 1, 1, 1]


def test_what_waits_for_something_not_done_is_left_with_the_reason() -> None:
    one = make_action(1)
    two = make_action(2, after=(one.id,))
    three = make_action(3, after=(two.id,))
    case = make_case(*FACTS, playbook=make_playbook(protected_resources=("vm-1",)))
    plan = plan_of(planning_step([one, two, three]), case=case)
    assert plan.actions == ()
    assert not plan.applyable
    assert {no_op.target[-1]: no_op.reason.split()[0] for no_op in plan.no_ops} == {"1": "The", "2": "It", "3": "It"}


def test_what_waits_for_something_done_before_is_planned() -> None:
    one, two = make_action(1), make_action(2, after=(make_action(1).id,))
    done = {one.id: Outcome(action_id=one.id, state=ActionState.DONE)}
    plan = plan_of(planning_step([one, two]), case=make_case(*FACTS, outcomes=done))
    assert numbers(plan) == ["2"]
    assert "already carried out" in plan.no_ops[0].reason


@pytest.mark.parametrize("state", [ActionState.FAILED, ActionState.REFUSED, ActionState.UNKNOWN, ActionState.LEFT_OUT])
def test_what_ended_badly_is_planned_again(state: ActionState) -> None:
    one = make_action(1)
    ended = {one.id: Outcome(action_id=one.id, state=state)}
    assert numbers(plan_of(planning_step([one]), case=make_case(*FACTS, outcomes=ended))) == ["1"]


def test_what_a_person_left_out_is_not_proposed_again_nor_what_waits_for_it() -> None:
    kept, other = make_action(1, kind="machine.delete"), make_action(2, kind="machine.delete")
    waits = make_action(3, kind="nic.delete", after=(kept.id,))
    case = make_case(*FACTS, left_out={kept.target.lower(): "Left out by a person."})
    plan = plan_of(planning_step([kept, other, waits]), case=case)
    assert numbers(plan) == ["2"]
    assert {n.reason for n in plan.no_ops if n.target == kept.target} == {"Left out by a person."}


def test_actions_that_wait_for_each_other_leave_the_plan_errored() -> None:
    one, two = make_action(1), make_action(2)
    ring = [msgspec.structs.replace(one, after=(two.id,)), msgspec.structs.replace(two, after=(one.id,))]
    plan = plan_of(planning_step(ring))
    assert (plan.errored, plan.applyable) == (True, False)


def test_missing_facts_leave_the_plan_incomplete_but_the_rest_applyable() -> None:
    def needs_disks(case: Case) -> list[NoOp]:
        assert case[DiskFacts]
        return []

    blind = LoadedStep(
        step=Step(id="eradicate.disks", title="", effect=Effect.REVERSIBLE, description=""), plan=needs_disks
    )
    plan = plan_of(blind, planning_step([make_action(1)]))
    assert (plan.complete, plan.applyable, plan.errored) == (False, True, False)
    assert "DiskFacts" in plan.problems[0]


def test_a_step_that_never_came_to_read_what_it_needs_leaves_the_plan_incomplete_too() -> None:
    """It may have proposed what other facts tell; what the missing ones would have told is still not in the plan."""
    needy = Step(id="contain.stop", title="", effect=Effect.REVERSIBLE, description="", needs=(Inventory, DiskFacts))
    for proposed in ([], [make_action(1)]):
        found = LoadedStep(step=needy, plan=lambda _case, proposed=proposed: proposed)
        plan = plan_of(found)
        assert (plan.complete, plan.applyable, plan.errored) == (False, bool(proposed), False)
        assert [problem.split()[:2] for problem in plan.problems] == [["contain.stop:", "DiskFacts"]]
        plan = plan_of(found, case=make_case(*FACTS, DiskFacts()))
        assert (plan.complete, plan.problems) == (True, ())


def test_unread_locks_and_inventory_are_said() -> None:
    plan = plan_of(planning_step([make_action(1)]), case=make_case())
    assert not plan.complete
    assert len(plan.problems) == 2


def test_a_target_out_of_scope_is_left_and_said_and_does_not_stop_the_others() -> None:
    tricky = make_action(1, target=f"/subscriptions/{SUBSCRIPTION}/../x")
    other = make_action(2, target=f"/subscriptions/{SUBSCRIPTION.replace('3', '4')}/resourceGroups/rg")
    plan = plan_of(planning_step([tricky, other, make_action(3)]))
    assert numbers(plan) == ["3"]
    assert (plan.complete, plan.applyable, len(plan.no_ops), len(plan.problems)) == (False, True, 2, 2)


def test_a_step_that_cannot_plan_leaves_the_plan_errored() -> None:
    def fails(_case: Case) -> list[NoOp]:
        raise ScopeError("bad id")

    step = LoadedStep(step=Step(id="contain.x", title="", effect=Effect.REVERSIBLE, description=""), plan=fails)
    plan = plan_of(step, planning_step([make_action(1)]))
    assert (plan.errored, plan.applyable) == (True, False)
    assert "bad id" in plan.problems[0]


@pytest.mark.parametrize(
    "broken",
    [
        [make_action(1, step="contain.other")],
        [make_action(1, id="anything")],
        [make_action(1, effect=Effect.READ)],
        [make_action(1, effect=Effect.IRREVERSIBLE)],
        [make_action(1, params={"threshold": 0.5})],
        [make_action(1), make_action(1)],
    ],
)
def test_a_step_that_breaks_its_contract_leaves_the_plan_errored(broken: list[object]) -> None:
    plan = plan_of(planning_step(broken))
    assert (plan.errored, plan.applyable) == (True, False)
    assert plan.digest


def test_over_limits_is_said_and_not_applyable() -> None:
    playbook = make_playbook(limits=msgspec.structs.replace(WIDE, max_per_hour=Decimal(2)))
    plan = plan_of(planning_step([make_action(3)]), case=make_case(*FACTS, playbook=playbook))
    assert (plan.applyable, plan.errored) == (False, False)
    assert "3 an hour" in plan.over_limits[0]


def test_nothing_to_do_is_complete_and_not_applyable() -> None:
    plan = plan_of(planning_step([NoOp(step="contain.stop", target="t", reason="stopped")]), case=make_case())
    assert (plan.complete, plan.applyable, plan.no_ops[0].reason) == (True, False, "stopped")


def test_the_currency_is_the_one_prices_came_in() -> None:
    assert plan_of(case=make_case(*FACTS, BurnRate(currency="EUR"))).currency == "EUR"


def test_the_last_owner_is_kept_by_the_plan() -> None:
    scope = f"/subscriptions/{SUBSCRIPTION}"
    owners = tuple(
        RoleAssignment(
            id=f"{scope}/providers/Microsoft.Authorization/roleAssignments/{n}",
            scope=scope,
            role_definition_id="x",
            role_name="Owner",
            principal_id=f"p{n}",
            principal_type="User",
            created_at=NOON + timedelta(days=n),
        )
        for n in (2, 1)
    )
    removals = [make_action(1, kind="access.remove", target=owner.id, fingerprint={}) for owner in owners]
    plan = plan_of(planning_step(removals), case=make_case(FACTS[0], AccessFacts(role_assignments=owners)))
    assert [action.target for action in plan.actions] == [owners[0].id]
    assert [(no_op.target, "Owner" in no_op.reason) for no_op in plan.no_ops] == [(owners[1].id, True)]
