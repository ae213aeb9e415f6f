"""What the review of sign-ins promises whatever comes: order, repetition and damage change nothing, and a big tenant stays small."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from firebreak.analysis.identity.changes import read_change
from firebreak.analysis.identity.sign_in_records import read_sign_in
from firebreak.analysis.identity.sign_in_review import MOST_ROWS, SignInReview
from firebreak.analysis.ruleset import shipped_rules

START = datetime(2026, 11, 13, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


def sign_in(number: int, **more: Any) -> dict[str, Any]:
    at = START + timedelta(minutes=number % 9000)
    return {
        "id": f"s{number}",
        "createdDateTime": at.isoformat(),
        "userId": f"oid-{number % 7}",
        "userPrincipalName": f"user{number % 7}@contoso.example",
        "ipAddress": f"198.51.{number % 5}.1",
        "location": {"countryOrRegion": "NL" if number % 11 else "KR"},
        "clientAppUsed": "IMAP4" if number % 13 == 0 else "Browser",
        "status": {"errorCode": 50126 if number % 3 == 0 else 0},
    } | more


def reviewed(rows: list[Any]) -> Any:
    review = SignInReview(shipped_rules(), START)
    review.add(rows, kind="interactive")
    return review.facts(now=NOW, activity=None, of_interest={"oid-1"})


@settings(max_examples=12, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_records_and_repeated_pages_change_nothing(chance: random.Random) -> None:
    rows = [sign_in(number) for number in range(0, 400, 11)] + [
        sign_in(900 + day, createdDateTime=(START - timedelta(days=day)).isoformat()) for day in range(1, 9)
    ]
    shuffled = [*rows, *rows[:20]]
    chance.shuffle(shuffled)
    assert reviewed(shuffled) == reviewed(rows)


def test_a_spray_over_ten_thousand_accounts_is_cut_and_says_so() -> None:
    rows = [
        sign_in(3, id=f"x{n}", userId=f"o{n}", userPrincipalName=f"u{n}@contoso.example") for n in range(MOST_ROWS + 50)
    ]
    facts = reviewed(rows)
    assert len(facts.sign_ins) == MOST_ROWS
    assert facts.not_looked_at[0].what == "50 further kinds of sign-ins"
    assert facts.records == MOST_ROWS + 50


NAMES = [
    *("id", "createdDateTime", "userId", "userPrincipalName", "status", "errorCode", "location", "countryOrRegion"),
    *("deviceDetail", "operatingSystem", "signInEventTypes", "riskState", "activityDateTime", "activityDisplayName"),
    *("initiatedBy", "user", "app", "targetResources", "modifiedProperties", "displayName", "newValue", "oldValue"),
]
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=8))
def test_no_record_however_broken_makes_a_reader_fall_over(document: dict[str, Any]) -> None:
    signed_in = read_sign_in({**document, "createdDateTime": "2026-11-19T00:00:00Z"})
    assert signed_in is None or signed_in.at == datetime(2026, 11, 19, tzinfo=UTC)
    change = read_change({**document, "activityDateTime": "2026-11-19T00:00:00Z", "activityDisplayName": "Update user"})
    assert change is not None
    assert change.at == datetime(2026, 11, 19, tzinfo=UTC)
