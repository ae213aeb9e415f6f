"""One course over a simulated world, with what each step asked of it kept apart: what is missing when a step is taken out.

trial = Trial(world, shipped("compromised-subscription"))
async with simulated(world) as connection:
    await trial.read(connection)
    await trial.carry("contain", connection)
trial.asked["investigate.prices"]        # `METHOD path body`, of the simulator's own request log
trial.changed["contain.remove_locks"]    # only what it accepted as a change
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from azure_simulator.world import LoggedRequest, World
from firebreak.clients import Connection
from firebreak.errors import RejectedError
from firebreak.model.alert import Alert, Incident
from firebreak.model.case import Case
from firebreak.model.finding import Finding
from firebreak.model.mode import Mode
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.plan import Plan
from firebreak.model.playbook import Playbook
from firebreak.model.step import Effect
from firebreak.planning import make_plan, waves
from tasks.registry import load_steps
from tests.flows.room_in_process import is_write
from tests.steps.investigation import incident_for


@dataclass
class Trial:
    """A playbook carried out over a world, except for the steps in `without`."""

    world: World
    playbook: Playbook
    alert: Alert
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    facts: dict[type[Any], Any] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    asked: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    changed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    stage: str = ""
    changed_in: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def case(self) -> Case:
        # Told by the facts, not by the machine: all of one world happens on its clock.
        now = self.world.clock.now()
        incident: Incident = msgspec.structs.replace(incident_for(self.alert, now), mode=Mode.LIVE)
        return Case(
            incident=incident,
            playbook=self.playbook,
            now=now,
            facts=self.facts,
            outcomes=self.outcomes,
            installation=self.parameters,
        )

    async def read(self, connection: Connection, *, only: Sequence[str] = ()) -> None:
        """The reading steps of every stage, in order."""
        steps = [step for stage in self.playbook.stages for step in stage.steps]
        for name in only or steps:
            loaded = load_steps()[name]
            if loaded.step.effect is not Effect.READ or name in self.without:
                continue
            since = len(self.world.requests)
            case = self.case()
            made = await loaded.collect(connection.eyes, case) if loaded.collect else loaded.conclude(case)  # type: ignore[misc]
            self.facts[type(made)] = made
            self._note(name, since)

    async def carry(self, stage: str, connection: Connection) -> Plan:
        """Plan a stage and carry it out, wave by wave; what no longer fits is not sent, what Azure refuses is no effect."""
        self.stage = stage
        steps = [load_steps()[step] for step in self.playbook.stage(stage).steps if step not in self.without]
        plan = self.plans[stage] = make_plan(self.case(), stage=stage, steps=steps, round=1, engine_version="test")
        for wave in waves(plan.actions):
            await self._wave(wave, connection)
        return plan

    async def _wave(self, wave: Sequence[Any], connection: Connection) -> None:
        step = load_steps()[wave[0].step]
        assert step.look is not None
        assert step.apply is not None
        since, sent = len(self.world.requests), []
        seen = await step.look(wave, connection.eyes)
        for action in wave:
            target = seen[action.id]
            if target.already_so or any(target.fingerprint.get(k) != v for k, v in action.fingerprint.items()):
                continue
            named = {"etag": target.etag} if target.etag else {}
            action = msgspec.structs.replace(action, params=action.params | named)
            try:
                await step.apply(action, connection.hands)
            except RejectedError as refused:
                self.outcomes[action.id] = Outcome(action_id=action.id, state=ActionState.FAILED, reason=str(refused))
            else:
                sent.append(action)
        self.world.clock.advance(120)
        self.world.settle()
        after = await step.look(sent, connection.eyes) if sent else {}
        for action in sent:
            target = after[action.id]
            state = ActionState.DONE if target.already_so else ActionState.FAILED
            self.outcomes[action.id] = Outcome(action_id=action.id, state=state, reason=target.failed)
        self._note(step.step.id, since)

    def findings(self) -> list[Finding]:
        """What the reading steps conclude from all the facts."""
        found: list[Finding] = []
        for loaded in load_steps().values():
            if loaded.assess and loaded.step.produces in self.facts and loaded.step.id not in self.without:
                found += loaded.assess(self.facts[loaded.step.produces], self.case())
        return found

    def _note(self, step: str, since: int) -> None:
        rows = [row for row in self.world.requests[since:] if row.service != "login"]
        self.asked[step] += [line_of(row) for row in rows]
        accepted = [line_of(row) for row in rows if is_write(row) and row.status < 300]
        self.changed[step] += accepted
        self.changed_in[self.stage, step] += accepted


def line_of(row: LoggedRequest) -> str:
    """`METHOD path body`, without the query."""
    return f"{row.method} {row.url.partition('?')[0]} {row.body}"
