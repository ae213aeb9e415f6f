"""A confirmation is a person's: proven by a code that works once, recorded either way, and of no other effect."""

from __future__ import annotations

from collections.abc import Iterator

import pyotp
import pytest

from firebreak.approval import Approvers, ConfirmationDesk, confirmations_of
from firebreak.audit import AuditLog
from firebreak.errors import ApprovalError
from firebreak.model.todo import Item
from firebreak.store import Store
from tests.unit.firebreak.execution.builders import CUSTOMER, KEY, NOON, FakeClock, make_incident

ITEM = Item(id="S28", text="Review the subscription", answers=("abuse", "expected"))


class Scene:
    """A desk with one person, Ann, and her authenticator."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.clock, self.store = clock, store
        self.audit = AuditLog(store, clock)
        self.people = Approvers(store, KEY, None)
        self.seed = self.people.enrol("Ann", ["responder"])
        self.desk = ConfirmationDesk(store, self.people, self.audit, clock)
        self.incident = make_incident()

    @property
    def code(self) -> str:
        return pyotp.TOTP(self.seed).at(self.clock.at)

    def say(self, answer: str = "abuse", *, who: str = "ann", code: str = "", note: str = "") -> object:
        return self.desk.confirm(
            self.incident, ITEM, who=who, code=code or self.code, answer=answer, note=note, channel="cli"
        )

    def refused(self, reason: str, **said: str) -> None:
        before = len(self.audit.records(self.incident.id))
        with pytest.raises(ApprovalError) as caught:
            self.say(**said)
        assert caught.value.reason == reason
        records = self.audit.records(self.incident.id)
        assert len(records) == before + 1
        assert (records[-1].data["accepted"], records[-1].data["refused_because"]) == (False, reason)


@pytest.fixture
def scene(store_url: str) -> Iterator[Scene]:
    clock = FakeClock()
    with Store.open(store_url, clock=clock) as store:
        yield Scene(store, clock)


def test_what_was_said_stands_in_the_audit_log_with_person_time_and_item(scene: Scene) -> None:
    scene.say(note="the owner knows none of these machines")
    (said,) = confirmations_of(scene.audit, scene.incident.id)
    assert (said.item, said.answer, said.by, said.at) == ("S28", "abuse", "Ann", NOON)
    assert (said.text, said.note, said.channel) == (
        "Review the subscription",
        "the owner knows none of these machines",
        "cli",
    )
    assert [record.kind for record in scene.audit.records(scene.incident.id)] == ["item.confirmed"]


def test_a_code_works_once_for_confirmations_too(scene: Scene) -> None:
    code = scene.code
    scene.say(code=code)
    scene.refused("reused_code", code=code)
    scene.clock.forward(seconds=30)
    scene.say()
    assert len(confirmations_of(scene.audit, scene.incident.id)) == 2


def test_nobody_confirms_without_being_enrolled_or_with_a_wrong_code(scene: Scene) -> None:
    scene.refused("unknown_person", who="eve")
    for _ in range(5):
        scene.refused("wrong_code", code="000000")
    scene.refused("locked_out")
    assert confirmations_of(scene.audit, scene.incident.id) == ()


def test_a_person_enrolled_for_another_customer_is_refused(scene: Scene) -> None:
    seed = scene.people.enrol("Bob", ["responder"], customers=[CUSTOMER.replace("2", "9")])
    scene.refused("out_of_scope", who="bob", code=pyotp.TOTP(seed).at(NOON))


def test_an_answer_that_the_item_does_not_have_is_refused_and_uses_its_code_up(scene: Scene) -> None:
    code = scene.code
    scene.refused("bad_answer", answer="maybe", code=code)
    scene.refused("reused_code", code=code)


def test_the_last_word_counts_and_an_item_can_be_opened_again(scene: Scene) -> None:
    scene.say()
    scene.clock.forward(seconds=30)
    scene.say("open", note="the owner called back")
    said = confirmations_of(scene.audit, scene.incident.id)
    assert [one.settles for one in said] == [True, False]


def test_a_note_of_any_kind_is_kept_without_its_secrets(scene: Scene) -> None:
    key = "AccountKey=" + "A" * 86 + "=="
    scene.say(note=f"zero\x00 half\ud800 DefaultEndpointsProtocol=https;AccountName=x;{key}" + "z" * 3000)
    (said,) = confirmations_of(scene.audit, scene.incident.id)
    assert "A" * 40 not in said.note
    assert "\x00" not in said.note
    assert len(said.note) <= 2000


def test_whoever_asked_for_the_response_may_confirm(scene: Scene) -> None:
    scene.incident = make_incident(requested_by="Ann")
    scene.say()
    assert len(confirmations_of(scene.audit, scene.incident.id)) == 1
