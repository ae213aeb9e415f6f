"""Whoever asked cannot approve, under whatever spelling they asked; and when nobody knows who asked, one approval is not enough."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firebreak.approval import Approver
from firebreak.approval.requester import asked_for_it, filled_in, spoken, unknown_requester
from firebreak.errors import ApprovalError
from firebreak.report.gate_page import gate_page
from tests.unit.firebreak.approval.test_gate_attacks import open_gate, refused
from tests.unit.firebreak.execution.builders import FakeClock, Office, make_gate, make_incident, make_small_plan


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    office = Office(store_url, FakeClock()).staff()
    with office.store:
        yield office


def person(name: str, *logins: str) -> Approver:
    return Approver(name=name, roles=("responder",), logins=logins)


@pytest.mark.parametrize(
    ("asked", "name", "logins", "same"),
    [
        ("alice", "Alice", (), True),
        ("ALICE", "alice@partner.example", (), True),
        ("PARTNER\\alice", "alice@partner.example", (), True),
        ("PARTNER\\Alice", "alice", (), True),
        ("alice@partner.example", "alice", (), True),
        ("alice@customer.example", "alice@partner.example", (), False),
        ("svc-ops", "Alice Smith", ("svc-ops",), True),
        ("ＳＶＣ-ops", "Alice Smith", (" SVC-Ops ",), True),
        ("ops\\asmith", "Alice Smith", ("asmith",), True),
        ("alice (signed in as root)", "alice", (), True),
        ("bob (signed in as alice)", "alice", (), True),
        ("bob (signed in as asmith)", "Alice Smith", ("asmith",), True),
        ("bob (signed in as root)", "alice", ("asmith",), False),
        ("alicia", "alice", (), False),
        ("intake", "intake", (), False),
        ("aftercare", "aftercare", (), False),
    ],
)
def test_who_is_the_requester(asked: str, name: str, logins: tuple[str, ...], same: bool) -> None:
    assert asked_for_it(person(name, *logins), make_gate(), make_incident(requested_by=asked)) is same


@pytest.mark.parametrize(
    ("asked", "people", "unknown"),
    [
        ("intake", [person("ann")], ""),
        ("aftercare", [person("ann")], ""),
        ("ann", [person("ann")], ""),
        ("asmith", [person("ann", "asmith"), person("bob")], ""),
        ("asmith", [person("ann"), person("bob", "bob")], "asmith"),
        # All who may answer are known with their logins, so this one is somebody else's.
        ("asmith", [person("ann", "ann"), person("bob", "bob")], ""),
        ("prefect-ui", [person("ann", "ann"), person("bob", "bob")], "prefect-ui"),
        ("carol (signed in as root)", [person("ann")], "carol (signed in as root)"),
        ("ann (signed in as root)", [person("ann")], ""),
        ("root", [], ""),
    ],
)
def test_when_the_requester_may_be_one_of_those_who_answer(asked: str, people: list[Approver], unknown: str) -> None:
    assert unknown_requester(make_gate(), make_incident(requested_by=asked), people) == unknown
    if people:
        own = make_gate(requested_by=asked)
        assert unknown_requester(own, make_incident(), people) == unknown


def test_a_playbook_that_lets_requesters_approve_asks_no_more_people() -> None:
    gate = make_gate(requester_may_approve=True)
    assert unknown_requester(gate, make_incident(requested_by="asmith"), [person("ann")]) == ""


def test_a_login_that_is_called_like_a_door_is_told_from_it() -> None:
    assert spoken("", "intake") == "login intake"
    assert spoken("", "aftercare") == "login aftercare"
    assert spoken("Ann", "root") == "Ann (signed in as root)"
    assert spoken(" ann ", "Ann") == "Ann"


@pytest.mark.parametrize("name", ["", "  ", "intake", " Intake ", "aftercare", "ＩＮＴＡＫＥ"])
def test_whoever_fills_in_a_machine_s_name_is_nobody_known(name: str) -> None:
    incident, gate = make_incident(requested_by="intake"), make_gate(requested_by=filled_in(name))
    assert unknown_requester(gate, incident, [person("ann")]) == "prefect-ui"
    assert filled_in(" ann ") == "ann"


def test_under_an_unknown_login_one_approval_is_not_enough_whoever_gives_it(office: Office) -> None:
    view = open_gate(office, incident=make_incident(requested_by="asmith"))
    assert (view.required, view.unknown_requester) == (2, "asmith")
    view = office.approve(view, "Ann")
    assert (view.state, view.last_problem) == ("open", "Ann approved; 1 more person needed.")
    with pytest.raises(ApprovalError):
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))
    view = refused(office, view, "same_person", name="Ann")
    assert office.approve(view, "Bob").state == "approved"
    opened = office.audit.records(view.incident)[0]
    assert (opened.data["required"], opened.data["unknown_requester"]) == (2, "asmith")


def test_a_person_who_is_enrolled_with_the_login_is_refused_and_another_one_is_enough(office: Office) -> None:
    assert office.people.add_logins("ANN", ["asmith"]) is not None
    view = open_gate(office, incident=make_incident(requested_by="PARTNER\\ASmith"))
    assert view.required == 1
    view = refused(office, view, "requester", name="Ann")
    assert office.approve(view, "Bob").state == "approved"


def test_claiming_another_name_does_not_make_one_somebody_else(office: Office) -> None:
    office.people.add_logins("Ann", ["asmith"])
    view = open_gate(office, incident=make_incident(requested_by=spoken("Bob", "asmith")))
    view = refused(office, view, "requester", name="Ann")
    view = refused(office, view, "requester", name="Bob")
    assert view.state == "open"


def test_an_approval_is_void_when_the_login_turns_out_to_be_the_approvers(office: Office) -> None:
    office.people.add_logins("Ann", ["ann"])
    office.people.add_logins("Bob", ["bob"])
    office.people.add_logins("Cy", ["cy"])
    view = open_gate(office, incident=make_incident(requested_by="asmith"))
    view = office.approve(view, "Ann") if view.required == 1 else office.approve(office.approve(view, "Ann"), "Bob")
    assert view.state == "approved"
    office.people.add_logins("Ann", ["asmith"])
    with pytest.raises(ApprovalError) as caught:
        office.desk.bind(view.id, office.store.plans.load(view.plan_digest))
    assert caught.value.reason == "requester"


def test_logins_are_kept_with_the_person_and_cannot_be_added_to_nobody(office: Office) -> None:
    kept = office.people.add_logins("Ann", ["b", " a "])
    assert kept is not None
    assert kept.logins == ("a", "b")
    assert next(p for p in office.people.list() if p.name == "Ann").logins == ("a", "b")
    assert office.people.add_logins("Nobody", ["x"]) is None
    assert office.approve(open_gate(office), "Ann").state == "approved"  # with the same seed as before


def test_the_page_says_loudly_that_nobody_knows_who_asked() -> None:
    page = gate_page(make_small_plan(), make_incident(), make_gate(), required=2, unknown_requester="<b>asmith")
    assert page.startswith("> **It is not known who asked for this.** Nobody is enrolled as &lt;b&gt;asmith")
    assert "two different people" in page
    assert "not known" not in gate_page(make_small_plan(), make_incident(), make_gate())
