"""Signs of life of a run, kept in the store, so that asking for the same again does not start a second run beside one that is at it.

Only who starts runs by hand looks at them. What keeps two runs from writing is the lease; this spares the second reading of a subscription.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from firebreak.engine import EngineRoom

BEAT_SECONDS = 10.0
SILENT_SECONDS = 45.0  # after so long without a sign a run counts as dead: its host may have died with it


@asynccontextmanager
async def alive(room: EngineRoom, incident: str, key: str, run: str) -> AsyncIterator[None]:
    """Tell the store every few seconds that `run` is at `key`, until the block is left."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            sign(room, incident, key, run)

    sign(room, incident, key, run)
    beating = asyncio.ensure_future(beat())
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        told = room.store.values.get(incident, _name(key))
        if told and told["run"] == run:  # else another run has taken over
            room.store.values.set(incident, _name(key), None)


def sign(room: EngineRoom, incident: str, key: str, run: str) -> None:
    """Give one sign of life of `run`, which is at `key`."""
    room.store.values.set(incident, _name(key), {"run": run, "at": room.clock().isoformat()})


def who_is_at(room: EngineRoom, incident: str, key: str) -> tuple[str, datetime] | None:
    """The run that gave a sign of life lately, and when; None when nobody is at it."""
    told = room.store.values.get(incident, _name(key))
    if not told:
        return None
    at = datetime.fromisoformat(told["at"])
    return (str(told["run"]), at) if room.clock() - at < timedelta(seconds=SILENT_SECONDS) else None


def _name(key: str) -> str:
    return f"{key}-alive"
