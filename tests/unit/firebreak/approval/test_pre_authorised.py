"""What goes without people: only what playbook and operator both said beforehand; and every way to get more through (P6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from firebreak.approval import GateDesk, GateView
from firebreak.approval.notices import claim
from firebreak.approval.pre_authorised import Beforehand, switch_name
from firebreak.errors import ApprovalError, IntegrityError
from firebreak.model.facts import AccessFacts, Attribution, Class, Inventory, Judgement
from firebreak.model.finding import NotLookedAt
from firebreak.model.plan import Plan
from firebreak.model.playbook import Gate, Playbook, PreAuthorised
from firebreak.model.step import Effect
from tests.unit.firebreak.execution.builders import (
    SUBSCRIPTION,
    WIDE,
    FakeClock,
    Office,
    machine_id,
    make_action,
    make_case,
    make_gate,
    make_incident,
    make_machine,
    make_playbook,
    make_small_plan,
)

GATE = make_gate(pre_authorised=PreAuthorised(steps=("contain.stop",)), expires_after_minutes=60)
PLAYBOOK = make_playbook(gate=GATE)
POLICY = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments/firebreak-deny"


def judged(*scores: int, cls: Class = Class.ATTACKER, session: int = 90, **fields: Any) -> Attribution:
    """vm-1, vm-2, ... with these points, and one session of the attacker."""
    return Attribution(
        actors=(Judgement(id="mallory@contoso.example", cls=Class.ATTACKER, score=session),),
        resources=tuple(Judgement(id=machine_id(n), cls=cls, score=score) for n, score in enumerate(scores, start=1)),
        **{"verdict": "fraud", **fields},
    )


def plan_of(*actions: Any, playbook: Playbook = PLAYBOOK, effect: Effect = Effect.REVERSIBLE) -> Plan:
    machines = tuple(make_machine(n) for n in range(1, 10))
    case = make_case(Inventory(machines=machines), AccessFacts(), playbook=playbook)
    return make_small_plan(*actions, case=case, effect=effect)


def switch(office: Office, *playbooks: Playbook) -> None:
    """The operator's setting, as a process that starts now reads it."""
    names = [switch_name(playbook.id, playbook.digest) for playbook in playbooks]
    office.desk = GateDesk(office.store, office.people, office.audit, office.clock, names)


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    office = Office(store_url, FakeClock()).staff()
    switch(office, PLAYBOOK)
    with office.store:
        yield office


def opened(
    office: Office,
    plan: Plan | None = None,
    attribution: Attribution | None = None,
    *,
    playbook: Playbook = PLAYBOOK,
    gate: Gate = GATE,
) -> GateView:
    beforehand = Beforehand(playbook=playbook, attribution=attribution or judged(80, 80))
    return office.desk.open(office.add(make_incident()), plan or plan_of(playbook=playbook), gate, 1, beforehand)


def asked(office: Office, view: GateView, because: str) -> None:
    """People are asked, the record says why, and the plan cannot be bound."""
    assert (view.state, view.approvals) == ("open", ())
    (record,) = [r for r in office.audit.records(view.incident) if r.kind == "gate.not_pre_authorised"]
    assert because in record.data["because"]
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))
    assert caught.value.reason == "not_approved"


def test_what_both_said_beforehand_is_bound_without_people_and_loudly_recorded(office: Office) -> None:
    view = opened(office)
    said = "pre-authorised by playbook compromised-subscription version 1, switched on by the operator"
    assert (view.state, view.closed_by, [a.approver for a in view.approvals]) == ("approved", said, [said])
    approved = office.desk.bind(view.id, plan_of())
    assert [a.pre_authorised for a in approved.approvals] == [True]
    records = {r.kind: r for r in office.audit.records(view.incident)}
    assert list(records) == ["gate.opened", "gate.pre_authorised", "plan.bound"]
    assert records["gate.pre_authorised"].data["switched_on"] == f"compromised-subscription:{PLAYBOOK.digest}"
    assert records["plan.bound"].data["approvers"] == [said]
    assert "pre_authorised" in {notice.kind for notice in claim(office.store)}


def test_a_new_policy_on_the_subscription_itself_goes_with_a_sure_session(office: Office) -> None:
    deny = make_action(7, kind="policy.deny_creation", target=POLICY)
    assert opened(office, plan_of(deny, make_action(1)), judged(80)).state == "approved"


def test_the_playbook_alone_is_not_enough(office: Office) -> None:
    switch(office)
    asked(office, opened(office), "operator has not switched it on")


def test_the_operator_alone_is_not_enough(office: Office) -> None:
    plain = make_playbook(gate=make_gate())
    switch(office, plain)
    view = opened(office, plan_of(playbook=plain), playbook=plain, gate=make_gate())
    assert (view.state, view.approvals) == ("open", ())


def test_a_switch_for_another_content_of_the_playbook_is_not_enough(office: Office) -> None:
    switch(office, msgspec.structs.replace(PLAYBOOK, description="changed"))
    asked(office, opened(office), "operator has not switched it on")


def test_what_cannot_be_taken_back_is_asked_even_when_the_playbook_names_its_step(office: Office) -> None:
    gate = make_gate(pre_authorised=PreAuthorised(steps=("contain.stop", "contain.remove")))
    playbook = make_playbook(gate=gate)
    switch(office, playbook)
    remove = make_action(1, step="contain.remove", kind="machine.delete", effect=Effect.IRREVERSIBLE)
    plan = plan_of(remove, playbook=playbook, effect=Effect.IRREVERSIBLE)
    asked(office, opened(office, plan, playbook=playbook, gate=gate), "irreversible")


def test_one_action_of_another_step_sends_the_whole_plan_to_people(office: Office) -> None:
    other = make_action(2, step="contain.other", kind="machine.other")
    asked(office, opened(office, plan_of(make_action(1), other)), "contain.other")


