"""The check of the partner's own tenant against the embedded Graph and Partner Center: each neglect is found, each mended one is not, and what
could not be read is never said to be in order.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from azure_simulator import build
from azure_simulator.scenarios.identity.partner_posture import OTHER_CUSTOMER, SYNC_TOOL
from azure_simulator.services.graph import methods, store
from azure_simulator.world import World
from firebreak.model.check import CheckStatus
from tests.support.partner_check import AgentTokenWithoutFactor, check_in, partner_room, person, relationship

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
FAILED, UNSEEN, PASSED = CheckStatus.FAILED, CheckStatus.NOT_LOOKED_AT, CheckStatus.PASSED


@cache
def _built(name: str = "crypto-mining") -> World:
    world = build(name, seed=7, now=NOW)
    world.fill()
    return world


@pytest.fixture
def world() -> World:
    return copy.deepcopy(_built())


def _rows(world: World, table: str) -> list[dict]:  # type: ignore[type-arg]
    return store.rows(world, table, world.partner_tenant_id)


def _met(world: World) -> None:
    for row in _rows(world, "securityRequirements"):
        row["complianceStatus"], row["score"] = "compliant", row["maxScore"]
    _rows(world, "securityScores")[0]["currentScore"] = 100.0


def _everybody_registered(world: World) -> None:
    for who in ("billing", "sales"):
        user = person(world, who).object_id
        row = {"@odata.type": methods.KINDS["fido2Methods"], "id": user, "_user": user, "_created": "2026-01-01"}
        store.put(world, "methods", methods.key(user, user), row, tenant=world.partner_tenant_id)


def _defaults_on(world: World) -> None:
    world.table("graph.policies")[f"{world.partner_tenant_id}/identitySecurityDefaultsEnforcementPolicy"][
        "isEnabled"
    ] = True


def _calls_with_factor(world: World) -> None:
    for row in world.partner["requests"]:
        row["mfaCompliant"] = True


def _sign_ins(world: World, change: Callable[[dict], bool]) -> None:  # type: ignore[type-arg]
    """Drop the partner's sign-ins that `change` names."""
    table = store.table(world, "signIns")
    for key, row in list(table.items()):
        if row["_tenant"] == world.partner_tenant_id and change(row):
            del table[key]
    world.memory.pop("graph.sorted_sign_ins", None)


def _no_domain(world: World) -> None:
    table = store.table(world, "domains")
    for key, row in list(table.items()):
        if row["authenticationType"] == "Federated":
            del table[key]


def _no_baseline(world: World) -> None:
    table = store.table(world, "conditionalAccessPolicies")
    for key, row in list(table.items()):
        if row["_tenant"] == world.partner_tenant_id:
            del table[key]


def _no_dap(world: World) -> None:
    world.partner["customers"][OTHER_CUSTOMER]["profile"]["allowDelegatedAccess"] = False


def _relationships(world: World, **values: object) -> None:
    for row in _rows(world, "delegatedAdminRelationships"):
        row |= values


def _narrow(world: World) -> None:
    reader = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
    _relationships(world, accessDetails={"unifiedRoles": [{"roleDefinitionId": reader}]})


def _given(world: World) -> None:
    relationship(world, "migration")["_accessAssignments"] = relationship(world, "support")["_accessAssignments"]


def _licensed(world: World) -> None:
    given = store.table(world, "users")[person(world, "agent1").object_id]["assignedLicenses"]
    for who in ("agent3", "billing"):
        store.table(world, "users")[person(world, who).object_id]["assignedLicenses"] = given


def _eligible_only(world: World) -> None:
    table = store.table(world, "roleAssignments")
    for key, row in list(table.items()):
        if row["_tenant"] == world.partner_tenant_id and row["principalId"] == person(world, "agent2").object_id:
            del table[key]


def _by_risk(world: World) -> None:
    policy = next(row for row in _rows(world, "conditionalAccessPolicies"))
    for number, key in enumerate(("userRiskLevels", "signInRiskLevels")):
        made = copy.deepcopy(policy) | {"id": f"00000000-0000-4000-8000-00000000000{number}", "state": "enabled"}
        made["conditions"][key] = ["high"]
        made["conditions"]["users"]["includeUsers"] = ["All"]
        store.put(world, "conditionalAccessPolicies", made["id"], made, tenant=world.partner_tenant_id)


