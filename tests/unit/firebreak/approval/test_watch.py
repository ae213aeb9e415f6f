"""The clock of the gates: reminders, escalations and expiry happen when due, once, whoever looks how often (P6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from firebreak.approval import Answer, GateView, GateWatch, notices
from firebreak.errors import ApprovalError, IntegrityError
from tests.unit.firebreak.execution.builders import FakeClock, Office, make_gate, make_incident, make_small_plan

TIMES = {
    "remind_after_minutes": 15,
    "escalate_after_minutes": 30,
    "escalate_to": ("owner",),
    "expires_after_minutes": 60,
}


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    office = Office(store_url, FakeClock()).staff()
    with office.store:
        yield office


def open_gate(office: Office, incident: str = "INC-1a2b3c4d", **gate: object) -> GateView:
    return office.desk.open(office.add(make_incident(incident)), make_small_plan(), make_gate(**{**TIMES, **gate}), 1)


def look(office: Office, **forward: float) -> None:
    office.clock.forward(**forward)
    GateWatch(office.store, office.desk, office.audit).look()


def kinds(office: Office, view: GateView) -> Counter[str]:
    return Counter(record.kind for record in office.audit.records(view.incident))


def told(office: Office) -> list[tuple[str, int]]:
    found = notices.claim(office.store)
    for notice in found:
        notices.note_told(office.store, notice)
    return sorted((notice.kind, notice.number) for notice in found)


def refused(office: Office, view: GateView, name: str, word: str) -> None:
    with pytest.raises(ApprovalError) as caught:
        office.approve(view, name)
    assert caught.value.reason == word


def test_nothing_is_due_before_its_time(office: Office) -> None:
    view = open_gate(office)
    look(office, minutes=14.9)
    assert office.desk.view(view.id) == view
    assert kinds(office, view) == {"gate.opened": 1}
    assert told(office) == [("waiting", 1)]


def test_people_are_reminded_once_and_the_question_stays(office: Office) -> None:
    view = open_gate(office)
    for _ in range(3):
        look(office, minutes=5)
    look(office, minutes=5)
    assert office.desk.view(view.id).ask == 1
    assert kinds(office, view)["gate.reminded"] == 1
    assert told(office) == [("reminder", 0), ("waiting", 1)]
    assert told(office) == []


def test_before_the_escalation_its_roles_may_not_answer(office: Office) -> None:
    view = open_gate(office)
    office.clock.forward(minutes=29)
    refused(office, view, "Cy", "wrong_role")
    assert view.roles == ("responder",)
    assert not view.escalated


def test_from_the_escalation_on_further_roles_may_answer_even_when_nobody_watches(office: Office) -> None:
    view = open_gate(office)
    office.clock.forward(minutes=30)
    now = office.desk.view(view.id)
    assert (now.roles, now.escalated) == (("responder", "owner"), True)
    view = office.approve(now, "Cy")
    office.clock.forward(minutes=1)
    assert office.desk.bind(view.id, office.store.plans.load(view.plan_digest)).approvals[0].approver == "Cy"


def test_the_escalation_asks_anew_once_keeps_approvals_and_puts_the_end_not_off(office: Office) -> None:
    view = office.approve(open_gate(office, required=2), "Ann")
    look(office, minutes=30)
    look(office, minutes=1)
    again = office.desk.view(view.id)
    assert (again.ask, again.state, again.expires_at) == (view.ask + 1, "open", view.expires_at)
    assert [a.approver for a in again.approvals] == ["Ann"]
    assert "role owner may answer as well" in again.last_problem
    (record,) = [r for r in office.audit.records(view.incident) if r.kind == "gate.escalated"]
    assert record.data["roles"] == ["owner"]
    refused(office, view, "Bob", "old_ask")
    assert office.approve(again, "Cy").state == "approved"


def test_the_age_of_a_gate_cannot_be_changed_after_an_approval(office: Office) -> None:
    view = open_gate(office)
    office.clock.forward(minutes=30)
    view = office.approve(view, "Cy")
    with office.store.write() as tx:
        tx.exec_driver_sql("UPDATE gates SET opened_at = expires_at")
    with pytest.raises(IntegrityError, match="not made by this engine"):
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))


def test_wrong_answers_put_neither_reminder_nor_escalation_off(office: Office) -> None:
    view = open_gate(office)
    for _ in range(6):
        office.clock.forward(minutes=5)
        answer = Answer(approver="Ann", code="000000", decision="approve", plan_digest=view.plan_digest)
        with pytest.raises(ApprovalError):
            office.desk.answer(view.id, answer, office.desk.view(view.id).ask)
    look(office)
    assert kinds(office, view) >= Counter({"gate.reminded": 1, "gate.escalated": 1})
    assert office.approve(office.desk.view(view.id), "Cy").state == "approved"


def test_an_expired_gate_is_asked_again_told_and_stays_escalated(office: Office) -> None:
    view = office.approve(open_gate(office, required=2), "Ann")
    look(office, minutes=61)
    look(office)
    again = office.desk.view(view.id)
    assert (again.state, again.approvals, again.roles) == ("open", (), ("responder", "owner"))
    assert kinds(office, view)["gate.expired"] == 1
    assert ("expired", 2) in told(office)
    refused(office, view, "Bob", "old_ask")


def test_a_decided_gate_is_left_alone(office: Office) -> None:
    view = office.approve(open_gate(office), "Ann")
    before = kinds(office, view)
    look(office, days=2)
    assert kinds(office, view) == before


def test_watchers_at_the_same_time_do_everything_once(office: Office) -> None:
    views = [open_gate(office, f"INC-{n}") for n in range(3)]
    late = [open_gate(office, f"INC-late-{n}", expires_after_minutes=31) for n in range(2)]
    office.clock.forward(minutes=32)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: look(office), range(8)))
        claimed = Counter(n.key for found in pool.map(lambda _: notices.claim(office.store), range(8)) for n in found)
    for view in (*views, *late):
        found = kinds(office, view)
        assert (found["gate.reminded"], found["gate.escalated"]) == (1, 1)
        assert found["gate.expired"] == (view in late)
    assert set(claimed.values()) == {1}
    assert sum(key.count(":escalated:") for key in claimed) == 5
    assert sum(key.count(":expired:") for key in claimed) == 2


def test_what_a_teller_that_died_had_taken_is_told_by_another_and_nothing_twice(office: Office) -> None:
    open_gate(office)
    (taken,) = notices.claim(office.store)
    office.clock.forward(seconds=59)
    assert notices.claim(office.store) == ()
    office.clock.forward(seconds=1)
    assert notices.claim(office.store) == (taken,)
    notices.note_told(office.store, taken)
    office.clock.forward(hours=1)
    assert notices.claim(office.store) == ()


def test_the_gate_says_that_somebody_was_locked_out_and_until_when(office: Office) -> None:
    view = open_gate(office)
    for _ in range(5):
        view = office.desk.view(view.id)
        answer = Answer(approver="Ann", code="000000", decision="approve", plan_digest=view.plan_digest)
        with pytest.raises(ApprovalError):
            office.desk.answer(view.id, answer, view.ask)
    assert (
        f"Ann is locked out until {office.clock() + timedelta(minutes=10):%H:%M:%S} UTC"
        in office.desk.view(view.id).last_problem
    )


def test_people_are_warned_once_before_a_question_expires_and_again_for_the_next(office: Office) -> None:
    view = open_gate(office, remind_after_minutes=0, escalate_after_minutes=0, escalate_to=())
    look(office, minutes=53)
    assert ("expiring", 1) not in told(office)
    look(office, minutes=1.5)
    look(office, minutes=1)
    assert told(office) == [("expiring", 1)]
    look(office, minutes=5)
    look(office, minutes=55)
    assert ("expiring", 2) in told(office)
    assert office.desk.view(view.id).ask == 2
