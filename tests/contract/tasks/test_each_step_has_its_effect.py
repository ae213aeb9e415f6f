"""A mutation test made from a table: carried out without one step, a stage no longer does to the embedded Azure what that step is there for.

`tests/data/effects_of_steps.yaml` names for each changing step a world, a stage and a request.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

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

pytestmark = pytest.mark.timeout(900)

TABLE: dict[str, dict[str, str]] = YAML(typ="safe").load(
    (Path(__file__).parents[2] / "data" / "effects_of_steps.yaml").read_text()
)
PLAYBOOKS = ("identity-containment", "platform-compute", "compromised-subscription")
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
# Tried by tests of their own, not by being left out: what they do takes a refusal, a setting, a wish, or an estate of its own.
OF_THEIR_OWN = frozenset(
    {
        "contain.remove_eligible_access",
        "contain.renew_secrets",
        "contain.stop_apps",
        "contain.stop_batch_pools",
        "contain.stop_clusters",
        "contain.stop_container_groups",
        "contain.stop_machine_learning",
        "eradicate.close_vaults",
        "eradicate.delete_resources",
        "eradicate.delete_unattached_disks",
        "eradicate.delete_unmanaged_disks",
        "eradicate.remove_footholds",
        "harden.reduce_quota",
        "notify.alert_verdict",
        "notify.quota_ticket",
        "notify.support_ticket",
        "recover.lift_block",
        "recover.reactivate_entitlement",
        "recover.restore_removed",
    }
)


def _world(scenario: str) -> World:
    return build_world(scenario, seed=7, now=NOW)


class Found:
    """A world as it was found, and the facts of each reading step of a playbook."""

    def __init__(self, world: World, playbook: Playbook) -> None:
        self.world, self.playbook = world, playbook
        self.facts: dict[type[Any], Any] = {}

    def case(self) -> Case:
        incident = incident_for(alert_of(self.world), NOW)
        return Case(incident=incident, playbook=self.playbook, now=NOW, facts=self.facts)

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
            if STEPS[step].effect is not Effect.READ:
                continue
            collect, conclude = loaded[step].collect, loaded[step].conclude
            made = await collect(connection.eyes, one.case()) if collect else conclude(one.case())  # type: ignore[misc]
            one.facts[type(made)] = made
    return one


_DONE: dict[tuple[str, str, str, str], set[str]] = {}


async def done(scenario: str, name: str, stage: str, *, without: str = "") -> set[str]:
    """The changes that Azure accepted when the stage was carried out, as `METHOD path body`."""
    key = (scenario, name, stage, without)
    if key not in _DONE:
        one = await found(scenario, name)
        world = one.copied()
        case = one.case()
        steps = [load_steps()[step] for step in one.playbook.stage(stage).steps if step != without]
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
    assert set(changing()) - OF_THEIR_OWN - set(TABLE) == set()
    assert set(TABLE) & OF_THEIR_OWN == set()
    for step, row in TABLE.items():
        assert step in shipped(row["playbook"]).stage(row["stage"]).steps, step


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
