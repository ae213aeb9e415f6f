"""Where a trial begins: a cloud as it stands, and a store in which an incident's plan has just been approved.

`estate` is small and made in a second: machines and disks, each disk to be copied and then deleted. `incident` is the real thing: a scenario's
attack, investigated by the real course as far as the approved eradication. Both end before the first write of the approved plan.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from azure_simulator import build
from azure_simulator.app import call_as, empty_world
from azure_simulator.world import World
from firebreak.approval import Answer
from firebreak.engine import Engine, EngineRoom, Question
from firebreak.model.alert import Alert, Incident
from firebreak.model.facts import DiskFacts, Inventory
from firebreak.model.mode import Mode
from firebreak.model.plan import Action, Plan, action_id
from firebreak.model.playbook import NO_LIMITS, Gate, GuardRails, Playbook, Stage
from firebreak.model.step import Effect, LoadedStep, Sent
from firebreak.planning import make_plan
from flows.course import respond_to
from tasks.arm import COMPUTE, DISKS
from tasks.registry import load_steps
from tests.flows.room_in_process import People, PeopleAnswer, alert_bytes, engine_room_of
from tests.support.inprocess import subscription_of

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
STOP, REMOVE = "contain.deallocate_machines", "eradicate.delete_unattached_disks"
_GROUP, _REGION = "rg-rogue", "westeurope"


@dataclass(frozen=True)
class Scene:
    """A prepared trial. `home` holds the store as a SQLite file; `world` is only ever used in a forked process."""

    name: str
    world: World
    home: Path
    incident: str
    stage: str
    number: int  # the round of facts the plan was made from
    plan: Plan
    left_out: frozenset[str]

    @property
    def actions(self) -> list[Action]:
        """What people approved."""
        return [action for action in self.plan.actions if action.id not in self.left_out]


def request_of(action: Action) -> str:
    """The one request that carries an action out, as "METHOD path": what its step sends, asked of the step itself."""
    hands = _Writes()
    apply = load_steps()[action.step].apply
    assert apply is not None
    asyncio.run(apply(action, hands))  # type: ignore[arg-type]
    (sent,) = hands.sent
    return sent


def place(url: str) -> str:
    return unquote(urlsplit(url).path).lower()


class _Writes:
    """Hands that only note what they were asked to send."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.arm = self.graph = self.partner_center = self

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Sent]]:
        async def note(path: str, *_: Any, **__: Any) -> Sent:
            self.sent.append(f"{method.upper()} {path.lower()}")
            return Sent(status=200)

        return note


# The small scene -------------------------------------------------------------------------------------------------------------


def estate(home: Path, *, machines: int = 30, disks: int = 18, left_out: int = 2) -> Scene:
    """Machines to stop, and disks to copy and then delete; people leave the last disks out."""
    world = _estate_world(machines, disks)
    incident, playbook, steps = _incident(world), _playbook(), load_steps()
    with engine_room_of(world, home) as room:
        room.store.incidents.add(incident, raw_alert_digest="")
        room.store.values.set(incident.id, "playbook", msgspec.to_builtins(playbook))
        room.store.values.set(incident.id, "round-1", NOW.isoformat())
        room.store.facts.save(incident.id, 1, "investigate.inventory", Inventory())
        room.store.facts.save(incident.id, 1, "investigate.unattached_disks", DiskFacts())
        engine = Engine(room, incident.id, None, run_id="preparing")
        planners = [_planner(steps[STOP], _stops(world)), _planner(steps[REMOVE], _removals(world))]
        plan = make_plan(engine.case(1), stage="contain", steps=planners, round=1, engine_version="test")
        assert plan.applyable, plan.problems
        room.store.plans.save(incident.id, plan)
        gone = [action.id for action in plan.actions if action.kind == "disk.delete"][-left_out:] if left_out else []
        approve(room, world, engine, plan, leave_out=gone)
    return Scene("estate", world, home, incident.id, "contain", 1, plan, frozenset(gone))


def approve(room: EngineRoom, world: World, engine: Engine, plan: Plan, *, leave_out: list[str] | None = None) -> None:
    """Have as many people approve the plan as its gate wants, each with a fresh code."""
    people, gate = People(world), engine.gate_of(engine.playbook.stage(plan.stage))
    view = room.desk.open(engine.incident, plan, gate, plan.round)
    for name in people.seeds:
        if view.state != "open":
            break
        world.clock.advance(60)
        answer = Answer(
            approver=name,
            code=people.code(name),
            decision="approve",
            plan_digest=plan.digest,
            reason="exercise",
            leave_out=tuple(leave_out or ()),
            confirm=view.confirm,
        )
        view = room.desk.answer(view.id, answer, ask=view.ask)
    assert view.state == "approved", view


def _estate_world(machines: int, disks: int) -> World:
    world = empty_world(NOW)
    owner = next(p.object_id for p in world.principals.values() if p.kind == "User")
    group = f"/subscriptions/{subscription_of(world)}/resourceGroups/{_GROUP}"
    compute = f"{group}/providers/Microsoft.Compute"
    disk = {
        "location": _REGION,
        "sku": {"name": "Standard_LRS"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32},
    }
    machine = {
        "location": _REGION,
        "properties": {"hardwareProfile": {"vmSize": "Standard_D2s_v5"}, "priority": "Spot"},
    }
    bodies = {f"{group}?api-version=2025-04-01": {"location": _REGION}}
    bodies |= {f"{compute}/disks/disk-{n:03}?api-version={DISKS}": disk for n in range(disks)}
    bodies |= {f"{compute}/virtualMachines/vm-{n:03}?api-version={COMPUTE}": machine for n in range(machines)}
    for path, body in bodies.items():
        answer = call_as(world, owner, "PUT", path, body)
        assert answer.status < 300, answer.body
    world.settle()
    world.operation_seconds = 2.0
    return world


