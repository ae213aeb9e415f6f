"""A `firebreak demo` as a person starts it: a process of its own, read through what it prints and what the embedded Azure shows."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp

from firebreak.cli.processes import free_port
from tests.support.patience import Patience

ROOT = Path(__file__).parents[2]
_OURS = ("FIREBREAK_", "PREFECT_", "AZURE_")


@dataclass
class Demo:
    """One running demo. `said()` is all it has printed so far."""

    home: Path
    process: subprocess.Popen[bytes]
    used: set[tuple[str, int]] = field(default_factory=set)

    def said(self) -> str:
        return (self.home / "said.txt").read_text(errors="replace")

    def until(self, pattern: str, *, seconds: float) -> re.Match[str]:
        """Wait until it has printed what matches; `seconds` are those of a free machine."""
        patience = Patience(seconds)
        while patience.lasts():
            if found := re.search(pattern, self.said()):
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise AssertionError(f"The demo did not print {pattern!r}; it ended its output with:\n{self.said()[-1500:]}")

    def run_page(self) -> str:
        """The address of the run that it prints."""
        return self.until(r"Watch it: (\S+)", seconds=120)[1]

    def gate(self, stage: str, attempt: int, question: int = 1) -> str:
        """The id of a gate once the demo asks that question."""
        return self.until(rf"Gate (INC-\w+\.{stage}\.{attempt}), question {question}:", seconds=120)[1]

    def plan(self, gate: str) -> dict[str, Any]:
        """The gate's plan as `firebreak gates show --json` tells it."""
        shown = subprocess.run(
            [sys.executable, "-m", "firebreak.cli.main", "gates", "show", gate, "--json"],
            cwd=ROOT,
            env={**_environment(), "FIREBREAK_HOME": str(self.home)},
            capture_output=True,
            check=True,
            timeout=60,
        )
        return dict(json.loads(shown.stdout))

    def code(self, name: str) -> str:
        """A code of an invented approver that was not used yet; works once and goes stale within a minute: type it last."""
        seeds = {p["name"]: p["totp_secret"] for p in json.loads((self.home / "azure" / "approvers.json").read_text())}
        now = int(time.time()) // 30
        step = next(s for s in (now, now + 1, now - 1) if (name, s) not in self.used)
        self.used.add((name, step))
        return pyotp.TOTP(seeds[name]).at(step * 30)

    def power(self) -> dict[str, str]:
        """Power state of every machine by lower-case ARM id, from the embedded Azure itself."""
        return {m["id"].lower(): m["powerState"].rsplit("/", 1)[-1] for m in self._state()["machines"]}

    def resources(self) -> set[str]:
        """Lower-case ARM ids of all that stands in the embedded Azure."""
        return {r["id"].lower() for r in self._state()["resources"]}

    def _state(self) -> dict[str, Any]:
        azure = json.loads((self.home / "logs" / "azure.log").read_text().splitlines()[0])
        trusted = ssl.create_default_context(cafile=azure["ca_bundle"])
        url = f"{azure['resource_manager']}/_simulator/state"
        with urllib.request.urlopen(url, context=trusted, timeout=60) as answer:  # noqa: S310 - the simulator we started
            return dict(json.load(answer))


@contextmanager
def running_demo(home: Path) -> Iterator[Demo]:
    """Start the demo; end it and its children when the block is left."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "firebreak.cli.main", "demo", "--home", str(home), "--port", str(free_port(4300))],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield Demo(home, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(_OURS)} | {"COLUMNS": "200"}
