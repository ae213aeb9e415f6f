"""However often a run is killed, and wherever: applying a plan many times equals applying it once."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from firebreak.errors import LeaseLostError, RejectedError, UncertainError
from firebreak.model.outcome import ActionState
from tests.unit.firebreak.execution.builders import FakeClock, Office, make_action, make_incident, make_small_plan
from tests.unit.firebreak.execution.cloud_double import Cloud, Killed, kill_at, states
from tests.unit.firebreak.execution.running import run
from tests.unit.firebreak.store.databases import sqlite_url


@settings(max_examples=15, deadline=None)
@given(
    kills=st.lists(st.integers(1, 20), max_size=4),
    lost=st.sets(st.tuples(st.integers(1, 5), st.sampled_from(["before", "after"]))),
    slow=st.sets(st.integers(1, 5)),
    chain=st.booleans(),
)
def test_any_number_of_kills_and_lost_answers_equals_one_clean_run(
    kills: list[int], lost: set[tuple[int, str]], slow: set[int], chain: bool
) -> None:
    asyncio.run(_killed_again_and_again(kills, lost, slow, chain))


async def _killed_again_and_again(kills: list[int], lost: set[tuple[int, str]], slow: set[int], chain: bool) -> None:
    actions = [make_action(n, after=(make_action(n - 1).id,) if chain and n > 3 else ()) for n in range(1, 6)]
    plan = make_small_plan(*actions)
    losing = {(make_action(n).target, kind) for n, kind in lost}

    def lose(kind: str, target: str) -> None:
        if (target, kind) in losing:
            losing.remove((target, kind))
            raise UncertainError("no answer")

    with tempfile.TemporaryDirectory() as folder:
        office = Office(sqlite_url(Path(folder)), FakeClock()).staff()
        with office.store:
            office.add(make_incident())
            approved = office.approved(make_incident(), plan)
            cloud = Cloud(plan.actions)
            cloud.slow = {make_action(n).target: 2 for n in slow}
            for number, kill in enumerate(kills):
                cloud.hooks = [lose, kill_at(kill)[0]]
                try:
                    await run(office, approved, cloud, run_id=f"run-{number}")
                except Killed:
                    continue
            cloud.hooks = [lose]
            first = await run(office, approved, cloud, run_id="last")
            cloud.hooks = []
            assert await run(office, approved, cloud, run_id="again") == first
            assert set(states(first)) == {ActionState.DONE}
            assert dict(cloud.writes) == {action.target: 1 for action in actions}


@settings(max_examples=12, deadline=None)
@given(
    waiting=st.sets(st.integers(1, 5), min_size=1),
    rivals=st.integers(0, 2),
    refused=st.sets(st.integers(1, 5)),
    stopped=st.sets(st.integers(1, 5)),
)
def test_applying_a_plan_again_changes_nothing_whoever_takes_over_and_whatever_is_refused(
    waiting: set[int], rivals: int, refused: set[int], stopped: set[int]
) -> None:
    asyncio.run(_taken_over_and_refused(waiting, rivals, refused, stopped))


async def _taken_over_and_refused(waiting: set[int], rivals: int, refused: set[int], stopped: set[int]) -> None:
    """Requests wait a minute below the engine; while the first ones do, other runs take over. Some targets were so before, some are refused."""
    actions = [make_action(n) for n in range(1, 6)]
    plan = make_small_plan(*actions)
    target = {n: make_action(n).target for n in range(1, 6)}

    with tempfile.TemporaryDirectory() as folder:
        office = Office(sqlite_url(Path(folder)), FakeClock()).staff()
        with office.store:
            office.add(make_incident())
            approved = office.approved(make_incident(), plan)
            cloud = Cloud(plan.actions)
            for n in stopped:
                cloud.power[target[n]] = "stopped"

            def refuse(kind: str, where: str) -> None:
                if kind == "before" and where in {target[n] for n in refused}:
                    raise RejectedError("ScopeLocked", status=409)

            left = list(range(rivals))

            async def wait() -> None:
                if left:
                    await run(office, approved, cloud, run_id=f"rival-{left.pop()}")
                await office.clock.sleep(60)

            cloud.hooks = [refuse]
            cloud.waits = {target[n]: [wait] for n in waiting}
            with contextlib.suppress(LeaseLostError):
                await run(office, approved, cloud, run_id="first")
            ended = await run(office, approved, cloud, run_id="second")
            log, power = list(cloud.log), dict(cloud.power)
            assert await run(office, approved, cloud, run_id="third") == ended
            assert (cloud.log, cloud.power) == (log, power)
            assert dict(cloud.writes) == {target[n]: 1 for n in range(1, 6) if n not in refused | stopped}
            expected = {
                make_action(n).id: {ActionState.ALREADY_SO}
                if n in stopped
                else {ActionState.FAILED}
                if n in refused
                else {ActionState.DONE}
                for n in range(1, 6)
            }
            assert {outcome.action_id: {outcome.state} for outcome in ended} == expected
