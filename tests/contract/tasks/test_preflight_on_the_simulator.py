"""What the preflight says of a plan is what the simulator does with it: each action is sent, and the prediction compared with the answer.

Each test edits one shared world, takes back its edit, and uses up actions of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec
import pytest

from azure_simulator.services.authorization import builtin
from azure_simulator.services.authorization.models import DENY_TABLE, EVERYBODY
from azure_simulator.world import World
from firebreak.clients import Connection
from firebreak.engine.permissions import Obstacle, not_allowed, obstacles
from firebreak.errors import AccessError, RejectedError
from firebreak.model.case import Case
from firebreak.model.facts import AccessFacts, SubscriptionFacts
from firebreak.model.ids import ResourceId
from firebreak.model.plan import Action, Plan
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import first_case, plan_of, shipped, world_of
from tests.support.inprocess import responder, simulated, subscription_of
from tests.unit.firebreak.execution.builders import make_case, make_small_plan

VM_CONTRIBUTOR_ACTIONS = ["Microsoft.Compute/virtualMachines/*", "*/read"]
_WORLD: list[World] = []
_USED: set[str] = set()


@pytest.fixture
def world() -> World:
    if not _WORLD:
        _WORLD.append(world_of("crypto-mining"))
    return _WORLD[0]


@asynccontextmanager
async def looked_at(world: World, stage: str, **rails: Any) -> AsyncIterator[tuple[Connection, Case, Plan]]:
    """The plan of a stage from the facts as first found, with access and permissions as they are now."""
    playbook = shipped()
    playbook = msgspec.structs.replace(playbook, guard_rails=msgspec.structs.replace(playbook.guard_rails, **rails))
    case = await first_case("crypto-mining", playbook)
    async with simulated(world) as connection:
        for step in ("investigate.subscription", "investigate.access"):
            collect = load_steps()[step].collect
            assert collect is not None
            case = case.with_facts(await collect(connection.eyes, case))
        yield connection, case, plan_of(case, stage)


def take(plan: Plan, kind: str, group: str = "", *, not_in: str = "", count: int = 2) -> list[Action]:
    """Some actions of a kind that no test used yet, in or outside a group."""
    found = []
    for action in plan.actions:
        own = ResourceId.parse(action.target).resource_group.lower()
        fits = (not group or own == group.lower()) and own != not_in.lower()
        if action.kind == kind and fits and action.id not in _USED and len(found) < count:
            _USED.add(action.id)
            found.append(action)
    assert found, kind
    return found


def predicted(plan: Plan, case: Case, action: Action) -> list[Obstacle]:
    alone = msgspec.structs.replace(plan, actions=(action,))
    return [one for one in obstacles(alone, load_steps(), case) if one.kind != "undo"]


async def refusal(connection: Connection, action: Action) -> str:
    """The simulator's error code for the action, "" when it did it."""
    apply = load_steps()[action.step].apply
    assert apply is not None
    try:
        await apply(action, connection.hands)
    except (AccessError, RejectedError) as error:
        return str(error)
    return ""


def group_of(plan: Plan, kind: str) -> str:
    """The group in which most unused actions of a kind are."""
    groups = [ResourceId.parse(a.target).resource_group for a in plan.actions if a.kind == kind and a.id not in _USED]
    return max(sorted(set(groups)), key=groups.count)


@contextmanager
def row(table: Any, key: str, document: dict[str, Any]) -> Iterator[None]:
    table[key] = document
    try:
        yield
    finally:
        table.pop(key, None)


async def test_an_owner_without_anything_in_the_way_is_refused_nothing(world: World) -> None:
    async with looked_at(world, "contain") as (connection, case, plan):
        assert obstacles(plan, load_steps(), case) == ()
        assert not_allowed(plan, load_steps(), case) == ""
        for action in take(plan, "machine.deallocate"):
            assert await refusal(connection, action) == ""


