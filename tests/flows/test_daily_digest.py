"""The daily digest: what nobody resolved, told once a day; what no poll saw is taken in; an old alert is escalated before day sixty."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from azure_simulator.faults import Fault
from firebreak.approval import notices
from firebreak.intake.poll_log import PollLog
from firebreak.report.messages import open_alerts_message
from flows.daily_digest import make_digest
from flows.polling import poll_once
from tests.support.polls import Place, polling_room, raise_alert

GRAPH = "security/partner/securityAlerts"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with polling_room(tmp_path / "home", monkeypatch) as found:
        yield found


def days_ago(place: Place, days: float) -> str:
    return f"{place.world.clock.now() - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def told(place: Place) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in notices.claim(place.room.store) if not one.incident]


def test_an_alert_that_was_listed_days_late_is_taken_in(place: Place) -> None:
    asyncio.run(poll_once(place.room))
    place.world.clock.advance(4 * 86_400)
    raise_alert(place.world, "graph", detectedDateTime=days_ago(place, 3))
    place.world.clock.advance(600)
    asyncio.run(poll_once(place.room))
    place.world.clock.advance(2 * 86_400)
    asyncio.run(poll_once(place.room))
    before = len(place.started)
    late = raise_alert(place.world, "graph", subscription="99999999-9999-4999-8999-999999999999")
    late["detectedDateTime"] = days_ago(place, 5)
    asyncio.run(poll_once(place.room))
    assert len(place.started) == before  # detected before what a poll asks for
    digest = asyncio.run(make_digest(place.room))
    assert len(place.started) == before + 1
    assert late["id"] in {one.id for one in digest.alerts if one.incident}


def test_it_is_told_once_a_day_and_each_alert_that_nears_day_sixty(place: Place) -> None:
    for days in (10, 55, 80):
        subscription = f"999999{days}-9999-4999-8999-999999999999"
        raise_alert(place.world, "graph", subscription=subscription, detectedDateTime=days_ago(place, days))
    asyncio.run(make_digest(place.room))
    asyncio.run(make_digest(place.room))
    first = told(place)
    assert sorted(kind for kind, _ in first) == ["digest", "due"]
    said = dict(first)
    assert "3 alerts are open; 1 must be answered before day sixty; 1 are sixty days old or older" in said["digest"]
    assert "99999955-" in said["due"]
    assert "is 55 days old" in said["due"]
    place.world.clock.advance(86_400)
    asyncio.run(make_digest(place.room))
    assert sum(kind == "due" for kind, _ in told(place)) == 2  # those of both days are untold


def test_what_could_not_be_read_is_told_as_such_and_made_again(place: Place) -> None:
    raise_alert(place.world, "graph")
    place.world.faults.append(Fault("status", status=403, method="GET", url=GRAPH))
    digest = asyncio.run(make_digest(place.room))
    assert digest.problems
    kept = PollLog(place.room.store).get("digest")
    assert kept is not None
    assert (kept.looked_until, bool(kept.reason)) == (None, True)
    assert "nobody knows" in dict(told(place))["digest"]


def test_the_message_holds_nothing_that_a_channel_acts_upon() -> None:
    message = open_alerts_message("due", text="<!channel> [x](http://evil.example) is 55 days old")
    assert message.urgent
    assert "](http://" not in message.lines[0]
    assert "<!channel>" not in message.lines[0]
