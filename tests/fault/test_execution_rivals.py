"""Two runs of one incident at the same time: each action happens once, whoever does it (P3)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from firebreak.errors import LeaseLostError
from firebreak.execution import Lease
from firebreak.model.outcome import ActionState, Outcome
from tests.unit.firebreak.execution.builders import FakeClock, Office, make_action, make_incident, make_small_plan
from tests.unit.firebreak.execution.cloud_double import Cloud, states
from tests.unit.firebreak.execution.running import run
from tests.unit.firebreak.store.databases import store_url

__all__ = ["store_url"]


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    office = Office(store_url, FakeClock()).staff()
    with office.store:
        office.add(make_incident())
        yield office


@pytest.mark.parametrize("yields", [0, 1, 3, 10, 30])
async def test_a_run_that_takes_over_in_the_middle(office: Office, yields: int) -> None:
    plan = make_small_plan(*(make_action(n) for n in range(1, 9)))
    approved, cloud = office.approved(make_incident(), plan), Cloud(plan.actions)

    async def later() -> tuple[Outcome, ...]:
        for _ in range(yields):
            await asyncio.sleep(0.002)
        lease = Lease.acquire(office.store, "INC-1a2b3c4d", "run-2", clock=office.clock, take_over=True)
        return await run(office, approved, cloud, lease=lease, concurrency=2)

    first = Lease.acquire(office.store, "INC-1a2b3c4d", "run-1", clock=office.clock)
    old, new = await asyncio.gather(
        run(office, approved, cloud, lease=first, concurrency=2), later(), return_exceptions=True
    )
    assert isinstance(old, (tuple, LeaseLostError))
    assert isinstance(new, tuple)
    assert set(states(new)) == {ActionState.DONE}
    assert dict(cloud.writes) == {action.target: 1 for action in plan.actions}


async def test_a_rival_that_does_not_take_over_sends_nothing(office: Office) -> None:
    plan = make_small_plan()
    approved, cloud = office.approved(make_incident(), plan), Cloud(plan.actions)
    Lease.acquire(office.store, "INC-1a2b3c4d", "run-1", clock=office.clock)
    with pytest.raises(LeaseLostError):
        Lease.acquire(office.store, "INC-1a2b3c4d", "run-2", clock=office.clock)
    assert await run(office, approved, cloud, run_id="run-1")
    assert set(cloud.writes.values()) == {1}
