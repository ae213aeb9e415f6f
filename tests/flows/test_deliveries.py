"""Deliveries: kept before they are answered, one incident for one alert and for several of one subscription, found again after a crash."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from firebreak.engine import EngineRoom, open_engine_room
from firebreak.errors import RemoteError
from firebreak.intake.channels import AZURE_MONITOR
from firebreak.intake.inbox import DONE, KEPT, WAITING, Inbox
from firebreak.model.mode import Mode
from firebreak.settings import Settings
from flows import deliveries as module
from flows.deliveries import Deliveries
from flows.readings import read
from tasks.registry import load_steps

ONE = "33333333-3333-4333-8333-333333333333"
TWO = "44444444-4444-4444-8444-444444444444"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(tmp_path: Path, clock: Clock) -> Iterator[EngineRoom]:
    with open_engine_room(Settings.load(home=tmp_path), load_steps(), clock=clock) as opened:
        opened.store.clock = clock
        yield opened


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Instead of a Prefect server: the incidents whose runs were started."""
    found: list[str] = []

    async def start_run(room: EngineRoom, incident: str, *, key: str) -> str:
        assert key == incident
        found.append(incident)
        room.store.values.set(incident, "flow_run", f"run-of-{incident}")
        return f"run-of-{incident}"

    monkeypatch.setattr(module, "start_run", start_run)
    return found


def alert(identity: str, subscription: str = ONE, **more: Any) -> bytes:
    document = {"id": identity, "type": "CryptoMining", "subscriptionId": subscription, "customerTenantId": TWO}
    return json.dumps({**document, **more}).encode()


async def deliver(room: EngineRoom, body: bytes) -> module.Result:
    deliveries = Deliveries(room, read)
    return await deliveries.process((await deliveries.take("alerts", body)).id)


async def test_alerts_of_one_subscription_join_the_incident_that_runs(room: EngineRoom, started: list[str]) -> None:
    first = await deliver(room, alert("a"))
    late = await deliver(room, alert("b", title="Second"))
    other = await deliver(room, alert("a", TWO))
    assert (first.is_new, late.is_new, other.is_new) == (True, False, True)
    assert late.incident == first.incident != other.incident
    assert late.flow_run == first.flow_run
    assert started == [first.incident, other.incident]
    assert [one.alert_id for one in room.store.cases.alerts(first.incident)] == ["a", "b"]
    joined = room.audit.records(first.incident)[-1]
    assert (joined.kind, joined.data["alert"], joined.data["title"]) == ("alert.joined", "b", "Second")


@pytest.mark.parametrize("state", ["done", "stopped", "failed"])
async def test_an_incident_that_has_ended_takes_no_other_alert_in(
    room: EngineRoom, started: list[str], state: str
) -> None:
    first = await deliver(room, alert("a"))
    room.store.incidents.set_state(first.incident, state)
    again, other = await deliver(room, alert("a", note="once more")), await deliver(room, alert("b"))
    assert (again.incident, again.is_new) == (first.incident, False)
    assert other.incident != first.incident
    assert started == [first.incident, other.incident]


async def test_an_incident_that_is_too_old_takes_no_other_alert_in(
    room: EngineRoom, started: list[str], clock: Clock
) -> None:
    first = await deliver(room, alert("a"))
    clock.now += timedelta(hours=room.settings.intake.join_hours + 1)
    assert (await deliver(room, alert("b"))).incident != first.incident
    assert len(started) == 2


async def test_what_a_person_asks_for_is_an_incident_of_its_own(room: EngineRoom, started: list[str]) -> None:
    first = await deliver(room, alert("a"))
    asked = room.open(alert("b"), place="a file", mode=Mode.LIVE, requested_by="alice")
    again = room.open(alert("a"), place="a file", mode=Mode.LIVE, requested_by="alice")
    assert asked.is_new
    assert asked.incident.id != first.incident
    assert (again.incident.id, again.is_new) == (first.incident, False)


