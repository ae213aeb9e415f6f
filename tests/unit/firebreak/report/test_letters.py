"""Letters: every language says the same, with the same facts, and what comes from Azure stays text."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from firebreak.errors import ContentError
from firebreak.report.letters import KINDS, LANGUAGES, LetterFacts, write_letter
from firebreak.report.letters.writing import PLACEHOLDER, SHARED, words_of

FACTS = LetterFacts(
    incident="INC-1a2b3c4d",
    partner="Tessera",
    partner_tenant="11111111-1111-4111-8111-111111111111",
    customer="Contoso",
    customer_tenant="22222222-2222-4222-8222-222222222222",
    subscription="33333333-3333-4333-8333-333333333333",
    subscription_name="Contoso production",
    alert="a-1",
    alert_type="CryptoMining",
    alert_title="Mining",
    detected=datetime(2026, 3, 2, 4, 9, tzinfo=UTC),
    start=datetime(2026, 3, 1, 22, 10, tzinfo=UTC),
    end=datetime(2026, 3, 2, 6, 40, tzinfo=UTC),
    verdict="fraud",
    resources=("/subscriptions/3333/vm-x", "/subscriptions/3333/vm-y"),
    resources_in_all=1234,
    accounts=("ops@contoso.example",),
    accounts_in_all=1,
    lost=Decimal("1234.5"),
    per_hour=Decimal("98.765"),
    currency="EUR",
    stopped=12,
    removed=3,
    closed=2,
    running=1,
    unseen=4,
)
EMPTY = msgspec.structs.replace(
    FACTS, partner="", partner_tenant="", customer="", start=None, end=None, resources=(), resources_in_all=0, lost=None,
    per_hour=None, accounts=(), accounts_in_all=0, stopped=0, removed=0, closed=0, running=0, unseen=0, verdict="x",
)  # fmt: skip
PAIRS = [(kind, language) for kind in KINDS for language in LANGUAGES]


def _flat(language: str) -> dict[str, str]:
    words = words_of(language)
    found = {"unknown": words["unknown"]}
    return found | {f"{part}.{name}": text for part in ("shared", *KINDS) for name, text in words[part].items()}


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_each_language_has_the_same_sentences_with_the_same_placeholders_and_none_in_english(language: str) -> None:
    english, other = _flat("en"), _flat(language)
    assert set(other) == set(english)
    for name, text in other.items():
        assert text.strip()
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(english[name])), name
        assert text != english[name], f"{name} is not translated"


def test_every_sentence_is_said_by_some_letter_and_every_letter_finds_its_sentences() -> None:
    words = words_of("en")
    assert set(words["shared"]) == set(SHARED)
    for kind, sentences in KINDS.items():
        names = {name for name, _ in sentences}
        assert set(words[kind]) - {"subject"} == names - set(words["shared"]), kind
    assert {one for text in _flat("en").values() for one in PLACEHOLDER.findall(text)} <= set(
        LetterFacts.__struct_fields__
    )


@pytest.mark.parametrize(("kind", "language"), PAIRS)
def test_a_letter_is_filled_from_the_facts_and_leaves_nothing_open(kind: str, language: str) -> None:
    letter = write_letter(FACTS, kind=kind, language=language)
    assert "{" not in letter.subject + letter.body
    assert "\n" not in letter.subject
    assert FACTS.subscription in letter.subject + letter.body
    assert letter.missing == ()
    unknown = write_letter(EMPTY, kind=kind, language=language)
    assert words_of(language)["unknown"] in unknown.body
    assert "None" not in unknown.body
    assert unknown.missing


@pytest.mark.parametrize(
    ("language", "money", "number", "day"),
    [
        ("en", "€1,234.50", "1,234", "1 March 2026, 22:10 UTC"),
        ("nl", "€\xa01.234,50", "1.234", "1 maart 2026, 22:10 UTC"),
        ("fr", "1\u202f234,50\xa0€", "1\u202f234", "1 mars 2026, 22:10 UTC"),
        ("ja", "€1,234.50", "1,234", "2026年3月1日 22:10:00 UTC"),
        ("ko", "€1,234.50", "1,234", "2026년 3월 1일"),
    ],
)
def test_money_numbers_and_times_are_written_as_the_language_does(
    language: str, money: str, number: str, day: str
) -> None:
    body = write_letter(FACTS, kind="customer-notice", language=language).body
    assert money in body
    assert number in body
    assert day in body


def test_the_report_of_a_missed_attack_has_its_six_values() -> None:
    body = write_letter(FACTS, kind="missed-attack", language="en").body
    for value in (FACTS.partner_tenant, FACTS.customer_tenant, FACTS.subscription, *FACTS.resources):
        assert value in body
    assert "Impact start: 1 March 2026, 22:10 UTC" in body
    assert "Impact end: 2 March 2026, 06:40 UTC" in body
    assert write_letter(EMPTY, kind="missed-attack", language="en").missing == (
        "partner_tenant",
        "resources",
        "start",
        "end",
    )


def test_a_name_that_looks_like_a_placeholder_stays_a_name() -> None:
    facts = msgspec.structs.replace(FACTS, customer="{lost} {__class__} %s")
    assert "To: {lost} {__class__} %s" in write_letter(facts, kind="customer-notice", language="en").body


def test_what_is_not_there_is_named_with_what_there_is() -> None:
    with pytest.raises(ContentError) as raised:
        write_letter(FACTS, kind="poem", language="en")
    assert "missed-attack" in raised.value.hint
    with pytest.raises(ContentError) as raised:
        write_letter(FACTS, kind="missed-attack", language="de")
    assert "nl" in raised.value.hint
