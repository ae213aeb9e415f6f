"""Records the embedded Azure's scenarios as bundles with ground truth: `python -m tests.recorded_incidents .incidents`; what is there stays.

Whole tenants make bundles of 4 to 14 MB, too large for the repository; the same seed gives the same incident, so they are made where they are needed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from azure_simulator import build
from firebreak.model.mode import Mode
from tests.support.recorded import NOW, record

SCENARIOS = (
    "crypto-mining",
    "service-principal-abuse",
    "false-alarm",
    "hijacked-owner",
    "insider-automation",
    "quiet-persistence",
    "hostile-names",
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.recorded_incidents", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the bundles go")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one; may be repeated")
    parser.add_argument("--live", action="store_true", help="record whole responses, not only their plans")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.scenario or SCENARIOS:
        place = options.folder / f"{name}.zip"
        if place.exists():
            continue
        print(f"recording {name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            made, _ = record(
                build(name, seed=7, now=NOW), Path(folder), mode=Mode.LIVE if options.live else Mode.DRY_RUN
            )
            fresh = place.with_name(f".{place.name}")
            fresh.write_bytes(made.read_bytes())
            fresh.replace(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