async def test_a_role_in_one_group_counts_there_and_its_exceptions_too(world: World) -> None:
    acting, group = responder(world).object_id, ""
    kept = [
        (row, row["properties"]["roleDefinitionId"])
        for row in world.role_assignments.values()
        if row["properties"]["principalId"] == acting
    ]
    custom = "77777777-0000-4000-8000-000000000001"
    base = f"/subscriptions/{subscription_of(world)}"
    role = {
        "roleName": "Stopper",
        "type": "CustomRole",
        "assignableScopes": [base],
        "permissions": [
            {"actions": VM_CONTRIBUTOR_ACTIONS, "notActions": ["Microsoft.Compute/virtualMachines/start/action"]}
        ],
    }
    path = f"{base}/providers/Microsoft.Authorization/roleDefinitions/{custom}"
    async with looked_at(world, "contain") as (_, _, plan):
        group = group_of(plan, "machine.deallocate")
    scope = f"{base}/resourceGroups/{group}"
    held = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{custom}"
    assignment = {"roleDefinitionId": path, "principalId": acting, "principalType": "ServicePrincipal", "scope": scope}
    with (
        row(world.role_definitions, path, {"id": path, "name": custom, "properties": role}),
        row(world.role_assignments, held, {"id": held, "name": custom, "properties": assignment}),
    ):
        try:
            for one, _ in kept:
                one["properties"]["roleDefinitionId"] = builtin.role_id(builtin.READER, subscription_of(world))
            async with looked_at(world, "contain") as (connection, case, plan):
                inside = take(plan, "machine.deallocate", group, count=1)
                outside = take(plan, "machine.deallocate", not_in=group, count=1)
                for action in inside:
                    assert predicted(plan, case, action) == []
                    alone = msgspec.structs.replace(plan, actions=(action,))
                    (undo,) = obstacles(alone, load_steps(), case)
                    assert (undo.kind, "start/action" in undo.what) == ("undo", True)
                    assert await refusal(connection, action) == ""
                for action in outside:
                    (missing,) = predicted(plan, case, action)
                    assert missing.kind == "permission"
                    assert "virtualMachines/deallocate/action" in missing.what
                    assert "403" in await refusal(connection, action)
                page = not_allowed(plan, load_steps(), case)
                assert "Not allowed now" in page
                assert "Could not be undone" in page
        finally:
            for one, before in kept:
                one["properties"]["roleDefinitionId"] = before


@pytest.mark.parametrize(
    ("principals", "excluded", "refused"),
    [
        ([{"id": EVERYBODY, "type": "SystemDefined"}], [], True),
        ([{"id": EVERYBODY, "type": "SystemDefined"}], ["acting"], False),
        ([{"id": "99999999-0000-4000-8000-000000000000", "type": "User"}], [], False),
    ],
)
async def test_a_deny_assignment_is_seen_before_it_bites(
    world: World, principals: list[dict[str, str]], excluded: list[str], refused: bool
) -> None:
    acting = {"id": responder(world).object_id, "type": "ServicePrincipal"}
    async with looked_at(world, "contain") as (_, _, plan):
        group = group_of(plan, "machine.deallocate")
    scope = f"/subscriptions/{subscription_of(world)}/resourceGroups/{group}"
    key = f"{scope}/providers/Microsoft.Authorization/denyAssignments/88888888-0000-4000-8000-000000000001"
    properties = {
        "denyAssignmentName": "Managed by <b>somebody</b>",
        "permissions": [{"actions": ["*/action", "*/delete"], "notActions": []}],
        "scope": scope,
        "doNotApplyToChildScopes": False,
        "principals": principals,
        "excludePrincipals": [acting for _ in excluded],
    }
    with row(world.table(DENY_TABLE), key, {"id": key, "name": "d", "properties": properties}):
        async with looked_at(world, "contain") as (connection, case, plan):
            assert len(case[AccessFacts].deny_assignments) == 1
            (action,) = take(plan, "machine.deallocate", group, count=1)
            found = predicted(plan, case, action)
            assert [one.kind for one in found] == (["deny"] if refused else [])
            assert ("DenyAssignmentAuthorizationFailed" in await refusal(connection, action)) is refused
            assert "<b>" not in not_allowed(plan, load_steps(), case)


