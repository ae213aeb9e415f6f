"""How good the spend check is, on bills made here and on labelled series, beside two simple detectors (rolling MAD, EWMA).

    python -m benchmarks.spend_quality --json
    python -m benchmarks.spend_quality --labelled FOLDER   # CSV files with TimeStamp, Value, Label; each step counts as a day

Seeded. An attack counts as found when one of its days is flagged (steady bills: one of its first two days); a false alarm is a flagged day
outside of attacks. Precision is found attacks over found attacks and false alarms. Days under 14 days of history are not counted.
The bursty bills are those of `spend_families`: `development` is what the check was made with, `hold_out` what it is told by. With
`--labelled` the stretches of those series without a label are one more family, every other one in each group.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.spend_families import (
    DEVELOPMENT,
    FACTORS,
    FIRST,
    HOLD_OUT,
    LENGTHS,
    Bill,
    Family,
    attacked_bill,
    labelled,
    quiet_windows,
)
from firebreak.analysis.spend import Row, review

_HISTORY = 14


Detector = Callable[[Bill], set[int]]


def steady(chance: random.Random, factor: float, length: int, *, running: bool) -> Bill:
    """75 days of one to five services: weekdays, noise of 3 to 15 %, trend, monthly charges; the newest day of a running attack is incomplete."""
    days = 75
    first = FIRST + timedelta(days=chance.randrange(60))
    bill: dict[str, list[float]] = {}
    noise = chance.uniform(0.03, 0.15)
    for number in range(chance.choice([1, 3, 5])):
        base, weekend = math.pow(10, chance.uniform(1.3, 3.2)), chance.uniform(0.3, 1)
        trend, charge = (
            chance.choice([0, 0, chance.uniform(-0.004, 0.008)]),
            chance.choice([0, 0, chance.uniform(0.5, 4)]),
        )
        amounts = []
        for n in range(days):
            day = first + timedelta(days=n)
            usual = base * (weekend if day.weekday() >= 5 else 1) * (1 + trend * n) * max(0.05, chance.gauss(1, noise))
            amounts.append(usual + (base * charge if day.day == 1 else 0))
        bill[f"service {number}"] = amounts
    start = days - length if running else chance.randrange(30, days - length - 3)
    hit = chance.choice([None, *bill])
    extra = 0.0
    for name, amounts in bill.items():
        for n in range(start, start + length):
            billed = chance.uniform(0.4, 0.8) if running and n == days - 1 else 1.0
            usual = amounts[n]
            amounts[n] = usual * billed * (factor if hit in (None, name) else 1)
            extra += max(0.0, amounts[n] - usual) if hit in (None, name) else 0.0
    return Bill(first, bill, frozenset(range(start, start + length)), extra)


def ours(bill: Bill) -> set[int]:
    return {(flag.day - bill.first).days for flag in review(_rows(bill)).flagged}


def rolling_mad(bill: Bill) -> set[int]:
    """More than four robust deviations above the median of four weeks."""
    return _simple(bill, lambda past: (median(past), 4 * 1.4826 * median([abs(p - median(past)) for p in past])))


def ewma(bill: Bill) -> set[int]:
    """More than five deviations above an exponentially weighted mean."""

    def course(past: Sequence[float]) -> tuple[float, float]:
        mean, variance = past[0], 0.0
        for amount in past:
            step = amount - mean
            mean += 0.3 * step
            variance = 0.7 * (variance + 0.3 * step * step)
        return mean, 5 * math.sqrt(variance)

    return _simple(bill, course)


def quality(judged: Sequence[tuple[Bill, set[int]]]) -> dict[str, float]:
    """Recall, false alarms in 30 quiet days, F1, with the counts they come from, of bills and the places of their flagged days."""
    found = attacks = alarms = episodes = quiet = days_found = days_attacked = 0
    for bill, flagged in judged:
        days = range(_HISTORY, len(next(iter(bill.amounts.values()))))
        for first, last in _events(bill.attacked):
            if last >= _HISTORY:
                attacks += 1
                found += any(first <= n <= last for n in flagged)
        quiet += sum(1 for n in days if n not in bill.attacked)
        false = frozenset(n for n in flagged if n >= _HISTORY and n not in bill.attacked)
        alarms += len(false)
        episodes += len(_events(false))
        days_found += len(flagged & bill.attacked)
        days_attacked += len(bill.attacked)
    recall, precision = found / max(1, attacks), found / max(1, found + alarms)
    return {
        "attacks": attacks,
        "found": found,
        "recall": round(recall, 3),
        "recall_of_days": round(days_found / max(1, days_attacked), 3),
        "false_alarms": alarms,
        "quiet_days": quiet,
        "false_alarms_in_30_days": round(alarms / max(1, quiet) * 30, 3),
        "false_episodes_in_30_days": round(episodes / max(1, quiet) * 30, 3),
        "precision": round(precision, 3),
        "f1": round(2 * recall * precision / max(1e-9, recall + precision), 3),
    }


def steady_quality(seeds: int) -> dict[str, Any]:
    """2-, 3- and 5-fold attacks, short and long, ended and running: found by their second day, start within a day, extra within a quarter."""
    attacks = found = alarms = quiet = starts = extras = 0
    for seed in range(seeds):
        for factor in (2, 3, 5):
            chance = random.Random(seed * 10 + factor)
            bill = steady(chance, factor, chance.choice([2, 3, 6, 12, 20]), running=chance.random() < 0.5)
            facts = review(_rows(bill))
            flagged = {(flag.day - bill.first).days for flag in facts.flagged}
            start = min(bill.attacked)
            attacks += 1
            found += bool(flagged & {start, start + 1})
            alarms += len([n for n in flagged if n not in bill.attacked])
            quiet += 75 - _HISTORY - len(bill.attacked)
            starts += facts.start_day is not None and abs((facts.start_day - bill.first).days - start) <= 1
            extras += abs(float(facts.extra_spend) - bill.extra) <= 0.25 * bill.extra
    return {
        "attacks": attacks,
        "found_by_second_day": found,
        "false_alarms": alarms,
        "quiet_days": quiet,
        "start_within_a_day": starts,
        "extra_within_a_quarter": extras,
    }


def families(folder: Path | None = None) -> dict[str, dict[str, Family]]:
    """Both groups; with a folder of labelled series also real courses, divided between them."""
    groups = {"development": dict(DEVELOPMENT), "hold_out": dict(HOLD_OUT)}
    windows = quiet_windows(folder) if folder else []
    for half, group in enumerate(groups.values()):
        if mine := [_around_100(window) for window in windows[half::2]]:
            group["real courses"] = partial(_one_of, mine)
    return groups


def bursty_quality(
    group: Mapping[str, Family], detector: Detector, seeds: int, factors: Sequence[int] = FACTORS
) -> dict[str, Any]:
    """Over all, by factor, by length of twofold attacks, and by family."""
    judged: dict[tuple[str, int, int], list[tuple[Bill, set[int]]]] = {}
    for which in product(group, factors, LENGTHS):
        name, factor, length = which
        bills = [attacked_bill(name, group[name], seed, factor, length) for seed in range(seeds)]
        judged[which] = [(bill, detector(bill)) for bill in bills]

    def of(*, name: str = "", factor: int = 0, length: int = 0) -> dict[str, float]:
        return quality(
            [
                pair
                for which, pairs in judged.items()
                for pair in pairs
                if all(not wanted or wanted == part for wanted, part in zip((name, factor, length), which, strict=True))
            ]
        )

    return {
        "all": of(),
        **{f"{factor}-fold": of(factor=factor) for factor in factors},
        "recall of 2-fold by length": {str(length): of(factor=2, length=length)["recall"] for length in LENGTHS},
        "families": {
            name: of(name=name) | {f"recall {n}-fold": of(name=name, factor=n)["recall"] for n in factors}
            for name in group
        },
    }


def _one_of(courses: Sequence[list[float]], chance: random.Random, _: date) -> list[float]:
    return list(chance.choice(courses))


def _around_100(amounts: Sequence[float]) -> list[float]:
    usual = median(amount for amount in amounts if amount > 0)
    return [amount * 100 / usual for amount in amounts]


def seconds_for(series: int, days: int = 90) -> float:
    """Processor time for so many series of one subscription."""
    chance = random.Random(1)
    rows = [
        Row(FIRST + timedelta(days=n), (f"service {s}",), Decimal(str(round(chance.lognormvariate(3, 0.2), 2))), "EUR")
        for s in range(series)
        for n in range(days)
    ]
    started = time.process_time()
    review(rows)
    return time.process_time() - started


def _rows(bill: Bill) -> list[Row]:
    return [
        Row(bill.first + timedelta(days=n), (name,), Decimal(repr(round(amount, 4))), "EUR")
        for name, amounts in bill.amounts.items()
        for n, amount in enumerate(amounts)
    ]


def _simple(bill: Bill, course: Callable[[Sequence[float]], tuple[float, float]]) -> set[int]:
    flagged = set()
    for amounts in bill.amounts.values():
        for n in range(_HISTORY, len(amounts)):
            middle, margin = course(amounts[max(0, n - 28) : n])
            if amounts[n] > middle + max(margin, 0.35 * middle, 1.0):
                flagged.add(n)
    return flagged


def _events(attacked: frozenset[int]) -> list[tuple[int, int]]:
    events: list[tuple[int, int]] = []
    for n in sorted(attacked):
        if events and n == events[-1][1] + 1:
            events[-1] = (events[-1][0], n)
        else:
            events.append((n, n))
    return events


def measure(seeds: int, folder: Path | None) -> dict[str, Any]:
    """All figures as one JSON document."""
    detectors: dict[str, Detector] = {"ours": ours, "rolling_mad": rolling_mad, "ewma": ewma}
    found: dict[str, Any] = {
        "steady": steady_quality(seeds),
        "bursty": {
            name: {which: bursty_quality(group, detector, max(1, seeds // 5)) for which, detector in detectors.items()}
            for name, group in families(folder).items()
        },
        "seconds_for_1000_series_of_90_days": round(seconds_for(1000), 2),
    }
    if folder:
        bills = list(labelled(folder))
        found["labelled"] = {
            name: quality([(bill, detector(bill)) for bill in bills]) for name, detector in detectors.items()
        }
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures; `--json` is the only form."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.spend_quality", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--seeds", type=int, default=30, help="bills of each kind (default 30)")
    parser.add_argument("--labelled", type=Path, help="a folder of labelled series")
    parser.add_argument("--json", action="store_true", help="print JSON (always)")
    chosen = parser.parse_args(arguments)
    json.dump(measure(chosen.seeds, chosen.labelled), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