async def test_many_deliveries_at_once_open_one_incident_and_start_one_run(
    room: EngineRoom, started: list[str]
) -> None:
    deliveries = Deliveries(room, read)
    bodies = [alert(f"a{number % 4}", note=str(number // 8)) for number in range(24)]
    taken = await asyncio.gather(*(deliveries.take("alerts", body) for body in bodies))
    assert sum(one.is_new for one in taken) == len(set(bodies)) == 12
    results = await asyncio.gather(*(deliveries.process(one.id) for one in taken))
    assert {one.incident for one in results} == set(started)
    assert len(set(started)) == 1
    kinds = [record.kind for record in room.audit.records(started[0])]
    assert sorted(kinds) == ["alert.joined"] * 3 + ["incident.opened"]


async def test_what_comes_at_once_shares_few_transactions(room: EngineRoom, started: list[str]) -> None:
    deliveries, batches = Deliveries(room, read), []
    take = deliveries.inbox.take

    def counted(arrived: list[tuple[str, bytes]]) -> list[Any]:
        batches.append(len(arrived))
        return take(arrived)

    deliveries.inbox.take = counted  # type: ignore[method-assign,assignment]

    async def sender(number: int) -> None:
        for count in range(10):
            await deliveries.take("alerts", alert(f"{number}-{count}"))

    await asyncio.gather(*(sender(number) for number in range(32)))
    assert sum(batches) == 320
    assert len(batches) <= 25


async def test_what_a_process_left_when_it_died_is_processed_by_the_next(room: EngineRoom, started: list[str]) -> None:
    Inbox(room.store).take([("alerts", alert("a")), ("alerts", b"no alert"), ("alerts", alert("b", TWO))])
    async with Deliveries(room, read) as deliveries:
        for _ in range(1000):
            if not deliveries.inbox.waiting().number:
                break
            await asyncio.sleep(0.02)
    assert len(started) == 2
    assert deliveries.inbox.counts() == {("alerts", DONE): 2, ("alerts", KEPT): 1}
    assert "not JSON" in deliveries.inbox.newest(KEPT)[0].reason


async def test_one_that_died_after_opening_the_incident_starts_its_run(room: EngineRoom, started: list[str]) -> None:
    opened = room.open(alert("a"), place="intake", mode=Mode.LIVE, requested_by="intake", joins=True)
    result = await deliver(room, alert("a"))
    assert (result.incident, result.is_new) == (opened.incident.id, False)
    assert started == [opened.incident.id]


async def test_what_cannot_be_started_waits_longer_each_time_and_is_not_lost(
    room: EngineRoom, started: list[str], monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    good = module.start_run

    async def away(*_: object, **__: object) -> str:
        raise RemoteError("The server is away.")

    monkeypatch.setattr(module, "start_run", away)
    waits = []
    for _ in range(10):
        result = await deliver(room, alert("a"))
        assert (result.state, result.reason) == (WAITING, "The server is away.")
        (kept,) = Inbox(room.store).newest(WAITING)
        assert kept.body == alert("a")
        waits.append(round((kept.due_at - clock.now).total_seconds()))
        assert Inbox(room.store).due(clock.now) == []
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert len(room.store.incidents.list()) == 1
    monkeypatch.setattr(module, "start_run", good)
    clock.now += timedelta(minutes=6)
    (due,) = Inbox(room.store).due(clock.now)
    assert (await Deliveries(room, read).process(due)).state == DONE
    assert len(started) == 1


async def test_a_strangers_text_stays_on_its_line_of_the_log(
    room: EngineRoom, started: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"x\nERROR firebreak: all is well\u202e\x1b[2J": 1}).encode()
    assert (await deliver(room, body)).state == KEPT
    (line,) = [record.getMessage() for record in caplog.records if record.name == "firebreak.intake"]
    assert "all is well" in line
    assert line.isprintable()


async def test_what_was_done_stays_done(room: EngineRoom, started: list[str]) -> None:
    result = await deliver(room, alert("a"))
    inbox = Inbox(room.store)
    (row,) = inbox.newest(DONE)
    inbox.settle(row.id, KEPT, reason="too late")
    inbox.put_off(row, "too late")
    assert inbox.newest()[0] == row
    assert (await deliver(room, alert("a"))).incident == result.incident
    assert len(started) == 1


def monitored(identity: str, subscription: str) -> bytes:
    essentials = {
        "alertId": f"/subscriptions/{subscription}/providers/Microsoft.AlertsManagement/alerts/{identity}",
        "alertRule": "Many machines",
        "monitorCondition": "Fired",
        "monitoringService": "Platform",
        "alertTargetIDs": [f"/subscriptions/{subscription}"],
        "firedDateTime": "2026-03-02T04:00:00Z",
    }
    return json.dumps({"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": essentials}}).encode()


async def test_a_burst_whose_intake_dies_twice_is_one_incident_and_one_run_for_each_subscription(
    room: EngineRoom, started: list[str]
) -> None:
    """The small form of `tests/fault/test_intake_burst.py`: 90 deliveries about 5 subscriptions over two channels, a third of them again."""
    everywhere = Settings.load(home=room.settings.home, intake={"subscriptions": ["*"]}, credential={"tenant_id": TWO})
    room = replace(room, settings=everywhere)
    subscriptions = [f"{number:08x}-3333-4333-8333-333333333333" for number in range(5)]
    burst = [("alerts", alert(f"a-{n}", subscriptions[n % 5])) for n in range(30)]
    burst += [(AZURE_MONITOR, monitored(f"m-{n}", subscriptions[n % 5])) for n in range(30)]
    burst += burst[::2]
    for start in range(0, len(burst), 30):
        # Cut off in the middle of its work, whatever is under way: nothing is settled on the way out.
        async with Deliveries(room, read) as deliveries:
            await asyncio.gather(*(deliveries.take(channel, body) for channel, body in burst[start : start + 30]))
            await asyncio.sleep(0.05)
    async with Deliveries(room, read) as deliveries:
        for _ in range(2000):
            if not deliveries.inbox.waiting().number:
                break
            await asyncio.sleep(0.02)
    rows = {row.incident.subscription_id: row.incident.id for row in room.store.incidents.list()}
    assert sorted(rows) == subscriptions
    assert set(started) == set(rows.values())
    assert deliveries.inbox.counts() == {("alerts", DONE): 30, (AZURE_MONITOR, DONE): 30}
    for number, subscription in enumerate(subscriptions):
        joined = {one.alert_id.rpartition("/")[2] for one in room.store.cases.alerts(rows[subscription])}
        assert joined == {f"{kind}-{n}" for kind in "am" for n in range(number, 30, 5)}
