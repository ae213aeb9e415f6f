"""Small builders with defaults for plans, cases and people; and a clock that only sleeping moves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyotp

from firebreak.approval import Answer, Approvers, GateDesk
from firebreak.approval.desk import GateView
from firebreak.audit import AuditLog
from firebreak.model.alert import Alert, Incident
from firebreak.model.approval import ApprovedPlan
from firebreak.model.case import Case
from firebreak.model.facts import Inventory, Machine
from firebreak.model.mode import Mode
from firebreak.model.outcome import Outcome
from firebreak.model.plan import Action, Limits, Plan, action_id
from firebreak.model.playbook import Gate, GuardRails, Playbook, Stage
from firebreak.model.step import Effect, LoadedStep, Step
from firebreak.planning import make_plan
from firebreak.store import Store

SUBSCRIPTION = "33333333-3333-4333-8333-333333333333"
CUSTOMER = "22222222-2222-4222-8222-222222222222"
KEY = b"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WIDE = Limits(max_actions=1000, max_share=Decimal(1), max_per_hour=Decimal(100_000), max_regions=50)


class FakeClock:
    """Time that moves when told to, or when somebody sleeps."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **delta: float) -> None:
        self.at += timedelta(**delta)

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)


def machine_id(number: int, group: str = "rg-miners") -> str:
    return (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/vm-{number}"
    )


def make_incident(incident_id: str = "INC-1a2b3c4d", *, requested_by: str = "intake", **alert: Any) -> Incident:
    fields: dict[str, Any] = {
        "id": "alert-1",
        "source": "file",
        "type": "cryptoMining",
        "title": "Crypto mining",
        "severity": "high",
        "subscription_id": SUBSCRIPTION,
        "customer_tenant_id": CUSTOMER,
        "detected_at": NOON,
        **alert,
    }
    return Incident(
        id=incident_id,
        case="INC-1a2b3c4d",
        alert=Alert(**fields),
        playbook="compromised-subscription",
        mode=Mode.LIVE,
        opened_at=NOON,
        requested_by=requested_by,
    )


def make_playbook(*, limits: Limits = WIDE, gate: Gate | None = None, **rails: Any) -> Playbook:
    gate = gate or make_gate()
    return Playbook(
        id="compromised-subscription",
        version="1",
        title="Compromised subscription",
        description="",
        applies_to=("cryptoMining",),
        stages=(Stage(id="contain", title="Contain", steps=("contain.stop", "contain.remove"), gate=gate.id),),
        gates={gate.id: gate},
        guard_rails=GuardRails(limits=limits, **rails),
    )


def make_gate(**fields: Any) -> Gate:
    return Gate(**{"id": "contain", "title": "Contain", "approvers": ("responder",), **fields})


def make_machine(number: int, **fields: Any) -> Machine:
    given: dict[str, Any] = {
        "id": machine_id(number),
        "name": f"vm-{number}",
        "region": "westeurope",
        "size": "Standard_NC6",
        "power": "running",
        "vm_id": f"vmid-{number}",
        **fields,
    }
    return Machine(**given)


def make_case(
    *facts: Any,
    incident: Incident | None = None,
    playbook: Playbook | None = None,
    outcomes: Mapping[str, Outcome] | None = None,
    round: int = 1,  # noqa: A002
    left_out: Mapping[str, str] | None = None,
    placed: Mapping[str, datetime] | None = None,
) -> Case:
    return Case(
        incident=incident or make_incident(),
        playbook=playbook or make_playbook(),
        now=NOON,
        facts={type(one): one for one in facts},
        outcomes=outcomes,
        round=round,
        left_out=left_out,
        placed=placed,
    )


def make_action(number: int, *, step: str = "contain.stop", kind: str = "machine.stop", **fields: Any) -> Action:
    target = fields.pop("target", machine_id(number))
    given: dict[str, Any] = {
        "id": action_id(step, kind, target),
        "step": step,
        "kind": kind,
        "target": target,
        "title": f"Stop vm-{number}",
        "effect": Effect.REVERSIBLE,
        "reasons": ("It mines.",),
        "fingerprint": {"vmId": f"vmid-{number}"},
        "per_hour": Decimal(number),
        "region": "westeurope",
        **fields,
    }
    return Action(**given)


def planning_step(actions: Sequence[Any], step: str = "contain.stop", effect: Effect = Effect.REVERSIBLE) -> LoadedStep:
    """A step that plans what it is given."""
    declared = Step(id=step, title=step, effect=effect, description="")
    return LoadedStep(step=declared, plan=lambda _case: list(actions))


def make_small_plan(
    *actions: Action,
    case: Case | None = None,
    effect: Effect = Effect.REVERSIBLE,
    round: int = 1,  # noqa: A002
) -> Plan:
    by_step: dict[str, list[Action]] = {}
    for action in actions or (make_action(1), make_action(2)):
        by_step.setdefault(action.step, []).append(action)
    steps = [planning_step(group, step, effect) for step, group in by_step.items()]
    case = case or make_case(Inventory(machines=tuple(make_machine(n) for n in range(1, 10))))
    return make_plan(case, stage="contain", steps=steps, round=round, engine_version="test")


class Office:
    """A store with its audit log, approvers Ann, Bob (responders) and Cy (owner), and a gate desk."""

    def __init__(self, url: str, clock: FakeClock) -> None:
        self.clock = clock
        self.store = Store.open(url, clock=clock)
        self.audit = AuditLog(self.store, clock)
        self.people = Approvers(self.store, KEY, None)
        self.desk = GateDesk(self.store, self.people, self.audit, clock)
        self.seeds: dict[str, str] = {}

    def staff(self) -> Office:
        for name, role in (("Ann", "responder"), ("Bob", "responder"), ("Cy", "owner")):
            self.seeds[name] = self.people.enrol(name, [role])
        return self

    def code(self, name: str) -> str:
        """A code of this person that was not used yet."""
        self.clock.forward(seconds=30)
        return pyotp.TOTP(self.seeds[name]).at(self.clock())

    def add(self, incident: Incident) -> Incident:
        self.store.incidents.add(incident, raw_alert_digest="00")
        return incident

    def approve(self, view: GateView, name: str, **fields: Any) -> GateView:
        answer = {"approver": name, "code": self.code(name), "decision": "approve", "plan_digest": view.plan_digest}
        return self.desk.answer(view.id, Answer(**{**answer, **fields}), view.ask)

    def approved(self, incident: Incident, plan: Plan, gate: Gate | None = None, **fields: Any) -> ApprovedPlan:
        """Have Ann and Bob approve a plan, as many of them as it takes."""
        view = self.desk.open(incident, plan, gate or make_gate(), plan.round)
        for name in ("Ann", "Bob"):
            if view.state == "open":
                view = self.approve(view, name, confirm=view.confirm, **fields)
        return self.desk.bind(view.id, plan)
