"""Five courses over simulated worlds that together take every step of the shipped playbooks; each is gone through once and shared.

gone = await go_through("leaked-pipeline")
gone.changed["contain.disable_autoscale"]    # what Azure accepted of that step
less = await go_through("leaked-pipeline", without="contain.disable_autoscale")
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from azure_simulator import AsgiApp, build
from azure_simulator.app import assign, call_as
from azure_simulator.services.authorization import builtin as roles
from azure_simulator.services.authorization import eligibility
from azure_simulator.world import World
from firebreak.clients import Connection, connect
from firebreak.clients.inprocess import in_process
from firebreak.model.alert import END_RELATIONSHIPS, PARTNER_TENANT, Alert
from firebreak.model.mode import Mode
from firebreak.model.playbook import Playbook
from firebreak.model.step import Effect
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import shipped
from tests.steps.investigation import alert_of
from tests.support.hardened import EMERGENCY, P2, bare_world
from tests.support.inprocess import CORRELATION_ID, settings_for, simulated, sleeping, subscription_of
from tests.support.partner_check import AgentToken, person, relationship
from tests.support.platform_attack import build_everywhere
from tests.support.shares import Trial

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
_CONTACT = {
    "first_name": "Ada", "last_name": "Example", "email": "soc@contoso.example",
    "time_zone": "UTC", "country": "NLD", "language": "en-US",
}  # fmt: skip
# What an operator sets so that a step has something to do at all.
SETTINGS: dict[str, dict[str, Any]] = {
    "notify.support_ticket": {"contact": _CONTACT},
    "recover.lift_block": {"lift": True},
    "recover.reactivate_entitlement": {"reactivate": True},
    "harden.alert_rules": {"emails": ["soc@contoso.example"]},
    "harden.security_contact": {"emails": ["soc@contoso.example"]},
    "harden.spending_alerts": {"emails": ["soc@contoso.example"], "amount": 500},
    "harden.partner_budget": {"amount": 500},
    "contain.end_relationships": {"credential_kind": "secure_application_model", "own_customers": ()},
}
Connects = Callable[[World, Mode], AbstractAsyncContextManager[Connection]]


def _at_once(world: World, mode: Mode) -> AbstractAsyncContextManager[Connection]:
    return simulated(world, mode=mode)


@asynccontextmanager
async def _as_agent(world: World, mode: Mode) -> AsyncIterator[Connection]:
    """Signed in as a person of the partner's with a second factor, in the partner's own tenant."""
    agent = person(world, "agent1")
    credential = {
        "kind": "secure_application_model",
        "tenant_id": world.partner_tenant_id,
        "partner_tenant_id": world.partner_tenant_id,
        "client_id": agent.object_id,
        "client_secret": "not used in this process",
        "refresh_token": "not used in this process",
    }
    made = in_process(AsgiApp(world), credential=lambda tenant: AgentToken(world, agent, tenant or world.tenant_id))
    async with connect(
        settings_for(world, credential=credential),
        subscription_id=world.partner_tenant_id,
        mode=mode,
        correlation_id=CORRELATION_ID,
        transport=made,
        clock=world.clock.now,
        sleep=sleeping(world),
        monotonic=lambda: world.clock.now().timestamp(),
    ) as connection:
        yield connection


def _until_now(world: World) -> World:
    world.clock.advance((NOW - world.clock.now()).total_seconds())
    world.settle()
    return world


def _by_thief(world: World, method: str, path: str, body: dict[str, Any]) -> None:
    thief = world.truth["attackers"][0]
    answer = call_as(world, thief["principal_id"], method, path, body, address=thief["addresses"][0])
    assert answer.status in (200, 201, 202), answer.body
    world.clock.advance(60)
    world.settle()


def _leaked_pipeline() -> World:
    """Scale sets by a pipeline's stolen secret; its thief also locks one, leaves a disk and lets itself into a vault."""
    world = build("service-principal-abuse", seed=7, now=NOW - timedelta(hours=1))
    thief = next(p for p in world.principals.values() if p.object_id == world.truth["attackers"][0]["principal_id"])
    assign(
        world, thief, roles.OWNER, f"/subscriptions/{subscription_of(world)}"
    )  # a pipeline of which too much was allowed
    pool = next(one for one in world.truth["rogue_compute"] if "/virtualmachinescalesets/" in one.lower())
    lock = {"properties": {"level": "CanNotDelete", "notes": ""}}
    _by_thief(world, "PUT", f"{pool}/providers/Microsoft.Authorization/locks/keep?api-version=2020-05-01", lock)
    vault = next(one for one in world.resources if "/microsoft.keyvault/vaults/" in one)
    every = {"keys": ["get"], "secrets": ["get", "list", "set"], "certificates": []}
    given = {"tenantId": world.tenant_id, "objectId": thief.object_id, "permissions": every}
    added = {"properties": {"accessPolicies": [given]}}
    _by_thief(world, "PUT", f"{vault}/accessPolicies/add?api-version=2023-07-01", added)
    group = pool.lower().split("/providers/")[0]
    disk = {
        "location": world.truth["regions"][0], "sku": {"name": "Premium_LRS"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 512},
    }  # fmt: skip
    _by_thief(world, "PUT", f"{group}/providers/Microsoft.Compute/disks/loot-01?api-version=2024-03-02", disk)
    return _until_now(world)


