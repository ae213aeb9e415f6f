"""Records the shipped incidents anew: `python -m tests.library incidents [--only NAME]`. The same code gives
the same plans, decisions, audit logs and answers; the order of reads that went on side by side, and the request ids of Firebreak's own writes in the
activity log, are by chance.

Each incident is a whole response of the product to an alert on the embedded Azure, exported by the product, with the ground truth put in.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from tests.library.recipes import RECIPES
from tests.library.recording import record_one


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.library", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the bundles go; those of the same name are replaced")
    parser.add_argument("--only", action="append", choices=tuple(RECIPES), help="only this one; may be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        begun = [pool.submit(record_one, name, options.folder) for name in options.only or RECIPES]
        for done in as_completed(begun):
            print(done.result(), file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
