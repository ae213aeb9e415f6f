"""The flow that asks Microsoft for alerts that no webhook brought, and the loop in which the runner calls it.

With workers it is a deployment with a schedule; by hand it is `firebreak intake poll`, or alone:

    python -m flows.poll_alerts
"""

from __future__ import annotations

import asyncio
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.logging import get_logger
from prefect.states import Completed, Failed

from firebreak.engine import open_engine_room
from firebreak.errors import ResponseError
from firebreak.settings import Settings
from flows.connection import connected_settings
from flows.polling import PollReport, is_blind, poll_once, summary
from tasks.guidance import instructions
from tasks.registry import load_steps


@flow(name="poll-alerts", persist_result=False, retries=0, log_prints=False)
async def poll_alerts() -> State[Any]:
    """Ask Graph, Partner Center and Cost Management once. Failed when one of them could not be looked at: then nobody knows what it lists."""
    log = get_run_logger()
    try:
        settings = await connected_settings()
    except ResponseError as error:
        log.warning("%s", error)
        return Failed(message=error.message)
    with open_engine_room(settings, load_steps(), instructions=instructions()) as room:
        reports = await poll_once(room)
    for report in reports:
        for text in _told(report):
            log.warning("%s: %s", report.poll.source, text)
    said = summary(reports)
    return Failed(message=said) if is_blind(reports) else Completed(message=said)


async def keep_polling(every_minutes: float) -> None:
    """Poll at once and again and again until cancelled; a poll that fails is told in the log and tried again. 0 minutes: never."""
    while every_minutes:
        try:
            # In a thread with a loop of its own: the store waits for locks, and the runner must not wait with it.
            await asyncio.to_thread(lambda: asyncio.run(_poll()))
        except Exception as error:  # noqa: BLE001 - the outer edge: a poller that ends for a lost connection polls nothing
            get_logger("firebreak.poll").warning("Nothing was polled (%s: %s).", type(error).__name__, error)
        await asyncio.sleep(every_minutes * 60)


async def _poll() -> None:
    # The state says what could not be looked at; it is in the log and in the UI, and raises nothing here.
    await poll_alerts(return_state=True)


def _told(report: PollReport) -> list[str]:
    poll = report.poll
    return [
        *(f"NOT LOOKED AT: {problem}" for problem in poll.problems),
        *poll.warnings,
        *poll.missed,
        *(
            f"{poll.older} unresolved alerts are older than what opens an incident: firebreak intake poll --backlog"
            for _ in range(bool(poll.older))
        ),
        *(f"kept without an incident: {reason}" for reason in report.kept),
        *(f"waits: {reason}" for reason in report.waiting),
    ]


if __name__ == "__main__":
    asyncio.run(keep_polling(Settings.load().poll.every_minutes))
