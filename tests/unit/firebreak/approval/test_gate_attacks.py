"""Every way to get a plan through a gate without the people it needs, each as a test (P1, P6)."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import msgspec
import pyotp
import pytest
from sqlalchemy import text

from firebreak.approval import Answer, ApprovedPlan
from firebreak.approval.answers import GateView
from firebreak.errors import ApprovalError, IntegrityError, StalePlanError
from firebreak.model.alert import Incident
from firebreak.model.facts import Inventory
from firebreak.model.plan import Plan
from firebreak.model.step import Effect
from tests.unit.firebreak.execution.builders import (
    SUBSCRIPTION,
    WIDE,
    FakeClock,
    Office,
    make_action,
    make_case,
    make_gate,
    make_incident,
    make_machine,
    make_playbook,
    make_small_plan,
)

IRREVERSIBLE = make_action(1, kind="machine.delete", step="contain.remove", effect=Effect.IRREVERSIBLE)


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    office = Office(store_url, FakeClock()).staff()
    with office.store:
        yield office


def open_gate(office: Office, plan: Plan | None = None, incident: Incident | None = None, **gate: object) -> GateView:
    incident = office.add(incident or make_incident())
    return office.desk.open(incident, plan or make_small_plan(), make_gate(**gate), 1)


def irreversible_plan() -> Plan:
    return make_small_plan(IRREVERSIBLE, effect=Effect.IRREVERSIBLE)


def plan_over_limits() -> Plan:
    tight = msgspec.structs.replace(WIDE, max_actions=1)
    case = make_case(Inventory(machines=(make_machine(1),)), playbook=make_playbook(limits=tight))
    return make_small_plan(case=case)


def refused(office: Office, view: GateView, word: str, name: str = "Ann", **fields: object) -> GateView:
    """Answer, expect the refusal, and return the gate; the refusal must be in the record and must not show the code."""
    ask = fields.pop("ask", view.ask)
    given = {"approver": name, "decision": "approve", "plan_digest": view.plan_digest, **fields}
    if "code" not in given:
        given["code"] = office.code(name)
    with pytest.raises(ApprovalError) as caught:
        office.desk.answer(view.id, Answer(**given), ask)
    assert caught.value.reason == word
    record = office.audit.records(view.incident)[-1]
    assert (record.kind, record.data["accepted"], record.data["refused_because"]) == ("gate.answered", False, word)
    assert len(str(given["code"])) != 6 or str(given["code"]) not in str(record.data) + str(caught.value)
    return office.desk.view(view.id)


def test_one_approval_opens_a_gate_of_one(office: Office) -> None:
    view = office.approve(open_gate(office), "Ann", reason="mines")
    assert (view.state, view.closed_by, [a.approver for a in view.approvals]) == ("approved", "Ann", ["Ann"])
    approved = office.desk.bind(view.id, office.store.plans.load(view.plan_digest))
    assert approved.digest == view.plan_digest
    assert [r.kind for r in office.audit.records(view.incident)] == ["gate.opened", "gate.answered", "plan.bound"]


def test_opening_again_changes_nothing(office: Office) -> None:
    first = open_gate(office)
    office.clock.forward(minutes=5)
    assert open_gate(office) == first


def test_a_gate_stays_with_the_plan_it_was_opened_for(office: Office) -> None:
    first = open_gate(office)
    with pytest.raises(StalePlanError):
        open_gate(office, make_small_plan(make_action(3)))
    with office.store.write() as tx:
        tx.execute(text("DELETE FROM stage_plans"))
    with pytest.raises(ApprovalError, match=first.plan_digest[:12]):
        open_gate(office, make_small_plan(make_action(3)))


def test_a_wrong_code_is_refused_and_asked_again(office: Office) -> None:
    view = refused(office, open_gate(office), "wrong_code", code="000000")
    assert (view.state, view.ask) == ("open", 2)
    assert "wrong" in view.last_problem
    assert office.approve(view, "Ann").state == "approved"


@pytest.mark.parametrize("code", ["", "0", "abcdef", "１２３４５６", "12345678901234567890", "\x00"])
def test_nonsense_codes_are_wrong_codes(office: Office, code: str) -> None:
    refused(office, open_gate(office), "wrong_code", code=code)


def test_a_code_works_once_even_for_another_gate(office: Office) -> None:
    first = open_gate(office, required=2)
    second = open_gate(office, incident=make_incident("INC-2"))
    code = office.code("Ann")
    answer = Answer(approver="Ann", code=code, decision="approve", plan_digest=first.plan_digest)
    office.desk.answer(first.id, answer, 1)
    refused(office, second, "reused_code", code=code)


def test_a_code_given_with_a_refused_answer_is_used_up(office: Office) -> None:
    code = office.code("Ann")
    view = refused(office, open_gate(office), "missing_reason", decision="reject", code=code)
    refused(office, view, "reused_code", code=code)


def test_a_code_given_to_an_old_question_is_used_up(office: Office) -> None:
    view = refused(office, open_gate(office), "wrong_code", code="000000")
    code = office.code("Ann")
    view = refused(office, view, "old_ask", ask=1, code=code)
    refused(office, view, "reused_code", code=code)


def test_a_code_of_a_minute_ago_is_wrong_and_one_of_the_step_before_is_right(office: Office) -> None:
    old = office.code("Ann")
    office.clock.forward(seconds=60)
    view = refused(office, open_gate(office), "wrong_code", code=old)
    code = office.code("Ann")
    office.clock.forward(seconds=30)
    answer = Answer(approver="Ann", code=code, decision="approve", plan_digest=view.plan_digest)
    assert office.desk.answer(view.id, answer, view.ask).state == "approved"


def test_a_code_counts_as_of_when_the_answer_was_given_however_late_it_is_read(office: Office) -> None:
    view, code, given_at = open_gate(office), office.code("Ann"), office.clock()
    office.clock.forward(minutes=9)
    answer = Answer(approver="Ann", code=code, decision="approve", plan_digest=view.plan_digest, given_at=given_at)
    assert office.desk.answer(view.id, answer, view.ask).state == "approved"
    second = open_gate(office, incident=make_incident("INC-2"))
    refused(office, second, "reused_code", code=code, given_at=given_at)


@pytest.mark.parametrize(("read_after", "given_after"), [(11, 0), (2, 2), (2, 30), (0, 5)])
def test_no_word_of_a_server_makes_a_code_right_that_was_not(office: Office, read_after: int, given_after: int) -> None:
    """Read after more than ten minutes, given when the code was over, given in the future."""
    view, code, then = open_gate(office), office.code("Ann"), office.clock()
    if read_after == 0:  # a code of five minutes from now
        office.clock.forward(minutes=-5)
    office.clock.forward(minutes=read_after)
    given_at = then if read_after == 0 else then + timedelta(minutes=given_after)
    refused(office, view, "wrong_code", code=code, given_at=given_at)


def test_a_code_read_late_at_an_old_question_is_used_up(office: Office) -> None:
    view = refused(office, open_gate(office), "wrong_code", code="000000")
    code, given_at = office.code("Ann"), office.clock()
    office.clock.forward(minutes=3)
    view = refused(office, view, "old_ask", ask=1, code=code, given_at=given_at)
    refused(office, view, "reused_code", code=code, given_at=given_at)


def test_five_wrong_codes_lock_a_person_out_for_ten_minutes(office: Office) -> None:
    view = open_gate(office)
    for _ in range(5):
        view = refused(office, view, "wrong_code", code="000000")
    view = refused(office, view, "locked_out")
    assert office.store.incidents.get(view.incident)
    office.clock.forward(minutes=10)
    assert office.approve(view, "Ann").state == "approved"


def test_one_persons_lock_out_is_not_another_persons(office: Office) -> None:
    view = open_gate(office)
    for _ in range(5):
        view = refused(office, view, "wrong_code", code="000000")
    assert office.approve(view, "Bob").state == "approved"


@pytest.mark.parametrize("name", ["Eve", "", "An\x00n", "x" * 500, "Ann'; DROP TABLE gates; --"])
def test_a_stranger_is_refused(office: Office, name: str) -> None:
    refused(office, open_gate(office), "unknown_person", name=name, code="000000")


def test_a_revoked_person_is_refused(office: Office) -> None:
    view = open_gate(office)
    assert office.people.revoke("ann")
    refused(office, view, "unknown_person")


def test_a_person_without_the_role_is_refused(office: Office) -> None:
    refused(office, open_gate(office), "wrong_role", name="Cy")


@pytest.mark.parametrize("requester", ["Ann", " ann ", "ＡＮＮ"])
def test_the_requester_cannot_approve(office: Office, requester: str) -> None:
    view = open_gate(office, incident=make_incident(requested_by=requester))
    view = refused(office, view, "requester")
    assert office.approve(view, "Bob").state == "approved"


def test_the_requester_may_approve_where_the_playbook_says_so(office: Office) -> None:
    view = open_gate(office, incident=make_incident(requested_by="Ann"), requester_may_approve=True)
    assert office.approve(view, "Ann").state == "approved"


@pytest.mark.parametrize("again", ["Ann", "ANN", " ann", "Ａnn"])
def test_the_same_person_does_not_count_twice(office: Office, again: str) -> None:
    view = office.approve(open_gate(office, required=2), "Ann")
    assert (view.state, view.ask, view.last_problem) == ("open", 2, "Ann approved; 1 more person needed.")
    view = refused(office, view, "same_person", name=again, code=office.code("Ann"))
    assert office.approve(view, "Bob").state == "approved"


def test_an_irreversible_plan_needs_two_people_whatever_the_playbook_says(office: Office) -> None:
    view = open_gate(office, irreversible_plan(), required=1)
    assert view.required == 2
    view = office.approve(view, "Ann")
    assert view.state == "open"
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))
    assert caught.value.reason == "not_approved"


def test_an_answer_for_another_plan_is_refused(office: Office) -> None:
    refused(office, open_gate(office), "wrong_digest", plan_digest=make_small_plan(make_action(3)).digest)


def test_an_answer_to_an_old_question_changes_nothing(office: Office) -> None:
    view = office.approve(open_gate(office, required=2), "Ann")
    assert refused(office, view, "old_ask", name="Bob", ask=1) == view
    assert refused(office, view, "old_ask", name="Bob", ask=3) == view


def test_a_delivered_answer_delivered_again_does_not_lock_anybody_out(office: Office) -> None:
    view = open_gate(office)
    code = office.code("Ann")
    answer = Answer(approver="Ann", code=code, decision="approve", plan_digest=view.plan_digest)
    office.desk.answer(view.id, answer, 1)
    for _ in range(6):
        refused(office, view, "old_ask", code=code)
    assert office.approve(open_gate(office, incident=make_incident("INC-2")), "Ann").state == "approved"


def test_an_answer_after_the_end_is_refused(office: Office) -> None:
    view = open_gate(office, expires_after_minutes=5)
    office.clock.forward(minutes=5)
    assert office.desk.view(view.id).state == "expired"
    view = refused(office, view, "expired")
    assert (view.state, view.ask) == ("open", 2)


def test_expiry_asks_again_and_forgets_who_approved(office: Office) -> None:
    view = office.approve(open_gate(office, required=2, expires_after_minutes=5), "Ann")
    office.clock.forward(minutes=6)
    (again,) = office.desk.reopen_expired()
    assert (again.state, again.ask, again.approvals) == ("open", 3, ())
    assert "expired" in again.last_problem
    assert office.desk.reopen_expired() == ()
    assert office.approve(again, "Bob").state == "open"
    assert view.approvals


def test_an_approval_older_than_its_time_does_not_count_with_a_newer_one(office: Office) -> None:
    view = office.approve(open_gate(office, required=2, expires_after_minutes=10), "Ann")
    office.clock.forward(minutes=6)
    view = refused(office, view, "wrong_code", name="Bob", code="000000")
    office.clock.forward(minutes=6)
    view = office.approve(view, "Bob")
    assert (view.state, [a.approver for a in view.approvals]) == ("open", ["Bob"])


def test_an_expired_approval_is_not_bound_and_asked_again(office: Office) -> None:
    view = office.approve(open_gate(office, expires_after_minutes=5), "Ann")
    office.clock.forward(minutes=6)
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))
    assert caught.value.reason == "expired"
    assert office.desk.view(view.id).state == "open"


def test_an_approval_of_somebody_revoked_meanwhile_is_not_bound(office: Office) -> None:
    view = office.approve(open_gate(office), "Ann")
    office.people.revoke("Ann")
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))
    assert caught.value.reason == "unknown_person"


def test_a_rejection_needs_a_reason_and_ends_the_gate(office: Office) -> None:
    view = refused(office, open_gate(office), "missing_reason", decision="reject", reason="  ")
    view = office.approve(view, "Bob", decision="reject", reason="legitimate")
    assert (view.state, view.closed_by, view.closing_reason) == ("rejected", "Bob", "legitimate")
    refused(office, view, "old_ask")
    with pytest.raises(ApprovalError, match="rejected"):
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))


def test_only_an_optional_gate_can_be_skipped(office: Office) -> None:
    refused(office, open_gate(office), "not_optional", decision="skip")
    view = open_gate(office, incident=make_incident("INC-2"), optional=True)
    assert office.approve(view, "Ann", decision="skip").state == "skipped"


@pytest.mark.parametrize("decision", ["", "Approve", "yes", "true"])
def test_an_unclear_decision_is_refused(office: Office, decision: str) -> None:
    refused(office, open_gate(office), "bad_decision", decision=decision)


def test_an_unknown_action_cannot_be_left_out(office: Office) -> None:
    refused(office, open_gate(office), "unknown_action", leave_out=("machine.stop:0000000000",))


@pytest.mark.parametrize("typed", ["", "yes", SUBSCRIPTION[:-1], SUBSCRIPTION.upper() + "x"])
def test_an_irreversible_plan_wants_the_typed_confirmation(office: Office, typed: str) -> None:
    view = open_gate(office, irreversible_plan(), confirm=True)
    assert view.confirm == SUBSCRIPTION
    view = refused(office, view, "bad_confirm", confirm=typed)
    assert office.approve(view, "Ann", confirm=SUBSCRIPTION).approvals


def test_a_plan_over_its_limits_wants_the_override(office: Office) -> None:
    view = open_gate(office, plan_over_limits())
    assert view.confirm == f"override {SUBSCRIPTION}"
    view = refused(office, view, "bad_confirm", confirm=SUBSCRIPTION)
    view = office.approve(view, "Ann", confirm=f"override {SUBSCRIPTION}")
    assert office.desk.bind(view.id, office.store.plans.load(view.plan_digest)).limits_lifted


def test_what_any_approver_leaves_out_is_left_out(office: Office) -> None:
    plan = make_small_plan(make_action(1), make_action(2), make_action(3))
    view = open_gate(office, plan, required=2)
    one, two, three = (action.id for action in plan.actions)
    view = office.approve(view, "Ann", leave_out=(one,))
    view = office.approve(view, "Bob", leave_out=(two,))
    approved = office.desk.bind(view.id, plan)
    assert (approved.left_out, [a.id for a in approved.actions]) == ({one, two}, [three])


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: msgspec.structs.replace(plan, engine_version="other"),
        lambda plan: msgspec.structs.replace(plan, actions=plan.actions[::-1]),
        lambda plan: msgspec.structs.replace(plan, actions=plan.actions[:1]),
    ],
)
def test_a_plan_with_one_change_is_not_bound(office: Office, change: Callable[[Plan], Plan]) -> None:
    view = office.approve(open_gate(office), "Ann")
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, change(office.store.plans.load(view.plan_digest)))
    assert caught.value.reason == "wrong_digest"


def test_a_plan_that_failed_or_is_empty_or_of_another_case_is_not_asked_about(office: Office) -> None:
    plan = make_small_plan()
    for wrong in (
        msgspec.structs.replace(plan, errored=True),
        msgspec.structs.replace(plan, actions=()),
        msgspec.structs.replace(plan, applyable=False),
        msgspec.structs.replace(plan, case="INC-other"),
        msgspec.structs.replace(plan, subscription_id=SUBSCRIPTION.replace("3", "4")),
    ):
        with pytest.raises(ApprovalError) as caught:
            open_gate(office, wrong)
        assert caught.value.reason == "wrong_plan"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE approvals SET body = replace(body, '\"Ann\"', '\"Bob\"')",
        'UPDATE approvals SET body = replace(body, \'"left_out":[]\', \'"left_out":["x"]\')',
        "UPDATE gates SET definition = replace(definition, '\"required\":1', '\"required\":0')",
        "UPDATE gates SET definition = replace(definition, 'responder', 'owner')",
    ],
)
def test_what_was_edited_in_the_database_is_not_bound(office: Office, statement: str) -> None:
    view = office.approve(open_gate(office), "Ann")
    with office.store.write() as tx:
        assert tx.exec_driver_sql(statement).rowcount == 1
    with pytest.raises((IntegrityError, ApprovalError)):
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))


def test_a_gate_marked_approved_in_the_database_is_not_bound(office: Office) -> None:
    view = open_gate(office)
    with office.store.write() as tx:
        tx.execute(text("UPDATE gates SET state = 'approved'"))
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))
    assert caught.value.reason == "not_approved"


def test_an_approver_who_turns_out_to_be_the_requester_is_not_bound(office: Office) -> None:
    view = office.approve(open_gate(office), "Ann")
    with office.store.write() as tx:
        tx.exec_driver_sql("UPDATE incidents SET body = replace(body, '\"intake\"', '\"ann\"')")
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))
    assert caught.value.reason == "requester"


def test_an_approval_copied_to_another_incident_is_not_bound(office: Office) -> None:
    office.approve(open_gate(office), "Ann")
    other = open_gate(office, incident=make_incident("INC-2"))
    with office.store.write() as tx:
        tx.execute(
            text("INSERT INTO approvals SELECT :to, ask, person, body, seal, void FROM approvals"), {"to": other.id}
        )
        tx.execute(text("UPDATE gates SET state = 'approved'"))
    with pytest.raises(IntegrityError):
        office.desk.bind(other.id, office.store.plans.load(other.plan_digest))


def test_only_binding_makes_an_approved_plan(office: Office) -> None:
    plan = make_small_plan()
    with pytest.raises(ApprovalError):
        ApprovedPlan(object(), incident="INC-1", gate="g", plan=plan, approvals=())
    view = office.approve(open_gate(office), "Ann")
    approved = office.desk.bind(view.id, plan)
    with pytest.raises(AttributeError):
        approved.left_out = frozenset()
    with pytest.raises((TypeError, AttributeError)):
        pickle.loads(pickle.dumps(approved))  # noqa: S301 - our own bytes


def test_nothing_but_the_gate_desk_knows_how_to_make_one() -> None:
    root = Path(__file__).parents[4]
    users = {
        str(file.relative_to(root))
        for package in ("firebreak", "flows", "tasks", "azure_simulator")
        for file in (root / package).rglob("*.py")
        if re.search(r"\b_MINT\b", file.read_text())
    }
    assert users == {"firebreak/model/approval.py", "firebreak/approval/desk.py"}


def test_of_answers_at_the_same_time_exactly_one_wins(office: Office) -> None:
    view = open_gate(office)
    office.clock.forward(seconds=30)
    names = ["Ann", "Bob"]
    codes = {name: pyotp.TOTP(office.seeds[name]).at(office.clock()) for name in names}

    def answer(name: str) -> str:
        given = Answer(approver=name, code=codes[name], decision="approve", plan_digest=view.plan_digest)
        try:
            return office.desk.answer(view.id, given, 1).state
        except ApprovalError as error:
            return error.reason

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(answer, names)) == ["approved", "old_ask"]
    assert len(office.desk.view(view.id).approvals) == 1


def test_one_code_given_twice_at_the_same_time_works_once(office: Office) -> None:
    views = [open_gate(office, incident=make_incident(f"INC-{n}")) for n in range(4)]
    code = office.code("Ann")

    def answer(view: GateView) -> str:
        given = Answer(approver="Ann", code=code, decision="approve", plan_digest=view.plan_digest)
        try:
            return office.desk.answer(view.id, given, 1).state
        except ApprovalError as error:
            return error.reason

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(answer, views)) == ["approved", "reused_code", "reused_code", "reused_code"]


HOSTILE = "{{ 7*7 }}<script>alert(1)</script>[a](http://evil.example)\u202e\x1b[31m\n# x | y\x00\ud800"


def test_an_answer_may_hold_any_text_and_is_kept_readable(office: Office) -> None:
    view = office.approve(open_gate(office, required=2), "Ann", reason=HOSTILE)
    (approval,) = view.approvals
    assert "\x00" not in approval.reason
    assert "\ud800" not in approval.reason
    assert "{{ 7*7 }}<script>" in approval.reason  # as it was given: what shows it makes it plain
    assert office.audit.records(view.incident)[-1].data["reason"] == approval.reason
    assert office.approve(view, "Bob", reason=HOSTILE * 2).state == "approved"
    assert office.desk.bind(view.id, office.store.plans.load(view.plan_digest)).approvals[0].reason == approval.reason


@pytest.mark.parametrize("length", [2000, 2001, 10_000, 10_000_000])
def test_a_reason_of_any_length_does_not_stop_an_approval(office: Office, length: int) -> None:
    view = office.approve(open_gate(office), "Ann", reason="x" * length)
    assert view.state == "approved"
    kept = view.approvals[0].reason
    assert len(kept) == min(length, 2000)
    assert kept.endswith("x" if length <= 2000 else "…")
    assert office.audit.records(view.incident)[-1].data["reason"] == kept


@pytest.mark.parametrize("name", [HOSTILE, "Ann\x00", "Ann\ud800", "Ann" + "\u200b", "x" * 10_000_000])
def test_no_trick_in_a_name_makes_it_somebodys(office: Office, name: str) -> None:
    refused(office, open_gate(office), "unknown_person", name=name, code=office.code("Ann"))


def test_a_huge_list_of_what_is_to_be_left_out_is_refused(office: Office) -> None:
    many = tuple(f"machine.stop:{n:010}" for n in range(50_000))
    view = refused(office, open_gate(office), "unknown_action", leave_out=many)
    refused(office, view, "unknown_action", leave_out=(HOSTILE, "x" * 1_000_000))


def test_a_run_woken_without_an_answer_asks_again_with_a_record_and_keeps_who_approved(office: Office) -> None:
    view = office.approve(open_gate(office, required=2), "Ann")
    again = office.desk.unanswered(view.id, view.ask, "Somebody woke the run.")
    assert (again.state, again.ask, again.last_problem) == ("open", view.ask + 1, "Somebody woke the run.")
    assert (again.approvals, again.expires_at) == (view.approvals, view.expires_at)
    record = office.audit.records(view.incident)[-1]
    assert (record.kind, record.data["ask"]) == ("gate.unanswered", view.ask)
    refused(office, again, "old_ask", name="Bob", ask=view.ask)
    assert office.approve(again, "Bob").state == "approved"


def test_waking_a_run_never_reopens_or_prolongs_anything(office: Office) -> None:
    view = open_gate(office, expires_after_minutes=5)
    later = office.desk.unanswered(view.id, view.ask, "Woken.")
    assert office.desk.unanswered(view.id, view.ask, "Woken once more.") == later
    office.clock.forward(minutes=5)
    assert office.desk.view(view.id).state == "expired"
    done = office.approve(office.desk.unanswered(view.id, later.ask, "Woken too late."), "Ann")
    assert done.state == "approved"
    assert office.desk.unanswered(view.id, done.ask, "Woken after the end.") == done
