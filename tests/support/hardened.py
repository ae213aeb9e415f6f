"""A small subscription with a tenant that nothing protects, read as the playbook harden-subscription reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from azure_simulator.app import empty_world
from azure_simulator.services.graph import store
from azure_simulator.world import Document, World
from firebreak.clients import Connection
from firebreak.model.alert import Alert
from firebreak.model.case import Case
from firebreak.model.check import Check, checks_in
from firebreak.model.facts import ActivityFacts, Attribution, SpendFacts, SpendSeries
from firebreak.model.plan import Plan
from firebreak.planning import make_plan
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import shipped
from tests.steps.investigation import incident_for
from tests.support.inprocess import subscription_of

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
READS = (
    "investigate.subscription",
    "investigate.access",
    "investigate.tenant_protection",
    "investigate.inventory",
    "investigate.quota",
    "investigate.sign_ins",
    "investigate.sign_in_rules",
    "investigate.alert_rules",
    "investigate.spending_alerts",
    "investigate.defender",
    "investigate.capacity",
)
EMERGENCY = "eeeeeeee-0000-4000-8000-00000000000e"
_DEFAULTS = "identitySecurityDefaultsEnforcementPolicy"
P1, P2 = ("AAD_PREMIUM",), ("AAD_PREMIUM", "AAD_PREMIUM_P2")


def bare_world(*plans: str) -> World:
    """A world with a vault and a storage account, whose tenant has these service plans; its rules for Graph are those of a real tenant."""
    world = empty_world(NOW)
    scope = f"/subscriptions/{subscription_of(world)}"
    world.groups[f"{scope}/resourceGroups/rg-web"] = {
        "id": f"{scope}/resourceGroups/rg-web",
        "name": "rg-web",
        "type": "Microsoft.Resources/resourceGroups",
        "location": "westeurope",
        "properties": {"provisioningState": "Succeeded"},
    }
    for kind, name in (("Microsoft.KeyVault/vaults", "kv-web"), ("Microsoft.Storage/storageAccounts", "stweb")):
        identity = f"{scope}/resourceGroups/rg-web/providers/{kind}/{name}"
        world.resources[identity] = {
            "id": identity, "name": name, "type": kind, "location": "westeurope", "properties": {"provisioningState": "Succeeded"},
        }  # fmt: skip
    defaults = {"id": "5", "displayName": "Security Defaults", "isEnabled": False, "_name": _DEFAULTS}
    store.put(world, "policies", _DEFAULTS, defaults)
    held = [{"servicePlanName": name, "provisioningStatus": "Success"} for name in plans]
    store.put(world, "subscribedSkus", "sku", {"id": "sku", "capabilityStatus": "Enabled", "servicePlans": held})
    customer = {"document": {"id": world.tenant_id, "companyProfile": {"companyName": "Contoso"}}, "usagebudget": None}
    world.partner["customers"] = {world.tenant_id: customer}
    return world


def spent(amount: str = "100") -> SpendFacts:
    """Thirty ordinary days."""
    days = tuple((NOW - timedelta(days=back)).date() for back in range(30, 0, -1))
    total = SpendSeries(key=("total",), days=days, amounts=(Decimal(amount),) * 30)
    return SpendFacts(status="ok", currency="USD", total=total, baseline=(Decimal(amount),) * 30)


async def looked(
    world: World,
    connection: Connection,
    *,
    emails: tuple[str, ...] = ("soc@contoso.example",),
    **more: Mapping[str, Any],
) -> Case:
    """The case after the reading steps; `more` are further parameters by step, with `_` for the dot."""
    playbook = shipped("harden-subscription")
    parameters = {**playbook.parameters, **{name.replace("__", "."): dict(value) for name, value in more.items()}}
    parameters["investigate.quota"] = {"regions": ["westeurope"]}  # of sixty
    for step in ("harden.alert_rules", "harden.security_contact", "harden.spending_alerts"):
        parameters[step] = {"emails": list(emails), **parameters.get(step, {})}
    rails = msgspec.structs.replace(playbook.guard_rails, protected_principals=(EMERGENCY,))
    playbook = msgspec.structs.replace(playbook, parameters=parameters, guard_rails=rails)
    alert = Alert(
        id="a", source="file", type="hardening", title="Harden", severity="low", subscription_id=subscription_of(world),
        customer_tenant_id=world.tenant_id, detected_at=world.clock.now(),
    )  # fmt: skip
    facts: dict[type[Any], Any] = {
        SpendFacts: spent(),
        Attribution: Attribution(),
        ActivityFacts: ActivityFacts(
            events=0, from_time=NOW - timedelta(days=30), to_time=NOW, window_start=NOW - timedelta(days=7)
        ),
    }

    def case() -> Case:
        incident = incident_for(alert, world.clock.now())
        return Case(incident=incident, playbook=playbook, now=connection.eyes.now(), facts=facts)

    for name in READS:
        loaded = load_steps()[name]
        made = await loaded.collect(connection.eyes, case()) if loaded.collect else loaded.conclude(case())  # type: ignore[misc]
        facts[type(made)] = made
    return case()


def plan_of(case: Case, stage: str) -> Plan:
    steps = [load_steps()[name] for name in case.playbook.stage(stage).steps]
    return make_plan(case, stage=stage, steps=steps, round=1, engine_version="test")


def checks_of(case: Case) -> dict[str, Check]:
    facts = (case.get(kind) for step in load_steps().values() if (kind := step.step.produces) is not None)
    return {check.id: check for check in checks_in(one for one in facts if one is not None)}


def state_of(world: World) -> dict[str, Any]:
    """What hardening may change, as the simulator holds it; what Azure writes by itself (versions, times of reading) left out."""

    def bare(document: Document) -> str:
        kept = {
            k: v
            for k, v in document.items()
            if not k.startswith("_") and k not in ("eTag", "createdDateTime", "modifiedDateTime")
        }
        if isinstance(kept.get("properties"), dict):
            kept["properties"] = {
                k: v for k, v in kept["properties"].items() if k not in ("enablementTime", "freeTrialRemainingTime")
            }
        return json.dumps(kept, sort_keys=True, default=str)

    tables = (
        "security.contacts",
        "costmanagement.scheduledActions",
        "graph.conditionalAccessPolicies",
        "graph.policies",
    )
    found: dict[str, Any] = {name: sorted(bare(row) for row in world.table(name).values()) for name in tables}
    plans = world.table("security.pricings").values()
    found["plans on"] = sorted(bare(row) for row in plans if row["properties"]["pricingTier"] != "Free")
    found["resources"] = sorted(bare(row) for row in world.resources.values())
    found["groups"] = sorted(world.groups)
    found["budgets"] = sorted(bare(row) for row in world.budgets.values())
    found["usage budgets"] = [row.get("usagebudget") or 0 for row in world.partner["customers"].values()]
    found["limits"] = sorted((key, row["limit"]) for key, row in world.quotas.items())
    return found
