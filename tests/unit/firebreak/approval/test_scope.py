"""People who may answer only for some playbooks or customers, and attempts to get around that (P6)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from firebreak.approval import Answer
from firebreak.approval.checks import DECISIONS
from firebreak.errors import ApprovalError, IntegrityError, SettingsError
from tests.unit.firebreak.execution.builders import (
    CUSTOMER,
    SUBSCRIPTION,
    FakeClock,
    Office,
    make_gate,
    make_incident,
    make_small_plan,
)

ELSEWHERE = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    office = Office(store_url, FakeClock())
    with office.store:
        yield office


def enrol(office: Office, name: str, **scope: list[str]) -> None:
    office.seeds[name] = office.people.enrol(name, ["responder"], **scope)


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"playbooks": ["compromised-subscription", "other"]},
        {"customers": [CUSTOMER.upper()]},
        {"customers": [ELSEWHERE, SUBSCRIPTION]},
        {"playbooks": ["compromised-subscription"], "customers": [f" {CUSTOMER} "]},
    ],
)
def test_within_their_scope_people_approve(office: Office, scope: dict[str, list[str]]) -> None:
    enrol(office, "Dee", **scope)
    view = office.desk.open(office.add(make_incident()), make_small_plan(), make_gate(), 1)
    view = office.approve(view, "Dee")
    assert office.desk.bind(view.id, office.store.plans.load(view.plan_digest)).approvals[0].approver == "Dee"


@pytest.mark.parametrize(
    "scope",
    [
        {"playbooks": ["other"]},
        {"customers": [ELSEWHERE]},
        {"playbooks": ["other"], "customers": [CUSTOMER]},
        {"playbooks": ["compromised-subscription"], "customers": [ELSEWHERE]},
    ],
)
@pytest.mark.parametrize("decision", DECISIONS)
def test_out_of_their_scope_no_answer_counts_and_the_gate_asks_again_and_says_why(
    office: Office, scope: dict[str, list[str]], decision: str
) -> None:
    enrol(office, "Dee", **scope)
    view = office.desk.open(office.add(make_incident()), make_small_plan(), make_gate(optional=True), 1)
    with pytest.raises(ApprovalError) as caught:
        office.approve(view, "Dee", decision=decision, reason="because")
    assert caught.value.reason == "out_of_scope"
    record = office.audit.records(view.incident)[-1]
    assert (record.who, record.data["accepted"], record.data["refused_because"]) == ("Dee", False, "out_of_scope")
    again = office.desk.view(view.id)
    assert (again.state, again.ask, again.approvals) == ("open", 2, ())
    assert "Dee may not answer" in again.last_problem


def test_a_code_shown_out_of_scope_is_used_up(office: Office) -> None:
    enrol(office, "Dee", customers=[ELSEWHERE])
    view = office.desk.open(office.add(make_incident()), make_small_plan(), make_gate(), 1)
    code = office.code("Dee")
    for word in ("out_of_scope", "reused_code"):
        answer = Answer(approver="Dee", code=code, decision="approve", plan_digest=view.plan_digest)
        with pytest.raises(ApprovalError) as caught:
            office.desk.answer(view.id, answer, office.desk.view(view.id).ask)
        assert caught.value.reason == word


def test_an_approval_is_not_bound_when_its_person_was_enrolled_anew_for_less(office: Office) -> None:
    enrol(office, "Dee")
    view = office.desk.open(office.add(make_incident()), make_small_plan(), make_gate(), 1)
    view = office.approve(view, "Dee")
    office.people.revoke("Dee")
    enrol(office, "Dee", customers=[ELSEWHERE])
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))
    assert caught.value.reason == "out_of_scope"
    assert office.desk.view(view.id).state == "open"


def test_scope_is_not_in_the_database_in_the_clear_and_cannot_be_widened_there(office: Office) -> None:
    enrol(office, "Dee", playbooks=["other"], customers=[ELSEWHERE])
    with office.store.write() as tx:
        row = tx.execute(text("SELECT * FROM approvers")).one()
        assert ELSEWHERE not in str(row)
        flipped = row.sealed[:-20] + ("A" if row.sealed[-20] != "A" else "B") + row.sealed[-19:]
        tx.execute(text("UPDATE approvers SET sealed = :sealed"), {"sealed": flipped})
    with pytest.raises(IntegrityError):
        office.people.find("Dee")


def test_a_colleagues_wider_scope_cannot_be_copied_over(office: Office) -> None:
    enrol(office, "Dee", customers=[ELSEWHERE])
    enrol(office, "Wide")
    with office.store.write() as tx:
        tx.execute(text("UPDATE approvers SET sealed = (SELECT sealed FROM approvers WHERE person = 'wide')"))
    with pytest.raises(IntegrityError, match="somebody else"):
        office.people.find("Dee")


def test_a_revocation_taken_back_in_the_database_gives_nobody_their_right_back(office: Office) -> None:
    enrol(office, "Dee")
    view = office.desk.open(office.add(make_incident()), make_small_plan(), make_gate(), 1)
    office.people.revoke("Dee")
    with office.store.write() as tx:
        tx.execute(text("UPDATE approvers SET revoked_at = NULL"))
    with pytest.raises(IntegrityError):
        office.approve(view, "Dee")
    assert office.desk.view(view.id).approvals == ()


@pytest.mark.parametrize("customer", ["contoso.example", "", "33333333"])
def test_a_customer_is_an_id(office: Office, customer: str) -> None:
    with pytest.raises(SettingsError, match="customer"):
        enrol(office, "Dee", customers=[customer])
    assert office.people.list() == []
