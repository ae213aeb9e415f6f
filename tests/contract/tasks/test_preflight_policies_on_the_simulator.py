"""What the preflight says of initiatives, denyAction and what lies at a management group is what the simulator does with the plan's actions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from azure_simulator.app import assign as grant_role
from azure_simulator.services.authorization import builtin as roles
from azure_simulator.services.policy import builtin, models
from azure_simulator.world import World
from firebreak.engine.permissions import not_allowed
from firebreak.model.facts import AccessFacts
from firebreak.model.plan import Plan
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import world_of
from tests.contract.tasks.test_preflight_on_the_simulator import looked_at, predicted, refusal, row, take
from tests.support.inprocess import responder, subscription_of

DISKS = "Microsoft.Compute/disks"
TOP = "/providers/Microsoft.Management/managementGroups/top"
KEEP = builtin.definition_id(builtin.NO_DELETION_OF_TYPES)
_WORLD: list[World] = []


@pytest.fixture
def world() -> World:
    if not _WORLD:
        _WORLD.append(world_of("crypto-mining"))
    return _WORLD[0]


@contextmanager
def initiative_at(world: World, place: str, scope: str, effect: str = "DenyAction", **fields: Any) -> Iterator[str]:
    """An initiative with one member that forbids the deletion of disks, assigned at a scope; yields the assignment's id."""
    values = {"listOfResourceTypesDisallowedForDeletion": [DISKS], "effect": effect}
    parameters = {name: {"value": value} for name, value in values.items()}
    member = {"policyDefinitionReferenceId": "keep", "policyDefinitionId": KEEP, "parameters": parameters}
    identity = f"{place}/providers/Microsoft.Authorization/policySetDefinitions/guards"
    assignment = f"{scope}/providers/Microsoft.Authorization/policyAssignments/guards"
    properties = {
        "displayName": "Guards <b>",
        "policyDefinitionId": identity,
        "scope": scope,
        "parameters": {},
        **fields,
    }
    document = {"id": assignment, "name": "guards", "properties": properties}
    defined = {"id": identity, "name": "guards", "properties": {"policyType": "Custom", "policyDefinitions": [member]}}
    with row(models.set_definitions(world), identity, defined), row(world.policy_assignments, assignment, document):
        yield assignment


@pytest.mark.parametrize("how", ["enforced", "disabled", "not enforced", "excluded", "exempt", "overridden"])
async def test_an_initiative_that_forbids_deleting_disks_is_seen(world: World, how: str) -> None:
    subscription = f"/subscriptions/{subscription_of(world)}"
    async with looked_at(world, "eradicate") as (_, _, plan):
        (action,) = take(plan, "disk.delete", count=1)
    fields: dict[str, Any] = {
        "disabled": {"effect": "Disabled"},
        "not enforced": {"enforcementMode": "DoNotEnforce"},
        "excluded": {"notScopes": [action.target.split("/providers/")[0]]},
        "overridden": {"overrides": [{"kind": "policyEffect", "value": "Disabled"}]},
    }.get(how, {})
    with initiative_at(world, subscription, subscription, **fields) as assignment:
        exemption = f"{action.target}/providers/Microsoft.Authorization/policyExemptions/e"
        bound = assignment if how == "exempt" else f"{assignment}-another"
        document = {"id": exemption, "name": "e", "properties": {"policyAssignmentId": bound}}
        with row(models.exemptions(world), exemption, document):
            async with looked_at(world, "eradicate") as (connection, case, plan):
                found = predicted(plan, case, action)
                answer = await refusal(connection, action)
    # The attacker's locks, which the plan of another stage removes, are no business of this test.
    assert [one.sure for one in found if one.kind == "policy"] == ([True] if how == "enforced" else [])
    assert ("RequestDisallowedByPolicy" in answer) is (how == "enforced")


async def test_what_lies_at_a_management_group_is_named_when_it_may_not_be_read_and_judged_when_it_may(
    world: World,
) -> None:
    # Azure asks for locks before policies: the disk is not one in the group that the attacker locked.
    locked = world.truth["rogue_locks"][0].lower().split("/resourcegroups/")[1].split("/")[0]
    with initiative_at(world, TOP, TOP):
        async with looked_at(world, "eradicate") as (connection, case, plan):
            (action,) = take(plan, "disk.delete", not_in=locked, count=1)
            page = not_allowed(plan, load_steps(), case)
            assert not [one for one in predicted(plan, case, action) if one.kind == "policy"]
            assert "Policies not judged" in page
            assert "Guards &lt;b&gt;" in page
            assert "could not be read" in page
            assert "403" in page
            assert "RequestDisallowedByPolicy" in await refusal(connection, action)
        role = grant_role(world, responder(world), roles.READER, TOP)
        try:
            async with looked_at(world, "eradicate") as (connection, case, plan):
                assert "policy" in [one.kind for one in predicted(plan, case, action)]
                page = not_allowed(plan, load_steps(), case)
                assert "not judged" not in page
                assert "Guards &lt;b&gt;: Do not allow deletion of resource types denies deleting disks" in page
        finally:
            del world.role_assignments[role]


async def test_a_plan_that_only_stops_machines_is_not_troubled_with_what_no_policy_judges(world: World) -> None:
    with initiative_at(world, TOP, TOP):
        async with looked_at(world, "contain") as (_, case, plan):
            alone = tuple(a for a in plan.actions if a.kind == "machine.deallocate")
            assert alone
            stops = Plan(**{**{f: getattr(plan, f) for f in plan.__struct_fields__}, "actions": alone})
            assert not_allowed(stops, load_steps(), case) == ""


async def test_assignments_that_may_not_be_listed_are_named_as_not_judged(world: World) -> None:
    async with looked_at(world, "eradicate") as (_, case, plan):
        blind = AccessFacts(policies_were_read=False)
        page = not_allowed(plan, load_steps(), case.with_facts(blind))
        assert "All policies" in page
        assert "could not be read" in page


async def test_what_could_not_be_read_of_policies_is_noted_once_with_the_names(world: World) -> None:
    with initiative_at(world, TOP, f"/subscriptions/{subscription_of(world)}"):
        async with looked_at(world, "contain") as (_, case, _):
            (note,) = [one for one in case[AccessFacts].not_looked_at if one.what == "policy definitions"]
            assert "guards" in note.why
            assert "403" in note.why
