"""The engine on the same work: the real steps, a plan that two people approved at a gate, and `firebreak.execution.execute`."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyotp

from firebreak.approval import Answer, Approvers, GateDesk
from firebreak.audit import AuditLog
from firebreak.clients import Connection, connect
from firebreak.errors import ResponseError
from firebreak.evidence import EvidenceStore
from firebreak.execution import Lease, execute
from firebreak.model.alert import Alert, Incident
from firebreak.model.approval import ApprovedPlan
from firebreak.model.case import Case
from firebreak.model.facts import DiskFacts, Inventory
from firebreak.model.mode import Mode
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, action_id
from firebreak.model.playbook import NO_LIMITS, Gate, GuardRails, Playbook, Stage
from firebreak.model.step import Effect, LoadedStep
from firebreak.planning import make_plan
from firebreak.settings import Settings
from firebreak.store import Store
from tasks.arm import COMPUTE, DISKS
from tasks.registry import load_steps

_MACHINE_STEP, _DISK_STEP = "contain.deallocate_machines", "eradicate.delete_unattached_disks"
_PEOPLE = ("Ann", "Bob")


def _now() -> datetime:
    return datetime.now(UTC)


async def contain(cloud: dict[str, Any], resources: int, folder: Path) -> float:
    """Carry out an approved plan of N deallocations and N disk deletions; return the seconds from the lease to the last outcome.

    Looking, planning and approving come before and are not counted.

    Raises:
        ResponseError: an action did not end as done.
    """
    settings = _settings(cloud, folder)
    steps = load_steps()
    incident = _incident(cloud)
    recorder = EvidenceStore(settings.evidence_url).recorder(incident.id, "contain")
    with Store.open(settings.database_url) as store:
        store.incidents.add(incident, raw_alert_digest="")
        audit = AuditLog(store, _now)
        async with connect(
            settings,
            subscription_id=incident.subscription_id,
            mode=Mode.LIVE,
            correlation_id=incident.id,
            recorder=recorder,
        ) as connection:
            actions = await _actions(connection)
            case = Case(
                incident=incident,
                playbook=_playbook(),
                now=_now(),
                facts={Inventory: Inventory(), DiskFacts: DiskFacts()},
            )
            approved = _approve(case, actions, store, audit)
            began = time.perf_counter()
            outcomes = await execute(
                approved,
                case=case,
                steps=steps,
                eyes=connection.eyes,
                hands=connection.hands,
                store=store,
                lease=Lease.acquire(store, incident.id, "benchmark", clock=_now),
                audit=audit,
                clock=_now,
                sleep=asyncio.sleep,
            )
            seconds = time.perf_counter() - began
    bad = [outcome for outcome in outcomes if outcome.state is not ActionState.DONE]
    if bad or len(outcomes) != 2 * resources:
        raise ResponseError(
            f"{len(bad)} of {len(outcomes)} actions did not end as done, the first: {bad[:1]}.",
            hint="The figures would say nothing.",
        )
    return seconds


def _settings(cloud: dict[str, Any], folder: Path) -> Settings:
    places = {name: cloud[name] for name in ("resource_manager", "login", "graph", "partner_center", "prices")}
    credential = {name: cloud[name] for name in ("tenant_id", "partner_tenant_id", "client_id", "client_secret")}
    return Settings.load(
        home=folder,
        cloud={"preset": "simulator", **places, "ca_bundle": cloud["ca_bundle"]},
        credential={"kind": "client_secret", **credential},
    )


def _incident(cloud: dict[str, Any]) -> Incident:
    alert = Alert(
        id="benchmark",
        source="file",
        type="cryptoMining",
        title="Benchmark",
        severity="high",
        subscription_id=cloud["subscription_id"],
        customer_tenant_id=cloud["tenant_id"],
        detected_at=_now(),
    )
    return Incident(
        id="INC-0000beac",
        case="INC-0000beac",
        alert=alert,
        playbook="benchmark",
        mode=Mode.LIVE,
        opened_at=_now(),
        requested_by="benchmark",
    )


def _playbook() -> Playbook:
    gate = Gate(id="contain", title="Contain", approvers=("responder",), required=len(_PEOPLE))
    return Playbook(
        id="benchmark",
        version="1",
        title="Benchmark",
        description="",
        applies_to=("cryptoMining",),
        stages=(Stage(id="contain", title="Contain", steps=(_MACHINE_STEP, _DISK_STEP), gate=gate.id),),
        gates={gate.id: gate},
        guard_rails=GuardRails(limits=NO_LIMITS),
    )


async def _actions(connection: Connection) -> dict[str, list[Action]]:
    arm = connection.eyes.arm
    compute = f"/subscriptions/{arm.subscription_id}/providers/Microsoft.Compute"
    machines = await arm.list(f"{compute}/virtualMachines", COMPUTE)
    disks = await arm.list(f"{compute}/disks", DISKS)
    return {
        _MACHINE_STEP: [
            _action(_MACHINE_STEP, "machine.deallocate", row, {"vmId": row["properties"]["vmId"].lower()}, "0.10")
            for row in machines
        ],
        _DISK_STEP: [
            _action(
                _DISK_STEP,
                "disk.delete",
                row,
                {"uniqueId": row["properties"]["uniqueId"].lower(), "state": "unattached"},
                "0.01",
            )
            for row in disks
            if not row.get("managedBy")
        ],
    }


def _action(step: str, kind: str, row: dict[str, Any], fingerprint: dict[str, str], per_hour: str) -> Action:
    irreversible = kind == "disk.delete"
    return Action(
        id=action_id(step, kind, row["id"]),
        step=step,
        kind=kind,
        target=row["id"],
        title=f"{kind} {row['name']}",
        effect=Effect.IRREVERSIBLE if irreversible else Effect.REVERSIBLE,
        reasons=("Part of the benchmark.",),
        fingerprint=fingerprint,
        per_hour=Decimal(per_hour),
        region=row["location"],
        irreversible_because="A deleted disk does not come back." if irreversible else "",
    )


def _approve(case: Case, actions: dict[str, list[Action]], store: Store, audit: AuditLog) -> ApprovedPlan:
    known = load_steps()
    planners = [_planner(known[name], planned) for name, planned in actions.items()]
    plan = make_plan(case, stage="contain", steps=planners, round=1, engine_version="benchmark")
    approvers = Approvers(store, base64.urlsafe_b64encode(secrets.token_bytes(32)), None)
    desk = GateDesk(store, approvers, audit, _now)
    gate = case.playbook.gates["contain"]
    view = desk.open(case.incident, plan, gate, 1)
    for person in _PEOPLE:
        seed = approvers.enrol(person, ["responder"])
        answer = Answer(
            approver=person,
            code=pyotp.TOTP(seed).now(),
            decision="approve",
            plan_digest=plan.digest,
            reason="Benchmark",
            confirm=view.confirm,
            channel="cli",
        )
        view = desk.answer(view.id, answer, view.ask)
    return desk.bind(view.id, plan)


def _planner(loaded: LoadedStep, planned: list[Action]) -> LoadedStep:
    """The real step, with the plan of the benchmark: what is judged the attacker's is not what is measured."""
    return msgspec.structs.replace(loaded, plan=lambda _case: list(planned))
