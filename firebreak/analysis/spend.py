"""Daily spend and its anomalies: a causal baseline per series, from the same weekday, that suspected days do not spoil.

`read_rows` takes a Cost Management reply apart by column names; `review` judges. All money is Decimal in the reply's currency.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.model.facts import SpendFacts, SpendFlag, SpendSeries
from firebreak.model.finding import NotLookedAt

ZERO = Decimal(0)
TOTAL = ("all services",)
_NOT_A_COST = {"usagedate", "billingmonth"}


class Row(msgspec.Struct, frozen=True):
    """One row of a cost reply. `day` is None in a reply that is not daily; `key` are the values of the grouping columns in order."""

    day: date | None
    key: tuple[str, ...]
    cost: Decimal
    currency: str


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """When a day is too high; all of them are parameters of `investigate.spend`.

    A day is flagged when it exceeds the expected amount by more than each of: `deviations` robust standard deviations, `share` of the
    expected amount, and the floor, the larger of `floor` and `floor_share` of the subscription's median day. A rise that lasts longer than
    `adopt_after_days` becomes the new course: what was flagged stays flagged, later days are judged by it.
    """

    deviations: Decimal = Decimal(4)
    share: Decimal = Decimal("0.5")
    floor: Decimal = Decimal(10)
    floor_share: Decimal = Decimal("0.05")
    least_days: int = 14
    incomplete_days: int = 2
    weeks: int = 8
    adopt_after_days: int = 28


def read_rows(reply: Mapping[str, Any] | None) -> list[Row]:
    """Take the rows of a Cost Management query reply; columns are found by name, rows that make no sense are left out."""
    properties = doc.mapping(reply, "properties") or dict(reply or {})
    columns = [doc.text(column, "name") for column in doc.items(properties, "columns")]
    kinds = [doc.text(column, "type").lower() for column in doc.items(properties, "columns")]
    low = [column.lower() for column in columns]
    day_at = low.index("usagedate") if "usagedate" in low else -1
    currency_at = low.index("currency") if "currency" in low else -1
    numbers = [i for i, kind in enumerate(kinds) if kind == "number" and low[i] not in _NOT_A_COST]
    cost_at = next((i for i in numbers if "cost" in low[i]), numbers[0] if numbers else -1)
    key_at = [i for i in range(len(columns)) if i not in {day_at, currency_at, *numbers} and low[i] not in _NOT_A_COST]
    rows = []
    for values in doc.items(properties, "rows"):
        if not isinstance(values, list) or len(values) != len(columns) or cost_at < 0:
            continue
        cost = doc.amount(values[cost_at])
        if cost is None:
            continue
        rows.append(
            Row(
                day=_day(values[day_at]) if day_at >= 0 else None,
                key=tuple("" if values[i] is None else str(values[i]) for i in key_at),
                cost=cost,
                currency=str(values[currency_at]) if currency_at >= 0 else "",
            )
        )
    return rows


def _day(value: Any) -> date | None:
    digits = str(value).strip()[:10].replace("-", "")
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def review(rows: Iterable[Row], *, today: date | None = None, sensitivity: Sensitivity | None = None) -> SpendFacts:
    """Judge daily rows. `today` marks the newest days as incomplete; None takes the newest day of the rows as complete.

    Rows in another currency than the most frequent one are left out and said so. Gaps between days count as zero.
    """
    limits = sensitivity or Sensitivity()
    daily = [row for row in rows if row.day is not None]
    if not daily:
        return SpendFacts(
            status="too_little_history",
            currency="",
            not_looked_at=(NotLookedAt("daily spend", "the reply has no days"),),
        )
    currency = Counter(row.currency for row in daily).most_common(1)[0][0]
    foreign = sorted({row.currency for row in daily} - {currency})
    left_out = tuple(NotLookedAt(f"spend in {other}", f"most of it is in {currency}") for other in foreign)
    daily = [row for row in daily if row.currency == currency]
    days = _calendar([row.day for row in daily if row.day])
    series = _series(daily, days)
    total = SpendSeries(
        key=TOTAL, days=days, amounts=tuple(sum(day, ZERO) for day in zip(*(s.amounts for s in series), strict=True))
    )
    incomplete = tuple(day for day in days if today and day > today - timedelta(days=limits.incomplete_days))
    facts = SpendFacts(
        status="too_little_history",
        currency=currency,
        series=tuple(series),
        total=total,
        incomplete_days=incomplete,
        not_looked_at=left_out,
    )
    if len(days) < limits.least_days:
        return facts
    floor = max(limits.floor, limits.floor_share * median(total.amounts))
    flags = [flag for one in series for flag in flag_days(one, floor, limits, set(incomplete))]
    seen = {flag.day for flag in flags}
    # Many small rises that no single series shows: the sum does.
    flags += [flag for flag in flag_days(total, floor, limits, set(incomplete)) if flag.day not in seen]
    start, extra = _episode(flags, days[-1])
    return msgspec.structs.replace(
        facts,
        status="anomaly" if flags else "ok",
        flagged=tuple(sorted(flags, key=lambda flag: (flag.day, flag.key))),
        start_day=start,
        extra_spend=extra,
    )


def flag_days(
    series: SpendSeries, floor: Decimal, limits: Sensitivity, incomplete: set[date] | None = None
) -> list[SpendFlag]:
    """Return the days of one series that are too high, judged only by days before them that were not flagged themselves."""
    trusted: list[tuple[date, Decimal]] = []
    run: list[tuple[date, Decimal]] = []
    flags = []
    for position, (day, amount) in enumerate(zip(series.days, series.amounts, strict=True)):
        expected, spread = _expected(day, trusted, limits)
        margin = max(limits.deviations * spread, limits.share * expected, floor)
        enough = position >= min(limits.least_days, 7)
        if enough and amount > expected + margin and not _happens_monthly(day, amount, series):
            flags.append(SpendFlag(key=series.key, day=day, amount=amount, expected=expected))
            run.append((day, amount))
            if len(run) >= limits.adopt_after_days:
                trusted, run = run, []
        elif day not in (incomplete or set()):
            trusted.append((day, amount))
            run = []
    return flags


def _expected(day: date, trusted: Sequence[tuple[date, Decimal]], limits: Sensitivity) -> tuple[Decimal, Decimal]:
    """Median and robust deviation of the same weekday, else of the same kind of day, else of all days."""
    oldest = day - timedelta(weeks=limits.weeks)
    recent = [(when, amount) for when, amount in trusted if when >= oldest]
    kinds = (
        [amount for when, amount in recent if when.weekday() == day.weekday()],
        [amount for when, amount in recent if (when.weekday() >= 5) == (day.weekday() >= 5)],
        [amount for _, amount in recent],
    )
    sample = next((kind for kind in kinds if len(kind) >= 3), [])
    if not sample:
        return (max(amount for _, amount in recent) if recent else ZERO), ZERO
    middle = median(sample)
    return middle, Decimal("1.4826") * median(abs(amount - middle) for amount in sample)


def _happens_monthly(day: date, amount: Decimal, series: SpendSeries) -> bool:
    """Whether a like amount came on the same day of an earlier month and was gone the day after: a monthly charge."""
    by_day = dict(zip(series.days, series.amounts, strict=True))
    return any(
        earlier.day == day.day
        and earlier < day
        and amount <= was * Decimal("1.25")
        and by_day.get(earlier + timedelta(days=1), was) * Decimal("1.4") < was
        for earlier, was in by_day.items()
    )


class _Run(msgspec.Struct, frozen=True):
    """Flagged days of one series; gaps of up to two days belong to the run."""

    start: date
    end: date
    extra: Decimal


def _episode(flags: Sequence[SpendFlag], last_day: date) -> tuple[date | None, Decimal]:
    """Start day and extra spend of the episode that matters: the costliest run that reaches into the last week, else of all.

    Runs of other series that began about then or while it lasted belong to it; a rise that was there long before does not.
    """
    runs = _runs(flags)
    if not runs:
        return None, ZERO
    recent = [run for run in runs if run.end >= last_day - timedelta(days=7)]
    worst = max(recent or runs, key=lambda run: (run.extra, run.start))
    first = worst.start - timedelta(days=3)
    together = [run for run in runs if first <= run.start <= worst.end]
    return min(run.start for run in together), sum((run.extra for run in together), ZERO)


def _runs(flags: Sequence[SpendFlag]) -> list[_Run]:
    by_series: dict[tuple[str, ...], list[SpendFlag]] = defaultdict(list)
    for flag in flags:
        by_series[flag.key].append(flag)
    runs: list[_Run] = []
    for _, found in sorted(by_series.items()):
        together: list[SpendFlag] = []
        for flag in sorted(found, key=lambda flag: flag.day):
            if together and flag.day - together[-1].day > timedelta(days=3):
                runs.append(_run(together))
                together = []
            together.append(flag)
        runs.append(_run(together))
    return runs


def _run(flags: list[SpendFlag]) -> _Run:
    return _Run(flags[0].day, flags[-1].day, sum((flag.amount - flag.expected for flag in flags), ZERO))


def _calendar(days: Iterable[date]) -> tuple[date, ...]:
    seen = sorted(set(days))
    return tuple(seen[0] + timedelta(days=n) for n in range((seen[-1] - seen[0]).days + 1))


def _series(rows: Iterable[Row], days: tuple[date, ...]) -> list[SpendSeries]:
    sums: dict[tuple[str, ...], dict[date, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for row in rows:
        if row.day:
            sums[row.key][row.day] += row.cost
    return [
        SpendSeries(key=key, days=days, amounts=tuple(amounts.get(day, ZERO) for day in days))
        for key, amounts in sorted(sums.items())
    ]
