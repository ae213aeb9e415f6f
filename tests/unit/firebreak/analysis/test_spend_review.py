"""The spend check: what it flags, since when, how much too much, and what it leaves alone."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest

from firebreak.analysis.spend import Row, read_rows, review

FIRST = date(2026, 9, 1)  # a Tuesday
VM = ("Virtual Machines", "us east")
SQL = ("SQL Database", "us east")


def rows(amounts: list[float], key: tuple[str, ...] = VM, currency: str = "EUR") -> list[Row]:
    return [Row(FIRST + timedelta(days=n), key, Decimal(str(a)), currency) for n, a in enumerate(amounts)]


def work_week(days: int, workday: float = 100, weekend: float = 40, noise: float = 0.08, seed: int = 1) -> list[float]:
    chance = random.Random(seed)  # noqa: S311
    amounts = []
    for n in range(days):
        base = weekend if (FIRST + timedelta(days=n)).weekday() >= 5 else workday
        amounts.append(round(base * (1 + chance.uniform(-noise, noise)), 2))
    return amounts


@pytest.mark.parametrize("seed", range(8))
def test_weekdays_and_noise_are_no_anomaly(seed: int) -> None:
    facts = review([*rows(work_week(60, seed=seed)), *rows(work_week(60, seed=seed + 100), SQL)])
    assert (facts.status, facts.flagged, facts.start_day) == ("ok", (), None)


def test_mining_on_a_weekend_is_found_from_its_first_day() -> None:
    amounts = work_week(60)
    for n in range(54, 60):
        amounts[n] += 300
    facts = review(rows(amounts))
    assert facts.status == "anomaly"
    assert facts.start_day == FIRST + timedelta(days=54)
    assert [flag.day for flag in facts.flagged] == [FIRST + timedelta(days=n) for n in range(54, 60)]
    assert abs(facts.extra_spend - 1800) < 100


def test_a_long_attack_does_not_become_the_baseline() -> None:
    amounts = work_week(65)
    for n in range(40, 65):
        amounts[n] += 250
    facts = review(rows(amounts))
    assert len(facts.flagged) == 25
    assert facts.start_day == FIRST + timedelta(days=40)


def test_a_rise_of_four_weeks_becomes_the_new_course() -> None:
    amounts = work_week(80)
    for n in range(30, 80):
        amounts[n] += 250
    facts = review(rows(amounts))
    assert len(facts.flagged) == 28
    assert facts.start_day == FIRST + timedelta(days=30)


def test_an_old_rise_of_one_series_does_not_move_the_start_of_another() -> None:
    grown = work_week(60)
    for n in range(40, 60):
        grown[n] += 120
    mined = [
        Row(FIRST + timedelta(days=n), ("Virtual Machines", "korea central"), Decimal(2500), "EUR") for n in (58, 59)
    ]
    facts = review([*rows(grown), *mined])
    assert facts.start_day == FIRST + timedelta(days=58)
    assert facts.extra_spend == 5000


def test_a_new_series_without_history_is_found() -> None:
    quiet = rows(work_week(40))
    new = [
        Row(FIRST + timedelta(days=n), ("Virtual Machines", "korea central"), Decimal(80), "EUR") for n in (37, 38, 39)
    ]
    facts = review([*quiet, *new])
    assert {flag.key for flag in facts.flagged} == {("Virtual Machines", "korea central")}
    assert facts.flagged[0].expected == 0
    assert facts.extra_spend == 240


def test_a_new_series_below_the_floor_is_left_alone() -> None:
    new = [Row(FIRST + timedelta(days=39), ("Storage", "us east"), Decimal("3.5"), "EUR")]
    assert review([*rows(work_week(40)), *new]).status == "ok"


def test_many_small_rises_show_in_the_sum() -> None:
    everything = []
    for n in range(20):
        amounts = [1.0] * 40
        amounts[38] = amounts[39] = 1.9
        everything += rows(amounts, ("Virtual Machines", f"region {n}"))
    facts = review(everything)
    assert {flag.key for flag in facts.flagged} == {("all services",)}
    assert facts.start_day == FIRST + timedelta(days=38)


def test_a_monthly_charge_is_not_an_anomaly_the_second_time() -> None:
    amounts = [20.0] * 70
    for n in range(70):
        if (FIRST + timedelta(days=n)).day == 5:
            amounts[n] = 400.0
    flagged = [flag.day for flag in review(rows(amounts)).flagged]
    assert date(2026, 11, 5) not in flagged
    assert date(2026, 10, 5) not in flagged


@pytest.mark.parametrize(("first", "last", "extra"), [(60, 63, 1200), (58, 60, 900)])
def test_a_known_monthly_charge_is_no_part_of_what_an_attack_cost(first: int, last: int, extra: int) -> None:
    amounts = work_week(75, weekend=100)
    for n in (0, 30, 61):  # the first of each month
        amounts[n] += 150
    for n in range(first, last + 1):
        amounts[n] += 300
    facts = review(rows(amounts))
    assert [flag.day for flag in facts.flagged] == [FIRST + timedelta(days=n) for n in range(first, last + 1)]
    assert abs(facts.extra_spend - extra) < 60


@pytest.mark.parametrize("begins", [3, 4, 5])  # Friday, Saturday, Sunday
def test_a_bill_that_begins_around_a_weekend_judges_workdays_as_sharply(begins: int) -> None:
    amounts = work_week(75)
    monday = 69
    amounts[monday] *= 2
    facts = review([row for n, row in enumerate(rows(amounts)) if n >= begins])
    assert [flag.day for flag in facts.flagged] == [FIRST + timedelta(days=monday)]


def test_under_fourteen_days_nothing_is_judged() -> None:
    facts = review(rows([10.0] * 12 + [900.0]))
    assert (facts.status, facts.flagged) == ("too_little_history", ())


def test_the_newest_days_are_marked_and_their_lows_spoil_nothing() -> None:
    amounts = work_week(60)
    amounts[-1] = 2.0
    facts = review(rows(amounts), today=FIRST + timedelta(days=59))
    assert facts.incomplete_days == (FIRST + timedelta(days=58), FIRST + timedelta(days=59))
    assert facts.status == "ok"
    amounts[-1] = 500.0
    assert review(rows(amounts), today=FIRST + timedelta(days=59)).status == "anomaly"


def test_days_judge_only_by_earlier_days() -> None:
    """The past never changes its judgement when more days come."""
    amounts = work_week(60)
    amounts[45] = 700.0
    early = review(rows(amounts[:50]))
    late = review(rows([*amounts[:50], *[900.0] * 10]))
    assert [flag for flag in late.flagged if flag.day < FIRST + timedelta(days=50)] == list(early.flagged)


def test_the_order_of_rows_does_not_matter() -> None:
    everything = [*rows(work_week(50)), *rows(work_week(50, seed=3), SQL)]
    shuffled = list(everything)
    random.Random(4).shuffle(shuffled)  # noqa: S311
    assert review(shuffled) == review(everything)


def test_another_currency_is_left_out_and_said() -> None:
    facts = review([*rows(work_week(30)), Row(FIRST, VM, Decimal(9999), "USD")])
    assert facts.currency == "EUR"
    assert facts.not_looked_at[0].what == "spend in USD"


def test_columns_are_read_by_name_not_by_place() -> None:
    reply = {
        "properties": {
            "columns": [
                {"name": "Currency", "type": "String"},
                {"name": "UsageDate", "type": "Number"},
                {"name": "ServiceName", "type": "String"},
                {"name": "PreTaxCost", "type": "Number"},
            ],
            "rows": [["EUR", 20261119, "Virtual Machines", 41.7], ["EUR", "nonsense"], ["EUR", 20261119, None, None]],
        }
    }
    assert read_rows(reply) == [Row(date(2026, 11, 19), ("Virtual Machines",), Decimal("41.7"), "EUR")]


@pytest.mark.parametrize("junk", [None, {}, {"properties": None}, {"properties": {"columns": [], "rows": [[1]]}}])
def test_an_empty_reply_has_no_rows(junk: dict[str, object] | None) -> None:
    assert read_rows(junk) == []
    assert review(read_rows(junk)).status == "too_little_history"


def restless(days: int, seed: int = 7) -> list[float]:
    chance = random.Random(seed)  # noqa: S311
    return [round(100 * chance.lognormvariate(0, 0.3), 2) for _ in range(days)]


def test_bursts_that_come_again_and_again_are_news_no_more() -> None:
    amounts = [100.0 + n % 7 for n in range(84)]
    for n in range(20, 84, 9):
        amounts[n] = 300.0
    flagged = [(flag.day - FIRST).days for flag in review(rows(amounts)).flagged]
    assert 20 in flagged
    assert [n for n in flagged if n > 47] == []


def test_several_days_that_are_no_news_alone_are_news_together_and_the_flag_says_so() -> None:
    amounts = restless(70)
    highest = max(amounts)
    for n in range(62, 70):
        amounts[n] = 0.95 * highest
    flags = [flag for flag in review(rows(amounts)).flagged if flag.day >= FIRST + timedelta(days=62)]
    assert flags
    assert flags[0].together > 1
    assert flags[0].past > 40
    assert flags[0].why == f"{flags[0].together} days together beyond what {flags[0].past} earlier days showed"


def test_a_new_level_of_a_restless_series_is_told_for_days_not_for_weeks() -> None:
    amounts = [*restless(50), *(5 * amount for amount in restless(40, 8))]
    flagged = [(flag.day - FIRST).days for flag in review(rows(amounts)).flagged]
    assert flagged[0] in (50, 51)
    assert len(flagged) <= 15
