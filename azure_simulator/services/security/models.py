"""Defender plans, alerts and contacts: defaults, and what a change makes of them."""

from __future__ import annotations

from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.services.security.exceptions import BadSecurityRequestError, SecurityNotFoundError
from azure_simulator.world import Document, World

PRICINGS, ALERTS, CONTACTS = "security.pricings", "security.alerts", "security.contacts"
SUB_PLANS: dict[str, tuple[str, ...]] = {
    "VirtualMachines": ("P2", "P1"),
    "SqlServers": (),
    "AppServices": (),
    "StorageAccounts": ("DefenderForStorageV2", "PerStorageAccount", "PerTransaction"),
    "SqlServerVirtualMachines": (),
    "KeyVaults": ("PerKeyVault", "PerTransaction"),
    "Arm": ("PerSubscription", "PerApiCall"),
    "OpenSourceRelationalDatabases": (),
    "CosmosDbs": (),
    "Containers": (),
    "CloudPosture": (),
    "Api": ("P1", "P2", "P3", "P4", "P5"),
    "AI": (),
}
TRANSITIONS = {"dismiss": "Dismissed", "resolve": "Resolved", "inprogress": "InProgress", "activate": "Active"}


def pricing(world: World, subscription: str, name: str) -> Document:
    """One plan of a subscription; a plan that nobody turned on is Free.

    Raises:
        SecurityNotFoundError: there is no such plan.
    """
    known = next((plan for plan in SUB_PLANS if plan.lower() == name.lower()), None)
    if known is None:
        raise SecurityNotFoundError("Pricing", name)
    identity = f"/subscriptions/{subscription}/providers/Microsoft.Security/pricings/{known}"
    return world.table(PRICINGS).setdefault(
        identity,
        {
            "id": identity,
            "name": known,
            "type": "Microsoft.Security/pricings",
            "properties": {"pricingTier": "Free", "freeTrialRemainingTime": "P30D", "deprecated": False},
        },
    )


def set_pricing(world: World, document: Document, body: Any) -> None:
    """Turn a plan on (Standard) or off (Free).

    Raises:
        BadSecurityRequestError: unknown tier or sub-plan.
    """
    wanted = body.get("properties") if isinstance(body, dict) else None
    tier = wanted.get("pricingTier") if isinstance(wanted, dict) else None
    if not isinstance(wanted, dict) or tier not in ("Free", "Standard"):
        raise BadSecurityRequestError(f"Invalid pricingTier: '{tier}'; valid values: Free, Standard.")
    sub_plans = SUB_PLANS[document["name"]]
    sub_plan = wanted.get("subPlan")
    if sub_plan and sub_plan not in sub_plans:
        raise BadSecurityRequestError(f"Invalid subPlan: '{sub_plan}'; valid values: {', '.join(sub_plans) or 'none'}.")
    before = document["properties"]
    after: Document = {
        "pricingTier": tier,
        "freeTrialRemainingTime": before["freeTrialRemainingTime"],
        "deprecated": False,
    }
    if tier == "Standard":
        already = before["pricingTier"] == "Standard"
        after["enablementTime"] = before["enablementTime"] if already else stamp(world.clock.now())
        after["resourcesCoverageStatus"] = "FullyCovered"
        if sub_plans:
            after["subPlan"] = sub_plan or sub_plans[0]
    document["properties"] = after


def contact(subscription: str, body: Any) -> Document:
    """The one security contact of a subscription, as a PUT makes it.

    Raises:
        BadSecurityRequestError: no properties.
    """
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise BadSecurityRequestError("The request body must have 'properties'.")
    return {
        "id": f"/subscriptions/{subscription}/providers/Microsoft.Security/securityContacts/default",
        "name": "default",
        "type": "Microsoft.Security/securityContacts",
        "properties": {
            "emails": "",
            "phone": "",
            "isEnabled": True,
            "notificationsByRole": {"state": "On", "roles": ["Owner"]},
            "notificationsSources": [{"sourceType": "Alert", "minimalSeverity": "High"}],
            **properties,
        },
    }