def _platform_services() -> World:
    """Miners behind every platform service, by somebody who stays in applications, runbooks and consents."""
    world = build("quiet-persistence", seed=7, now=NOW - timedelta(hours=4))
    thief = world.truth["attackers"][0]
    region, address = world.truth["regions"][0], thief["addresses"][0]
    build_everywhere(world, thief["principal_id"], "rg-render-farm", region=region, address=address)
    return _until_now(world)


def _stolen_owner() -> World:
    """An Owner's account, whose thief changed its recovery data and made a role eligible."""
    world = build("hijacked-owner", seed=7, now=NOW - timedelta(hours=1))
    subscription = subscription_of(world)
    role = {
        "principalId": world.truth["attackers"][0]["principal_id"],
        "roleDefinitionId": roles.role_id(roles.OWNER, subscription),
        "requestType": "AdminAssign",
        "scheduleInfo": {"expiration": {"type": "NoExpiration"}},
    }
    path = f"/subscriptions/{subscription}/providers/{eligibility.REQUEST}/{world.chance.guid()}?api-version=2020-10-01"
    _by_thief(world, "PUT", path, {"properties": role})
    return _until_now(world)


def _unprotected() -> World:
    world = bare_world(*P2)
    world.directory_rules = False
    return world


def _partner() -> World:
    world = build("crypto-mining", seed=7, now=NOW)
    world.fill()
    return world


def _hardening(world: World) -> Alert:
    return Alert(
        id="a", source="file", type="hardening", title="Harden", severity="low", subscription_id=subscription_of(world),
        customer_tenant_id=world.tenant_id, detected_at=world.clock.now(),
    )  # fmt: skip


def _check(world: World) -> Alert:
    tenant = world.partner_tenant_id
    unused = relationship(world, "migration")["id"]
    return Alert(
        id="a", source="file", type=PARTNER_TENANT, title="Check", severity="informational", subscription_id=tenant,
        customer_tenant_id=tenant, detected_at=world.clock.now(), details={END_RELATIONSHIPS: unused},
    )  # fmt: skip


@dataclass(frozen=True)
class Course:
    """A world, a playbook, and the stages that are carried out in it; `+step` looks again with that step."""

    world: Callable[[], World]
    playbook: str
    stages: tuple[str, ...]
    alert: Callable[[World], Alert] = alert_of
    connects: Connects = _at_once


COURSES = {
    "leaked-pipeline": Course(
        _leaked_pipeline,
        "compromised-subscription",
        ("close-doors", "contain", "evict", "eradicate", "reduce-quota", "cancel-entitlement",
         "+investigate.subscription", "recover", "close"),
    ),
    "platform-services": Course(
        _platform_services,
        "compromised-subscription",
        ("close-doors", "contain", "evict", "eradicate", "+investigate.access", "recover", "close"),
    ),
    "stolen-owner": Course(_stolen_owner, "identity-containment", ("close-doors", "evict", "give-back")),
    "unprotected": Course(
        _unprotected, "harden-subscription", ("be-told", "sign-ins", "defender"), alert=_hardening
    ),
    "partner": Course(_partner, "partner-posture", ("defaults", "relationships"), alert=_check, connects=_as_agent),
}  # fmt: skip


def playbook_of(course: Course) -> Playbook:
    """The shipped playbook, with an emergency account protected; what its parameters switch off is left to the settings."""
    playbook = shipped(course.playbook)
    rails = msgspec.structs.replace(playbook.guard_rails, protected_principals=(EMERGENCY,))
    parameters = {step: own for step, own in playbook.parameters.items() if step not in SETTINGS}
    return msgspec.structs.replace(playbook, guard_rails=rails, parameters=parameters)


_READ: dict[str, tuple[World, Trial]] = {}
_GONE: dict[tuple[str, str], Trial] = {}


async def go_through(name: str, *, without: str = "") -> Trial:
    """The course from its first look to its last stage; without a reading step it is read anew, else from what was read before."""
    if (name, without) in _GONE:
        return _GONE[name, without]
    course = COURSES[name]
    playbook = playbook_of(course)
    if name not in _READ:
        world = course.world()
        trial = Trial(world, playbook, course.alert(world), SETTINGS)
        async with course.connects(world, Mode.DRY_RUN) as connection:
            await trial.read(connection)
        _READ[name] = world, trial
    world, read = _READ[name]
    world = copied(world)
    trial = Trial(world, playbook, read.alert, SETTINGS, frozenset({without} if without else ()))
    again = bool(without) and load_steps()[without].step.effect is Effect.READ
    if not again:
        trial.facts = dict(read.facts)
        trial.asked |= {step: list(rows) for step, rows in read.asked.items()}
    async with course.connects(world, Mode.LIVE) as connection:
        if again:
            await trial.read(connection)
        for stage in course.stages:
            if stage.startswith("+"):
                world.clock.advance(1200)
                await trial.read(connection, only=(stage[1:],))
            else:
                await trial.carry(stage, connection)
    _GONE[name, without] = trial
    return trial


def copied(world: World) -> World:
    """The world for one carrying out; rows that nothing changes are shared."""
    rows = (world.events, world.costs, world.prices)
    shared: dict[int, object] = {id(each): list(each) for each in rows}
    return copy.deepcopy(world, shared)
