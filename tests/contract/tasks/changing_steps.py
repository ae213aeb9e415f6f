"""Carries out plans of changing steps over a simulated world, as the executor does: look, write, follow, look again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from azure_simulator.scenarios import build_world
from azure_simulator.world import World
from firebreak.clients import Connection
from firebreak.errors import RejectedError
from firebreak.model.case import Case
from firebreak.model.mode import Mode
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.plan import Action, Plan
from firebreak.model.playbook import Playbook
from firebreak.model.step import Target
from firebreak.planning import make_plan, waves
from firebreak.playbook import find_playbooks
from tasks.registry import load_steps
from tests.steps.investigation import alert_of, investigate
from tests.support.inprocess import simulated

NOW = datetime(2026, 3, 3, 4, 30, tzinfo=UTC)
STEPS = {step_id: loaded.step for step_id, loaded in load_steps().items()}


def shipped(playbook: str = "compromised-subscription") -> Playbook:
    return find_playbooks(steps=STEPS)[playbook]


def world_of(scenario: str, seed: int = 7) -> World:
    return build_world(scenario, seed=seed, now=NOW)


async def looked_into(
    connection: Connection, world: World, playbook: Playbook, outcomes: dict[str, Outcome] | None = None
) -> Case:
    """The case after the playbook's reading stage, under that playbook."""
    case, _ = await investigate(connection.eyes, alert_of(world), steps=playbook.stages[0].steps)
    facts = {kind: case[kind] for step in playbook.stages[0].steps if (kind := STEPS[step].produces) is not None}
    return Case(incident=case.incident, playbook=playbook, now=case.now, facts=facts, outcomes=outcomes)


_FIRST: dict[str, Case] = {}


async def first_case(scenario: str, playbook: Playbook | None = None) -> Case:
    """The case as first found. Worlds of one seed are the same, so it is found once and fits every fresh one."""
    if scenario not in _FIRST:
        world = world_of(scenario)
        async with simulated(world, mode=Mode.DRY_RUN) as connection:
            _FIRST[scenario] = await looked_into(connection, world, shipped())
    found, chosen = _FIRST[scenario], playbook or shipped()
    facts = {kind: found[kind] for step in chosen.stages[0].steps if (kind := STEPS[step].produces) is not None}
    return Case(incident=found.incident, playbook=chosen, now=found.now, facts=facts)


def plan_of(case: Case, stage: str) -> Plan:
    loaded = load_steps()
    steps = [loaded[step] for step in case.playbook.stage(stage).steps]
    return make_plan(case, stage=stage, steps=steps, round=1, engine_version="test")


async def _send(action: Action, connection: Connection, world: World) -> None:
    """Send one write; the network provider refuses while it is at another change of the same things, so ask again a little later."""
    apply = load_steps()[action.step].apply
    assert apply is not None
    for _ in range(20):
        try:
            await apply(action, connection.hands)
        except RejectedError as refused:
            if refused.status != 409 or "concurrent" not in refused.message:
                raise
            world.clock.advance(5)
        else:
            return
    raise AssertionError(f"{action.title} was refused twenty times.")


@dataclass
class Carried:
    """What came of a plan: targets before and after, by action id."""

    before: dict[str, Target] = field(default_factory=dict)
    after: dict[str, Target] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)


async def carry_out(plan: Plan, connection: Connection, world: World) -> Carried:
    """Carry out a plan wave by wave; an action that is stale or already so is not sent."""
    done = Carried()
    for wave in waves(plan.actions):
        loaded = load_steps()[wave[0].step]
        assert loaded.look is not None
        assert loaded.apply is not None
        before = await loaded.look(wave, connection.eyes)
        done.before |= before
        sent: list[Action] = []
        for action in wave:
            target = before[action.id]
            if target.already_so:
                done.outcomes[action.id] = Outcome(action_id=action.id, state=ActionState.ALREADY_SO)
            elif stale := {k: v for k, v in action.fingerprint.items() if target.fingerprint.get(k) != v}:
                reason = f"{stale} is now {target.fingerprint}"
                done.outcomes[action.id] = Outcome(action_id=action.id, state=ActionState.REFUSED, reason=reason)
            else:
                named = {"etag": target.etag} if target.etag else {}
                await _send(msgspec.structs.replace(action, params=action.params | named), connection, world)
                sent.append(action)
        world.clock.advance(120)
        world.settle()
        after = await loaded.look(sent, connection.eyes) if sent else {}
        done.after |= after
        for action in sent:
            target = after[action.id]
            state = ActionState.DONE if target.already_so else ActionState.FAILED
            reason = "" if target.already_so else target.failed or f"still {target.state}"
            done.outcomes[action.id] = Outcome(action_id=action.id, state=state, reason=reason)
    return done
