"""The secure score: a few controls, worked out from the subscription as it is. Which controls count how much is as Microsoft publishes it.

https://learn.microsoft.com/azure/defender-for-cloud/secure-score-security-controls
"""

from __future__ import annotations

from azure_simulator.services.graph import store
from azure_simulator.services.security import models
from azure_simulator.world import Document, World

_GROUP = "Microsoft.Network/networkSecurityGroups"
_MACHINE = "Microsoft.Compute/virtualMachines"
_PORTS = {"22", "3389", "*"}


def score(world: World, subscription: str) -> Document:
    """The document `ascScore`: what the controls come to."""
    rows = controls(world, subscription)
    current = sum(row["properties"]["score"]["current"] for row in rows)
    most = sum(row["properties"]["score"]["max"] for row in rows)
    return _document(
        subscription,
        "secureScores",
        "ascScore",
        {"displayName": "ASC score", "score": _points(current, most), "weight": 1},
    )


def controls(world: World, subscription: str) -> list[Document]:
    """Each control with its points and its healthy and unhealthy resources."""
    scope = f"/subscriptions/{subscription}"
    machines = len(world.resources.of_type(_MACHINE, scope))
    opened = [group for group in world.resources.of_type(_GROUP, scope) if _is_open(group)]
    closed = len(world.resources.of_type(_GROUP, scope)) - len(opened)
    watched = sum(
        models.pricing(world, subscription, name)["properties"]["pricingTier"] == "Standard"
        for name in models.SUB_PLANS
    )
    asked = _everybody_is_asked(world)
    return [
        _control(subscription, "Enable MFA", 10, int(asked), int(not asked)),
        _control(subscription, "Secure management ports", 8, closed, len(opened)),
        _control(subscription, "Apply system updates", 6, machines, 0),
        _control(subscription, "Enable enhanced security features", 0, watched, len(models.SUB_PLANS) - watched),
    ]


def _everybody_is_asked(world: World) -> bool:
    """Whether security defaults are on, or an enforced policy asks all people for a second factor everywhere."""
    tenant = world.tenant_id
    if any(row.get("isEnabled") for row in store.rows(world, "policies", tenant)):
        return True
    return any(
        row["state"] == "enabled"
        and "All" in row["conditions"]["users"]["includeUsers"]
        and "All" in row["conditions"]["applications"]["includeApplications"]
        and "mfa" in (row["grantControls"] or {}).get("builtInControls", ())
        for row in store.rows(world, "conditionalAccessPolicies", tenant)
    )


def _is_open(group: Document) -> bool:
    rules = group["properties"].get("securityRules") or []
    return any(
        each["properties"].get("direction") == "Inbound"
        and each["properties"].get("access") == "Allow"
        and each["properties"].get("sourceAddressPrefix") in ("*", "Internet", "0.0.0.0/0")
        and str(each["properties"].get("destinationPortRange")) in _PORTS
        for each in rules
    )


def _control(subscription: str, title: str, most: int, healthy: int, unhealthy: int) -> Document:
    share = healthy / (healthy + unhealthy) if healthy + unhealthy else 1.0
    properties = {
        "displayName": title,
        "score": _points(round(most * share, 2), most),
        "healthyResourceCount": healthy,
        "unhealthyResourceCount": unhealthy,
        "notApplicableResourceCount": 0,
        "weight": healthy + unhealthy,
    }
    return _document(subscription, "secureScoreControls", title.replace(" ", ""), properties)


def _points(current: float, most: float) -> Document:
    return {"max": most, "current": round(current, 2), "percentage": round(current / most, 4) if most else 0.0}


def _document(subscription: str, kind: str, name: str, properties: Document) -> Document:
    identity = f"/subscriptions/{subscription}/providers/Microsoft.Security/{kind}/{name}"
    return {"id": identity, "name": name, "type": f"Microsoft.Security/{kind}", "properties": properties}
