"""`python -m azure_simulator`: serve a scenario until SIGTERM or SIGINT, after one line that tells how to reach it."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from azure_simulator import announcement, build, recorded
from azure_simulator.consistency import LONGEST_LAG
from azure_simulator.server import StartError, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(arguments)
    now = options.now or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    folder = Path(options.folder or tempfile.mkdtemp(prefix="azure-simulator-")).resolve()
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        held = None
        if options.recorded:
            world, held = recorded.load(Path(options.recorded))
        else:
            world = build(options.scenario, seed=options.seed, now=now, scale=options.scale, real_time=True)
        world.list_lag_seconds = options.list_lag
        world.sealed_with = os.environ.get("AZURE_SIMULATOR_KEY", "")
        server = serve(world, options.port, folder, throttling=not options.no_throttling)
    except (StartError, ValueError, LookupError) as exc:
        print(str(exc), file=sys.stderr)
        return 1
    with server:
        line = announcement.write(world, folder, server.ca_bundle)
        line |= {"recorded": held.document()} if held else {}
        print(json.dumps(line) if options.json else announcement.text(line), flush=True)
        ended.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m azure_simulator", description="An embedded Azure over https.")
    # From the environment for drills: nobody is to read on a command line what happened.
    parser.add_argument("--scenario", default=os.environ.get("AZURE_SIMULATOR_SCENARIO") or "crypto-mining")
    parser.add_argument("--recorded", metavar="FILE", help="instead of a scenario: what was recorded of a subscription")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scale", type=int, default=1, help="how many times larger the attack is")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--now", type=_moment, help="the world's time at the start, ISO 8601; default: this hour")
    parser.add_argument("--folder", help="where certificates, alert and approvers are written; default: a new one")
    parser.add_argument("--no-throttling", action="store_true", help="switch the published rate limits off")
    parser.add_argument(
        "--list-lag", type=_lag, default=0, metavar="SECONDS", help="how far lists of resources are behind (default: 0)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line when ready")
    return parser


def _lag(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= LONGEST_LAG:
        raise ValueError
    return seconds


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
