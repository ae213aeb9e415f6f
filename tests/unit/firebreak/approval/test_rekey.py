"""A new key for the seals: nobody has to be enrolled again, no answer is lost, and what was not valid does not become so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from firebreak.approval import Approvers, GateDesk
from firebreak.approval.rekey import rekey
from firebreak.errors import IntegrityError
from tests.unit.firebreak.execution.builders import (
    CUSTOMER,
    FakeClock,
    Office,
    make_gate,
    make_incident,
    make_small_plan,
)


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    office = Office(store_url, FakeClock()).staff()
    with office.store:
        yield office


def under(office: Office, key: bytes) -> Approvers:
    office.people = Approvers(office.store, key, None)
    office.desk = GateDesk(office.store, office.people, office.audit, office.clock)
    return office.people


def test_people_and_their_answers_are_good_under_the_new_key_and_the_old_one_opens_nothing(office: Office) -> None:
    office.seeds["Dee"] = office.people.enrol("Dee", ["responder"], customers=[CUSTOMER])
    approved = office.approve(office.desk.open(office.add(make_incident()), make_small_plan(), make_gate(), 1), "Dee")
    half = office.desk.open(office.add(make_incident("INC-2")), make_small_plan(), make_gate(required=2), 1)
    half = office.approve(half, "Ann")
    old, key = office.people, Fernet.generate_key()
    new = under(office, key)
    assert rekey(office.store, old, new) == (4, 2)
    assert new.find("Dee").customers == (CUSTOMER,)
    assert office.desk.bind(approved.id, make_small_plan()).approvals[0].approver == "Dee"
    assert office.approve(half, "Bob").state == "approved"
    with pytest.raises(IntegrityError):
        old.find("Dee")


def test_with_one_seed_that_does_not_open_nothing_is_changed(office: Office) -> None:
    with office.store.write() as tx:
        before = tx.execute(text("SELECT person, sealed FROM approvers ORDER BY person")).all()
        tx.execute(text("UPDATE approvers SET sealed = 'x' WHERE person = 'cy'"))
    with pytest.raises(IntegrityError, match="cy"):
        rekey(office.store, office.people, Approvers(office.store, Fernet.generate_key(), None))
    with office.store.read() as tx:
        after = tx.execute(text("SELECT person, sealed FROM approvers WHERE person <> 'cy' ORDER BY person")).all()
    assert after == before[:2]


def test_a_forged_approval_is_not_made_good(office: Office) -> None:
    view = office.approve(office.desk.open(office.add(make_incident()), make_small_plan(), make_gate(), 1), "Ann")
    with office.store.write() as tx:
        tx.exec_driver_sql("UPDATE approvals SET body = replace(body, '\"Ann\"', '\"Bob\"')")
    old = office.people
    new = under(office, Fernet.generate_key())
    assert rekey(office.store, old, new) == (3, 0)
    with pytest.raises(IntegrityError):
        office.desk.bind(view.id, make_small_plan())


def test_a_revoked_person_is_not_brought_back(office: Office) -> None:
    office.people.revoke("Ann")
    old = office.people
    new = under(office, Fernet.generate_key())
    assert rekey(office.store, old, new) == (2, 0)
    assert new.find("Ann") is None
