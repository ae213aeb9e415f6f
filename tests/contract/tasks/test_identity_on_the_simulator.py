"""The identity review against the embedded Graph: what is there is found, what is refused is said, and the pace is kept."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from functools import cache

import pytest

from azure_simulator import build
from azure_simulator.services.graph import store, throttling
from azure_simulator.throttle import Bucket
from azure_simulator.world import World
from firebreak.model.case import Case
from firebreak.model.facts import Facts
from firebreak.model.finding import Finding
from firebreak.model.identity import (
    Administrators,
    Applications,
    DelegatedAccess,
    DirectoryChanges,
    IdentityRisk,
    SignIns,
    TenantProtection,
)
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
LOGS = ("investigate.directory_changes", "investigate.sign_ins", "investigate.identity_risk")
KINDS: tuple[type[Facts], ...] = (
    TenantProtection,
    Administrators,
    Applications,
    DelegatedAccess,
    DirectoryChanges,
    SignIns,
    IdentityRisk,
)


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
    collected = [facts for facts in map(case.get, KINDS) if facts is not None]
    return {note.what: note.why for facts in collected for note in facts.not_looked_at}


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


def _thief(world: World) -> str:
    return next(str(row["principal_id"]) for row in world.truth["attackers"] if row["kind"] == "stolen")


def _protection(world: World) -> list[int]:
    """How Identity Protection answered, in order."""
    return [row.status for row in world.requests if "/identityProtection/" in row.url]


async def test_sign_ins_audits_and_risk_are_read_at_the_pace_they_allow(world: World) -> None:
    world.throttling = True
    case, findings = await look(world, *LOGS)
    assert missed(case).keys() == {
        "which operations were done with which sign-in"
    }  # of the activity log, not read here
    assert {method for method, _ in sent(world)} == {"GET"}
    assert {row.status for row in world.requests if "/graph/" in row.url} == {200}
    assert (
        len(_protection(world)) >= 6
    )  # at risk and confirmed, of people and of applications, and the detections of both
    thief = _thief(world)
    places = {address for row in world.truth["attackers"] for address in row["addresses"]}
    strange = [row for row in case[SignIns].sign_ins if row.principal_id == thief and row.address in places]
    assert any(row.result == "succeeded" and "country" in row.unfamiliar for row in strange)
    assert thief in {one.id for one in case[IdentityRisk].identities}
    assert {sign.principal_id for sign in case[IdentityRisk].signs} >= {thief}
    by_thief = {change.name for change in case[DirectoryChanges].changes if change.address in places}
    assert any("security info" in name for name in by_thief)
    assert any("Invite external user" in name for name in by_thief)
    assert {"unfamiliar-sign-in", "identity-at-risk"} <= {one.id.split(":")[0] for one in findings}


async def test_identity_protection_that_others_use_up_is_asked_again_although_it_does_not_say_when(
    world: World,
) -> None:
    world.throttling = True
    now = world.clock.now()
    world.memory[f"graph/protection/{world.tenant_id}/"] = Bucket(1.0, 1.0, 0.0, now)
    case, _ = await look(world, "investigate.identity_risk")
    answers = _protection(world)
    assert 429 in answers
    assert answers.count(200) >= 6
    assert missed(case) == {}
    assert case[IdentityRisk].users_read
    assert _thief(world) in {one.id for one in case[IdentityRisk].identities}


async def test_identity_protection_that_lets_nothing_through_is_not_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.throttling = True
    monkeypatch.setitem(throttling._LIMITS, throttling.PROTECTION, (0.0, 0.0))
    case, findings = await look(world, "investigate.identity_risk")
    assert set(_protection(world)) == {429}
    assert missed(case)["people at risk"].startswith("Graph let no request through: run the review again later")
    assert missed(case)["applications at risk"].startswith("Graph let no request through")
    assert not case[IdentityRisk].users_read
    assert not case[IdentityRisk].applications_read
    assert findings == []


async def test_logs_and_risk_without_a_licence_are_not_looked_at(world: World) -> None:
    for key, row in list(store.table(world, "subscribedSkus").items()):
        if row["_tenant"] == world.tenant_id:
            del store.table(world, "subscribedSkus")[key]
    case, findings = await look(world, *LOGS)
    said = missed(case)
    assert set(_protection(world)) == {403}
    assert said["people at risk"].startswith("the tenant lacks a licence for it: needs Entra ID P2")
    assert said["applications at risk"].startswith(
        "the tenant lacks a licence for it: needs Workload Identities Premium"
    )
    assert said["interactive sign-ins of people"].startswith("the tenant lacks a licence for it: needs Entra ID P1")
    assert not case[IdentityRisk].users_read
    assert case[SignIns].records == 0
    assert case[DirectoryChanges].records > 0  # audits need no licence
    assert not [one for one in findings if one.step in ("investigate.sign_ins", "investigate.identity_risk")]


async def test_logs_without_consent_are_not_looked_at(world: World) -> None:
    _without(world, "AuditLog.Read.All")
    case, _ = await look(world, *LOGS[:2])
    said = missed(case)
    assert said["interactive sign-ins of people"].startswith("not permitted: needs AuditLog.Read.All and Directory")
    assert said["changes of the directory"].startswith("not permitted: needs AuditLog.Read.All and Directory.Read.All")
    assert case[SignIns].records == case[DirectoryChanges].records == 0
