"""How fast N machines are deallocated and N disks deleted: the engine against a bare client, and against Azure's published limits.

    python -m benchmarks.contain --resources 200 --json

Each run has a fresh cloud of its own in another process, reached over TLS.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import engine_run, raw_client
from benchmarks.cloud import running

# Azure Resource Manager's published buckets per subscription and principal: size, refill a second.
_AT_ONCE, _PER_SECOND = 200, 10


def floor_seconds(resources: int) -> float:
    """The least time in which the published limits let N deallocations (writes) and N deletions through, both buckets side by side."""
    return max(0, resources - _AT_ONCE) / _PER_SECOND


def measure(resources: int) -> dict[str, Any]:
    """Return the figures of the contract; seconds of wall-clock time."""
    with running(resources, throttled=False) as cloud:
        raw = asyncio.run(raw_client.contain(cloud, resources))
    engine = _engine(resources, throttled=False)
    limited = _engine(resources, throttled=True)
    floor = floor_seconds(resources)
    return {
        "resources": resources,
        "unthrottled": {
            "engine_seconds": round(engine, 3),
            "raw_seconds": round(raw, 3),
            "ratio": round(engine / raw, 2),
        },
        "throttled": {
            "engine_seconds": round(limited, 3),
            "floor_seconds": floor,
            # Machines stop before anything is deleted, so the second bucket fills up while the first is drained.
            "floor_in_order_seconds": 2 * floor,
            "ratio": round(limited / floor, 2) if floor else None,
        },
    }


def _engine(resources: int, *, throttled: bool) -> float:
    with running(resources, throttled=throttled) as cloud, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(engine_run.contain(cloud, resources, Path(folder)))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contain", description=__doc__)
    parser.add_argument("--resources", type=int, default=200, help="how many machines, and how many disks")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.resources < 1:
        parser.error("--resources must be at least 1")
    found = measure(options.resources)
    if options.json:
        print(json.dumps(found))
        return 0
    plain, limited = found["unthrottled"], found["throttled"]
    print(f"{options.resources} machines deallocated, {options.resources} disks deleted")
    print(f"without throttling  engine {plain['engine_seconds']:.2f} s, bare client {plain['raw_seconds']:.2f} s")
    print(
        f"with throttling     engine {limited['engine_seconds']:.2f} s, published limits {limited['floor_seconds']:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
