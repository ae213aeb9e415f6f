"""How well the investigation tells the attacker's from the customer's, on seeded variations of every simulated scenario.

    python -m benchmarks.attribution --seeds 50 --json
    python -m benchmarks.attribution --scenario crypto-mining --first 12 --seeds 1     # one of them again, with what was wrong
    python -m benchmarks.attribution --thin 30 --without-identities                    # one operation in 30 left of the past, nothing of Graph

Each seed is another company, another night and another attack. What the investigation says is compared with the simulator's truth, which the
product never sees. Precision: of what any plan would stop, remove or delete, the share that is the attacker's. Recall: of everything that is the
attacker's, child resources, role assignments and locks included, the share that is taken for it. Unknown: of everything judged, the share that
nobody could tell.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any

import msgspec

from azure_simulator import build
from azure_simulator.scenarios import SCENARIOS
from azure_simulator.world import World
from benchmarks.attribution_score import Score, score
from benchmarks.investigation import IDENTITY, NOT_READ, look, plans_of

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
# What is promised; the figures of each scenario are held against it.
PRECISION, RECALL, UNKNOWN = 1.0, 0.98, 0.05


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One world and how the investigation did on it."""

    scenario: str
    seed: int
    score: Score
    seconds: float


def moment_of(seed: int) -> datetime:
    """When the alert of a seed is handled: any minute of a week."""
    return MONDAY + timedelta(minutes=random.Random(seed).randrange(7 * 24 * 60))


def trial(scenario: str, seed: int, thin: int = 1, without_identities: bool = False) -> Trial:
    """Build the world, investigate it, plan every stage, and compare with the truth; nothing is carried out.

    With `thin` the log keeps only one operation in so many of those before the last two days, with 0 none of them.
    """
    began = time.process_time()
    world = build(scenario, seed=seed, now=moment_of(seed))
    thin_out(world, thin, seed)
    case = asyncio.run(look(world, leave_out=NOT_READ | IDENTITY if without_identities else NOT_READ))
    found = score(world, case, plans_of(case).values())
    return Trial(scenario=scenario, seed=seed, score=found, seconds=round(time.process_time() - began, 2))


def thin_out(world: World, one_in: int, seed: int) -> None:
    """Take most of the past out of a world's activity log, whole operations at a time."""
    if one_in == 1:
        return
    recent = f"{world.clock.now() - timedelta(days=2):%Y-%m-%dT%H:%M:%S}"
    chance = random.Random(f"{seed}/{one_in}")
    kept: dict[str, bool] = {}
    world.events[:] = [
        event
        for event in world.events
        if event["eventTimestamp"][:19] >= recent
        or (one_in and kept.setdefault(event["correlationId"], not chance.randrange(one_in)))
    ]


def summary(trials: Sequence[Trial]) -> dict[str, Any]:
    """The figures of some trials together; a share of nothing is None."""
    total: Counter[str] = Counter()
    for one in trials:
        total.update(one.score.counts)
    return {
        "trials": len(trials),
        "proposed": total["proposed"],
        "precision": _share(total["proposed"] - total["wrong"], total["proposed"]),
        "attackers": total["attackers"],
        "recall": _share(total["found"], total["attackers"]),
        "acted_on": _share(total["reached"], total["attackers"]),
        "accused": total["accused"],
        "judged": total["judged"],
        "unknown": _share(total["unknown"], total["judged"]),
        "sessions": {
            whose: {cls: total[f"{whose} {cls}"] for cls in ("attacker", "legitimate", "unknown")}
            for whose in ("attacker's", "customer's")
        },
        "cpu_seconds_per_trial": round(sum(one.seconds for one in trials) / max(len(trials), 1), 2),
    }


def meets(figures: dict[str, Any]) -> bool:
    """Whether the figures keep what is promised. Accusing what is legitimate breaks it too, proposed or not."""
    precise = figures["precision"] in (None, PRECISION) and not figures["accused"]
    complete = figures["recall"] is None or figures["recall"] >= RECALL
    return precise and complete and (figures["unknown"] or 0) < UNKNOWN


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _row(name: str, figures: dict[str, Any]) -> str:
    def percent(share: float | None) -> str:
        return "-" if share is None else f"{100 * share:.2f} %"

    cells = [percent(figures[key]) for key in ("precision", "recall", "unknown", "acted_on")]
    theirs, ours = figures["sessions"]["attacker's"], figures["sessions"]["customer's"]
    counts = [
        f"{theirs['attacker']}/{sum(theirs.values())}",
        f"{ours['attacker']}/{ours['unknown']}/{sum(ours.values())}",
    ]
    return f"{name:<26}" + "".join(f"{cell:>12}" for cell in cells) + f"{counts[0]:>12}{counts[1]:>16}"


_HEAD = (
    f"{'':<26}"
    + "".join(f"{word:>12}" for word in ("precision", "recall", "unknown", "acted on", "thieves"))
    + f"{'accused/unsure':>16}"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; 1 when a scenario is below what is promised."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="variations of each scenario")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument(
        "--scenario", action="append", choices=SCENARIOS, help="may be given several times; all when left out"
    )
    parser.add_argument(
        "--thin", type=int, default=1, metavar="N", help="keep one operation in N from before the last two days, 0 none"
    )
    parser.add_argument("--without-identities", action="store_true", help="read nothing of Graph's directory and logs")
    parser.add_argument("--workers", type=int, default=1, help="processes side by side; each needs about 300 MB")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    work = [
        (name, seed, chosen.thin, chosen.without_identities)
        for name in chosen.scenario or SCENARIOS
        for seed in range(chosen.first, chosen.first + chosen.seeds)
    ]
    trials = []
    for one in _run(work, chosen.workers):
        trials.append(one)
        told = "" if not one.score.failures else f"  {len(one.score.failures)} wrong"
        print(f"{one.scenario} {one.seed}  {one.seconds} s{told}", file=sys.stderr, flush=True)
    by_scenario = {name: [one for one in trials if one.scenario == name] for name in dict.fromkeys(w[0] for w in work)}
    figures = {name: summary(done) for name, done in by_scenario.items()}
    failures = [
        {"scenario": one.scenario, "seed": one.seed, **msgspec.to_builtins(failure)}
        for one in trials
        for failure in one.score.failures
    ]
    kept = {name: meets(found) for name, found in figures.items()}
    if chosen.json:
        all_of_it = {"seeds": chosen.seeds, "first": chosen.first, "scenarios": figures, "all": summary(trials)}
        print(json.dumps({**all_of_it, "kept": kept, "failures": failures}))
    else:
        for failure in failures:
            print(
                f"{failure['scenario']} {failure['seed']}: {failure['what']}\n    {failure['thing']}\n    {failure['why']}"
            )
        print(_HEAD)
        for name, found in figures.items():
            print(_row(name, found) + ("" if kept[name] else "  below"))
        print(_row("all", summary(trials)))
    return 0 if all(kept.values()) else 1


def _run(work: Sequence[tuple[str, int, int, bool]], workers: int) -> Any:
    if workers <= 1:
        yield from (trial(*one) for one in work)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), max_tasks_per_child=25) as pool:
        yield from pool.map(trial, *zip(*work, strict=True))


if __name__ == "__main__":
    sys.exit(main())
