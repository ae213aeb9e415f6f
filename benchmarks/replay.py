"""How long the replay of a large incident takes without a server, and how much memory.

    python -m benchmarks.replay --resources 10000 --events 200000 --bundle large.zip --json

The incident is recorded first when the bundle is not there yet, which takes minutes and is not counted. The replay is `firebreak replay` in a
process of its own; its plans have to be those that were decided when it was recorded: otherwise the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.large_bundle import large_bundle


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 1 when the replay went otherwise than the recorded run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--resources", type=int, default=10_000, help="resources in the subscription")
    parser.add_argument("--events", type=int, default=200_000, help="events in its activity log")
    parser.add_argument("--bundle", type=Path, help="a bundle that is kept for later calls")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="firebreak-benchmark-") as folder:
        place = options.bundle or Path(folder) / "large.zip"
        if not place.exists():
            print("recording ...", file=sys.stderr, flush=True)
            # In a process of its own: a process that is started later counts the memory of the one that starts it as its own.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as recorder:
                recorder.submit(large_bundle, place, resources=options.resources, events=options.events).result()
        figures = measure(place)
    if options.as_json:
        print(json.dumps(figures))
    else:
        print(
            f"{figures['seconds']} s, {figures['cpu_seconds']} s of CPU, at most {figures['peak_mb']} MB; "
            f"{figures['actions']} actions planned, {'changed' if figures['changed'] else 'as decided'}"
        )
    return 1 if figures["changed"] or figures["not_recorded"] else 0


def measure(bundle: Path) -> dict[str, Any]:
    """Replay in a process of its own; seconds by the clock and of the processor, and the most memory it held, in MB of a million bytes."""
    command = [sys.executable, "-m", "firebreak.cli.main", "replay", str(bundle), "--json"]
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out, subprocess.Popen(command, stdout=out) as process:  # noqa: S603 - our own command
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0  # it is gone; what came of it stands in its answer
        seconds = time.perf_counter() - began
        out.seek(0)
        told = json.load(out)
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss * 1024 / 1e6),
        "bundle_mb": round(bundle.stat().st_size / 1e6, 1),
        "actions": len(told["actions"]),
        "changed": told["changed"],
        "not_recorded": len(told["not_recorded"]),
    }


if __name__ == "__main__":
    sys.exit(main())
