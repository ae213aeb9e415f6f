"""The spend check, whatever the amounts: causal, indifferent to the order of rows and to the currency's scale."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from firebreak.analysis.spend import Row, Sensitivity, review

FIRST = date(2026, 3, 1)
NO_FLOOR = Sensitivity(floor=Decimal(0))


@st.composite
def bills(draw: st.DrawFn) -> list[Row]:
    """Up to three services over 20 to 70 days: calm or restless, resting or not, with rises anywhere."""
    chance = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311
    days = draw(st.integers(20, 70))
    rows = []
    for service in range(draw(st.integers(1, 3))):
        spread, rests = chance.choice([0.05, 0.3, 1.0]), chance.choice([0, 0, 0.5])
        rise, at = chance.choice([1, 2, 6]), chance.randrange(days)
        for n in range(days):
            amount = 0.0 if chance.random() < rests else 50 * chance.lognormvariate(0, spread)
            amount *= rise if at <= n < at + chance.choice([2, 9]) else 1
            key = (f"service {service}", "eu west")
            rows.append(Row(FIRST + timedelta(days=n), key, Decimal(repr(round(amount, 4))), "EUR"))
    return rows


@given(bills(), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_what_comes_later_never_changes_a_day(rows: list[Row], cut: int) -> None:
    as_of = FIRST + timedelta(days=cut)
    whole, early = review(rows), review(rows, as_of=as_of)
    assert list(early.flagged) == [flag for flag in whole.flagged if flag.day <= as_of]
    if early.baseline:
        assert early.baseline == whole.baseline[: len(early.baseline)]


@given(bills(), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_order_of_rows_is_indifferent(rows: list[Row], chance: random.Random) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert review(shuffled) == review(rows)


@given(bills(), st.sampled_from([Decimal(4), Decimal(128), Decimal("0.5"), Decimal(1000)]))
@settings(max_examples=25, deadline=None)
def test_the_scale_of_the_currency_is_indifferent_but_for_the_floor(rows: list[Row], factor: Decimal) -> None:
    scaled = [Row(row.day, row.key, row.cost * factor, row.currency) for row in rows]
    one, other = (review(bill, sensitivity=NO_FLOOR) for bill in (rows, scaled))
    assert [(flag.day, flag.key) for flag in one.flagged] == [(flag.day, flag.key) for flag in other.flagged]
    assert (one.status, one.start_day, one.end_day) == (other.status, other.start_day, other.end_day)
    assert abs(other.extra_spend - one.extra_spend * factor) <= Decimal("0.01") * (1 + factor)


@given(bills())
@settings(max_examples=15, deadline=None)
def test_the_start_lies_in_the_history_and_the_extra_is_no_more_than_was_billed(rows: list[Row]) -> None:
    facts = review(rows)
    assert (facts.status == "anomaly") == bool(facts.flagged)
    if facts.start_day and facts.end_day:
        assert FIRST <= facts.start_day <= facts.end_day
        billed = sum((row.cost for row in rows if row.day and facts.start_day <= row.day), Decimal(0))
        assert facts.extra_spend <= billed
