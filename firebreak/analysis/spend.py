"""Daily spend and its anomalies: which days leave the usual course of a series, since when, how much too much, and what drives it.

`review` judges rows (see `spend_rows`) series by series (see `spend_course`) and takes the flagged days together to the episode that
matters. Causal: what is said about a day depends on earlier days and on the day itself alone. All money is Decimal in the reply's currency.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

import msgspec

from firebreak.analysis.spend_course import Judged, Limits, judge
from firebreak.analysis.spend_rows import Row, read_rows
from firebreak.model.facts import SpendDriver, SpendFacts, SpendFlag, SpendSeries
from firebreak.model.finding import NotLookedAt

__all__ = ("TOTAL", "ZERO", "Row", "Sensitivity", "drivers", "read_rows", "review", "series_of")

ZERO = Decimal(0)
TOTAL = ("all services",)
_CENT = Decimal("0.0001")
_MONTH = 28
_YOUNG = 14  # days in which a series that began to cost is new
_GAP = timedelta(days=3)


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """When a day is too high; all of them are parameters of `investigate.spend`.

    A day is flagged when it exceeds the expected amount by more than each of: `deviations` robust standard deviations (fewer in a
    restless series, somewhat more where many series are looked at), `share` of the expected amount, and the floor, the larger of `floor`
    and `floor_share` of the subscription's median day. A series without a past needs `new_share` of that median day. A rise that lasts
    longer than `adopt_after_days` becomes the new course (sooner in a restless series): what was flagged stays flagged, later days are judged by it.
    """

    deviations: Decimal = Decimal(4)
    share: Decimal = Decimal("0.35")
    floor: Decimal = Decimal(1)
    floor_share: Decimal = Decimal("0.005")
    new_share: Decimal = Decimal("0.05")
    least_days: int = 14
    incomplete_days: int = 2
    adopt_after_days: int = 28


def review(
    rows: Iterable[Row],
    *,
    today: date | None = None,
    as_of: date | None = None,
    sensitivity: Sensitivity | None = None,
    by: str = "",
) -> SpendFacts:
    """Judge daily rows, none later than `as_of`. `today` marks the newest days as incomplete; `by` names what the rows are grouped by.

    Rows in another currency than that of most of the first days are left out and said so. Gaps between days count as zero.
    """
    limits = sensitivity or Sensitivity()
    daily = [row for row in rows if row.day is not None and (as_of is None or row.day <= as_of)]
    if not daily:
        return SpendFacts(
            status="too_little_history",
            currency="",
            not_looked_at=(NotLookedAt("daily spend", "the reply has no days"),),
        )
    first = min(row.day for row in daily if row.day)
    early = Counter(row.currency for row in daily if row.day and row.day < first + timedelta(days=limits.least_days))
    currency = min(early, key=lambda name: (-early[name], name))
    foreign = sorted({row.currency for row in daily} - {currency})
    left_out = tuple(
        NotLookedAt(f"spend in {other or 'no currency'}", f"most of it is in {currency}") for other in foreign
    )
    series = series_of([row for row in daily if row.currency == currency])
    days = series[0].days
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
    usual = _usual(total.amounts)
    courses = {one.key: _judge(one, usual, limits, len(series)) for one in series}
    whole = courses[series[0].key] if len(series) == 1 else _judge(total, usual, limits, 1)
    flags = [flag for one in series for flag in _flags(one, courses[one.key], by)]
    seen = {flag.day for flag in flags}
    # Many small rises that no single series shows: the sum does.
    risen = [] if len(series) == 1 else _flags(total, whole, "total")
    runs = [run for one in series for run in _runs(one, courses[one.key])]
    start, end, extra = _episode(runs, _runs(total, whole) if risen else [], days)
    flags += [flag for flag in risen if flag.day not in seen]
    return msgspec.structs.replace(
        facts,
        status="anomaly" if flags else "ok",
        flagged=tuple(sorted(flags, key=lambda flag: (flag.day, flag.key))),
        start_day=start,
        end_day=end,
        extra_spend=extra,
        baseline=tuple(None if one.expected is None else _money(one.expected) for one in whole),
        bounds=tuple(None if one.bound is None else _money(one.bound) for one in whole),
    )


def series_of(rows: Iterable[Row]) -> list[SpendSeries]:
    """One series for each key, all over the same days without gaps; rows without a day are left out."""
    sums: dict[tuple[str, ...], dict[date, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for row in rows:
        if row.day:
            sums[row.key][row.day] += row.cost
    seen = {day for amounts in sums.values() for day in amounts}
    if not seen:
        return []
    first = min(seen)
    days = tuple(first + timedelta(days=n) for n in range((max(seen) - first).days + 1))
    return [
        SpendSeries(key=key, days=days, amounts=tuple(amounts.get(day, ZERO) for day in days))
        for key, amounts in sorted(sums.items())
    ]


def drivers(
    series: Iterable[SpendSeries], by: Mapping[int, str], start: date, end: date, *, most: int = 5
) -> list[SpendDriver]:
    """What cost more from `start` to `end` than in the four weeks before: the largest `most` for each part of the key named in `by`."""
    found: list[SpendDriver] = []
    parts: dict[int, dict[str, dict[date, Decimal]]] = {place: {} for place in by}
    for one in series:
        for place, amounts in parts.items():
            mine = amounts.setdefault(one.key[place] if place < len(one.key) else "", {})
            for day, amount in zip(one.days, one.amounts, strict=True):
                mine[day] = mine.get(day, ZERO) + amount
    for place, amounts in parts.items():
        ranked = []
        for name, mine in amounts.items():
            before = [amount for day, amount in mine.items() if start - timedelta(days=_MONTH) <= day < start]
            usual = median(before) if before else ZERO
            extra = sum((amount - usual for day, amount in mine.items() if start <= day <= end), ZERO)
            new = not any(amount > 0 for day, amount in mine.items() if day < start)
            if extra > 0:
                ranked.append(SpendDriver(by=by[place], name=name, extra=extra, new=new and bool(before)))
        found += sorted(ranked, key=lambda driver: (-driver.extra, driver.name))[:most]
    return found


def _judge(series: SpendSeries, usual: Sequence[Decimal], limits: Sensitivity, among: int) -> list[Judged]:
    """`among` so many series: where more is looked at, chance shows more, so that a little more is asked of each."""
    floors = []
    since: int | None = None
    for at, amount in enumerate(series.amounts):
        if since is None and amount > 0:
            since = at
        young = since is not None and since > 0 and at - since < _YOUNG
        share = max(limits.new_share, limits.floor_share) if young else limits.floor_share
        floors.append(float(max(limits.floor, share * usual[at])))
    return judge(
        series.days,
        [float(amount) for amount in series.amounts],
        floors,
        Limits(
            deviations=float(limits.deviations) * (1 + 0.06 * math.log(among)),
            share=float(limits.share),
            first_judged=limits.least_days - 1,
            adopt_after_days=limits.adopt_after_days,
        ),
    )


def _usual(amounts: Sequence[Decimal]) -> list[Decimal]:
    """The median of the four weeks before each day."""
    return [median(amounts[max(0, at - _MONTH) : at]) if at else ZERO for at in range(len(amounts))]


def _money(amount: float) -> Decimal:
    return Decimal(repr(amount)).quantize(_CENT)


def _flags(series: SpendSeries, course: Sequence[Judged], by: str) -> list[SpendFlag]:
    return [
        SpendFlag(
            key=series.key,
            day=day,
            amount=amount,
            expected=_money(one.expected or 0.0),
            by=by,
            together=one.together,
            past=one.past,
        )
        for day, amount, one in zip(series.days, series.amounts, course, strict=True)
        if one.high
    ]


class _Run(msgspec.Struct, frozen=True):
    """Flagged days of one series and what lies between them; `extra` by day."""

    start: date
    end: date
    extra: dict[date, Decimal]

    @property
    def sum(self) -> Decimal:
        return sum(self.extra.values(), ZERO)


def _runs(series: SpendSeries, course: Sequence[Judged]) -> list[_Run]:
    extra = {
        day: amount - _money(one.expected or 0.0)
        for day, amount, one in zip(series.days, series.amounts, course, strict=True)
    }
    together: list[list[date]] = []
    for day, one in zip(series.days, course, strict=True):
        if one.high and together and day - together[-1][-1] <= _GAP:
            together[-1].append(day)
        elif one.high:
            together.append([day])
    runs = []
    for found in together:
        first, last = found[0], found[-1]
        # The day before counts when it had risen as well, only not far enough to be flagged on its own day.
        before = first - timedelta(days=1)
        if before in extra and extra[before] * 2 >= extra[first]:
            first = before
        runs.append(_Run(first, last, {day: more for day, more in extra.items() if first <= day <= last}))
    return runs


def _episode(
    runs: Sequence[_Run], whole: Sequence[_Run], days: Sequence[date]
) -> tuple[date | None, date | None, Decimal]:
    """Start day, last day and extra spend of the episode that matters: the costliest, a recent one before an older one.

    The runs of the sum, `whole`, choose it only where no single series shows anything. A run that reaches into the last week is recent unless it cost less than a quarter of the costliest. Runs of other series that
    began about then or while it lasted belong to it; a rise that was there long before does not. Each day counts what its series show,
    or their sum where that is far more.
    """
    everything = runs or whole
    if not everything:
        return None, None, ZERO
    most = max(run.sum for run in everything)
    recent = [run for run in everything if run.end >= days[-1] - timedelta(days=7) and run.sum * 4 >= most]
    worst = max(recent or everything, key=lambda run: (run.sum, run.start))
    first = worst.start - _GAP
    by_series, by_sum = ([run for run in group if first <= run.start <= worst.end] for group in (runs, whole))
    extra = ZERO
    for day in days:
        parts = sum((run.extra.get(day, ZERO) for run in by_series), ZERO)
        sums = sum((run.extra.get(day, ZERO) for run in by_sum), ZERO)
        extra += sums if sums > parts * Decimal("1.5") else parts
    together = [*by_series, *by_sum]
    return min(run.start for run in together), max(run.end for run in together), extra
