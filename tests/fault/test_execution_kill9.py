"""P3 with real processes: kill -9 in the middle, then another process finishes; the cloud's own log counts the writes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from firebreak.execution import Journal
from firebreak.model.outcome import ActionState
from tests.unit.firebreak.execution.builders import FakeClock, Office, make_action, make_incident, make_small_plan
from tests.unit.firebreak.store.databases import store_url

__all__ = ["store_url"]

ROOT = Path(__file__).parents[2]


def child(url: str, folder: Path, gate: str, kill_at: int) -> int:
    command = [sys.executable, "-m", "tests.fault.execution_child", url, str(folder), gate, str(kill_at)]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=120).returncode


def test_processes_killed_one_after_another_do_everything_once(store_url: str, tmp_path: Path) -> None:
    office = Office(store_url, FakeClock()).staff()
    plan = make_small_plan(*(make_action(n) for n in range(1, 7)))
    with office.store:
        office.add(make_incident())
        gate = office.approved(make_incident(), plan).gate
        # A look is event 1; each write has two events: before its effect and after it, when no answer has been seen yet.
        endings = [child(store_url, tmp_path, gate, kill_at) for kill_at in (2, 4, 7, 0)]
        assert endings == [-signal.SIGKILL, -signal.SIGKILL, -signal.SIGKILL, 0]
        written = (tmp_path / "writes.log").read_text().splitlines()
        assert sorted(written) == sorted(action.target for action in plan.actions)
        rows = Journal(office.store, office.audit, office.clock).rows("INC-1a2b3c4d")
        assert {row.state for row in rows} == {ActionState.DONE}
        assert max(row.attempt for row in rows) > 1
        assert office.audit.records("INC-1a2b3c4d")
