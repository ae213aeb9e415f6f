"""The flow that lists every open alert once a day, takes in what polls missed, and escalates what nears day sixty.

With workers it is a deployment with a schedule; the runner of `firebreak up` calls it at an hour of the settings. Alone:

    python -m flows.daily_digest
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_logger
from prefect.states import Completed, Failed

from firebreak.approval import notices
from firebreak.clients.policies.redaction import without_secrets
from firebreak.engine import EngineRoom, open_engine_room
from firebreak.engine.room import utc_now
from firebreak.engine.unresolved import Digest, unresolved_alerts
from firebreak.errors import ResponseError
from firebreak.intake.poll_log import PollLog
from firebreak.report.unresolved import digest_page, headline
from firebreak.settings import Settings
from flows.connection import connected_settings
from flows.notices import tell_people
from flows.polling import poll_once
from tasks.guidance import instructions
from tasks.registry import load_steps

SOURCE: Final = "digest"
_LOOK_EVERY_SECONDS: Final = 300
_AGAIN_AFTER: Final = timedelta(hours=1)


@flow(name="daily-digest", persist_result=False, retries=0, log_prints=False)
async def daily_digest() -> State[Any]:
    """List what nobody resolved. Failed when Graph could not be read to the end: then there may be more."""
    log = get_run_logger()
    try:
        settings = await connected_settings()
    except ResponseError as error:
        log.warning("%s", error)
        return Failed(message=error.message)
    with open_engine_room(settings, load_steps(), instructions=instructions()) as room:
        digest = await make_digest(room)
        page = digest_page(
            digest.alerts, at=digest.at, due=len(digest.due), late=len(digest.late), problems=digest.problems
        )
        await acreate_markdown_artifact(
            key="open-alerts",
            markdown=without_secrets(page),
            description="Open alerts of Microsoft's, the oldest first",
        )
        await tell_people(room, log.warning)
    said = _said(digest)
    return Failed(message=said) if digest.problems else Completed(message=said)


async def make_digest(room: EngineRoom) -> Digest:
    """Read everything that is open, take in what no poll saw, and enter what people are to be told, once a day."""
    # An alert may be listed days after its time of detection, when no poll asks for that time any more.
    await poll_once(room, whole=True)
    digest = await unresolved_alerts(room)
    with room.store.write() as tx:
        notices.add_digest(tx, _said(digest), digest.at)
        for one in digest.due:
            before = f"{one.answer_before:%Y-%m-%d}" if one.answer_before else "day sixty"
            text = f"Microsoft's alert {one.title or one.type} on subscription {one.subscription_id} is {one.age_days} days old: answer it before {before}."
            notices.add_due(tx, one.id, text, digest.at)
    log = PollLog(room.store)
    if digest.problems:
        log.failed(SOURCE, " ".join(digest.problems))
    else:
        log.looked(SOURCE, until=digest.at, opens_from=digest.at)
    return digest


async def keep_digesting(settings: Settings) -> None:
    """Make the digest once a day, at or after its hour, until cancelled; one that failed is made again. Never when the hour is -1 or nothing is polled."""
    while settings.poll.digest_hour >= 0 and settings.poll.every_minutes:
        try:
            if await asyncio.to_thread(_is_due, settings):
                # In a thread with a loop of its own: the store waits for locks, and the runner must not wait with it.
                await asyncio.to_thread(lambda: asyncio.run(_digest()))
        except Exception as error:  # noqa: BLE001 - the outer edge: a digest that ends for a lost connection is made later
            get_logger("firebreak.digest").warning("No digest was made (%s: %s).", type(error).__name__, error)
        await asyncio.sleep(_LOOK_EVERY_SECONDS)


def _is_due(settings: Settings) -> bool:
    with open_engine_room(settings, {}) as room:
        last, now = PollLog(room.store).get(SOURCE), utc_now()
    if last is not None and last.reason and now - last.tried_at < _AGAIN_AFTER:
        return False
    made_today = last is not None and last.looked_until is not None and last.looked_until.date() == now.date()
    return now.hour >= settings.poll.digest_hour and not made_today


def _said(digest: Digest) -> str:
    return headline(len(digest.alerts), due=len(digest.due), late=len(digest.late), complete=not digest.problems)


async def _digest() -> None:
    await daily_digest(return_state=True)


if __name__ == "__main__":
    asyncio.run(keep_digesting(Settings.load()))
