"""A role that the attacker has at a management group: taken away where Firebreak may, given back by undo, told to people where it may not."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from azure_simulator.app import assign
from azure_simulator.services.authorization import builtin as roles
from firebreak.clients import Connection
from firebreak.clients.scope import Scope
from firebreak.errors import ResponseError, ScopeError
from firebreak.guardrails import check_action, why_protected
from firebreak.model.case import Case
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action
from firebreak.model.step import Effect
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import carry_out
from tests.contract.tasks.estate import HERE, Estate, empty_estate, later
from tests.support.inprocess import responder, sent, simulated, subscription_of

GROUP = "/providers/Microsoft.Management/managementGroups/mg-contoso"


@pytest.fixture
def estate() -> Estate:
    found = empty_estate(("Storage",))
    found.ids["above"] = assign(found.world, found.thief, roles.OWNER, GROUP)
    found.ids["root"] = assign(found.world, found.thief, roles.READER, "/")
    later(found, timedelta(minutes=40))
    found.make(found.thief, "own", f"{next(iter(found.world.subscriptions))}/resourceGroups/rg-own", HERE)
    later(found, timedelta(0))
    found.world.requests.clear()
    return found


async def looked(estate: Estate, connection: Connection) -> Case:
    return await estate.case(connection, (), ("contain.remove_access",))


async def test_it_is_taken_away_by_two_people_and_comes_back_by_undo(estate: Estate) -> None:
    world, above = estate.world, estate.ids["above"]
    assign(world, responder(world), roles.OWNER, GROUP)
    kept = dict(world.role_assignments[above]["properties"])
    undo = load_steps()["contain.remove_access"].undo
    assert undo is not None
    async with simulated(world) as connection:
        case = await looked(estate, connection)
        plan = estate.plan(case)
        action = next(one for one in plan.actions if one.target == above)
        assert plan.needs_two
        assert any("every subscription below it" in reason for reason in action.reasons)
        only = msgspec.structs.replace(plan, actions=(action,))
        done = await carry_out(only, connection, world)
        assert done.outcomes[action.id].state is ActionState.DONE
        assert above not in world.role_assignments
        inverse = undo(action, done.before[action.id].prior)
        assert isinstance(inverse, Action)
        back = await carry_out(msgspec.structs.replace(plan, actions=(inverse,)), connection, world)
        assert back.outcomes[inverse.id].state is ActionState.DONE
    given = world.role_assignments[above]["properties"]
    assert {name: given[name] for name in ("roleDefinitionId", "principalId", "scope")} == {
        name: kept[name] for name in ("roleDefinitionId", "principalId", "scope")
    }


async def test_without_a_right_there_nothing_is_tried_and_people_are_told_why(estate: Estate) -> None:
    async with simulated(estate.world) as connection:
        plan = estate.plan(await looked(estate, connection))
    told = {one.target: one.reason for one in plan.no_ops}
    assert "where Firebreak may take no roles away" in told[estate.ids["above"]]
    assert "an administrator of the tenant must remove it" in told[estate.ids["root"]]
    assert not {one.target for one in plan.actions} & {estate.ids["above"], estate.ids["root"]}
    assert sent(estate.world, "DELETE") == []


async def test_only_what_was_read_as_holding_here_may_go(estate: Estate) -> None:
    world = estate.world
    assign(world, responder(world), roles.OWNER, GROUP)
    async with simulated(world) as connection:
        case = await looked(estate, connection)
    action = next(one for one in estate.plan(case).actions if one.target == estate.ids["above"])
    assert why_protected(action, case) == ""
    check_action(action, case.incident)
    stranger = estate.ids["above"].rsplit("/", 1)[0] + "/00000000-0000-4000-8000-000000000001"
    assert "nobody knows whose access" in why_protected(msgspec.structs.replace(action, target=stranger), case)
    other = msgspec.structs.replace(action, kind="resource.delete")
    assert "nothing but role assignments" in why_protected(other, case)
    own = responder(world).object_id
    for key, row in world.role_assignments.items():
        if row["properties"]["principalId"] == own and "managementGroups" in key:
            assert why_protected(msgspec.structs.replace(action, target=key), case)


@pytest.mark.parametrize(
    "path",
    [
        GROUP,
        f"{GROUP}/providers/Microsoft.Authorization/policyAssignments/x",
        f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/x",
        f"{GROUP}/../x/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001",
        "/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001",
        "/providers/Microsoft.Management/managementGroups/a%2fb/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001",
    ],
)
async def test_nothing_else_above_the_subscription_is_written(estate: Estate, path: str) -> None:
    with pytest.raises(ScopeError):
        Scope(subscription_of(estate.world)).writable(path)
    async with simulated(estate.world) as connection:
        with pytest.raises(ResponseError):
            await connection.hands.arm.delete(path, "2022-04-01")
    assert sent(estate.world, "DELETE") == []


async def test_a_refusal_by_azure_ends_as_one_and_changes_nothing(estate: Estate) -> None:
    """Rights that went between the plan and the write."""
    world = estate.world
    mine = assign(world, responder(world), roles.OWNER, GROUP)
    async with simulated(world) as connection:
        plan = estate.plan(await looked(estate, connection))
        action = next(one for one in plan.actions if one.target == estate.ids["above"])
        assert action.effect is Effect.REVERSIBLE
        del world.role_assignments[mine]
        apply = load_steps()["contain.remove_access"].apply
        assert apply is not None
        with pytest.raises(ResponseError):
            await apply(action, connection.hands)
    assert estate.ids["above"] in world.role_assignments
