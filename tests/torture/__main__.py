"""`python -m tests.torture`: the crash test at full size. Prints progress, every failing seed with the command that repeats it, and a summary.

Parts: `transitions` kills a run right before and right after each journal transition, `instants` at random instants, `faults` runs seeded faults
(throttling, 5xx, resets before and after the effect, cut-off pages, expired tokens, failed operations, late lists) with crashes on top.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tests.torture import faults, kills, scene
from tests.torture.databases import DATABASES, has_postgresql
from tests.torture.kills import SHM, Arena, Trial

PARTS = ("transitions", "instants", "faults")
_ARENA: list[Arena] = []  # forked workers find it here


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; 0 when no trial found anything."""
    options = _parser().parse_args(arguments)
    databases = DATABASES if options.database == "both" else (options.database,)
    if "postgresql" in databases and not has_postgresql():
        _tell("no PostgreSQL at 127.0.0.1:5432 (database test, user postgres): SQLite only", options)
        databases = ("sqlite",)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder, contextlib.ExitStack() as ending:
        make = scene.incident if options.scene == "incident" else scene.estate
        arena = Arena(make(Path(folder) / "home"), databases)
        ending.callback(arena.close)
        _ARENA[:] = [arena]
        _tell(
            f"{arena.scene.name}: {len(arena.scene.actions)} approved actions, {len(arena.scene.left_out)} left out",
            options,
        )
        found = [
            _part(part, database, options)
            for part in ([options.part] if options.part != "all" else PARTS)
            for database in databases
        ]
    result = {
        "scene": arena.scene.name,
        "actions": len(arena.scene.actions),
        "parts": found,
        "failed": sum(len(part["failed"]) for part in found),
        "seconds": round(time.monotonic() - began),
    }
    if options.json:
        print(json.dumps(result))
    else:
        _summary(result)
    return 1 if result["failed"] else 0


def _part(part: str, database: str, options: argparse.Namespace) -> dict[str, object]:
    run, numbers = _trials(part, database, options)
    began, failed, killed, effects = time.monotonic(), list[Trial](), 0, 0
    with multiprocessing.get_context("fork").Pool(options.workers) as pool:
        for done, trial in enumerate(pool.imap_unordered(run, numbers), 1):
            killed += trial.killed
            effects += trial.effects
            if trial.problems:
                failed.append(trial)
                _tell(f"FAILED {_command(trial, options)}", options)
                for problem in trial.problems[:5]:
                    _tell(f"    {problem}", options)
            if done % 25 == 0 or done == len(numbers):
                seconds = time.monotonic() - began
                _tell(
                    f"{part} on {database}: {done}/{len(numbers)}, {killed} kills, {len(failed)} failed, {seconds:.0f} s",
                    options,
                )
    return {
        "part": part,
        "database": database,
        "trials": len(numbers),
        "kills": killed,
        "writes_with_effect": effects,
        "failed": [asdict(trial) | {"command": _command(trial, options)} for trial in failed],
        "seconds": round(time.monotonic() - began),
    }


def _trials(part: str, database: str, options: argparse.Namespace) -> tuple[Callable[[int], Trial], list[int]]:
    if part == "instants" and not options.longest:
        options.longest = round(1.1 * kills.seconds_of_a_run(_ARENA[0], database), 1)
    run = partial(_one, part, database, options.longest)
    if options.only is not None:
        return run, [options.only]
    if part == "transitions":
        counted = [kills.transition(_ARENA[0], database, 0) for _ in range(1 if options.transitions else 3)]
        assert not any(trial.problems for trial in counted), counted
        numbers = list(range(1, 2 * max(trial.transitions for trial in counted) + 1))
        step = max(1, len(numbers) // options.transitions) if options.transitions else 1
        return run, numbers[::step]
    return run, list(range(1, (options.instants if part == "instants" else options.faults) + 1))


def _one(part: str, database: str, longest: float, number: int) -> Trial:
    arena = _ARENA[0]
    if part == "transitions":
        return kills.transition(arena, database, number)
    if part == "instants":
        return kills.instant(arena, database, number, longest=longest)
    return faults.fault(arena, database, number)


def _command(trial: Trial, options: argparse.Namespace) -> str:
    longest = f" --longest {options.longest}" if trial.part == "instants" else ""
    return f"{trial.command} --scene {options.scene}{longest}"


def _summary(result: dict[str, object]) -> None:
    print(f"\n{result['scene']}, {result['actions']} approved actions")
    print(
        f"{'part':<12} {'database':<11} {'trials':>6} {'kills':>6} {'writes with effect':>19} {'failed':>7} {'seconds':>8}"
    )
    for part in result["parts"]:  # type: ignore[attr-defined]
        row = (part["part"], part["database"], part["trials"], part["kills"], part["writes_with_effect"])
        print("{:<12} {:<11} {:>6} {:>6} {:>19} {:>7} {:>8}".format(*row, len(part["failed"]), part["seconds"]))
    print(f"{result['failed']} failed, {result['seconds']} s")


def _tell(text: str, options: argparse.Namespace) -> None:
    print(text, file=sys.stderr if options.json else sys.stdout, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--database", choices=(*DATABASES, "both"), default="both")
    parser.add_argument(
        "--scene", choices=("incident", "estate"), default="estate", help="a whole attack, or a small estate"
    )
    parser.add_argument("--instants", type=int, default=200, metavar="N", help="random instants per database")
    parser.add_argument("--faults", type=int, default=500, metavar="N", help="seeded fault trials per database")
    parser.add_argument(
        "--transitions",
        type=int,
        default=0,
        metavar="N",
        help="about so many of the transitions (default: each, before and after)",
    )
    parser.add_argument(
        "--longest",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="the latest random instant (default: as long as a run takes)",
    )
    parser.add_argument("--only", type=int, metavar="N", help="one trial, by its number")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true", help="print one JSON object; progress goes to stderr")
    return parser


if __name__ == "__main__":
    sys.exit(main())