# check -> (its row of the guidance, its step, what is in its evidence, how to mend it)
CASES: dict[str, tuple[str, str, str, Callable[[World], None]]] = {
    "requirement:mfaEnforcedForAdmins": ("S91", "score", "administrators without: 1", _met),
    "score": ("S103", "score", "30 of 100", _met),
    "accounts-registered": ("S93", "accounts", "sales@", _everybody_registered),
    "accounts-capable": ("S107", "accounts", "billing@", _everybody_registered),
    "accounts-asked": ("S93", "accounts", "agent1@", _defaults_on),
    "calls-second-factor": ("S113", "calls", "billing@", _calls_with_factor),
    "applications-second-factor": ("S94", "calls", "Billing platform", _calls_with_factor),
    "people-second-factor": ("S65", "calls", "billing@", _calls_with_factor),
    "sign-ins-challenged": (
        "S112",
        "sign_ins",
        "sales@",
        lambda w: _sign_ins(w, lambda r: r["isInteractive"] and r["authenticationRequirement"].startswith("single")),
    ),
    "sign-ins-modern": ("S108", "sign_ins", "IMAP4", lambda w: _sign_ins(w, lambda r: r["clientAppUsed"] == "IMAP4")),
    "sign-ins-programs": (
        "S111",
        "sign_ins",
        "the password was in the request",
        lambda w: _sign_ins(w, lambda r: r["userPrincipalName"].startswith("billing")),
    ),
    "sign-ins-sync": (
        "S105",
        "sign_ins",
        "Azure Portal",
        lambda w: _sign_ins(w, lambda r: r["userPrincipalName"].startswith("sync_") and r["appId"] != SYNC_TOOL),
    ),
    "federated-domains": ("S95", "federation", "corp.", _no_domain),
    "federated-proof": (
        "S114",
        "federation",
        "without proof",
        lambda w: _sign_ins(
            w,
            lambda r: (
                r["userPrincipalName"].startswith("corp@") and r["authenticationRequirement"].startswith("single")
            ),
        ),
    ),
    "something-enforces": ("S104", "policies", "Security defaults are off", _defaults_on),
    "no-baseline-policies": ("S106", "policies", "Baseline policy", _no_baseline),
    "no-unrestricted-access": ("S98", "customers", "Rivermill", _no_dap),
    "relationships-narrow": ("S99", "customers", "Global Administrator", _narrow),
    "relationships-short": (
        "S99",
        "customers",
        "renews itself",
        lambda w: _relationships(w, duration="P180D", autoExtendDuration="PT0S"),
    ),
    "relationships-not-ending": (
        "S99",
        "customers",
        "support",
        lambda w: _relationships(w, endDateTime=f"{NOW + timedelta(days=200):%Y-%m-%dT%H:%M:%SZ}"),
    ),
    "relationships-used": ("S100", "customers", "migration", _given),
    "agents-licensed": ("S102", "licences", "agent3@", _licensed),
    "roles-temporary": ("S102", "licences", "agent2@", _eligible_only),
    "policies-by-risk": ("S102", "licences", "looks at risk", _by_risk),
}


@pytest.fixture(scope="module")
def neglected(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, object]:
    """One look at the tenant as it stands."""
    world = copy.deepcopy(_built())
    with partner_room(world, tmp_path_factory.mktemp("posture")) as room:
        return world, check_in(room, world)


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_neglect_is_found_with_its_evidence_and_what_to_do(name: str, neglected: tuple[World, object]) -> None:
    row, step, evidence, _ = CASES[name]
    found = neglected[1].checks[name]  # type: ignore[attr-defined]
    assert (found.row, found.step) == (row, f"investigate.partner_{step}")
    assert found.status is FAILED
    assert evidence in " ".join(found.evidence)
    assert found.reason
    assert found.advice


def test_the_sums_fail_with_their_parts_and_nothing_is_changed(neglected: tuple[World, object]) -> None:
    world, checked = neglected
    checks = checked.checks  # type: ignore[attr-defined]
    assert {checks[name].status for name in ("ready", "zero-trust")} == {FAILED}
    assert {check.row for check in checks.values()} >= {"S91", "S93", "S94", "S96", "S97", "S112", "S116", "S117"}
    assert checks["own-second-factor"].status is checks["own-secure-model"].status is PASSED
    assert {row.method for row in world.requests if row.service != "login"} == {"GET"}
    assert not any("/subscriptions/" in row.url.lower() for row in world.requests), "no subscription is looked at"


