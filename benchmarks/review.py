"""How long the review of a large activity log takes, and how much memory beyond the process, against parsing and counting alone.

    python -m benchmarks.review --events 1000000 --repeat 3 --json

The log of `benchmarks.activity_log` is written to a temporary file (about 3 kB an event) and deleted afterwards, or `--file` names one that
was kept. Each measurement has a process of its own; the floor decodes one field of each event with msgspec, in pieces, and counts. The
review has to name the attacker that is laid into the log, and nobody else: otherwise the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.activity_log import ATTACKERS_ADDRESS, PLANTED, STOLEN, events
from firebreak.analysis.log_files import review_file
from firebreak.analysis.log_review import LogReview
from firebreak.analysis.logs import reviewed
from firebreak.analysis.suspects import Suspect, suspects
from firebreak.analysis.uncollected import uncollected
from firebreak.model.facts import Class
from firebreak.model.finding import Finding, Severity

PIECE = 1 << 20
_ATTACKERS = frozenset({(STOLEN, ATTACKERS_ADDRESS), (PLANTED, ATTACKERS_ADDRESS)})
# What the attack did, as findings tell it.
_DEEDS = (
    "role-granted-full",
    "logging-removed",
    "lock-removed",
    "quota-requested",
    "large-sizes",
    "new-region",
    "burst",
    "granted-then-used",
)


class _Counted(msgspec.Struct, gc=False):
    eventDataId: str  # noqa: N815  Azure's name


def count_alone(path: Path) -> int:
    """Decode and count, in pieces, and nothing else: the least that any review of the file costs."""
    decoder = msgspec.json.Decoder(list[_Counted])
    found, data = 0, b""
    between = re.compile(rb'\},\{"authorization"')
    with path.open("rb") as stream:
        data = stream.read(PIECE)[len(b'{"value":[') :]
        while True:
            more = stream.read(PIECE)
            data += more
            cuts = [match.start() for match in between.finditer(data, max(0, len(data) - 20_000))] if more else []
            if more and not cuts:
                continue
            cut = cuts[-1] + 1 if more else data.rindex(b"]")
            found += len(decoder.decode(b"[" + data[:cut] + b"]"))
            data = data[cut + 1 :]
            if not more:
                return found


def missed(findings: Sequence[Finding], judged: Sequence[Suspect]) -> list[str]:
    """What the review got wrong: a deed of the attacker it does not tell as grave, an attacker it does not name, anybody else it does."""
    told = {
        finding.id.split(":")[0]
        for finding in findings
        if finding.address == ATTACKERS_ADDRESS and finding.severity not in {Severity.LOW, Severity.INFORMATIONAL}
    }
    named = {(one.id, one.address) for one in judged if one.cls is Class.ATTACKER}
    wrong = [f"not told as grave: {deed}" for deed in _DEEDS if deed not in told]
    wrong += [f"not named: {who} from {address}" for who, address in sorted(_ATTACKERS - named)]
    return wrong + [f"named wrongly: {who} from {address}" for who, address in sorted(named - _ATTACKERS)]


def measure(work: str, path: Path) -> dict[str, Any]:
    """Do one thing in this process: CPU seconds, and megabytes at the peak beyond what the process had before."""
    if work == "review":
        LogReview(strict=False)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
    extra: dict[str, Any] = {}
    if work == "floor":
        extra["events"] = count_alone(path)
    else:
        log = LogReview(strict=False)
        with uncollected():
            with path.open("rb") as stream:
                review_file(stream, path.name, log)
            extra["read_seconds"] = round(time.process_time() - began, 2)
            activity, findings = reviewed(log)
            judged = suspects(activity, findings)
        extra |= {"events": log.events, "operations": len(log.operations()), "findings": len(findings)}
        extra["wrong"] = missed(findings, judged)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu_seconds": round(time.process_time() - began, 2),
        "megabytes": round((after.ru_maxrss - before.ru_maxrss) / 1024, 1),
        **extra,
    }


def in_a_process(work: str, path: Path) -> dict[str, Any]:
    """Do one thing in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.review", "--measure", work, "--file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))  # noqa: S603
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write(path: Path, count: int) -> None:
    """Write a log of that many events, as the API's reply holds them."""
    encoder = msgspec.json.Encoder()
    with path.open("wb") as stream:
        stream.write(b'{"value":[')
        for number, event in enumerate(events(count)):
            stream.write((b"," if number else b"") + encoder.encode(event))
        stream.write(b"]}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--file", type=Path, help="keep the log here, and take it from here when it is there")
    parser.add_argument("--repeat", type=int, default=1, help="measure so often, in turns, and tell the median")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", choices=["floor", "review"], help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.file)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.file or Path(folder, "log.json")
        if not path.exists():
            write(path, chosen.events)
        size = path.stat().st_size
        runs: dict[str, list[dict[str, Any]]] = {"floor": [], "review": []}
        for _ in range(chosen.repeat):
            for work, found in runs.items():
                found.append(in_a_process(work, path))
        figures = {
            work: sorted(found, key=lambda one: one["cpu_seconds"])[len(found) // 2] for work, found in runs.items()
        }
    ratio = round(figures["review"]["cpu_seconds"] / max(figures["floor"]["cpu_seconds"], 0.01), 2)
    load = [round(one, 1) for one in os.getloadavg()]
    seconds = {work: [one["cpu_seconds"] for one in found] for work, found in runs.items()}
    result = {"megabytes": round(size / 1e6, 1), "load": load, **figures, "ratio": ratio, "all_cpu_seconds": seconds}
    if chosen.json:
        print(json.dumps(result))
    else:
        for name in ("floor", "review"):
            print(f"{name}: {figures[name]}")
        print(f"{result['megabytes']} MB, {ratio} times the floor, load {load[0]}")
    return 1 if figures["review"]["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
