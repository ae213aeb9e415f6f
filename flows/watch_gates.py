"""The scheduled flow that watches the time at gates: suspended runs hold no process, so none of them can."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from firebreak.approval import GateWatch
from firebreak.engine import open_engine_room
from firebreak.settings import Settings
from flows.notices import tell_people


@flow(name="watch-gates", persist_result=False, retries=0, log_prints=False)
async def watch_gates() -> State[Any]:
    """Ask again at gates whose question expired, remind people, escalate, and tell each of it once."""
    log = get_run_logger()
    with open_engine_room(Settings.load(), {}) as room:
        GateWatch(room.store, room.desk, room.audit).look()
        told = await tell_people(room, log.warning)
    return Completed(message=f"{told} told")