def test_what_was_mended_is_in_order_and_everything_else_stays_wrong(world: World, tmp_path: Path) -> None:
    """Mended in two worlds, since security defaults and policies by risk exclude each other."""
    together = [name for name in CASES if name != "policies-by-risk"]
    for name in together:
        if name != "no-baseline-policies":
            CASES[name][3](world)
    with partner_room(world, tmp_path) as room:
        checks = check_in(room, world).checks
    left = {name for name in together if checks[name].status is not PASSED}
    assert left == {"no-baseline-policies"}
    other = copy.deepcopy(_built())
    _by_risk(other)
    _no_dap(other)
    with partner_room(other, tmp_path / "other") as room:
        checks = check_in(room, other).checks
    assert {name for name in CASES if checks[name].status is PASSED} == {"policies-by-risk", "no-unrestricted-access"}


def test_without_the_licences_nothing_is_said_to_be_in_order(world: World, tmp_path: Path) -> None:
    for key, row in list(store.table(world, "subscribedSkus").items()):
        if row["_tenant"] == world.partner_tenant_id:
            del store.table(world, "subscribedSkus")[key]
    with partner_room(world, tmp_path) as room:
        checks = check_in(room, world).checks
    names = ["accounts-registered", "accounts-capable", "roles-temporary"]
    for name in [*names, *(one for one in CASES if one.startswith("sign-ins"))]:
        assert checks[name].status is UNSEEN
        assert "lacks a licence" in checks[name].reason
    assert checks["agents-licensed"].status is FAILED, "nobody has it: that is known"
    assert checks["people-second-factor"].status is FAILED, "Partner Center tells it without the licence"


def test_without_any_consent_every_check_of_graph_is_not_looked_at_with_the_permission_it_needs(
    world: World, tmp_path: Path
) -> None:
    store.table(world, "oauth2PermissionGrants")._rows.clear()
    with partner_room(world, tmp_path) as room:
        checked = check_in(room, world)
    graph = [c for c in checked.checks.values() if c.step.removeprefix("investigate.partner_") not in ("calls", "model", "summary")]  # fmt: skip
    told = {check.id: check for check in graph if check.id != "no-unrestricted-access"}
    assert len(told) > 15
    assert {check.status for check in told.values()} == {UNSEEN}
    assert all("not permitted: needs" in check.reason for check in told.values())
    assert not checked.ran.dossier.plans or not any(plan.actions for plan in checked.ran.dossier.plans)


def test_an_application_alone_is_told_what_partner_center_keeps_from_it(world: World, tmp_path: Path) -> None:
    with partner_room(world, tmp_path, app_only=True) as room:
        checked = check_in(room, world, end=[relationship(world, "migration")["id"]])
    calls = [check for check in checked.checks.values() if check.step == "investigate.partner_calls"]
    assert {check.status for check in calls} == {UNSEEN}
    assert checked.checks["own-secure-model"].status is FAILED
    assert checked.checks["accounts-registered"].status is FAILED, "Graph answers an application"
    left = [one.reason for plan in checked.ran.dossier.plans for one in plan.no_ops]
    assert any("only a person" in reason for reason in left)


def test_a_consent_without_a_second_factor_is_told(world: World, tmp_path: Path) -> None:
    with partner_room(world, tmp_path, token=AgentTokenWithoutFactor) as room:
        checks = check_in(room, world).checks
    assert checks["own-second-factor"].status is FAILED
    assert "consent" in checks["own-second-factor"].advice


def test_where_partner_center_demands_the_second_factor_its_refusal_is_told(world: World, tmp_path: Path) -> None:
    world.mfa_required = True
    with partner_room(world, tmp_path, token=AgentTokenWithoutFactor) as room:
        checks = check_in(room, world).checks
    calls = [check for check in checks.values() if check.step == "investigate.partner_calls"]
    assert {check.status for check in calls} == {UNSEEN}
    assert all("900421" in check.reason for check in calls)
    assert checks["no-unrestricted-access"].status is UNSEEN


def test_the_pace_of_the_slow_services_is_kept(world: World, tmp_path: Path) -> None:
    world.throttling = True
    with partner_room(world, tmp_path) as room:
        checks = check_in(room, world).checks
    assert [row for row in world.requests if row.status == 429] == []
    assert [check.id for check in checks.values() if check.status is UNSEEN] == ["accounts-excepted", "sign-ins-office"]


def test_hostile_names_stay_text_in_every_rendering(tmp_path: Path) -> None:
    world = copy.deepcopy(_built("hostile-names"))
    with partner_room(world, tmp_path) as room:
        ran = check_in(room, world).ran
    for kind in ("html", "markdown"):
        page = Path(ran.dossier.report_files[kind]).read_text(encoding="utf-8")
        assert "<script" not in page.lower()
        assert "<img" not in page.lower()
        assert "\u202e" not in page
