"""Carries the plans of a replay out on the embedded Azure, in earnest: gates, journal, lease, waves and proofs are those of a response.

The approvals are given by people who exist in the replay's own store alone, which is thrown away: they can open nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec
import pyotp

from firebreak.approval import Answer, GateDesk
from firebreak.audit import AuditLog
from firebreak.clients.embedded import only_embedded
from firebreak.engine import Engine
from firebreak.engine.room import EngineRoom
from firebreak.errors import ApprovalError, ResponseError
from firebreak.execution import Journal, JournalRow
from firebreak.model.mode import Mode
from firebreak.model.plan import Action, Plan
from firebreak.replay.past import Point
from firebreak.replay.staged import Staged
from firebreak.settings import Settings

Say = Callable[[str], None]
_MOST_PEOPLE = 5

# What the embedded Azure cannot be asked to do with a recorded subscription, and why: said with each action.
NOT_TRIED = {
    "entitlement.cancel": "Partner Center is not part of the world.",
    "entitlement.reactivate": "Partner Center is not part of the world.",
    "blob.delete": "What lies in storage accounts is not part of the world.",
    "support.ticket": "Nobody answers tickets in the world.",
    "quota.ticket": "Nobody answers tickets in the world.",
    "alert.resolve": "Microsoft's alerts are not part of the world.",
    "fraud_event.resolve": "Microsoft's alerts are not part of the world.",
}


@dataclass(frozen=True)
class Carried:
    """One plan and what became of its actions there. `began` and `ended` are on the world's clock; `problem` says why it stopped."""

    point: Point
    plan: Plan
    rows: tuple[JournalRow, ...]
    left_out: tuple[str, ...]
    not_tried: tuple[Action, ...]
    began: datetime
    ended: datetime
    problem: str = ""


@dataclass(frozen=True)
class Wanted:
    """A plan that is to be carried out, the round that it was made from, and what the gate's answers left out."""

    point: Point
    plan: Plan
    facts_round: int
    left_out: tuple[str, ...]


class WorldClock:
    """The time of the record, going on from there as the machine's does: what the embedded Azure's clock does too."""

    def __init__(self, start: datetime) -> None:
        self._start, self._origin = start, time.monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._origin)


def wanted_of(staged: Staged) -> tuple[Wanted, ...]:
    """The plans that the replay's gates approved, in order."""
    found = []
    for view in reversed(staged.desk.list()):
        if view.state != "approved":
            continue
        point = Point(view.stage, view.round)
        plan = staged.room.store.plans.load(view.plan_digest)
        number = int(staged.room.store.values.get(staged.incident.id, f"facts-of-{view.stage}-{view.round}") or 1)
        left_out = sorted({action for approval in view.approvals for action in approval.left_out})
        found.append(Wanted(point, plan, number, tuple(left_out)))
    return tuple(found)


async def carry_out(
    staged: Staged, wanted: Sequence[Wanted], settings: Settings, clock: WorldClock, say: Say
) -> tuple[Carried, ...]:
    """Carry out the plans in order. `settings` point at the embedded Azure.

    Raises:
        ScopeError: they point anywhere else; nothing was sent.
    """
    transport = only_embedded(settings)
    store = staged.room.store
    audit = AuditLog(store, clock)
    room = replace(
        staged.room,
        settings=settings,
        audit=audit,
        desk=GateDesk(store, staged.room.approvers, audit, clock),
        clock=clock,
        sleep=asyncio.sleep,
        monotonic=time.monotonic,
        transport=transport,
    )
    incident = _copied(staged, {one.facts_round for one in wanted})
    done = []
    async with room.connect(incident) as clouds:
        engine = Engine(room, incident, clouds, run_id="what-if")
        for one in wanted:
            done.append(await _carry_one(room, engine, one, clock, say))
            if done[-1].problem:
                say(f"{one.point}: {done[-1].problem}")
    return tuple(done)


async def _carry_one(room: EngineRoom, engine: Engine, one: Wanted, clock: WorldClock, say: Say) -> Carried:
    began = clock()
    plan, stage = one.plan, engine.playbook.stage(one.point.stage)
    not_tried = tuple(action for action in plan.actions if action.kind in NOT_TRIED and action.id not in one.left_out)
    out = tuple(sorted({*one.left_out, *(action.id for action in not_tried)}))
    problem = ""
    if len(out) < len(plan.actions):
        try:
            room.store.plans.save(engine.incident.id, plan)
            engine.remember(f"facts-of-{plan.stage}-{plan.round}", one.facts_round)
            _approve(room, engine, one, out)
            await engine.acting(stage, one.point.attempt, one.facts_round, say)()
        except ResponseError as error:
            problem = error.message
    rows = Journal(room.store, room.audit, clock).rows(engine.incident.id)
    mine = tuple(row for row in rows if row.plan_digest == plan.digest)
    return Carried(one.point, plan, mine, one.left_out, not_tried, began, clock(), problem)


def _approve(room: EngineRoom, engine: Engine, one: Wanted, out: tuple[str, ...]) -> None:
    """Open the gate and answer it as often as it needs, each time by somebody new."""
    stage = engine.playbook.stage(one.point.stage)
    view = room.desk.open(engine.incident, one.plan, engine.gate_of(stage), one.point.attempt)
    for number in range(1, _MOST_PEOPLE + 1):
        if view.state == "approved":
            return
        name = f"what-if {one.point.stage} {one.point.attempt} {number}"
        seed = room.approvers.enrol(name, view.roles)
        answer = Answer(
            approver=name,
            code=pyotp.TOTP(seed).at(int(room.clock().timestamp())),
            decision="approve",
            plan_digest=one.plan.digest,
            reason="what-if on the embedded Azure",
            leave_out=out,
            confirm=view.confirm,
            channel="what-if",
        )
        view = room.desk.answer(view.id, answer, ask=view.ask)
    if view.state != "approved":
        raise ApprovalError(
            f"Gate {view.id} could not be answered.", reason="not_approved", hint="A mistake of the engine."
        )


def _copied(staged: Staged, rounds: set[int]) -> str:
    """A live incident of the same case with the facts of the replay, in the replay's own store; return its id."""
    store, old = staged.room.store, staged.incident
    incident = msgspec.structs.replace(old, id=f"{old.case}-what-if", mode=Mode.LIVE, requested_by="what-if")
    store.incidents.add(incident, raw_alert_digest=old.alert.raw_digest)
    store.values.set(incident.id, "playbook", store.values.get(old.id, "playbook"))
    for number in sorted(rounds):
        for key in (f"round-{number}", f"settings-{number}"):
            store.values.set(incident.id, key, store.values.get(old.id, key))
        for name, loaded in staged.room.steps.items():
            kind = loaded.step.produces
            facts = store.facts.load(old.id, number, name, kind) if kind is not None else None
            if facts is not None:
                store.facts.save(incident.id, number, name, facts)
    return incident.id
