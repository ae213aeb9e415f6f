"""P3: killed at any moment and started again, no action happens twice and none is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import event

from firebreak.errors import LeaseLostError, RejectedError, ThrottledError, UncertainError, UnreachableError
from firebreak.execution import Journal, Lease
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, Plan
from firebreak.model.step import Effect, Target
from tests.unit.firebreak.execution.builders import FakeClock, Office, make_action, make_incident, make_small_plan
from tests.unit.firebreak.execution.cloud_double import Cloud, Killed, kill_at, states
from tests.unit.firebreak.execution.running import run
from tests.unit.firebreak.store.databases import sqlite_url, store_url

__all__ = ["store_url"]


def two_waves() -> Plan:
    """Two machines stopped, then the same two deleted, and a third stopped that Azure takes its time over."""
    stops = [make_action(n) for n in (1, 2, 3)]
    removals = [
        make_action(
            n, step="contain.remove", kind="machine.delete", effect=Effect.IRREVERSIBLE, after=(stops[n - 1].id,)
        )
        for n in (1, 2)
    ]
    return make_small_plan(*stops, *removals, effect=Effect.IRREVERSIBLE)


def expected_writes(actions: tuple[Action, ...]) -> dict[str, int]:
    targets = [action.target for action in actions]
    return {target: targets.count(target) for target in targets}


async def killed_at(office: Office, plan: Plan, number: int) -> tuple[Cloud, bool]:
    """Run until killed at the n-th event (journal commits included), then run again without a fault."""
    approved = office.approved(make_incident(), plan)
    cloud = Cloud(plan.actions)
    cloud.slow[plan.actions[0].target] = 3
    hook, _ = kill_at(number)
    cloud.hooks.append(hook)

    def before_commit(_connection: object) -> None:
        hook("commit", "")

    lease = Lease.acquire(office.store, "INC-1a2b3c4d", "run-1", clock=office.clock)
    event.listen(office.store.engine, "commit", before_commit)
    died = False
    try:
        await run(office, approved, cloud, lease=lease)
    except Killed:
        died = True
    finally:
        event.remove(office.store.engine, "commit", before_commit)
        cloud.hooks.clear()
    return cloud, died


async def test_killed_at_every_event_nothing_happens_twice_and_nothing_is_lost(tmp_path: Path) -> None:
    plan, number, died = two_waves(), 0, True
    while died:
        number += 1
        office = Office(sqlite_url(tmp_path / str(number)), FakeClock()).staff()
        with office.store:
            office.add(make_incident())
            cloud, died = await killed_at(office, plan, number)
            approved = office.desk.bind("INC-1a2b3c4d.contain.1", office.store.plans.load(plan.digest))
            outcomes = await run(office, approved, cloud, run_id="run-2")
            assert dict(cloud.writes) == expected_writes(plan.actions), f"killed at event {number}"
            assert set(states(outcomes)) == {ActionState.DONE}, f"killed at event {number}"
            assert len(outcomes) == len(plan.actions)
            office.audit.records("INC-1a2b3c4d")
    assert number > 30


@pytest.mark.parametrize("number", [4, 9, 14, 19, 24])
async def test_killed_on_either_database(store_url: str, number: int) -> None:
    plan = two_waves()
    office = Office(store_url, FakeClock()).staff()
    with office.store:
        office.add(make_incident())
        cloud, died = await killed_at(office, plan, number)
        assert died
        approved = office.desk.bind("INC-1a2b3c4d.contain.1", office.store.plans.load(plan.digest))
        outcomes = await run(office, approved, cloud, run_id="run-2")
        assert dict(cloud.writes) == expected_writes(plan.actions)
        assert set(states(outcomes)) == {ActionState.DONE}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(sqlite_url(tmp_path), FakeClock()).staff()
    with office.store:
        office.add(make_incident())
        yield office


class Once:
    """Raise an error at the first n events of a kind."""

    def __init__(self, kind: str, error: Exception, times: int = 1) -> None:
        self.kind, self.error, self.times = kind, error, times

    def __call__(self, kind: str, target: str) -> None:
        if kind == self.kind and self.times > 0:
            self.times -= 1
            raise self.error


async def faulty(office: Office, *hooks: Once) -> tuple[Cloud, list[ActionState]]:
    plan = make_small_plan()
    cloud = Cloud(plan.actions)
    cloud.hooks += hooks
    outcomes = await run(office, office.approved(make_incident(), plan), cloud)
    assert all(outcome.reason for outcome in outcomes if outcome.state is not ActionState.DONE)
    return cloud, states(outcomes)


async def test_an_answer_lost_after_the_effect_is_seen_and_not_sent_again(office: Office) -> None:
    cloud, ended = await faulty(office, Once("after", UncertainError("no answer")))
    assert ended == [ActionState.DONE, ActionState.DONE]
    assert set(cloud.writes.values()) == {1}


async def test_a_request_lost_before_the_effect_is_sent_again_when_a_look_proves_it(office: Office) -> None:
    began = office.clock()
    cloud, ended = await faulty(office, Once("before", UncertainError("no answer")))
    assert ended == [ActionState.DONE, ActionState.DONE]
    assert set(cloud.writes.values()) == {1}
    assert (office.clock() - began).total_seconds() > 30


class LateLists(Cloud):
    """A look at many targets shows them as they were when the run began, until `until`; a look at one shows the truth."""

    def __init__(self, actions: Iterable[Action], clock: FakeClock, until: datetime) -> None:
        super().__init__(actions)
        self._clock, self._until = clock, until

    async def look(self, actions: Sequence[Action], eyes: Any) -> dict[str, Target]:
        seen = await super().look(actions, eyes)
        if len(actions) == 1 or self._clock() >= self._until:
            return seen
        return {
            name: msgspec.structs.replace(target, already_so=False, state="running") for name, target in seen.items()
        }


async def test_a_list_that_lags_behind_is_no_ground_to_send_twice(office: Office) -> None:
    plan = make_small_plan(*(make_action(number) for number in range(1, 5)))
    cloud = LateLists(plan.actions, office.clock, office.clock() + timedelta(seconds=300))
    cloud.hooks.append(Once("after", UncertainError("no answer"), times=4))
    outcomes = await run(office, office.approved(make_incident(), plan), cloud)
    assert states(outcomes) == [ActionState.DONE] * 4
    assert set(cloud.writes.values()) == {1}


async def test_a_request_that_arrives_late_is_not_sent_again(office: Office) -> None:
    plan = make_small_plan(make_action(1))
    cloud, target = Cloud(plan.actions), plan.actions[0].target
    sent_at = []

    def arrives_late(kind: str, _target: str) -> None:
        if kind == "before":
            sent_at.append(office.clock())
            raise UncertainError("no answer")
        if kind == "look" and sent_at and (office.clock() - sent_at[0]).total_seconds() > 20:
            cloud.power[target] = "stopped"

    cloud.hooks.append(arrives_late)
    (outcome,) = await run(office, office.approved(make_incident(), plan), cloud)
    assert (outcome.state, len(sent_at)) == (ActionState.DONE, 1)


async def test_a_request_lost_each_time_is_given_up_as_failed(office: Office) -> None:
    cloud, ended = await faulty(office, Once("before", TimeoutError("no answer"), times=99))
    assert ended == [ActionState.FAILED, ActionState.FAILED]
    assert not cloud.writes


@pytest.mark.parametrize("error", [UnreachableError("no route"), ThrottledError("429", status=429)])
async def test_what_was_never_sent_is_sent_when_the_cloud_is_back(office: Office, error: Exception) -> None:
    cloud, ended = await faulty(
        office, Once("before", error, times=2), Once("look", UnreachableError("no route"), times=9)
    )
    assert ended == [ActionState.DONE, ActionState.DONE]
    assert set(cloud.writes.values()) == {1}


async def test_a_cloud_that_never_comes_back_fails_everything_and_sends_nothing(office: Office) -> None:
    cloud, ended = await faulty(office, Once("look", UnreachableError("no route"), times=10**6))
    assert ended == [ActionState.FAILED, ActionState.FAILED]
    assert not cloud.log


async def test_one_definite_refusal_does_not_stop_the_others(office: Office) -> None:
    cloud, ended = await faulty(office, Once("before", RejectedError("ScopeLocked", status=409)))
    assert sorted(ended) == [ActionState.DONE, ActionState.FAILED]
    assert len(cloud.log) == 1


async def test_a_programming_error_goes_up_and_the_next_run_finishes(office: Office) -> None:
    plan = make_small_plan()
    approved, cloud = office.approved(make_incident(), plan), Cloud(plan.actions)
    cloud.hooks.append(Once("before", KeyError("bug")))
    with pytest.raises(KeyError):
        await run(office, approved, cloud)
    outcomes = await run(office, approved, cloud, run_id="run-2")
    assert set(states(outcomes)) == {ActionState.DONE}
    assert set(cloud.writes.values()) == {1}


async def test_carrying_out_a_finished_plan_again_sends_nothing_even_after_its_approval_expired(office: Office) -> None:
    plan = make_small_plan()
    approved, cloud = office.approved(make_incident(), plan), Cloud(plan.actions)
    first = await run(office, approved, cloud)
    office.clock.forward(days=3)
    looks = len(cloud.looks)
    assert await run(office, office.desk.bind(approved.gate, plan), cloud, run_id="run-2") == first
    assert len(cloud.looks) == looks
    assert set(cloud.writes.values()) == {1}


async def test_an_operation_is_followed_by_the_next_run(office: Office) -> None:
    plan = make_small_plan(make_action(1))
    approved, cloud = office.approved(make_incident(), plan), Cloud(plan.actions)
    cloud.slow[plan.actions[0].target] = 5
    hook, _ = kill_at(2)
    cloud.hooks.append(lambda kind, target: hook(kind, target) if cloud.log and kind == "look" else None)
    with pytest.raises(Killed):
        await run(office, approved, cloud)
    cloud.hooks.clear()
    (row,) = Journal(office.store, office.audit, office.clock).rows("INC-1a2b3c4d")
    assert (row.state, row.operation_url.startswith("https://operations/")) == (ActionState.STARTED, True)
    assert row.prior == {"power": "running"}
    (outcome,) = await run(office, approved, cloud, run_id="run-2")
    assert (outcome.state, outcome.state_read_back) == (ActionState.DONE, "stopped")
    assert set(cloud.writes.values()) == {1}


async def test_a_run_that_lost_its_lease_stops_before_its_next_write(office: Office) -> None:
    plan = make_small_plan(*(make_action(n) for n in range(1, 9)))
    approved, cloud = office.approved(make_incident(), plan), Cloud(plan.actions)

    def take_over(kind: str, target: str) -> None:
        if kind == "after" and len(cloud.log) == 3:
            Lease.acquire(office.store, "INC-1a2b3c4d", "run-2", clock=office.clock, take_over=True)

    cloud.hooks.append(take_over)
    with pytest.raises(LeaseLostError):
        await run(office, approved, cloud, concurrency=1)
    assert len(cloud.log) == 3
    cloud.hooks.clear()
    outcomes = await run(office, approved, cloud, run_id="run-2")
    assert set(states(outcomes)) == {ActionState.DONE}
    assert len(cloud.log) == 8


async def test_of_two_processes_of_one_run_the_later_one_goes_on(office: Office) -> None:
    plan = make_small_plan(*(make_action(n) for n in range(1, 5)))
    approved, cloud = office.approved(make_incident(), plan), Cloud(plan.actions)
    zombie = Lease.acquire(office.store, "INC-1a2b3c4d", "run-1", clock=office.clock)
    later = Lease.acquire(office.store, "INC-1a2b3c4d", "run-1", clock=office.clock)
    with pytest.raises(LeaseLostError):
        await run(office, approved, cloud, lease=zombie)
    assert not cloud.log
    assert set(states(await run(office, approved, cloud, lease=later))) == {ActionState.DONE}


async def test_a_request_of_an_earlier_plan_is_settled_before_a_new_plan(office: Office) -> None:
    first = make_small_plan(make_action(1), make_action(2))
    approved, cloud = office.approved(make_incident(), first), Cloud([*first.actions, make_action(3)])
    cloud.hooks.append(Once("after", Killed("gone")))  # type: ignore[arg-type]
    with pytest.raises(Killed):
        await run(office, approved, cloud, concurrency=1)
    second = make_small_plan(make_action(3), round=2)
    outcomes = await run(office, office.approved(make_incident(), second), cloud, run_id="run-2")
    assert states(outcomes) == [ActionState.DONE]
    rows = {r.action.target: r.state for r in Journal(office.store, office.audit, office.clock).rows("INC-1a2b3c4d")}
    assert [rows[a.target] for a in first.actions] == [ActionState.DONE, ActionState.REFUSED]
    assert set(cloud.writes.values()) == {1}