def _incident(world: World) -> Incident:
    alert = Alert(
        id="torture",
        source="file",
        type="cryptoMining",
        title="Torture",
        severity="high",
        subscription_id=subscription_of(world),
        customer_tenant_id=world.tenant_id,
        detected_at=NOW,
    )
    return Incident(
        id="INC-0000d1ed",
        case="INC-0000d1ed",
        alert=alert,
        playbook="torture",
        mode=Mode.LIVE,
        opened_at=NOW,
        requested_by="intake",
    )


def _playbook() -> Playbook:
    gate = Gate(id="contain", title="Contain", approvers=("responder",), required=2)
    return Playbook(
        id="torture",
        version="1",
        title="Torture",
        description="",
        applies_to=("cryptoMining",),
        stages=(Stage(id="contain", title="Contain", steps=(STOP, REMOVE), gate=gate.id),),
        gates={gate.id: gate},
        guard_rails=GuardRails(limits=NO_LIMITS),
    )


def _planner(loaded: LoadedStep, planned: list[Action]) -> LoadedStep:
    return msgspec.structs.replace(loaded, plan=lambda _case: list(planned))


def _stops(world: World) -> list[Action]:
    rows = world.resources.of_type("Microsoft.Compute/virtualMachines")
    return [_action(STOP, "machine.deallocate", row, {"vmId": row["properties"]["vmId"].lower()}) for row in rows]


def _removals(world: World) -> list[Action]:
    planned = []
    for row in world.resources.of_type("Microsoft.Compute/disks"):
        if row.get("managedBy"):
            continue
        unique = {"uniqueId": row["properties"]["uniqueId"].lower()}
        path = f"/subscriptions/{subscription_of(world)}/resourceGroups/{_GROUP}/providers/Microsoft.Compute/snapshots/copy-{row['name']}"
        body = {
            "location": _REGION,
            "sku": {"name": "Standard_LRS"},
            "properties": {
                "incremental": True,
                "creationData": {"createOption": "Copy", "sourceResourceId": row["id"]},
            },
        }
        kept = _action(REMOVE, "disk.snapshot", row, unique, params={"snapshot": path, "document": body})
        gone = _action(
            REMOVE,
            "disk.delete",
            row,
            {**unique, "state": "unattached"},
            params={"snapshot": path},
            after=(kept.id,),
            effect=Effect.IRREVERSIBLE,
            irreversible_because="A deleted disk does not come back.",
        )
        planned += [kept, gone]
    return planned


def _action(step: str, kind: str, row: dict[str, Any], fingerprint: dict[str, str], **fields: Any) -> Action:
    given: dict[str, Any] = {
        "id": action_id(step, kind, row["id"]),
        "step": step,
        "kind": kind,
        "target": row["id"],
        "title": f"{kind} {row['name']}",
        "effect": Effect.REVERSIBLE,
        "reasons": ("Part of the crash test.",),
        "fingerprint": fingerprint,
        "per_hour": Decimal("0.10"),
        "region": row["location"],
        **fields,
    }
    return Action(**given)


# The real scene --------------------------------------------------------------------------------------------------------------


class _HereItBegins(Exception):  # noqa: N818 - a place in the course, not a failure
    """The course is about to carry out the plan that is wanted."""


class _UpToTheAct(PeopleAnswer):
    """People who approve, and leave out so many of the actions that nothing waits for; stops before the n-th act of the course."""

    def __init__(self, room: EngineRoom, people: People, *, act: int, leave_out: int) -> None:
        super().__init__(room, people)
        self._acts_left, self._leave_out = act, leave_out
        self.left_out: frozenset[str] = frozenset()

    async def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        if name.startswith("Carry out"):
            self._acts_left -= 1
            if not self._acts_left:
                raise _HereItBegins
        await work()

    async def ask(self, question: Question) -> None:
        view, plan = question.view, question.plan
        needed = {before for action in plan.actions for before in action.after}
        leaves = [action.id for action in plan.actions if action.id not in needed]
        self.left_out = frozenset(leaves[len(leaves) - self._leave_out :] if len(leaves) > self._leave_out else ())
        self.asked.append(question)
        name = next(p for p in self.people.seeds if p not in {a.approver for a in view.approvals})
        answer = Answer(
            approver=name,
            code=self.people.code(name),
            decision="approve",
            plan_digest=plan.digest,
            reason="exercise",
            leave_out=tuple(self.left_out),
            confirm=view.confirm,
        )
        self.room.desk.answer(view.id, answer, ask=view.ask)


def incident(home: Path, *, scenario: str = "crypto-mining", seed: int = 7, act: int = 2, leave_out: int = 30) -> Scene:
    """A scenario's incident, investigated and contained by the real course, with the plan of its n-th act approved."""
    world = build(scenario, seed=seed, now=NOW)
    with engine_room_of(world, home) as room:
        opened = room.open(alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake")
        runtime = _UpToTheAct(room, People(world), act=act, leave_out=leave_out)

        async def course() -> Engine:
            async with room.connect(opened.incident.id) as clouds:
                engine = Engine(room, opened.incident.id, clouds, run_id="preparing")
                try:
                    await respond_to(engine, runtime)
                except _HereItBegins:
                    return engine
            raise AssertionError(f"{scenario} has no act {act}.")

        engine = asyncio.run(course())
        plan = runtime.asked[-1].plan
        number = int(engine.value(f"facts-of-{plan.stage}-{plan.round}") or 1)
    return Scene(
        f"{scenario} {plan.stage}", world, home, opened.incident.id, plan.stage, number, plan, runtime.left_out
    )
