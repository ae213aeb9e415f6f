"""Hardening against the embedded Azure: what is missing is told and set, once; taken back it is as before; what was not read never passes."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from azure_simulator.faults import Fault
from azure_simulator.services.graph import store
from azure_simulator.world import World
from firebreak.clients import Connection
from firebreak.model.case import Case
from firebreak.model.check import CheckStatus
from firebreak.model.hardening import DefenderFacts
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, Plan
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import Carried, carry_out
from tests.support.hardened import EMERGENCY, P1, P2, bare_world, checks_of, looked, plan_of, state_of
from tests.support.inprocess import sent, simulated

STAGES = ("be-told", "sign-ins", "defender", "quota")
PASS, FAIL, UNREAD = CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.NOT_LOOKED_AT
# Row of the guidance -> (a check that asks for it, the step that sets it): without the step the check goes on failing.
SET_BY = {
    "S66": ("alert-rule:role-given", "harden.alert_rules"),
    "S77": ("action-group", "harden.alert_rules"),
    "S83": ("alert-rule:service-health", "harden.alert_rules"),
    "S81": ("security-contact", "harden.security_contact"),
    "S82": ("anomaly-alert", "harden.spending_alerts"),
    "S78": ("budget", "harden.spending_alerts"),
    "S78 partner": ("partner-budget", "harden.partner_budget"),
    "S76": ("defender-plan:KeyVaults", "harden.defender_plans"),
}


async def undo_all(plans: list[tuple[Plan, Carried]], connection: Connection, world: World) -> None:
    """Take plans back, the last action first, as an undo of the whole incident does."""
    for plan, done in reversed(plans):
        for action in reversed(plan.actions):
            undo = load_steps()[action.step].undo
            assert undo is not None
            inverse = undo(action, done.before[action.id].prior)
            assert isinstance(inverse, Action), action.title
            back = await carry_out(msgspec.structs.replace(plan, actions=(inverse,)), connection, world)
            assert {one.state for one in back.outcomes.values()} == {ActionState.DONE}, (inverse.title, back.outcomes)


async def harden(case: Case, connection: Connection, world: World) -> list[tuple[Plan, Carried]]:
    done = []
    for stage in STAGES:
        plan = plan_of(case, stage)
        assert plan.complete, plan.problems
        assert not plan.errored, plan.problems
        carried = await carry_out(plan, connection, world)
        assert {one.state for one in carried.outcomes.values()} <= {ActionState.DONE}, carried.outcomes
        done.append((plan, carried))
    return done


async def test_what_is_missing_is_set_once_and_taken_back_as_it_was() -> None:
    world = bare_world(*P2)
    world.directory_rules = False
    before = state_of(world)
    async with simulated(world) as connection:
        case = await looked(world, connection)
        first = checks_of(case)
        assert {first[name].status for name, _ in SET_BY.values()} == {FAIL}
        done = await harden(case, connection, world)
        after = await looked(world, connection)
        second = checks_of(after)
        assert {name: second[name].status for name, _ in SET_BY.values()} == {name: PASS for name, _ in SET_BY.values()}
        writes = len(sent(world, "PUT", "PATCH", "POST", "DELETE"))
        assert [plan_of(after, stage).actions for stage in STAGES] == [()] * 4
        assert len(sent(world, "PUT", "PATCH", "POST", "DELETE")) == writes
        await undo_all(done, connection, world)
    assert state_of(world) == before


@pytest.mark.parametrize("row", sorted(SET_BY))
async def test_without_its_step_the_check_of_a_row_goes_on_failing(row: str) -> None:
    check, without = SET_BY[row]
    world = bare_world(*P2)
    world.directory_rules = False
    async with simulated(world) as connection:
        case = await looked(world, connection)
        plan = plan_of(case, "defender" if "defender" in without else "be-told")
        others = msgspec.structs.replace(plan, actions=tuple(one for one in plan.actions if one.step != without))
        await carry_out(others, connection, world)
        left = checks_of(await looked(world, connection))[check]
        assert left.status is FAIL
        assert "this run proposes" in left.advice.lower()
        await carry_out(
            msgspec.structs.replace(plan, actions=tuple(a for a in plan.actions if a.step == without)),
            connection,
            world,
        )
        assert checks_of(await looked(world, connection))[check].status is PASS


async def test_rules_for_sign_ins_only_report_and_keep_emergency_accounts_out() -> None:
    world = bare_world(*P2)
    world.directory_rules = False
    async with simulated(world) as connection:
        case = await looked(world, connection)
        plan = plan_of(case, "sign-ins")
        assert {one.kind for one in plan.actions} == {
            "second_factor_policy.make", "sign_in_risk_policy.make", "user_risk_policy.make",
        }  # fmt: skip
        await carry_out(plan, connection, world)
    made = store.rows(world, "conditionalAccessPolicies", world.tenant_id)
    assert len(made) == 3
    assert {row["state"] for row in made} == {"enabledForReportingButNotEnforced"}
    assert all(row["conditions"]["users"]["excludeUsers"] == [EMERGENCY] for row in made)
    risks = {(tuple(row["conditions"]["signInRiskLevels"]), tuple(row["conditions"]["userRiskLevels"])) for row in made}
    assert risks == {((), ()), (("high", "medium"), ()), ((), ("high",))}


async def test_without_a_licence_for_risk_it_is_not_looked_at_and_not_made() -> None:
    world = bare_world(*P1)
    world.directory_rules = False
    async with simulated(world) as connection:
        case = await looked(world, connection)
    risk = checks_of(case)["user-risk"]
    assert (risk.status, "P2" in risk.reason) == (UNREAD, True)
    plan = plan_of(case, "sign-ins")
    assert [one.kind for one in plan.actions] == ["second_factor_policy.make"]
    assert any("Entra ID P2" in one.reason for one in plan.no_ops)


async def test_without_any_licence_security_defaults_are_switched_on_by_two_and_off_again() -> None:
    world = bare_world()
    world.directory_rules = False
    defaults = next(iter(store.table(world, "policies").values()))
    async with simulated(world) as connection:
        case = await looked(world, connection)
        plan = plan_of(case, "sign-ins")
        assert [one.kind for one in plan.actions] == ["security_defaults.switch_on"]
        assert plan.needs_two
        done = await carry_out(plan, connection, world)
        assert defaults["isEnabled"] is True
        assert checks_of(await looked(world, connection))["second-factor"].status is PASS
        await undo_all([(plan, done)], connection, world)
    assert defaults["isEnabled"] is False


async def test_security_defaults_are_not_proposed_beside_policies() -> None:
    world = bare_world()
    world.directory_rules = False
    async with simulated(world) as connection:
        rule: dict[str, Any] = {"operator": "OR", "builtInControls": ["block"]}
        users = {"users": {"includeUsers": [EMERGENCY]}, "applications": {"includeApplications": ["All"]}}
        body = {"displayName": "old", "state": "enabled", "conditions": users, "grantControls": rule}
        await connection.hands.graph.post("/v1.0/identity/conditionalAccess/policies", body, request_id="r")
        plan = plan_of(await looked(world, connection), "sign-ins")
    assert plan.actions == ()
    assert any("cannot stand beside them" in one.reason for one in plan.no_ops)


async def test_without_permissions_nothing_passes_and_nothing_is_planned() -> None:
    """The application has no consent in the tenant (or no GDAP role reaches it): every read of Graph is refused."""
    world = bare_world(*P2)
    world.directory_rules = True
    async with simulated(world) as connection:
        case = await looked(world, connection)
    checks = checks_of(case)
    names = (
        "second-factor",
        "old-protocols",
        "old-sign-ins",
        "emergency-accounts",
        "sign-in-risk",
        "user-risk",
        "administrators-registered",
    )
    assert {name: checks[name].status for name in names} == dict.fromkeys(names, UNREAD)
    assert all(checks[name].reason.startswith("Not looked at") for name in names)
    assert plan_of(case, "sign-ins").actions == ()


@pytest.mark.parametrize(
    ("path", "checks", "stage"),
    [
        (
            "activityLogAlerts",
            ("alert-rule:role-given", "alert-rule:role-taken", "alert-rule:service-health"),
            "be-told",
        ),
        ("actionGroups", ("action-group", "alert-rule:role-given"), "be-told"),
        ("securityContacts", ("security-contact",), "be-told"),
        ("budgets", ("budget",), "be-told"),
        ("scheduledActions", ("anomaly-alert",), "be-told"),
        ("usagebudget", ("partner-budget",), "be-told"),
        ("pricings", ("defender-plan:KeyVaults",), "defender"),
        ("secureScoreControls", ("secure-score",), "defender"),
        ("capacityReservationGroups", ("reserved-capacity",), "quota"),
    ],
)
async def test_what_azure_refuses_to_show_is_not_looked_at_and_not_written_over(
    path: str, checks: tuple[str, ...], stage: str
) -> None:
    world = bare_world(*P2)
    world.directory_rules = False
    world.faults.append(Fault(kind="status", status=403, method="GET", url=path))
    async with simulated(world) as connection:
        case = await looked(world, connection)
    found = checks_of(case)
    assert {found[name].status for name in checks} == {UNREAD}
    assert all(found[name].reason.startswith("Not looked at") for name in checks)
    if path != "secureScoreControls":
        written = [one.target for one in plan_of(case, stage).actions if path.lower() in one.target.lower().split("/")]
        assert written == []


async def test_what_somebody_changed_since_is_not_taken_away() -> None:
    world = bare_world(*P2)
    world.directory_rules = False
    async with simulated(world) as connection:
        plan = plan_of(await looked(world, connection), "be-told")
        done = await carry_out(plan, connection, world)
        rule = next(a for a in plan.actions if a.target.endswith("firebreak-role-given"))
        world.resources[rule.target]["properties"]["enabled"] = False
        undo = load_steps()[rule.step].undo
        assert undo is not None
        inverse = undo(rule, done.before[rule.id].prior)
        back = await carry_out(msgspec.structs.replace(plan, actions=(inverse,)), connection, world)
        assert {one.state for one in back.outcomes.values()} == {ActionState.REFUSED}
        assert "changed by somebody since" in next(iter(back.outcomes.values())).reason
    assert rule.target in world.resources


async def test_the_group_of_the_rules_stays_while_something_else_is_in_it() -> None:
    world = bare_world(*P2)
    world.directory_rules = False
    async with simulated(world) as connection:
        plan = plan_of(await looked(world, connection), "be-told")
        await carry_out(plan, connection, world)
        place = next(a for a in plan.actions if a.kind == "alert_place.make")
        undo = load_steps()[place.step].undo
        assert undo is not None
        inverse = undo(place, {})
        back = await carry_out(msgspec.structs.replace(plan, actions=(inverse,)), connection, world)
        assert {one.state for one in back.outcomes.values()} == {ActionState.REFUSED}
    assert place.target in world.groups
    assert any(key.startswith(place.target.lower()) for key in world.resources)


async def test_a_contact_and_a_rule_that_stood_there_come_back_as_they_were() -> None:
    """An attacker switched the contact off and left a rule of our name that hears nothing."""
    world = bare_world(*P2)
    world.directory_rules = False
    async with simulated(world) as connection:
        scope = f"/subscriptions/{connection.eyes.arm.subscription_id}"
        contact = f"{scope}/providers/Microsoft.Security/securityContacts/default"
        off = {
            "properties": {
                "emails": "ciso@contoso.example",
                "isEnabled": False,
                "notificationsByRole": {"state": "Off", "roles": []},
            }
        }
        await connection.hands.arm.put(contact, "2023-12-01-preview", off)
        await connection.hands.arm.put(
            f"{scope}/resourceGroups/rg-security-alerts", "2025-04-01", {"location": "westeurope"}
        )
        rule = f"{scope}/resourceGroups/rg-security-alerts/providers/Microsoft.Insights/activityLogAlerts/firebreak-role-given"
        deaf = {
            "scopes": [scope],
            "enabled": False,
            "condition": {"allOf": [{"field": "category", "equals": "Policy"}]},
        }
        await connection.hands.arm.put(rule, "2020-10-01", {"location": "Global", "properties": deaf})
        before = state_of(world)
        plan = plan_of(await looked(world, connection), "be-told")
        assert "alert_place.make" not in {one.kind for one in plan.actions}
        done = await carry_out(plan, connection, world)
        named = world.table("security.contacts")[contact]["properties"]
        assert named["emails"] == "ciso@contoso.example;soc@contoso.example"
        assert world.resources[rule]["properties"]["enabled"] is True
        await undo_all([(plan, done)], connection, world)
    assert state_of(world) == before


async def test_what_capacity_is_reserved_for_keeps_its_limit() -> None:
    world = bare_world(*P2)
    world.directory_rules = False
    async with simulated(world) as connection:
        scope = f"/subscriptions/{connection.eyes.arm.subscription_id}"
        for family in ("standardNCADSA100v4Family", "standardNDSv2Family"):
            world.quotas[f"{connection.eyes.arm.subscription_id}/westeurope/{family}"] = {
                "subscription": connection.eyes.arm.subscription_id, "family": family, "title": family, "region": "westeurope", "limit": 960,
            }  # fmt: skip
        free = {one.fingerprint["limit"] for one in plan_of(await looked(world, connection), "quota").actions}
        assert free == {"960"}
        group = f"{scope}/resourceGroups/rg-web/providers/Microsoft.Compute/capacityReservationGroups/crg"
        await connection.hands.arm.put(group, "2026-04-01", {"location": "westeurope"})
        held = {"location": "westeurope", "sku": {"name": "Standard_NC24ads_A100_v4", "capacity": 4}}
        await connection.hands.arm.put(f"{group}/capacityReservations/training", "2026-04-01", held)
        plan = plan_of(await looked(world, connection), "quota")
    assert [one.target.rsplit("/", 1)[-1] for one in plan.actions] == ["standardNDSv2Family"]
    assert any("Capacity for 4 Standard_NC24ads_A100_v4 is reserved" in one.reason for one in plan.no_ops)


async def test_each_plan_of_defender_says_its_price_in_the_gate() -> None:
    world = bare_world(*P2)
    world.directory_rules = False
    async with simulated(world) as connection:
        plan = plan_of(await looked(world, connection), "defender")
    said = {one.target.rsplit("/", 1)[-1]: " ".join(one.reasons) for one in plan.actions}
    assert set(said) == {"Arm", "KeyVaults", "StorageAccounts"}
    assert all("USD a month" in text and "pricing/details/defender-for-cloud" in text for text in said.values())
    assert "10.00 USD a month for 1 " in said["StorageAccounts"]


async def test_the_price_of_a_plan_is_the_list_of_today_or_said_to_be_unknown() -> None:
    world = bare_world(*P2)
    world.directory_rules = False
    async with simulated(world) as connection:
        case = await looked(world, connection)
        told = {action.target.rsplit("/", 1)[-1]: action.reasons[0] for action in plan_of(case, "defender").actions}
    assert (
        "0.25 USD a month for each vault: 0.25 USD a month for 1 (https://azure.microsoft.com/pricing/details/defender-for-cloud/)"
        in told["KeyVaults"]
    )
    assert "10.00 USD a month for each storage account" in told["StorageAccounts"]
    assert "5.04 USD a month for each subscription" in told["Arm"]
    asked = [url for method, url in sent(world, "GET") if "/retail/prices" in url]
    assert any("Microsoft%20Defender%20for%20Cloud" in url or "Microsoft+Defender+for+Cloud" in url for url in asked)
    world = bare_world(*P2)
    world.directory_rules = False
    world.faults.append(Fault("status", url=".*/api/retail/prices.*", status=503))
    async with simulated(world) as connection:
        case = await looked(world, connection)
        plan = plan_of(case, "defender")
    assert {action.target.rsplit("/", 1)[-1] for action in plan.actions} == set(told)
    for action in plan.actions:
        assert "Its price is not known" in action.reasons[0]
        assert "USD" not in action.reasons[0]
    facts = case[DefenderFacts]
    assert facts.prices == {}
    assert {note.what for note in facts.not_looked_at} >= {"the price of Defender for key vaults"}


async def test_no_check_names_a_step_or_a_setting() -> None:
    """A customer's administrator reads them: what is inside Firebreak says nothing there."""
    world = bare_world(*P2)
    world.directory_rules = False
    async with simulated(world) as connection:
        case = await looked(world, connection)
        checks = checks_of(case)
        reasons = [text for action in plan_of(case, "defender").actions for text in action.reasons]
    assert any("free trial is left (30 days)" in text for text in reasons)
    inside = re.compile(r"\b(investigate|contain|eradicate|recover|harden|notify)\.[a-z_]+|FIREBREAK_")
    assert [one.id for one in checks.values() if inside.search(f"{one.title} {one.reason} {one.advice}")] == []
