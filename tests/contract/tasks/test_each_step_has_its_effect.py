"""A mutation test made from a table: carried out without one step, a stage no longer does to the embedded Azure what that step is there for.

`tests/data/effects_of_steps.yaml` names for each changing step a world, a stage and a request. Reading steps are told by what they alone ask.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from azure_simulator.scenarios import build_world
from azure_simulator.world import LoggedRequest, World
from firebreak.clients import Connection
from firebreak.errors import RejectedError
from firebreak.model.case import Case
from firebreak.model.mode import Mode
from firebreak.model.playbook import Playbook
from firebreak.model.step import Effect
from firebreak.planning import make_plan, waves
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import STEPS, shipped
from tests.flows.room_in_process import is_write
from tests.steps.investigation import alert_of, incident_for
from tests.support.inprocess import simulated
from tests.support.platform_attack import COMPUTE, build_everywhere

pytestmark = pytest.mark.timeout(900)

TABLE: dict[str, dict[str, str]] = YAML(typ="safe").load(
    (Path(__file__).parents[2] / "data" / "effects_of_steps.yaml").read_text()
)
PLAYBOOKS = ("identity-containment", "platform-compute", "compromised-subscription")
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
# Steps that do something only after a refusal, on a setting or on a wish; the file that tries each with and without.
ELSEWHERE = {
    "notify.quota_ticket": "tests/contract/tasks/test_changing_steps_on_the_simulator.py",
    "notify.support_ticket": "tests/steps/test_scenarios.py",
    "recover.lift_block": "tests/flows/test_no_way_left.py",
    "recover.reactivate_entitlement": "tests/contract/tasks/test_changing_steps_on_the_simulator.py",
}


def _world(scenario: str) -> World:
    if scenario != "platform":
        return build_world(scenario, seed=7, now=NOW)
    world = build_world("quiet-persistence", seed=7, now=NOW - timedelta(hours=4))
    thief = world.truth["attackers"][0]
    place = {"region": world.truth["regions"][0], "address": thief["addresses"][0]}
    made = build_everywhere(world, thief["principal_id"], "rg-render-farm", **place)
    world.clock.advance((NOW - world.clock.now()).total_seconds())
    world.settle()
    world.truth["rogue"] += list(made.values())
    world.truth["rogue_compute"] += [made[name] for name in COMPUTE]
    return world


class Found:
    """A world as it was found, the facts of each reading step of a playbook, and what each asked."""

    def __init__(self, world: World, playbook: Playbook) -> None:
        self.world, self.playbook = world, playbook
        self.facts: dict[type[Any], Any] = {}
        self.asked: dict[str, list[str]] = {}

    def case(self, playbook: Playbook | None = None) -> Case:
        incident = incident_for(alert_of(self.world), NOW)
        return Case(incident=incident, playbook=playbook or self.playbook, now=NOW, facts=self.facts)

    def copied(self) -> World:
        """The world for one carrying out; rows that nothing changes are shared."""
        rows = (self.world.events, self.world.costs, self.world.prices)
        shared: dict[int, object] = {id(each): list(each) for each in rows}
        return copy.deepcopy(self.world, shared)


_FOUND: dict[tuple[str, str], Found] = {}


async def found(scenario: str, name: str) -> Found:
    """What the playbook's reading stage finds; asked of each world once."""
    if (scenario, name) in _FOUND:
        return _FOUND[scenario, name]
    one = _FOUND[scenario, name] = Found(_world(scenario), shipped(name))
    loaded = load_steps()
    async with simulated(one.world, mode=Mode.DRY_RUN) as connection:
        for step in one.playbook.stages[0].steps:
            since = len(one.world.requests)
            if STEPS[step].effect is not Effect.READ:
                continue
            collect, conclude = loaded[step].collect, loaded[step].conclude
            made = await collect(connection.eyes, one.case()) if collect else conclude(one.case())  # type: ignore[misc]
            one.facts[type(made)] = made
            one.asked[step] = [row.url for row in one.world.requests[since:]]
    return one


_DONE: dict[tuple[str, str, str, str], set[str]] = {}


