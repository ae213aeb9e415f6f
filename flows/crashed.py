"""Which incidents lost their run: Prefect calls it crashed, and nothing goes on by itself.

A run is called crashed by its runner when its process dies, and by the automation for silent runs when its host did (`flows.automations`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from firebreak.approval import Notice, notices
from firebreak.engine import EngineRoom
from firebreak.model.mode import Mode
from flows.start import PrefectError, states_of_runs

_ENDED: Final = ("done", "stopped", "failed")


async def note_crashed(room: EngineRoom, warn: Callable[[str], None]) -> int:
    """Enter a notice for each live incident whose newest run crashed, once for each run, and return how many are new."""
    runs: dict[str, str] = {}
    for row in room.store.incidents.list():
        run = room.store.values.get(row.incident.id, "flow_run") if row.state not in _ENDED else None
        if run and row.incident.mode is Mode.LIVE:
            runs[str(run)] = row.incident.id
    if not runs:
        return 0
    try:
        states = await states_of_runs(list(runs))
    except PrefectError as error:
        warn(f"It is not known which runs crashed: {error.message}")
        return 0
    return sum(_note(room, runs[run], run) for run, state in states.items() if state == "Crashed")


def _note(room: EngineRoom, incident: str, run: str) -> bool:
    seen = list(room.store.values.get(incident, "crashed-runs", []))
    if run in seen:
        return False
    text = "The process or host of the run is gone. Nothing is lost and nothing goes on until a new run is started."
    notice = Notice(
        about=incident, kind=notices.CRASHED, number=len(seen), incident=incident, text=text, at=room.clock()
    )
    with room.store.write() as tx:
        room.store.values.set(incident, "crashed-runs", [*seen, run], tx=tx)
        if is_new := notices.add(tx, notice):
            room.audit.append(incident, "run.crashed", who="engine", data={"flow_run": run}, tx=tx)
    return is_new
