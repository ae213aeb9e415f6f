"""The loops in which the runner polls and makes the digest: at once, again and again, over every failure, and not at all where a setting says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from firebreak.errors import SettingsError
from firebreak.intake.poll_log import PollLog
from firebreak.settings import Settings
from firebreak.store import Store
from flows import daily_digest, poll_alerts

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for knows of no event
            await asyncio.sleep(0.005)


async def test_polls_go_on_after_one_that_failed_and_end_when_cancelled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    async def poll() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise ConnectionError("the server is away")

    monkeypatch.setattr(poll_alerts, "_poll", poll)
    with caplog.at_level(logging.WARNING):
        task = asyncio.create_task(poll_alerts.keep_polling(0.00001))
        await until(lambda: len(calls) >= 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "ConnectionError: the server is away" in caplog.text


async def test_nothing_is_polled_and_no_digest_made_where_the_settings_say_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never() -> None:
        raise AssertionError

    monkeypatch.setattr(poll_alerts, "_poll", never)
    monkeypatch.setattr(daily_digest, "_digest", never)
    async with asyncio.timeout(20):
        await poll_alerts.keep_polling(0)
        await daily_digest.keep_digesting(Settings.load(poll={"every_minutes": 0}))
        await daily_digest.keep_digesting(Settings.load(poll={"digest_hour": -1}))


async def test_a_digest_that_failed_is_made_again_and_one_that_was_made_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load(home=tmp_path, poll={"digest_hour": 6})
    made: list[int] = []

    async def digest() -> None:
        made.append(len(made))
        if len(made) == 1:
            raise SettingsError("No block.")
        with Store.open(settings.database_url) as store:
            PollLog(store).looked(daily_digest.SOURCE, until=NOON, opens_from=NOON)

    monkeypatch.setattr(daily_digest, "_digest", digest)
    monkeypatch.setattr(daily_digest, "_LOOK_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(daily_digest, "utc_now", lambda: NOON)
    looks: list[int] = []
    is_due = daily_digest._is_due

    def counted(given: Settings) -> bool:
        looks.append(1)
        return is_due(given)

    monkeypatch.setattr(daily_digest, "_is_due", counted)
    task = asyncio.create_task(daily_digest.keep_digesting(settings))
    await until(lambda: len(looks) >= 5)
    task.cancel()
    assert len(made) == 2


@pytest.mark.parametrize(
    ("hour", "made", "failed_ago", "due"),
    [
        (5, None, None, False),  # too early
        (6, None, None, True),
        (23, None, None, True),  # the runner was down at six
        (12, timedelta(hours=1), None, False),  # made today
        (6, timedelta(days=1), None, True),
        (12, None, timedelta(minutes=59), False),  # failed a moment ago
        (12, None, timedelta(minutes=61), True),
    ],
)
def test_the_digest_is_due_once_a_day_and_an_hour_after_a_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hour: int,
    made: timedelta | None,
    failed_ago: timedelta | None,
    due: bool,
) -> None:
    now = NOON.replace(hour=hour)
    settings = Settings.load(home=tmp_path, poll={"digest_hour": 6})
    with Store.open(settings.database_url) as store:
        if made is not None:
            PollLog(store).looked(daily_digest.SOURCE, until=now - made, opens_from=now)
        if failed_ago is not None:
            store.clock = lambda: now - failed_ago
            PollLog(store).failed(daily_digest.SOURCE, "403")
    monkeypatch.setattr(daily_digest, "utc_now", lambda: now)
    assert daily_digest._is_due(settings) is due
