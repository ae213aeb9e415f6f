"""The usual course of one daily series, and the days that leave it upwards. Causal: each day is judged only by the days before it.

The method, in the order of the code: robust forecasts (a level; the kind of day; the weekday), of which the one that forecast best so far
is used; how high the day stands above its forecast, beside all the days before (see `spend_news`); days that stand out are left out of
everything that later days are judged by, until a rise has lasted so long that it is the new course. How long that is, and how many robust
deviations are needed, follows the restlessness of the series. docs/guide/spend.md tells it in plain words.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from datetime import date

import msgspec

from firebreak.analysis.spend_news import Heights, News

_POWER = 0.6  # between square root (counts) and none: evens the deviations of small and large days
_WINDOW = 84  # trusted days that a deviation is taken from
_LEVEL = 28  # trusted days that the level is taken from
_WEEKS = 35  # trusted days that the shape of a week is taken from
_CORRECTION = 14  # trusted days that tell how the present stands to that shape
_CALM, _RESTLESS = 0.1, 0.4  # relative deviation below which a series is calm, above which it is restless
_LEAST_DEVIATION = 0.05
_RESTLESS_DEVIATIONS = 0.675  # share of `deviations` that is asked of a restless series
_BETTER = 0.8  # the shape of a week is believed when it forecasts this much better than a plain level
_PATIENT = 0.16  # relative deviation up to which a rise lasts `adopt_after_days` until it is the new course
_LEAST_PATIENCE = 3
_WILD = 0.5  # relative deviation above which single days alone are judged, and each of them by ...
_WILD_DEVIATIONS = 1.05  # ... this share of `deviations`
_OCCASIONS, _OCCASION_DAYS = 6, 60  # a height that such a series reached so often in so many days is no news
_MONTHS = 63  # days in which an earlier month's charge is looked for
_CHARGING = 0.35  # relative deviation up to which a series is calm enough to tell a monthly charge


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a day is too high. `floor` is the least extra amount of each day, in the currency; see `spend.Sensitivity` for the others."""

    deviations: float
    share: float
    first_judged: int
    adopt_after_days: int


class Judged(msgspec.Struct, frozen=True):
    """One day: what was expected (None without history), whether it stands out, and from where on it would.

    `bound` is for the day alone. `high` may come from several days: `together` says how many, `past` with how many earlier days they
    were compared. `held` is a rise that looks like a monthly charge: neither flagged nor learned from.
    """

    expected: float | None
    bound: float | None
    high: bool = False
    held: bool = False
    together: int = 0
    past: int = 0


def judge(days: Sequence[date], amounts: Sequence[float], floors: Sequence[float], limits: Limits) -> list[Judged]:
    """Judge consecutive `days` with `amounts` (negative ones count as zero); a day needs more than its floor above the forecast."""
    course = _Course(days, amounts, limits)
    return [course.next(at, floor) for at, floor in enumerate(floors)]


class _Forecast(msgspec.Struct, frozen=True):
    expected: float
    small: float  # what is added to both sides of a ratio, so that near zero nothing explodes
    which: int
    all: tuple[float, float, float]


