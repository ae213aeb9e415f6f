"""Who may approve: enrolment, revocation, files of drill people, and seeds that stay secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from firebreak.approval import Approvers
from firebreak.errors import ApprovalError, IntegrityError, SettingsError
from firebreak.store import Store
from tests.unit.firebreak.execution.builders import KEY, NOON, FakeClock

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url, clock=FakeClock()) as store:
        yield store


def people_file(folder: Path, *people: dict[str, object]) -> Path:
    file = folder / "approvers.json"
    file.write_text(json.dumps(people))
    return file


def test_enrolling_gives_the_seed_once_and_keeps_it_encrypted(store: Store) -> None:
    people = Approvers(store, KEY, None)
    seed = people.enrol("Ann  Lee", ["owner", "responder", "owner"])
    assert people.find("ann lee").roles == ("owner", "responder")
    with store.read() as tx:
        row = str(tx.execute(text("SELECT * FROM approvers")).all())
    assert seed not in row
    assert seed not in repr(people.list())
    with store.write() as tx:
        assert people.check(tx, "ANN LEE", pyotp.TOTP(seed).at(NOON), NOON).name == "Ann Lee"


def test_a_name_is_enrolled_once_until_it_is_revoked(store: Store) -> None:
    people = Approvers(store, KEY, None)
    first = people.enrol("Ann", ["responder"])
    with pytest.raises(SettingsError, match="already"):
        people.enrol(" ANN", ["owner"])
    assert people.revoke("Ann")
    assert not people.revoke("Ann")
    assert people.find("Ann") is None
    assert people.list() == []
    assert people.enrol("Ann", ["responder"]) != first


@pytest.mark.parametrize(("name", "roles"), [("", ["r"]), ("  ", ["r"]), ("A\x07", ["r"]), ("Ann", []), ("Ann", [" "])])
def test_nobody_is_enrolled_without_a_name_or_role(store: Store, name: str, roles: list[str]) -> None:
    with pytest.raises(SettingsError):
        Approvers(store, KEY, None).enrol(name, roles)


def test_another_key_opens_nothing(store: Store) -> None:
    Approvers(store, KEY, None).enrol("Ann", ["responder"])
    with pytest.raises(IntegrityError, match="key"):
        Approvers(store, Fernet.generate_key(), None).find("Ann")


def test_a_key_that_is_none_is_refused(store: Store) -> None:
    with pytest.raises(SettingsError):
        Approvers(store, b"short", None)


def test_a_seed_moved_to_another_person_is_found(store: Store) -> None:
    people = Approvers(store, KEY, None)
    people.enrol("Ann", ["responder"])
    people.enrol("Bob", ["responder"])
    with store.write() as tx:
        tx.execute(text("UPDATE approvers SET sealed = (SELECT sealed FROM approvers WHERE person = 'ann')"))
    with pytest.raises(IntegrityError, match="somebody else"):
        people.find("Bob")


def test_drill_people_come_from_a_file(store: Store, tmp_path: Path) -> None:
    file = people_file(tmp_path, {"name": "Dana", "roles": ["responder"], "totp_secret": SEED})
    people = Approvers(store, KEY, file)
    assert people.find("dana").from_file
    with store.write() as tx:
        people.check(tx, "Dana", pyotp.TOTP(SEED).at(NOON), NOON)
        with pytest.raises(ApprovalError, match="before"):
            people.check(tx, "Dana", pyotp.TOTP(SEED).at(NOON), NOON)
    with pytest.raises(SettingsError, match="already"):
        people.enrol("DANA", ["owner"])


def test_a_file_does_not_replace_somebody_enrolled(store: Store, tmp_path: Path) -> None:
    Approvers(store, KEY, None).enrol("Dana", ["owner"])
    file = people_file(tmp_path, {"name": "Dana", "roles": ["responder"], "totp_secret": SEED})
    assert Approvers(store, KEY, file).find("Dana").roles == ("owner",)


@pytest.mark.parametrize(
    "people",
    [
        [{"name": "A", "roles": ["r"], "totp_secret": SEED}, {"name": "a ", "roles": ["r"], "totp_secret": SEED[::-1]}],
        [
            {"name": "A", "roles": ["r"], "totp_secret": SEED},
            {"name": "B", "roles": ["r"], "totp_secret": SEED.lower()},
        ],
        [{"name": "A", "roles": ["r"], "totp_secret": "short"}],
        [{"name": "A", "roles": ["r"], "totp_secret": "1" * 32}],
        [{"name": "A", "roles": ["r"], "totp_secret": SEED, "admin": True}],
        [{"name": "A", "roles": ["r"]}],
    ],
)
def test_a_file_with_a_mistake_is_refused_without_showing_seeds(
    store: Store, tmp_path: Path, people: list[dict[str, object]]
) -> None:
    with pytest.raises(SettingsError) as caught:
        Approvers(store, KEY, people_file(tmp_path, *people))
    assert SEED not in str(caught.value)


def test_a_missing_file_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        Approvers(store, KEY, tmp_path / "none.json")
