"""Cost alerts: those a scenario put into the table, and those that a budget raises when spend passes a threshold."""

from __future__ import annotations

from azure_simulator.clock import stamp
from azure_simulator.http import ArmError
from azure_simulator.services.cost.models import month_to_date
from azure_simulator.world import Document, World

TABLE = "costmanagement.alerts"
STATUSES = ("None", "Active", "Overridden", "Resolved", "Dismissed")


def refresh(world: World, scope: str) -> list[Document]:
    """Raise what budgets at or below `scope` have newly passed, and return the alerts there."""
    table = world.table(TABLE)
    for budget in world.budgets.below(scope):
        at = budget["id"].split("/providers/Microsoft.")[0]
        amount = float(budget["properties"].get("amount") or 0)
        spent = float(month_to_date(world, at, world.clock.now()))
        for key, notification in (budget["properties"].get("notifications") or {}).items():
            threshold = float(notification.get("threshold") or 0)
            if not notification.get("enabled", True) or amount <= 0 or spent < amount * threshold / 100:
                continue
            month = world.clock.now().strftime("%Y%m")
            name = world.chance.child(f"alert/{budget['id'].lower()}/{key}/{month}").guid()
            identity = f"{at}/providers/Microsoft.CostManagement/alerts/{name}"
            if identity not in table:
                table[identity] = _raised(world, identity, budget, threshold, amount, spent)
    below = scope.lower().rstrip("/") + "/"
    return [table[key] for key in table if key.startswith(below)]


def set_status(world: World, alert: Document, wanted: str, user: str) -> None:
    """Change an alert's status.

    Raises:
        ArmError: 400, the status is unknown.
    """
    known = next((s for s in STATUSES if s.lower() == wanted.lower()), None)
    if known is None:
        raise ArmError(400, "BadRequest", f"Invalid alert status: '{wanted}'; valid values: {', '.join(STATUSES)}.")
    now = stamp(world.clock.now())
    alert["properties"] |= {
        "status": known,
        "modificationTime": now,
        "statusModificationTime": now,
        "statusModificationUserName": user,
    }


def _raised(world: World, identity: str, budget: Document, threshold: float, amount: float, spent: float) -> Document:
    now = stamp(world.clock.now())
    return {
        "id": identity,
        "name": identity.rsplit("/", 1)[1],
        "type": "Microsoft.CostManagement/alerts",
        "properties": {
            "definition": {"type": "Budget", "category": "Cost", "criteria": "CostThresholdExceeded"},
            "description": f"Budget '{budget['name']}' passed {threshold:g} percent.",
            "source": "Preset",
            "details": {
                "timeGrainType": budget["properties"].get("timeGrain", "Monthly"),
                "periodStartDate": world.clock.now().strftime("%Y-%m-01T00:00:00Z"),
                "triggeredBy": budget["id"],
                "threshold": threshold / 100,
                "operator": "GreaterThan",
                "amount": amount,
                "unit": world.currency,
                "currentSpend": round(spent, 2),
                "overridingAlert": None,
            },
            "costEntityId": budget["name"],
            "status": "Active",
            "creationTime": now,
            "closeTime": "0001-01-01T00:00:00",
            "modificationTime": now,
            "statusModificationUserName": "",
            "statusModificationTime": now,
        },
    }
