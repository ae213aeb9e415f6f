"""Bursty bills of several natures, with attacks laid into them: what the spend check is measured on.

The families are of two groups that share no generator: the check is developed with `DEVELOPMENT` alone and told by `HOLD_OUT`. Seeded.
A family gives daily amounts around 100; `attacked_bill` lays one attack into them. Bursts of a family's own are no attacks.
"""

from __future__ import annotations

import calendar
import csv
import math
import random
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

FIRST = date(2026, 1, 5)
DAYS = 90
QUIET_DAYS = 30  # before the earliest attack
LENGTHS = (2, 3, 5, 7, 14)
FACTORS = (2, 3, 5)


class Bill(NamedTuple):
    """Daily amounts by service; `attacked` are the places of the days of attacks, `extra` what they cost."""

    first: date
    amounts: dict[str, list[float]]
    attacked: frozenset[int]
    extra: float = 0.0


Family = Callable[[random.Random, date], list[float]]


def _lognormal(chance: random.Random, _: date) -> list[float]:
    """Independent days, as autoscaled batch work gives them."""
    spread = chance.uniform(0.2, 0.5)
    return [100 * chance.lognormvariate(0, spread) for _ in range(DAYS)]


def _waves(chance: random.Random, _: date) -> list[float]:
    """A day resembles the day before."""
    spread, keep, wave, amounts = chance.uniform(0.15, 0.35), chance.uniform(0.3, 0.7), 0.0, []
    for _n in range(DAYS):
        wave = keep * wave + chance.gauss(0, spread)
        amounts.append(100 * math.exp(wave))
    return amounts


def _gamma(chance: random.Random, _: date) -> list[float]:
    shape = chance.uniform(2, 8)
    return [100 * chance.gammavariate(shape, 1 / shape) for _ in range(DAYS)]


def _weekly_batch(chance: random.Random, first: date) -> list[float]:
    """One or two weekdays cost three to six times as much, now and then a run is left out or takes a day more."""
    runs, times = set(chance.sample(range(7), chance.choice([1, 2]))), chance.uniform(3, 6)
    spread, amounts, late = chance.uniform(0.08, 0.2), [], False
    for n in range(DAYS):
        due = (first + timedelta(days=n)).weekday() in runs and chance.random() > 0.05
        amounts.append(
            100 * chance.lognormvariate(0, spread) * (times * chance.uniform(0.7, 1.3) if due or late else 1)
        )
        late = due and chance.random() < 0.05
    return amounts


def _bursts(chance: random.Random, _: date) -> list[float]:
    """A calm series with bursts of one to three days at any time."""
    often, spread, left, height, amounts = chance.uniform(0.03, 0.1), chance.uniform(0.08, 0.2), 0, 1.0, []
    for _n in range(DAYS):
        if not left and chance.random() < often:
            left, height = chance.choice([1, 1, 2, 3]), chance.uniform(1.5, 5)
        amounts.append(100 * chance.lognormvariate(0, spread) * (height if left else 1))
        left = max(0, left - 1)
    return amounts


def _level_shifts(chance: random.Random, _: date) -> list[float]:
    """Projects come and go."""
    level, spread, amounts = 100.0, chance.uniform(0.1, 0.3), []
    for _n in range(DAYS):
        level *= math.exp(chance.gauss(0, 0.4)) if chance.random() < 0.02 else 1
        amounts.append(level * chance.lognormvariate(0, spread))
    return amounts


def _resting(chance: random.Random, _: date) -> list[float]:
    """Nothing at all on many days."""
    works, spread = chance.uniform(0.4, 0.8), chance.uniform(0.2, 0.5)
    return [100 * chance.lognormvariate(0, spread) if chance.random() < works else 0.0 for _ in range(DAYS)]


def _heavy_tails(chance: random.Random, _: date) -> list[float]:
    """Student's t with three to five degrees of freedom on the logarithm."""
    freedom, spread = chance.choice([3, 4, 5]), chance.uniform(0.15, 0.3)
    return [
        100 * math.exp(spread * chance.gauss(0, 1) / math.sqrt(chance.gammavariate(freedom / 2, 2 / freedom)))
        for _ in range(DAYS)
    ]


def _month_end(chance: random.Random, first: date) -> list[float]:
    """The last days of each month cost three to eight times as much; weekends less than workdays."""
    run, times, spread, weekend = (
        chance.choice([1, 2, 3]),
        chance.uniform(3, 8),
        chance.uniform(0.1, 0.3),
        chance.uniform(0.4, 1),
    )
    amounts = []
    for n in range(DAYS):
        day = first + timedelta(days=n)
        ending = calendar.monthrange(day.year, day.month)[1] - day.day < run
        usual = 100 * chance.lognormvariate(0, spread) * (weekend if day.weekday() >= 5 else 1)
        amounts.append(usual * (times * chance.uniform(0.8, 1.2) if ending else 1))
    return amounts


