"""The flow that watches the time at gates, since suspended runs hold no process, and for runs that died; it tells people of both.

The runner calls it every minute, in its own process. With workers it is a deployment with a schedule, or runs here by itself:

    python -m flows.watch_gates
"""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.logging import get_logger
from prefect.states import Completed

from firebreak.approval import GateWatch
from firebreak.engine import open_engine_room
from firebreak.settings import Settings
from flows.crashed import note_crashed
from flows.events import tell_prefect_that_gates_are_watched
from flows.notices import tell_people


@flow(name="watch-gates", persist_result=False, retries=0, log_prints=False)
async def watch_gates() -> State[Any]:
    """Ask again at gates whose question expired, remind people, escalate, see which runs died, and tell each of it once."""
    log = get_run_logger()
    with open_engine_room(Settings.load(), {}) as room:
        GateWatch(room.store, room.desk, room.audit).look()
        await note_crashed(room, log.warning)
        told = await tell_people(room, log.warning)
    await tell_prefect_that_gates_are_watched()
    return Completed(message=f"{told} told")


async def keep_watching(every_seconds: int) -> None:
    """Look again and again until cancelled; a look that fails is told in the log and tried again. 0 seconds: never."""
    while every_seconds:
        await asyncio.sleep(every_seconds)
        try:
            # In a thread with a loop of its own: the store waits for locks, and the runner must not wait with it.
            await asyncio.to_thread(lambda: asyncio.run(watch_gates()))
        except Exception as error:  # noqa: BLE001 - the outer edge: a watcher that ends for a lost connection watches nothing
            get_logger("firebreak.watch").warning("The gates were not watched (%s: %s).", type(error).__name__, error)


if __name__ == "__main__":
    asyncio.run(keep_watching(Settings.load().watch_gates_every_seconds))
