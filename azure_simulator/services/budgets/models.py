"""Rules of a budget, and its spend so far."""

from __future__ import annotations

from typing import Any

from azure_simulator.odata import moment
from azure_simulator.services.budgets.exceptions import BadBudgetError, StaleBudgetError
from azure_simulator.services.cost.models import month_to_date
from azure_simulator.world import Document, World, public

GRAINS = ("Monthly", "Quarterly", "Annually", "BillingMonth", "BillingQuarter", "BillingAnnual")
OPERATORS = ("EqualTo", "GreaterThan", "GreaterThanOrEqualTo")
MAX_NOTIFICATIONS = 5


def checked(world: World, identity: str, body: Any, before: Document | None, *, if_match: str = "") -> Document:
    """The budget to store for a PUT.

    Raises:
        BadBudgetError: a rule of the API is broken.
        StaleBudgetError: the eTag given (body or If-Match) is not the stored one.
    """
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise BadBudgetError("The request body must have 'properties'.")
    given = str(body.get("eTag") or if_match or "")
    if given and given != "*" and (before is None or given != before["eTag"]):
        raise StaleBudgetError(identity.rsplit("/", 1)[1])
    if properties.get("category") != "Cost":
        raise BadBudgetError(f"Invalid category: '{properties.get('category')}'; valid values: 'Cost'.")
    amount = properties.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int | float) or amount <= 0:
        raise BadBudgetError("Invalid amount: it must be greater than 0.")
    if properties.get("timeGrain") not in GRAINS:
        raise BadBudgetError(f"Invalid timeGrain: '{properties.get('timeGrain')}'; valid values: {', '.join(GRAINS)}.")
    _check_period(properties.get("timePeriod"))
    _check_notifications(properties.get("notifications") or {})
    version = int(before["_version"]) + 1 if before else 1
    return {
        "id": before["id"] if before else identity,
        "name": identity.rsplit("/", 1)[1],
        "type": "Microsoft.Consumption/budgets",
        "eTag": f'"{world.chance.child(f"{identity.lower()}/{version}").guid()}"',
        "properties": {k: v for k, v in properties.items() if k not in ("currentSpend", "forecastSpend")},
        "_version": version,
    }


def shown(world: World, budget: Document) -> Document:
    """The budget as answered: with what was spent this month as far as data has arrived."""
    document = public(budget)
    scope = str(budget["id"]).split("/providers/Microsoft.")[0]
    spent = float(round(month_to_date(world, scope, world.clock.now()), 2))
    document["properties"] = document["properties"] | {"currentSpend": {"amount": spent, "unit": world.currency}}
    return document


def _check_period(period: Any) -> None:
    start = moment(str(period.get("startDate") or "")) if isinstance(period, dict) else None
    if start is None:
        raise BadBudgetError("Invalid timePeriod: 'startDate' is required.")
    if start.day != 1:
        raise BadBudgetError("Invalid timePeriod: the start date must be the first day of a month.")
    if period.get("endDate"):
        end = moment(str(period["endDate"]))
        if end is None or end <= start:
            raise BadBudgetError("Invalid timePeriod: the end date must be later than the start date.")


def _check_notifications(notifications: Any) -> None:
    if not isinstance(notifications, dict):
        raise BadBudgetError("Invalid notifications: an object of notifications by name is expected.")
    if len(notifications) > MAX_NOTIFICATIONS:
        raise BadBudgetError(f"Invalid notifications: at most {MAX_NOTIFICATIONS} are allowed.")
    for name, each in notifications.items():
        if not isinstance(each, dict) or each.get("operator") not in OPERATORS:
            raise BadBudgetError(f"Invalid notification '{name}': operator must be one of {', '.join(OPERATORS)}.")
        threshold = each.get("threshold")
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold <= 1000:
            raise BadBudgetError(f"Invalid notification '{name}': threshold must be above 0 and at most 1000.")
        if not (each.get("contactEmails") or each.get("contactGroups") or each.get("contactRoles")):
            raise BadBudgetError(f"Invalid notification '{name}': no contact e-mail, role or group is given.")
