"""What needs nobody does not wait behind a gate that may be skipped: machines stop at night, and people are asked about accounts right after."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from azure_simulator.truth import score
from azure_simulator.world import World
from firebreak.approval import GateDesk
from firebreak.approval.pre_authorised import switch_name
from firebreak.bundle import contents_of, open_bundle, write_bundle
from firebreak.engine import Engine, EngineRoom, Question
from firebreak.model.mode import Mode
from firebreak.replay import Policy, stage_replay
from firebreak.replay.result import result_of
from flows.course import respond_to
from flows.replay import replay
from tasks.registry import load_steps
from tests.flows.room_in_process import People, PeopleAnswer, alert_bytes, engine_room_of, writes
from tests.library.worlds import thinned
from tests.support.playbooks import small_playbook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
STOPS = (
    "contain.block_creation",
    "contain.remove_locks",
    "contain.disable_autoscale",
    "contain.deallocate_machines",
    "contain.deallocate_scale_sets",
)


def playbook(*, optional: bool = True, goes_first: bool = True, min_score: int = 75) -> str:
    """Accounts first at a gate that may be skipped, then compute, which needs nobody."""
    book: dict[str, Any] = json.loads(
        small_playbook("small", reads=("investigate.applications",), hunts=("investigate.intruders",))
    )
    doors = {
        "id": "close-doors",
        "title": "Close the accounts",
        "gate": "doors",
        "steps": ["contain.disable_applications"],
    }
    book["stages"].insert(1, doors)
    # What the pre-authorisation names, and nothing else: a plan goes without people as a whole.
    book["stages"][2]["steps"].remove("contain.remove_access")
    book["gates"]["doors"] = {"title": "Close them?", "approvers": ["responder", "lead"], "optional": optional}
    given = {"steps": list(STOPS), "min_score": min_score, "goes_first": goes_first}
    book["gates"]["containment"]["pre_authorised"] = given
    return json.dumps(book)


@dataclass
class Watching(PeopleAnswer):
    """Notes what had been changed when people were first asked at each gate: machines stopped, applications closed."""

    before: dict[str, tuple[int, int]] = field(default_factory=dict)

    async def ask(self, question: Question) -> None:
        self.before.setdefault(question.view.stage, (stops(self.people.world), closed(self.people.world)))
        await super().ask(question)


class DiedError(Exception):
    """The process is gone."""


@dataclass
class Dying(Watching):
    """Its process ends while the containment is carried out, and again when people are asked."""

    ends_at: Sequence[str] = ()

    async def run(self, name: str, work: Any) -> None:
        if name in self.ends_at:
            raise DiedError
        await super().run(name, work)


def stops(world: World) -> int:
    """How many machines and scale sets Azure was asked to deallocate so far."""
    return sum("eallocate" in row.url.split("?")[0].rsplit("/", 1)[-1] for row in writes(world))


def closed(world: World) -> int:
    """How many accounts and applications are switched off in the directory."""
    return sum(not one.enabled for one in world.principals.values())


def opened(home: Path, room: EngineRoom, world: World, text: str, *, switched: bool = True) -> tuple[EngineRoom, str]:
    (home / "playbooks").mkdir(parents=True, exist_ok=True)
    (home / "playbooks" / "small.yaml").write_text(text)
    if switched:
        name = switch_name("small", room.playbook("small").digest)
        room = replace(room, desk=GateDesk(room.store, room.approvers, room.audit, room.clock, [name]))
    found = room.open(alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake", playbook="small")
    return room, found.incident.id


def carried(room: EngineRoom, incident: str, runtime: PeopleAnswer) -> str:
    async def course() -> str:
        async with room.connect(incident) as clouds:
            return await respond_to(Engine(room, incident, clouds, run_id="test"), runtime)

    return asyncio.run(course())


def put_off(room: EngineRoom, incident: str) -> list[Any]:
    return [(r.data["stage"], r.data["behind"]) for r in room.audit.records(incident) if r.kind == "stage.put_off"]


def test_machines_stop_while_nobody_is_awake_and_accounts_are_asked_about_right_after(tmp_path: Path) -> None:
    world = thinned("service-principal-abuse", seed=7)
    at_first = closed(world)
    with engine_room_of(world, tmp_path) as room:
        room, incident = opened(tmp_path, room, world, playbook())
        runtime = Watching(room, People(world))
        assert carried(room, incident, runtime) == "done"
        assert put_off(room, incident) == [("close-doors", "contain")]
        bundle = write_bundle(contents_of(room.store, room.evidence, room.audit, incident), tmp_path / "b.zip")
    assert list(runtime.before) == ["close-doors"]  # nobody was asked about the machines
    stopped, were_closed = runtime.before["close-doors"]
    assert stopped > 0
    assert (were_closed, closed(world)) == (at_first, at_first + 1)
    assert score(world)["rogue_running"] == []
    assert any("goes before 'Close the accounts'" in text for text in runtime.said)
    # A replay goes the same way, whatever is switched on where it runs.
    with open_bundle(bundle) as held, stage_replay(held, load_steps()) as staged:
        one = result_of(bundle.name, staged, Policy.RECORDED, asyncio.run(replay(staged, lambda _: None)))
        order = [point.stage for point in one.plans]
    assert not one.is_changed
    assert order.index("contain") < order.index("close-doors")


@pytest.mark.parametrize(
    ("text", "switched"),
    [
        (playbook(), False),
        (playbook(goes_first=False), True),
        (playbook(min_score=1000), True),
    ],
    ids=["not switched on", "not said by the playbook", "not sure enough"],
)
def test_people_are_asked_in_the_playbooks_order_when_one_yes_is_missing(
    text: str, switched: bool, tmp_path: Path
) -> None:
    world = thinned("service-principal-abuse", seed=7)
    with engine_room_of(world, tmp_path) as room:
        room, incident = opened(tmp_path, room, world, text, switched=switched)
        runtime = Watching(room, People(world), lambda _: "reject")
        assert carried(room, incident, runtime) == "stopped"
        assert put_off(room, incident) == []
    assert list(runtime.before) == ["close-doors"]
    assert writes(world) == []


def test_a_run_that_died_in_the_middle_goes_on_in_the_same_order(tmp_path: Path) -> None:
    world = thinned("service-principal-abuse", seed=7)
    with engine_room_of(world, tmp_path) as room:
        room, incident = opened(tmp_path, room, world, playbook())
        dying = Dying(room, People(world), ends_at=("Carry out: Stop the attack",))
        with pytest.raises(DiedError):
            carried(room, incident, dying)
        assert writes(world) == []
        runtime = Watching(room, People(world))
        assert carried(room, incident, runtime) == "done"
        assert put_off(room, incident) == [("close-doors", "contain")]
    assert list(runtime.before) == ["close-doors"]
    assert score(world)["rogue_running"] == []
