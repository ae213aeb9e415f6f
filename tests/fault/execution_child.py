"""A process that carries out an approved plan on a cloud kept in a folder, and may kill itself: used by the kill -9 test.

Run as `python -m tests.fault.execution_child URL FOLDER GATE KILL_AT`; KILL_AT 0 never kills.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from firebreak.execution import Patience
from firebreak.model.outcome import ActionState
from tests.unit.firebreak.execution.builders import FakeClock, Office
from tests.unit.firebreak.execution.cloud_double import Cloud
from tests.unit.firebreak.execution.running import run


async def main(url: str, folder: Path, gate: str, kill_at: int) -> None:
    office = Office(url, FakeClock(datetime(2026, 11, 22, 13, 0, tzinfo=UTC)))
    plan = office.store.plans.load(office.desk.view(gate).plan_digest)
    cloud, seen = Cloud(plan.actions), 0
    log = folder / "writes.log"
    for line in log.read_text().splitlines() if log.exists() else []:
        cloud.power[line] = "stopped"

    def event(kind: str, target: str) -> None:
        nonlocal seen
        seen += 1
        if kind == "after":
            with log.open("a") as file:
                file.write(f"{target}\n")
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    cloud.hooks.append(event)
    approved = office.desk.bind(gate, plan)
    outcomes = await run(office, approved, cloud, run_id=str(os.getpid()), concurrency=2, patience=Patience())
    assert {outcome.state for outcome in outcomes} <= {ActionState.DONE}, outcomes
    office.store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