@pytest.mark.parametrize(
    ("stage", "kind", "level", "above", "refused"),
    [
        ("contain", "machine.deallocate", "ReadOnly", True, True),
        ("contain", "machine.deallocate", "CanNotDelete", False, False),
        ("eradicate", "disk.snapshot", "ReadOnly", True, True),
        ("eradicate", "disk.snapshot", "CanNotDelete", True, False),
    ],
)
async def test_locks_that_nothing_removes_first_are_seen(
    world: World, stage: str, kind: str, level: str, above: bool, refused: bool
) -> None:
    async with looked_at(world, stage) as (_, _, plan):
        (action,) = take(plan, kind, count=1)
    target = ResourceId.parse(action.target)
    scope = f"/subscriptions/{target.subscription}/resourceGroups/{target.resource_group}" if above else action.target
    key = f"{scope}/providers/Microsoft.Authorization/locks/stay"
    document = {"id": key, "name": "stay", "type": "Microsoft.Authorization/locks", "properties": {"level": level}}
    with row(world.locks, key, document):
        # The guard rails would leave it alone; without them the preflight is what speaks.
        async with looked_at(world, stage, respect_locks=False) as (connection, case, plan):
            found = predicted(plan, case, action)
            assert [one.kind for one in found] == (["lock"] if refused else [])
            assert ("ScopeLocked" in await refusal(connection, action)) is refused
        if refused:
            async with looked_at(world, stage) as (_, _, plan):
                assert action.id not in {a.id for a in plan.actions}


async def test_a_lock_that_the_plan_removes_first_stands_in_nobodys_way(world: World) -> None:
    async with looked_at(world, "contain", respect_locks=False) as (_, case, plan):
        action = next(a for a in plan.actions if a.kind == "machine.deallocate")
        scope = action.target.rsplit("/providers/", 1)[0]
        key = f"{scope}/providers/Microsoft.Authorization/locks/eve"
    document = {"id": key, "name": "eve", "type": "Microsoft.Authorization/locks", "properties": {"level": "ReadOnly"}}
    with row(world.locks, key, document):
        async with looked_at(world, "contain", respect_locks=False) as (_, case, plan):
            removal = msgspec.structs.replace(
                action, id="lock.remove:0000000000", kind="lock.remove", target=key, step="contain.remove_locks"
            )
            before = msgspec.structs.replace(plan, actions=(removal, action))
            after = msgspec.structs.replace(plan, actions=(action, removal))
            assert [o.kind for o in obstacles(before, load_steps(), case)] == []
            assert [o.kind for o in obstacles(after, load_steps(), case)] == ["lock"]


TAG_POLICY = "/providers/Microsoft.Authorization/policyDefinitions/871b6d14-10aa-478d-b590-94f262ecfa99"
NOT_TYPES = "/providers/Microsoft.Authorization/policyDefinitions/6c112d4e-5bc7-47ae-a041-ea2d9dccd749"


@pytest.mark.parametrize(
    ("definition", "parameters", "enforcement", "refused"),
    [
        (TAG_POLICY, {"tagName": "owner"}, "Default", True),
        (TAG_POLICY, {"tagName": "incident"}, "Default", False),
        (TAG_POLICY, {"tagName": "owner"}, "DoNotEnforce", False),
        (NOT_TYPES, {"listOfResourceTypesNotAllowed": ["Microsoft.Compute/snapshots"]}, "Default", True),
        (NOT_TYPES, {"listOfResourceTypesNotAllowed": ["Microsoft.Compute/disks"]}, "Default", False),
    ],
)
async def test_a_policy_that_denies_snapshots_is_seen(
    world: World, definition: str, parameters: dict[str, Any], enforcement: str, refused: bool
) -> None:
    scope = f"/subscriptions/{subscription_of(world)}"
    key = f"{scope}/providers/Microsoft.Authorization/policyAssignments/strict"
    properties = {
        "displayName": "Strict",
        "policyDefinitionId": definition,
        "scope": scope,
        "parameters": {name: {"value": value} for name, value in parameters.items()},
        "enforcementMode": enforcement,
    }
    document = {
        "id": key,
        "name": "strict",
        "type": "Microsoft.Authorization/policyAssignments",
        "properties": properties,
    }
    assert definition in world.policy_definitions, list(world.policy_definitions)
    with row(world.policy_assignments, key, document):
        async with looked_at(world, "eradicate") as (connection, case, plan):
            (action,) = take(plan, "disk.snapshot", count=1)
            found = predicted(plan, case, action)
            assert [one.kind for one in found] == (["policy"] if refused else [])
            assert ("RequestDisallowedByPolicy" in await refusal(connection, action)) is refused


def test_the_page_says_when_nothing_could_be_checked() -> None:
    unread = SubscriptionFacts(subscription_id="s", tenant_id="t", display_name="", state="")
    assert "Not checked" in not_allowed(make_small_plan(), load_steps(), make_case(unread))