async def done(scenario: str, name: str, stage: str, *, without: str = "") -> set[str]:
    """The changes that Azure accepted when the stage was carried out, as `METHOD path body`."""
    key = (scenario, name, stage, without)
    if key not in _DONE:
        one = await found(scenario, name)
        world = one.copied()
        wanted = {"lift": True} if stage == "recover" else {}
        parameters = {**one.playbook.parameters, **({"recover.lift_block": wanted} if wanted else {})}
        playbook = msgspec.structs.replace(one.playbook, parameters=parameters)
        case = one.case(playbook)
        steps = [load_steps()[step] for step in playbook.stage(stage).steps if step != without]
        plan = make_plan(case, stage=stage, steps=steps, round=1, engine_version="test")
        since = len(world.requests)
        async with simulated(world, mode=Mode.LIVE) as connection:
            await _carry_out(plan.actions, connection, world)
        _DONE[key] = {_line(row) for row in world.requests[since:] if is_write(row) and row.status < 300}
    return _DONE[key]


async def _carry_out(actions: Iterable[Any], connection: Connection, world: World) -> None:
    """Send what still fits; what Azure refuses because an earlier stage was left out is no effect."""
    for wave in waves(actions):
        loaded = load_steps()[wave[0].step]
        assert loaded.look is not None
        assert loaded.apply is not None
        seen = await loaded.look(wave, connection.eyes)
        for action in wave:
            target = seen[action.id]
            if target.already_so or any(target.fingerprint.get(k) != v for k, v in action.fingerprint.items()):
                continue
            try:
                await loaded.apply(action, connection.hands)
            except RejectedError:
                continue
        world.clock.advance(120)
        world.settle()


def _line(row: LoggedRequest) -> str:
    return f"{row.method} {row.url.partition('?')[0]} {row.body}"


@cache
def changing() -> tuple[str, ...]:
    """Every changing step of the playbooks that contain, evict and give back."""
    named = {step for name in PLAYBOOKS for stage in shipped(name).stages for step in stage.steps}
    return tuple(sorted(step for step in named if STEPS[step].effect is not Effect.READ))


def test_every_changing_step_has_a_row_or_is_tried_elsewhere() -> None:
    assert set(changing()) - set(ELSEWHERE) - set(TABLE) == set()
    assert set(TABLE) & set(ELSEWHERE) == set()
    for step, row in TABLE.items():
        assert step in shipped(row["playbook"]).stage(row["stage"]).steps, step
    for step, file in ELSEWHERE.items():
        text = (Path(__file__).parents[3] / file).read_text()
        words = step.rpartition(".")[2].split("_")
        assert all(word in text for word in words), (step, file)


@pytest.mark.slow
@pytest.mark.parametrize("step", sorted(TABLE))
async def test_without_the_step_its_effect_is_missing(step: str) -> None:
    row = TABLE[step]
    place = (row["scenario"], row["playbook"], row["stage"])
    shows = re.compile(row["shows"], re.IGNORECASE | re.DOTALL)
    with_it = {line for line in await done(*place) if shows.match(line)}
    without = {line for line in await done(*place, without=step) if shows.match(line)}
    assert with_it, sorted(line[:160] for line in await done(*place))
    assert with_it - without
    assert {_place(line) for line in without} < {_place(line) for line in with_it}


def _place(line: str) -> str:
    """Method and path: bodies may hold what is drawn anew each time."""
    return " ".join(line.split(" ")[:2])


# Reads that another step makes too: what they add is thinking.
_ASKED_BY_OTHERS_TOO = {"investigate.footholds", "investigate.removals"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "name"), [("hijacked-owner", "identity-containment"), ("crypto-mining", "compromised-subscription")]
)
async def test_each_reading_step_asks_what_no_other_asks_and_gives_facts(scenario: str, name: str) -> None:
    one = await found(scenario, name)
    loaded = load_steps()
    for step in one.asked:
        assert any(isinstance(fact, STEPS[step].produces or object) for fact in one.facts.values()), step
        others = {url for other, urls in one.asked.items() if other != step for url in urls}
        if loaded[step].collect is not None and step not in _ASKED_BY_OTHERS_TOO:
            assert set(one.asked[step]) - others, step


@pytest.mark.slow
async def test_without_a_fact_a_stage_is_said_to_be_incomplete() -> None:
    """A reading step that is taken out of the playbook leaves the plans of those that need it incomplete, never silently smaller."""
    one = await found("hijacked-owner", "identity-containment")
    for stage in one.playbook.stages[1:]:
        steps = [load_steps()[step] for step in stage.steps]
        for need in {need for step in steps for need in step.step.needs}:
            facts = {kind: fact for kind, fact in one.facts.items() if kind is not need}
            case = Case(incident=one.case().incident, playbook=one.playbook, now=NOW, facts=facts)
            plan = make_plan(case, stage=stage.id, steps=steps, round=1, engine_version="test")
            assert not plan.complete, (stage.id, need)
