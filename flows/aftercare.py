"""The flow that looks again at subscriptions whose incident was closed, and starts the response to what came back.

With workers it is a deployment with a schedule; the runner of `firebreak up` calls it every some hours; by hand it is `firebreak watch`. Alone:

    python -m flows.aftercare
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.logging import get_logger
from prefect.states import Completed, Failed

from firebreak.engine import EngineRoom, open_engine_room
from firebreak.engine.aftercare import Watched, closed_incidents, look_again, reopen, unstarted
from firebreak.errors import ResponseError
from firebreak.report.words import counted
from firebreak.settings import Settings
from flows.connection import connected_settings
from flows.notices import tell_people
from flows.start import start_run
from tasks.guidance import instructions
from tasks.registry import load_steps


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass saw. `reopened` maps closed incidents to those that came after them; `waiting` have no run yet, with the reason."""

    watched: tuple[Watched, ...] = ()
    reopened: dict[str, str] = {}
    waiting: tuple[str, ...] = ()


@flow(name="watch-closed", persist_result=False, retries=0, log_prints=False)
async def watch_closed() -> State[Any]:
    """Look once at every subscription that is watched. Failed when one could not be looked at as a whole: then nobody knows whether it is quiet."""
    log = get_run_logger()
    try:
        settings = await connected_settings()
    except ResponseError as error:
        log.warning("%s", error)
        return Failed(message=error.message)
    with open_engine_room(settings, load_steps(), instructions=instructions()) as room:
        look = await watch_once(room)
        await tell_people(room, log.warning)
    for text in lines_of(look):
        log.warning("%s", text)
    said = summary(look)
    return Failed(message=said) if is_blind(look) else Completed(message=said)


async def watch_once(room: EngineRoom, *, incident: str = "", start: bool = True) -> Look:
    """Look at what is watched, one subscription after the other, and open what came back.

    Args:
        incident: only this one.
        start: also start the runs; False leaves that to people.
    """
    watched, reopened = [], {}
    for row in closed_incidents(room):
        if incident and row.incident.id != incident:
            continue
        seen = await look_again(room, row)
        watched.append(seen)
        if opened := reopen(room, seen):
            reopened[seen.incident] = opened
    waiting = []
    for name in unstarted(room) if start else ():
        try:
            await start_run(room, name, key=name)
        except ResponseError as error:
            waiting.append(f"{name}: {error.message}")
    return Look(watched=tuple(watched), reopened=reopened, waiting=tuple(waiting))


def is_blind(look: Look) -> bool:
    """Whether a subscription that seems quiet could not be looked at as a whole, or a run could not be started."""
    return bool(look.waiting) or any(one.is_quiet and one.not_looked_at for one in look.watched)


def lines_of(look: Look) -> list[str]:
    """What people have to know, a line each."""
    lines = [
        f"{one.incident} came back as {look.reopened.get(one.incident, 'an incident')}: {sign.text}"
        for one in look.watched
        for sign in one.signs
    ]
    lines += [
        f"NOT LOOKED AT after {one.incident}: {note.what} ({note.why})"
        for one in look.watched
        for note in one.not_looked_at
    ]
    return [*lines, *(f"opened, but not started yet: {text}" for text in look.waiting)]


def summary(look: Look) -> str:
    """One line for a log."""
    blind = sum(bool(one.is_quiet and one.not_looked_at) for one in look.watched)
    more = f", {blind} of them not as a whole" if blind else ""
    back = ": " + ", ".join(f"{old} as {new}" for old, new in look.reopened.items()) if look.reopened else ""
    return f"{counted(len(look.watched), 'closed incident')} looked at{more}; {len(look.reopened)} came back{back}"


async def keep_aftercare(settings: Settings) -> None:
    """Look every some hours until cancelled; a look that fails is told in the log and tried again. Never when hours or days are 0."""
    while settings.aftercare.every_hours and settings.aftercare.days:
        try:
            # In a thread with a loop of its own: the store waits for locks, and the runner must not wait with it.
            await asyncio.to_thread(lambda: asyncio.run(_look()))
        except Exception as error:  # noqa: BLE001 - the outer edge: a watcher that ends for a lost connection watches nothing
            get_logger("firebreak.aftercare").warning("Nothing was watched (%s: %s).", type(error).__name__, error)
        await asyncio.sleep(settings.aftercare.every_hours * 3600)


async def _look() -> None:
    # The state says what could not be looked at; it is in the log and in the UI, and raises nothing here.
    await watch_closed(return_state=True)


if __name__ == "__main__":
    asyncio.run(keep_aftercare(Settings.load()))
