"""What plans about identities are read from stays readable: rights, parts of a text, collections, hints; and each action keeps an id of its own."""

from __future__ import annotations

import json

import msgspec
import pytest

from firebreak.analysis.identity.administrators import hint_of
from firebreak.model.step import Effect
from firebreak.redact.documents import Documents
from firebreak.redact.pseudonyms import Pseudonyms
from firebreak.redact.records import Renamed, plan_with, same_actions, same_but_for_sentences
from tests.unit.firebreak.execution.builders import make_action, make_case, make_small_plan

KEY_ID = "53ca5af8-42c3-4fbe-952c-3f901cb6c843"
NUMBER, MAIL = "+44 20 7946 0777", "yara@mail.example"


def settled(*documents: object, bases: tuple[str, ...] = ()) -> Documents:
    texts = Documents(Pseudonyms(b"k" * 32))
    texts.bases = bases
    for document in documents:
        texts.learn(json.dumps(document).encode())
    for document in documents:
        texts.document(document)
    texts.settled()
    texts.names.settle(frozenset())
    texts.fix_hints()
    return texts


def test_rights_of_microsofts_interfaces_stay_and_those_of_a_companys_own_do_not() -> None:
    given = {"scope": "openid offline_access Mail.Read Contoso.Orders.Read", "id": "one"}
    said = str(settled(given).document(given)["scope"]).split()
    assert said[:3] == ["openid", "offline_access", "Mail.Read"]
    assert "contoso" not in said[3].lower()
    assert "orders" not in said[3].lower()


def test_rights_that_microsofts_own_application_publishes_stay() -> None:
    graph = {
        "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
        "oauth2PermissionScopes": [{"id": KEY_ID, "value": "Chat.Whisper"}],
    }
    given = {"scope": "Chat.Whisper"}
    assert settled(graph, given).document(given) == given


def test_the_name_of_a_part_stays_and_what_it_is_does_not() -> None:
    given = f"[KeyIdentifier={KEY_ID},KeyType=Password,DisplayName=casey laptop]"
    new = settled([given]).text(given)
    assert new.startswith("[KeyIdentifier=")
    assert KEY_ID not in new
    assert "casey" not in new


def test_a_collection_of_a_known_cloud_keeps_its_name() -> None:
    url = "https://graph.example/v1.0/roleManagement/directory/someNewCollections/hal.frost@contoso.example"
    new = settled([url], bases=("https://graph.example",)).url(url)
    assert "/someNewCollections/" in new
    assert "frost" not in new
    elsewhere = settled([url]).url(url)
    assert "someNewCollections" not in elsewhere


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"phoneNumber": NUMBER, "emailAddress": MAIL}, id="sign-in methods"),
        pytest.param({"mobilePhone": NUMBER, "otherMails": [MAIL]}, id="an account"),
        pytest.param({"businessPhones": [NUMBER], "otherMails": [MAIL]}, id="an account at work"),
    ],
)
def test_the_hint_of_a_number_becomes_the_hint_of_its_pseudonym(document: dict[str, object]) -> None:
    texts = settled(document)
    for one in (NUMBER, MAIL):
        new = texts.text(one)
        assert new != one
        assert texts.prose(f"Remove phone {hint_of(one)} of them.") == f"Remove phone {hint_of(new)} of them."
        assert texts.names.table()[hint_of(new)] == hint_of(one)
    assert texts.names.table()[texts.text(NUMBER)] == NUMBER


def test_two_actions_on_one_target_stay_two_and_the_record_follows_each() -> None:
    first = make_action(1, params={"key": "key1"})
    second = msgspec.structs.replace(make_action(1, params={"key": "key2"}), id=f"{first.id}-2", after=(first.id,))
    plan = make_small_plan(first, case=make_case(), effect=Effect.REVERSIBLE)
    plan = msgspec.structs.replace(plan, actions=(first, second))
    texts = settled(msgspec.to_builtins(plan))
    once, again = (plan_with(plan, texts, Renamed(), "0" * 64) for _ in range(2))
    ids = [action.id for action in once.actions]
    assert len(set(ids)) == 2
    other = msgspec.structs.replace(
        again,
        actions=tuple(
            msgspec.structs.replace(a, id=f"new-{a.id}", after=tuple(f"new-{b}" for b in a.after))
            for a in again.actions
        ),
    )
    assert same_but_for_sentences(once, other)
    assert same_actions(once, other) == {one: f"new-{one}" for one in ids}
