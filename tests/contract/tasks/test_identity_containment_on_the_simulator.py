"""Identity containment against the embedded directory: after it no way back is open, nothing of others was touched, and what can be undone is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from azure_simulator.services.graph import store
from azure_simulator.services.graph.methods import PASSWORD_ID
from azure_simulator.truth import score
from azure_simulator.ways import ways_left
from azure_simulator.world import World
from firebreak.clients import Connection
from firebreak.engine.fresh import Fresh
from firebreak.errors import MissingPermissionError
from firebreak.model.case import Case
from firebreak.model.intrusion import GLOBAL_ADMINISTRATOR, Intrusion
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, NoOp, Plan
from firebreak.model.step import Effect
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import carry_out, looked_into, plan_of, shipped, world_of
from tests.support.inprocess import simulated
from tests.unit.azure_simulator.scenarios.test_directory import without

STAGES = ("close-doors", "evict", "give-back")
TABLES = (
    "users",
    "methods",
    "credentials",
    "oauth2PermissionGrants",
    "appRoleAssignments",
    "roleAssignments",
    "roleEligibilities",
)


@dataclass
class Seen:
    """A world that was looked into under the shipped playbook, and a connection that may write."""

    world: World
    case: Case
    connection: Connection

    def plans(self) -> list[Plan]:
        return [plan_of(self.case, stage) for stage in STAGES]


_CASES: dict[str, tuple[World, Case]] = {}


@pytest.fixture
async def persisted() -> AsyncIterator[Seen]:
    """The world as found; worlds of one seed are the same, so the case is found once and fits every fresh one."""
    scenario = "quiet-persistence"
    world = world_of(scenario)
    async with simulated(world) as connection:
        if scenario not in _CASES:
            other = world_of(scenario)
            async with simulated(other) as looking:
                _CASES[scenario] = (other, await looked_into(looking, other, shipped("identity-containment")))
        found, case = _CASES[scenario]
        world.clock.advance((found.clock.now() - world.clock.now()).total_seconds())
        yield Seen(world, case, connection)


def rows_of(world: World) -> dict[str, Any]:
    """What the directory holds, without ids that are drawn anew when something is given again."""
    found = {}
    for name in TABLES:
        rows = [
            {k: v for k, v in row.items() if k not in ("id", "createdDateTime", "_start", "_created")}
            for row in store.table(world, name).values()
            if row.get("id") != PASSWORD_ID
        ]
        found[name] = sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)
    found["enabled"] = sorted(p.object_id for p in world.principals.values() if p.enabled)
    return found


async def test_after_it_no_way_back_is_open_and_nothing_of_others_was_touched(persisted: Seen) -> None:
    world = persisted.world
    before = {way["kind"] for way in ways_left(world)}
    assert {
        "session",
        "password",
        "account",
        "method",
        "credential",
        "issuer",
        "consent",
        "right",
        "eligible role",
    } <= before
    for plan in persisted.plans():
        assert plan.applyable, plan.problems
        carried = await carry_out(plan, persisted.connection, world)
        ended = {persisted_action(plan, key).kind: one for key, one in carried.outcomes.items()}
        assert {one.state for one in ended.values()} == {ActionState.DONE}, ended
    assert ways_left(world) == []
    assert score(world)["protected_touched"] == []


def persisted_action(plan: Plan, action_id: str) -> Action:
    return next(action for action in plan.actions if action.id == action_id)


async def test_what_can_be_taken_back_comes_back_as_it_was(persisted: Seen) -> None:
    world = persisted.world
    before, done = rows_of(world), []
    for plan in persisted.plans():
        reversible = [
            one for one in plan.actions if one.effect is Effect.REVERSIBLE and one.target.startswith("/v1.0/")
        ]
        for action in reversible:
            if action.kind == "user.revoke_sessions_again":
                continue  # it waits for a password that is not reset here
            loaded = load_steps()[action.step]
            assert loaded.look is not None
            assert loaded.apply is not None
            assert loaded.undo is not None
            target = (await loaded.look([action], persisted.connection.eyes))[action.id]
            assert not target.already_so, action.title
            await loaded.apply(action, persisted.connection.hands)
            world.clock.advance(30)
            done.append((action, target.prior))
    assert {one.kind for one, _ in done} >= {"user.disable", "application.disable", "issuer.remove", "consent.remove"}
    assert {one.kind for one, _ in done} >= {
        "right.remove",
        "eligible_role.remove",
        "method.remove",
        "access_policy.restore",
    }
    for action, prior in reversed(done):
        loaded = load_steps()[action.step]
        assert loaded.undo is not None
        inverse = loaded.undo(action, prior)
        if isinstance(inverse, NoOp):
            assert action.kind == "user.revoke_sessions"
            continue
        assert isinstance(inverse, Action), action.title
        assert loaded.look is not None
        assert loaded.apply is not None
        found = (await loaded.look([inverse], persisted.connection.eyes))[inverse.id]
        wrong = {k: v for k, v in inverse.fingerprint.items() if found.fingerprint.get(k, v) != v}
        assert not wrong, (inverse.title, wrong)
        assert not found.already_so, inverse.title
        await loaded.apply(inverse, persisted.connection.hands)
        assert (await loaded.look([inverse], persisted.connection.eyes))[inverse.id].already_so, inverse.title
    assert rows_of(world) == before


@pytest.mark.slow
async def test_a_second_look_finds_everything_done_and_plans_nothing_anew(persisted: Seen) -> None:
    for plan in persisted.plans():
        await carry_out(plan, persisted.connection, persisted.world)
    for plan in persisted.plans():
        for action in plan.actions:
            look = load_steps()[action.step].look
            assert look is not None
            assert (await look([action], persisted.connection.eyes))[action.id].already_so, action.title
    case = await looked_into(persisted.connection, persisted.world, persisted.case.playbook)
    assert [one.target for one in case[Intrusion].traces if one.kind.value != "other"] == []


async def test_the_only_administrator_left_is_neither_shut_out_by_the_plan_nor_by_a_plan_that_was_approved_before(
    persisted: Seen,
) -> None:
    world, case = persisted.world, persisted.case
    victim = next(one for one in case[Intrusion].intruders if not one.own)
    closing = next(a for a in plan_of(case, "close-doors").actions if a.target.endswith(victim.id))
    rule = {"principalId": victim.id, "roleDefinitionId": GLOBAL_ADMINISTRATOR, "directoryScopeId": "/"}
    await persisted.connection.hands.graph.post("/v1.0/roleManagement/directory/roleAssignments", rule, request_id="r")
    fresh = Fresh(case, persisted.connection.eyes, world.clock.now)
    assert await fresh.protects([closing]) == {}
    holders = {
        row["principalId"]
        for row in store.rows(world, "roleAssignments", world.tenant_id)
        if row["roleDefinitionId"] == GLOBAL_ADMINISTRATOR
    }
    for other in holders - {victim.id}:
        world.principals[other].enabled = False
    assert "No other Global Administrator" in (await fresh.protects([closing]))[closing.id]


async def test_a_password_that_the_attacker_changes_meanwhile_is_no_reset(persisted: Seen) -> None:
    world = persisted.world
    reset = next(a for a in plan_of(persisted.case, "evict").actions if a.kind == "user.reset_password")
    look = load_steps()[reset.step].look
    assert look is not None
    row = store.table(world, "users")[reset.target.rsplit("/", 1)[-1]]
    row["lastPasswordChangeDateTime"] = world.clock.now().isoformat()
    assert not (await look([reset], persisted.connection.eyes))[reset.id].already_so
    row["_must_change"] = True
    assert (await look([reset], persisted.connection.eyes))[reset.id].already_so


async def test_what_may_not_be_read_or_changed_is_said_and_nobody_is_shut_out_on_a_guess() -> None:
    world = world_of("quiet-persistence")
    for permission in ("RoleManagement.ReadWrite.Directory", "Directory.Read.All", "AuditLog.Read.All"):
        without(world, permission)
    async with simulated(world) as connection:
        case = await looked_into(connection, world, shipped("identity-containment"))
        plan = plan_of(case, "close-doors")
    assert [one.kind for one in plan.actions if one.kind in ("user.disable", "directory_role.remove")] == []
    victim = next(one for one in case[Intrusion].intruders if not one.own)
    why = [one.reason for one in plan.no_ops if one.target == f"/v1.0/users/{victim.id}"]
    assert any("not read who is Global Administrator" in reason for reason in why), why
    assert {one.kind for one in plan.actions} >= {"user.revoke_sessions", "application.disable"}
    notes = {one.what: one.why for one in case[Intrusion].not_looked_at}
    assert "AuditLog.Read.All" in notes["changes of the directory"]


async def test_a_change_that_graph_refuses_is_a_missing_permission_by_name(persisted: Seen) -> None:
    without(persisted.world, "DelegatedPermissionGrant.ReadWrite.All")
    grant = next(a for a in plan_of(persisted.case, "close-doors").actions if a.kind == "consent.remove")
    apply = load_steps()[grant.step].apply
    assert apply is not None
    with pytest.raises(MissingPermissionError, match="Insufficient privileges"):
        await apply(grant, persisted.connection.hands)
    assert grant.target.rsplit("/", 1)[-1] in store.table(persisted.world, "oauth2PermissionGrants")