def _growth(chance: random.Random, first: date) -> list[float]:
    """A trend up or down, workdays and weekends, and a third of noise."""
    trend, spread, weekend = chance.uniform(-0.006, 0.012), chance.uniform(0.2, 0.4), chance.uniform(0.3, 1)
    return [
        100 * math.exp(trend * n + chance.gauss(0, spread)) * (weekend if (first.weekday() + n) % 7 >= 5 else 1)
        for n in range(DAYS)
    ]


def _regimes(chance: random.Random, _: date) -> list[float]:
    """Busy and idle spells of days to weeks."""
    busy, times, spread, amounts = False, chance.uniform(1.5, 3), chance.uniform(0.1, 0.25), []
    for _n in range(DAYS):
        busy = chance.random() < (0.85 if busy else 0.06)
        amounts.append(100 * (times if busy else 1) * chance.lognormvariate(0, spread))
    return amounts


def _many_services(chance: random.Random, _: date) -> list[float]:
    """The sum of a few services, each with a size, a noise and bursts of its own."""
    amounts = [0.0] * DAYS
    for _n in range(chance.choice([3, 5, 8])):
        size, spread, often = chance.lognormvariate(0, 1), chance.uniform(0.1, 0.5), chance.uniform(0, 0.05)
        for n in range(DAYS):
            burst = chance.uniform(2, 6) if chance.random() < often else 1
            amounts[n] += size * burst * chance.lognormvariate(0, spread)
    usual = median(amounts)
    return [amount * 100 / usual for amount in amounts]


def _skewed(chance: random.Random, _: date) -> list[float]:
    """A fixed part and exponential work on top of it."""
    fixed = chance.uniform(0.2, 0.7)
    return [100 * (fixed + (1 - fixed) * chance.expovariate(1)) for _ in range(DAYS)]


DEVELOPMENT: dict[str, Family] = {
    "lognormal": _lognormal,
    "waves": _waves,
    "gamma": _gamma,
    "weekly batch": _weekly_batch,
    "bursts": _bursts,
    "level shifts": _level_shifts,
    "resting": _resting,
}
HOLD_OUT: dict[str, Family] = {
    "heavy tails": _heavy_tails,
    "month end": _month_end,
    "growth": _growth,
    "regimes": _regimes,
    "many services": _many_services,
    "skewed": _skewed,
}


def attacked_bill(name: str, family: Family, seed: int, factor: int, length: int) -> Bill:
    """One bill of a family with an attack of `length` days that makes the days cost `factor` times as much.

    Either each day is multiplied, or a constant is added that is worth as much on a usual day, as machines that run all day cost.
    """
    chance = random.Random(f"{name} {seed} {factor} {length}")
    first = FIRST + timedelta(days=chance.randrange(60))
    amounts = family(chance, first)
    return lay_attack(chance, first, amounts, factor, length)


def lay_attack(chance: random.Random, first: date, amounts: Sequence[float], factor: int, length: int) -> Bill:
    """An attack at a chance place after the quiet beginning."""
    start = chance.randrange(QUIET_DAYS, len(amounts) - length + 1)
    before = [amount for amount in amounts[max(0, start - 28) : start] if amount > 0]
    usual = median(before) if before else 100.0
    added = chance.random() < 0.5
    attacked, extra = list(amounts), 0.0
    for n in range(start, start + length):
        more = (factor - 1) * (usual if added else amounts[n] or usual)
        attacked[n] += more
        extra += more
    return Bill(first, {"": attacked}, frozenset(range(start, start + length)), extra)


def labelled(folder: Path) -> Iterator[Bill]:
    """Each series of the folder as it is: a step counts as a day, a missing value as nothing."""
    for file in sorted(folder.glob("*.csv")):
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
        attacked = frozenset(n for n, row in enumerate(rows) if row["Label"] == "1")
        yield Bill(FIRST, {"": [float(row["Value"] or 0) for row in rows]}, attacked)


def quiet_windows(folder: Path) -> list[list[float]]:
    """Stretches of labelled series without a label, as long as a bill: real courses to lay attacks into."""
    found = []
    for bill in labelled(folder):
        amounts, start = bill.amounts[""], 0
        for n in range(len(amounts) + 1):
            if n == len(amounts) or n in bill.attacked:
                start = n + 1
            elif n + 1 - start == DAYS:
                found.append(amounts[start : n + 1])
                start = n + 1
    return found