def test_a_plan_over_its_limits_is_asked(office: Office) -> None:
    playbook = make_playbook(gate=GATE, limits=msgspec.structs.replace(WIDE, max_actions=1))
    switch(office, playbook)
    asked(office, opened(office, playbook=playbook), "over its limits")


@pytest.mark.parametrize("changed", [{"complete": False}, {"problems": ("Locks were not read.",)}])
def test_a_plan_that_could_not_see_everything_is_asked(office: Office, changed: dict[str, Any]) -> None:
    asked(office, opened(office, msgspec.structs.replace(plan_of(), **changed)), "problems")


@pytest.mark.parametrize(
    ("attribution", "because"),
    [
        (judged(80, 79), "79 points"),
        (judged(80), "does not know its target"),
        (judged(200, 200, cls=Class.UNKNOWN), "unknown with 200 points"),
        (judged(200, 200, cls=Class.LEGITIMATE), "legitimate with 200 points"),
        (judged(80, 80, session=79), "the most is 79"),
        (judged(80, 80, verdict="not_enough_evidence"), "not enough evidence"),
        (judged(80, 80, not_looked_at=(NotLookedAt("activity log", "403"),)), "activity log"),
    ],
)
def test_low_confidence_is_asked(office: Office, attribution: Attribution, because: str) -> None:
    asked(office, opened(office, attribution=attribution), because)


@pytest.mark.parametrize(
    "target",
    [
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/theirs",
        "/subscriptions/99999999-9999-4999-8999-999999999999/providers/x/y/z",
        "/providers/Microsoft.Management/managementGroups/all",
    ],
)
def test_what_attribution_does_not_know_is_asked_unless_it_lies_on_the_subscription(
    office: Office, target: str
) -> None:
    plan = msgspec.structs.replace(plan_of(), actions=(make_action(1, target=target),))
    asked(office, opened(office, plan), "does not know its target")


def test_without_the_engines_word_people_are_asked(office: Office) -> None:
    view = office.desk.open(office.add(make_incident()), plan_of(), GATE, 1)
    asked(office, view, "not made by this engine")


def test_a_gate_or_plan_that_is_not_the_playbooks_is_asked(office: Office) -> None:
    lower = make_gate(pre_authorised=PreAuthorised(steps=("contain.stop",), min_score=70), expires_after_minutes=60)
    asked(office, opened(office, attribution=judged(70, 70), gate=lower), "not of the incident's playbook")


def test_people_who_were_asked_once_are_not_passed_over_later(office: Office) -> None:
    view = opened(office, attribution=judged(70, 70))
    again = office.desk.open(
        make_incident(), plan_of(), GATE, 1, Beforehand(playbook=PLAYBOOK, attribution=judged(90, 90))
    )
    assert again == view
    assert office.approve(again, "Ann").approvals[0].approver == "Ann"


def test_switched_off_meanwhile_it_is_not_bound_and_people_are_asked(office: Office) -> None:
    view = opened(office)
    switch(office)
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, plan_of())
    assert caught.value.reason == "not_pre_authorised"
    now = office.desk.view(view.id)
    assert (now.state, now.approvals) == ("open", ())
    assert office.approve(now, "Ann").state == "approved"


def test_it_expires_like_an_answer_and_then_people_are_asked(office: Office) -> None:
    view = opened(office)
    office.clock.forward(minutes=60)
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, plan_of())
    assert caught.value.reason == "expired"
    assert office.desk.view(view.id).state == "open"


@pytest.mark.parametrize("change", [lambda p: msgspec.structs.replace(p, actions=p.actions[:1])])
def test_another_plan_is_not_bound(office: Office, change: Callable[[Plan], Plan]) -> None:
    view = opened(office)
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, change(plan_of()))
    assert caught.value.reason == "wrong_digest"


@pytest.mark.parametrize(
    "statement",
    [
        # A person's yes to a gate of two made into one that needs nobody.
        "UPDATE approvals SET body = replace(body, '\"pre_authorised\":false', '\"pre_authorised\":true')",
        'UPDATE gates SET definition = replace(definition, \'"pre_authorised":null\', \'"pre_authorised":{"steps":["contain.stop"]}\')',
    ],
)
def test_an_edit_in_the_database_leaves_nobody_out(office: Office, statement: str) -> None:
    view = office.desk.open(office.add(make_incident()), plan_of(), make_gate(required=2), 1)
    view = office.approve(view, "Ann")
    with office.store.write() as tx:
        assert tx.exec_driver_sql(statement).rowcount == 1
        tx.exec_driver_sql("UPDATE gates SET state = 'approved'")
    with pytest.raises((IntegrityError, ApprovalError)):
        office.desk.bind(view.id, plan_of())


def test_a_pre_authorisation_copied_to_another_incident_is_not_bound(office: Office) -> None:
    opened(office)
    other = office.desk.open(office.add(make_incident("INC-2")), plan_of(), GATE, 1)
    with office.store.write() as tx:
        tx.exec_driver_sql(
            "INSERT INTO approvals SELECT 'INC-2.contain.1', ask, person, body, seal, void FROM approvals"
        )
        tx.exec_driver_sql("UPDATE gates SET state = 'approved'")
    with pytest.raises(IntegrityError):
        office.desk.bind(other.id, plan_of())


def test_a_person_called_like_it_is_a_person(office: Office) -> None:
    name = "pre-authorised by playbook compromised-subscription version 1, switched on by the operator"
    office.seeds[name] = office.people.enrol(name, ["responder"])
    view = office.desk.open(office.add(make_incident()), plan_of(), make_gate(required=2), 1)
    assert office.approve(view, name).state == "open"
