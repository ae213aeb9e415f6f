"""The identity review against the embedded Graph: what is there is found, what is refused is said, and the pace is kept."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from functools import cache

import pytest

from azure_simulator import build
from azure_simulator.services.graph import store
from azure_simulator.world import World
from firebreak.model.case import Case
from firebreak.model.facts import Facts
from firebreak.model.finding import Finding
from firebreak.model.identity import Administrators, Applications, DelegatedAccess, TenantProtection
from firebreak.model.mode import Mode
from tests.steps.investigation import alert_of, investigate
from tests.support.inprocess import sent, simulated

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
STEPS = (
    "investigate.access",
    "investigate.tenant_protection",
    "investigate.administrators",
    "investigate.applications",
    "investigate.delegated_access",
)
KINDS: tuple[type[Facts], ...] = (TenantProtection, Administrators, Applications, DelegatedAccess)


@cache
def _built() -> World:
    return build("crypto-mining", seed=7, now=NOW)


@pytest.fixture
def world() -> World:
    return copy.deepcopy(_built())


async def look(world: World, *steps: str) -> tuple[Case, list[Finding]]:
    async with simulated(world, mode=Mode.DRY_RUN) as connection:
        return await investigate(connection.eyes, alert_of(world), steps=steps or STEPS)


def missed(case: Case) -> dict[str, str]:
    return {note.what: note.why for kind in KINDS for note in case[kind].not_looked_at}


async def test_the_directory_is_read_as_it_is_at_the_pace_it_allows_and_nothing_is_changed(world: World) -> None:
    world.throttling = True
    case, findings = await look(world)
    assert missed(case) == {}
    assert {method for method, _ in sent(world)} == {"GET"}
    graph = [row for row in world.requests if row.service != "login" and "/graph/" in row.url]
    assert {row.status for row in graph} <= {200, 404}  # 404: principals that are no users of this tenant
    here = world.tenant_id
    assigned = {row["principalId"] for row in store.rows(world, "roleAssignments", here)}
    found = {one.id for one in case[Administrators].administrators}
    assert {one.lower() for one in assigned} <= found
    assert case[Administrators].eligible_read
    assert any(holding.eligible for one in case[Administrators].administrators for holding in one.roles)
    rogue = {world.role_assignments[key]["properties"]["principalId"] for key in world.truth["rogue_grants"]}
    owners = {one.id for one in case[Administrators].administrators if one.azure_roles}
    assert owners & {one.lower() for one in rogue}
    guests = next(one for one in findings if one.id.startswith("guest-administrator"))
    assert any(world.principals[one].upn in " ".join(guests.reasons) for one in rogue)
    assert case[TenantProtection].has_plan("AAD_PREMIUM_P2") is True
    assert case[TenantProtection].policies
    assert case[DelegatedAccess].relationships
    assert case[Applications].seen


def _without(world: World, consent: str) -> None:
    """Take one consent away from everybody."""
    roles = {
        role["id"]
        for resource in store.table(world, "servicePrincipals").values()
        for role in resource.get("appRoles", ())
        if role["value"] == consent
    }
    given = store.table(world, "appRoleAssignments")
    for key in [key for key, row in given.items() if row["appRoleId"] in roles]:
        del given[key]


@pytest.mark.parametrize(
    ("consent", "what"),
    [
        ("Policy.Read.All", "security defaults"),
        ("UserAuthenticationMethod.ReadWrite.All", "sign-in methods of administrators"),
    ],
)
async def test_a_consent_that_is_missing_is_named_where_it_costs(consent: str, what: str, world: World) -> None:
    _without(world, consent)
    case, findings = await look(world, *STEPS[1:])
    assert missed(case)[what].startswith("not permitted: needs ")
    assert not any(one.id.startswith("factor-not-asked") for one in findings)


async def test_a_licence_that_was_not_bought_is_told_from_a_missing_consent(world: World) -> None:
    for key, row in list(store.table(world, "subscribedSkus").items()):
        if row["_tenant"] == world.tenant_id:
            del store.table(world, "subscribedSkus")[key]
    case, _ = await look(world, *STEPS[1:])
    said = missed(case)
    assert said["who may take up directory roles"].startswith("the tenant lacks a licence for it: needs Entra ID P2")
    assert said["registration of second factors"].startswith("the tenant lacks a licence for it: needs Entra ID P1")
    assert not case[Administrators].eligible_read
    assert case[TenantProtection].plans == ()
    assert case[Administrators].administrators