class _Course:
    def __init__(self, days: Sequence[date], amounts: Sequence[float], limits: Limits) -> None:
        self.days, self.limits = days, limits
        self.amounts = [max(0.0, amount) for amount in amounts]
        self.weekday = [day.weekday() for day in days]
        self.weekend = [day >= 5 for day in self.weekday]
        self.trusted: list[int] = []
        self.sorted: list[float] = []  # amounts of the newest trusted days, ascending
        self.powers: list[float] = []  # the same, each raised to the power
        self.errors: tuple[list[float], list[float], list[float]] = ([], [], [])
        self.sizes: tuple[list[float], list[float], list[float]] = ([], [], [])  # of the errors, at most 1
        self.shapes: tuple[list[float | None], list[float | None]] = ([], [])
        self.heights = Heights()
        self.expected: list[float] = []
        self.run: list[int] = []
        self.since = 0  # the course before this day is over
        self.weekly = False  # whether the shape of a week was ever the best forecast

    def next(self, at: int, floor: float) -> Judged:
        amount = self.amounts[at]
        if len(self.trusted) < 3:
            self.shapes[0].append(None)
            self.shapes[1].append(None)
            self.heights.add(1.0)
            self.expected.append(amount)
            self._trust(at)
            return Judged(None, None)
        forecast = self._forecast(at)
        self.expected.append(forecast.expected)
        if forecast.which and not self.weekly and at >= _LEVEL:
            self.weekly = True
            self._see_first_weeks_anew(at, forecast)
        centre = self._centre(forecast) + forecast.small
        self.heights.add(math.pow((amount + forecast.small) / centre, _POWER))
        errors = [(((amount + forecast.small) / (one + forecast.small)) ** _POWER - 1) / _POWER for one in forecast.all]
        if len(self.errors[0]) < 4:
            self._trust(at, errors)
            return Judged(forecast.expected, None)
        deviation, unit = self._deviation(forecast)
        restless = min(1.0, max(0.0, (deviation - _CALM) / (_RESTLESS - _CALM)))
        needed = self.limits.deviations * (1 - restless * (1 - _RESTLESS_DEVIATIONS))
        if self.run and at - self.run[-1] > 2:
            self.run = []
        least = max(floor, self.limits.share * forecast.expected)
        rises = amount - forecast.expected > least
        news = self.heights.news(self.run[0] if self.run else at, needed, restless, rises=rises)
        alone = math.pow(news.alone, 1 / _POWER) * centre - forecast.small
        if deviation > _WILD and not self._resting():
            distance, enough = self._distance(amount, forecast, unit), self.limits.deviations * _WILD_DEVIATIONS
            far = distance > enough and (bool(self.run) or not self._happens_often(at))
            news, alone = News(int(far), min(at, _WINDOW), math.inf), self._amount_at(enough, forecast, unit)
        bound = max(alone, forecast.expected + least)
        stands_out = news.days > 0 or self._distance(amount, forecast, unit) > 2
        charge = self._known_charge(at, deviation) if stands_out else 0.0
        held = stands_out and self._is_monthly(at, forecast, deviation, charge)
        expected = forecast.expected + max(0.0, min(charge, amount - forecast.expected))
        high = news.days > 0 and rises and not held and at >= self.limits.first_judged
        if held:
            self.heights.forget(at)
        if high:
            self.heights.flag(at)
            self._suspect(at, deviation)
        elif not held:
            self._trust(at, errors)
        return Judged(
            expected,
            bound if bound < math.inf else None,
            high,
            held,
            news.days if high else 0,
            news.past if high else 0,
        )

    def _forecast(self, at: int) -> _Forecast:
        newest = self.trusted[-_WINDOW:]
        most = max(1, int(len(self.sorted) * 0.95))
        small = 0.2 * sum(self.sorted[:most]) / most or 0.2
        present = [self.amounts[j] for j in newest[-_LEVEL:] if j >= self.since]
        level = _median(present if len(present) >= 3 else [self.amounts[j] for j in newest[-_LEVEL:]])
        week = newest[-_WEEKS:]
        forecasts = [level]
        for kind, shapes, same, most_days, least in (
            (0, self.shapes[0], self.weekend, 15, 2),
            (1, self.shapes[1], self.weekday, 5, 1),
        ):
            alike = [self.amounts[j] for j in week if same[j] == same[at]][-most_days:]
            if len(alike) < least:
                shapes.append(None)
                forecasts.append(level)
                continue
            shape = _median(alike)
            shapes.append(shape)
            stands = [
                (self.amounts[j] + small) / (then + small)
                for j in newest[-_CORRECTION:]
                if (then := self.shapes[kind][j]) is not None
            ]
            now = _median(stands) if len(stands) >= 5 else 1.0
            forecasts.append(max(0.0, (shape + small) * now - small))
        which = self._best(len(present) if self.since else None)
        return _Forecast(forecasts[which], small, which, (forecasts[0], forecasts[1], forecasts[2]))

    def _best(self, days_since: int | None) -> int:
        """The forecast with the smallest errors so far; a plain level unless the shape of a week is clearly better."""
        if len(self.errors[0]) < 5 or (days_since is not None and days_since < 14):
            return 0
        costs = [sum(sizes[-28:]) for sizes in self.sizes]
        best = 0
        for which in (1, 2):
            if costs[which] < costs[best] * _BETTER:
                best = which
        return best

    def _see_first_weeks_anew(self, at: int, forecast: _Forecast) -> None:
        """How high the first days stood was told by a level, before a week was known: a Monday after two days of weekend looked like a burst."""
        same = self.weekend if forecast.which == 1 else self.weekday
        for j in range(min(at, self.limits.first_judged)):
            shape = _median([self.amounts[k] for k in self.trusted if same[k] == same[j]] or [self.amounts[j]])
            height = (self.amounts[j] + forecast.small) / (shape + forecast.small)
            self.heights.all[j] = math.pow(height, _POWER)

    def _deviation(self, forecast: _Forecast) -> tuple[float, float]:
        """The relative robust deviation, and the same in the unit in which distances are taken."""
        if forecast.which:
            errors = sorted(self.errors[forecast.which][-_WINDOW:])
            spread = max(
                1.4826 * _median([abs(error) for error in errors]),
                0.25 * _quantile(errors, 0.9) / 1.28,
                _LEAST_DEVIATION,
            )
            spread *= 1 + 2 / len(errors)
            return spread, spread
        values = self.powers[self._resting() :]
        middle = _middle(values)
        spread = max(
            1.4826 * _median([abs(v - middle) for v in values]), 0.25 * (_quantile(values, 0.9) - middle) / 1.28
        )
        if self.since and middle > 0:
            spread *= max(1.0, forecast.expected**_POWER / middle)
        relative = spread / (_POWER * (forecast.expected + 0.1 * forecast.small) ** _POWER)
        spread = max(spread, _LEAST_DEVIATION * _POWER * (forecast.expected + forecast.small) ** _POWER)
        return relative, spread * (1 + 2 / len(values))

    def _resting(self) -> int:
        """How many days of nothing to leave out of `sorted`: a series that often rests is judged by its active days."""
        zeros = bisect_right(self.sorted, 0.0)
        return zeros if zeros * 5 >= len(self.sorted) * 2 and len(self.sorted) - zeros >= 5 else 0

    def _distance(self, amount: float, forecast: _Forecast, unit: float) -> float:
        if forecast.which:
            ratio = (amount + forecast.small) / (forecast.expected + forecast.small)
            return (math.pow(ratio, _POWER) - 1) / _POWER / unit
        return (math.pow(amount, _POWER) - math.pow(self._centre(forecast), _POWER)) / unit

    def _centre(self, forecast: _Forecast) -> float:
        resting = self._resting()
        return max(forecast.expected, _middle(self.sorted[resting:])) if resting else forecast.expected

    def _amount_at(self, distance: float, forecast: _Forecast, unit: float) -> float:
        """The amount that stands `distance` away from the forecast."""
        if forecast.which:
            ratio = math.pow(1 + distance * unit * _POWER, 1 / _POWER)
            return ratio * (forecast.expected + forecast.small) - forecast.small
        return float((self._centre(forecast) ** _POWER + distance * unit) ** (1 / _POWER))

    def _happens_often(self, at: int) -> bool:
        last, occasions = -9, 0
        for j in range(max(0, at - _OCCASION_DAYS), at):
            if self.amounts[j] >= self.amounts[at] / 1.1:
                occasions += j - last > 1
                last = j
        return occasions >= _OCCASIONS

    def _is_monthly(self, at: int, forecast: _Forecast, deviation: float, charge: float) -> bool:
        """Whether a calm series charges on this day of the month: it did in an earlier month, for one day, about as much.

        The first of a month is when such charges come; the first one of the history waits a day, and is flagged then if it goes on.
        """
        if deviation > _CHARGING:
            return False
        if self.amounts[at] - forecast.expected <= 1.5 * charge:
            return True
        if self.run and self.run[-1] == at - 1:
            return False
        return self.days[at].day == 1 and not any(j >= self.limits.first_judged for j in self._alike(at))

    def _known_charge(self, at: int, deviation: float) -> float:
        """What a calm series was charged on this day of earlier months, at most; 0 for nothing."""
        return max(map(self._charge, self._alike(at)), default=0.0) if deviation <= _CHARGING else 0.0

    def _alike(self, at: int) -> list[int]:
        return [j for j in range(max(0, at - _MONTHS), at - 1) if self.days[j].day == self.days[at].day]

    def _charge(self, at: int) -> float:
        """By how much a past day stood above what was expected, or above the days around it; 0 when the next day was high too."""
        around = _median(self.amounts[max(0, at - 3) : at] + self.amounts[at + 1 : at + 4])
        amount, after = self.amounts[at], self.amounts[at + 1]
        extra = max(amount - around, amount - self.expected[at])
        usual_after = max(around, self.expected[at + 1])
        return extra if extra > 0.3 * around and after - usual_after < 0.4 * extra else 0.0

    def _suspect(self, at: int, deviation: float) -> None:
        """Leave the day out of the course, and give the course up when the rise has lasted."""
        self.run.append(at)
        patience = round(self.limits.adopt_after_days * (_PATIENT / max(deviation, 0.01)) ** 2)
        if len(self.run) >= max(_LEAST_PATIENCE, min(self.limits.adopt_after_days, patience)):
            self.since = self.run[0]
            for day in self.run:
                self._trust(day)
            self.trusted.sort()
            self.run = []

    def _trust(self, at: int, errors: Sequence[float] = ()) -> None:
        self.trusted.append(at)
        insort(self.sorted, self.amounts[at])
        insort(self.powers, self.amounts[at] ** _POWER)
        if len(self.trusted) > _WINDOW:
            oldest = self.amounts[self.trusted[-_WINDOW - 1]]
            place = bisect_left(self.sorted, oldest)
            del self.sorted[place], self.powers[place]
        for which, error in enumerate(errors):
            self.errors[which].append(error)
            self.sizes[which].append(min(abs(error), 1.0))


def _median(values: list[float]) -> float:
    return _middle(sorted(values))


def _middle(ascending: Sequence[float]) -> float:
    half, odd = divmod(len(ascending), 2)
    return ascending[half] if odd else (ascending[half - 1] + ascending[half]) / 2


def _quantile(ascending: Sequence[float], share: float) -> float:
    place = share * (len(ascending) - 1)
    low = math.floor(place)
    return ascending[low] + (place - low) * (ascending[min(low + 1, len(ascending) - 1)] - ascending[low])
