"""A write that waits long below the engine (throttling, Retry-After) asks once more before it leaves: is the lease still held, is the target as it was?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from azure_simulator.app import call_as
from azure_simulator.faults import Fault
from azure_simulator.world import World
from firebreak.engine import EngineRoom
from firebreak.errors import LeaseLostError
from firebreak.execution import Journal
from firebreak.execution.journal import JournalRow
from firebreak.model.outcome import ActionState
from tests.flows.room_in_process import engine_room_of, writes
from tests.torture.processes import carry_out
from tests.torture.scene import Scene, estate, place

LONG = 60.0


@dataclass
class Stage:
    """The small scene opened for a run whose first long wait lets something else happen meanwhile."""

    scene: Scene
    room: EngineRoom
    meanwhile: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.scene.world

    @property
    def slow_room(self) -> EngineRoom:
        async def sleep(seconds: float) -> None:
            if seconds >= LONG and self.meanwhile:
                await self.meanwhile.pop()()
            await self.room.sleep(seconds)

        return replace(self.room, sleep=sleep)

    def hold_back(self, name: str, **fields: object) -> None:
        """Let the first deallocation of a machine be answered with "ask again in a minute"."""
        self.world.faults.append(
            Fault("throttle", method="POST", url=f"/{name}/deallocate", times=1, retry_after=int(LONG), **fields)  # type: ignore[arg-type]
        )

    def deallocations(self) -> Counter[str]:
        """How often each machine's deallocation was accepted."""
        return Counter(
            place(row.url).split("/")[-2]
            for row in writes(self.world)
            if row.status < 300 and row.url.split("?")[0].endswith("/deallocate")
        )

    def rows(self) -> dict[str, JournalRow]:
        journal = Journal(self.room.store, self.room.audit, self.room.clock)
        return {row.action.target.rsplit("/", 1)[-1]: row for row in journal.rows(self.scene.incident)}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    scene = estate(tmp_path / "home", machines=3, disks=0, left_out=0)
    scene.world.requests.clear()
    with engine_room_of(scene.world, scene.home) as room:
        yield Stage(scene, room)


async def test_a_run_that_lost_its_lease_while_a_write_waited_does_not_send_it(stage: Stage) -> None:
    async def rival() -> None:
        await carry_out(stage.room, stage.scene)

    stage.hold_back("vm-001")
    stage.meanwhile.append(rival)
    with pytest.raises(LeaseLostError):
        await carry_out(stage.slow_room, stage.scene)
    assert not stage.meanwhile
    assert stage.deallocations() == {"vm-000": 1, "vm-001": 1, "vm-002": 1}
    assert {row.state for row in stage.rows().values()} == {ActionState.DONE}
    assert [row.status for row in writes(stage.world) if "/vm-001/" in row.url] == [429, 202]


async def test_a_write_that_waited_begins_to_settle_when_it_leaves(stage: Stage) -> None:
    stage.hold_back("vm-001")
    await carry_out(stage.slow_room, stage.scene)
    rows = stage.rows()
    assert stage.deallocations() == {"vm-000": 1, "vm-001": 1, "vm-002": 1}
    waited = {name: (row.started_at - row.intended_at).total_seconds() for name, row in rows.items() if row.started_at}
    assert waited["vm-001"] >= LONG > waited["vm-000"]
    assert {row.attempt for row in rows.values()} == {1}


async def test_a_write_that_waited_is_not_sent_to_what_was_made_anew_under_the_name(stage: Stage) -> None:
    target = next(action.target for action in stage.scene.actions if action.target.endswith("vm-001"))
    owner = next(p.object_id for p in stage.world.principals.values() if p.kind == "User")

    async def replace_it() -> None:
        body = {"location": "westeurope", "properties": {"hardwareProfile": {"vmSize": "Standard_D2s_v5"}}}
        assert call_as(stage.world, owner, "DELETE", f"{target}?api-version=2026-04-01").status < 300
        stage.world.clock.advance(10)
        stage.world.settle()
        assert call_as(stage.world, owner, "PUT", f"{target}?api-version=2026-04-01", body).status < 300
        stage.world.clock.advance(10)

    stage.hold_back("vm-001")
    stage.meanwhile.append(replace_it)
    await carry_out(stage.slow_room, stage.scene)
    assert stage.deallocations() == {"vm-000": 1, "vm-002": 1}
    row = stage.rows()["vm-001"]
    assert row.state is ActionState.REFUSED
    assert "no longer what was approved" in row.reason


async def test_a_write_that_waited_is_not_sent_when_somebody_else_did_it_meanwhile(stage: Stage) -> None:
    target = next(action.target for action in stage.scene.actions if action.target.endswith("vm-001"))
    owner = next(p.object_id for p in stage.world.principals.values() if p.kind == "User")

    async def stop_it() -> None:
        assert call_as(stage.world, owner, "POST", f"{target}/deallocate?api-version=2026-04-01").status < 300
        stage.world.clock.advance(10)

    stage.hold_back("vm-001")
    stage.meanwhile.append(stop_it)
    await carry_out(stage.slow_room, stage.scene)
    assert stage.deallocations() == {"vm-000": 1, "vm-002": 1}
    assert stage.rows()["vm-001"].state.is_good
