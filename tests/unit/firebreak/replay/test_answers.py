"""Who answers the gates of a replay: the record, or a policy; nobody else, and never so that a plan could be carried out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from firebreak.model.plan import Plan
from firebreak.model.step import Effect
from firebreak.replay.answers import CHANNEL, Answering, Decide, Policy
from firebreak.replay.past import Answered, Point
from tests.unit.firebreak.execution.builders import NOON, make_action, make_gate, make_incident, make_small_plan

POINT = Point("contain", 1)


def answered(plan: Plan, policy: Policy = Policy.RECORDED, **then: Any) -> Answering:
    recorded = {POINT: Answered(**{"at": NOON, "plan_digest": "d", **then})} if then else {}
    desk = Answering(Decide(policy, recorded), lambda: NOON)
    desk.open(make_incident(), plan, make_gate(), 1)
    return desk


def over_limits(plan: Plan) -> Plan:
    return msgspec.structs.replace(plan, over_limits=("2 actions, the limit is 1.",))


def test_the_recorded_answer_is_taken_over_with_its_people_and_what_they_left_out() -> None:
    plan = make_small_plan()
    first = plan.actions[0].id
    (view,) = answered(plan, state="approved", by=("Ann",), left_out=(first, "not.in:plan")).list()
    assert view.state == "approved"
    (approval,) = view.approvals
    assert (approval.approver, approval.channel, approval.left_out) == ("Ann", CHANNEL, (first,))


@pytest.mark.parametrize("state", ["rejected", "skipped"])
def test_no_is_taken_over(state: str) -> None:
    (view,) = answered(make_small_plan(), state=state, by=("Ann",), reason="no").list()
    assert (view.state, view.approvals, view.closed_by, view.closing_reason) == (state, (), "Ann", "no")


def test_without_an_answer_the_gate_stays_open_and_says_so() -> None:
    desk = answered(make_small_plan())
    (view,) = desk.list()
    assert view.state == "open"
    assert desk.why_open == {view.id: "No answer is recorded."}


def test_fewer_people_than_the_plan_needs_now_are_no_answer() -> None:
    plan = make_small_plan(make_action(1, effect=Effect.IRREVERSIBLE), effect=Effect.IRREVERSIBLE)
    desk = answered(plan, state="approved", by=("Ann",))
    assert [view.state for view in desk.list()] == ["open"]
    assert "needs 2 people; 1 approved" in next(iter(desk.why_open.values()))
    assert [view.state for view in answered(plan, state="approved", by=("Ann", "Bo")).list()] == ["approved"]


@pytest.mark.parametrize("policy", [Policy.RECORDED, Policy.APPROVE_ALL])
def test_nobody_lifts_limits_in_a_replay(policy: Policy) -> None:
    desk = answered(over_limits(make_small_plan()), policy, state="approved", by=("Ann",))
    assert [view.state for view in desk.list()] == ["open"]
    lifted = answered(over_limits(make_small_plan()), state="approved", by=("Ann",), lifted=True)
    assert [view.state for view in lifted.list()] == ["approved"]


def test_a_policy_answers_everything_in_one_way() -> None:
    assert [view.state for view in answered(make_small_plan(), Policy.APPROVE_ALL).list()] == ["approved"]
    (view,) = answered(make_small_plan(), Policy.REJECT_ALL, state="approved", by=("Ann",)).list()
    assert (view.state, view.closed_by) == ("rejected", "replay")


def test_nothing_here_can_make_an_approved_plan() -> None:
    desk = answered(make_small_plan(), Policy.APPROVE_ALL)
    assert not hasattr(desk, "bind")
    assert not hasattr(desk, "answer")


def practised(desk: Answering, plan: Plan, state: str, confirm: str = "", **given: Any) -> str:
    """Open the gate, answer it, open it again: its state and why it is asked again."""
    view = desk.open(make_incident(), plan, make_gate(), 1)
    answer = Answered(**{"state": state, "by": ("Tim",), "at": NOON, "plan_digest": plan.digest, **given})
    desk.give(view, plan, answer, confirm)
    view = desk.open(make_incident(), plan, make_gate(), 1)
    return f"{view.state} {view.ask} {view.last_problem}".strip()


def test_somebody_who_practises_answers_and_what_cannot_be_taken_is_asked_again() -> None:
    plan = make_small_plan()
    desk = answered(plan, Policy.PERSON, state="rejected", by=("Ann",), reason="then")
    assert [view.state for view in desk.list()] == ["open"]  # the record does not answer for them
    assert practised(desk, plan, "rejected") == "open 2 To reject a plan, say why."
    assert practised(desk, plan, "skipped").startswith("open 3 This stage cannot be skipped")
    assert practised(desk, plan, "approved", left_out=("not.in:plan",)).startswith("open 4 1 of what")
    assert practised(desk, plan, "approved", left_out=(plan.actions[0].id,)).startswith("approved 4")
    (view,) = desk.list()
    assert [(one.approver, one.channel) for one in view.approvals] == [("Tim", CHANNEL)]
    assert desk.why_open == {}


def test_who_practises_types_what_a_responder_has_to_type() -> None:
    plan = over_limits(make_small_plan())
    desk = answered(plan, Policy.PERSON)
    wanted = f"override {plan.subscription_id}"
    assert practised(desk, plan, "approved") == f"open 2 To approve this plan, type: {wanted}"
    assert practised(desk, plan, "approved", wanted).startswith("approved")
