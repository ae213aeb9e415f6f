"""See who is told when money is spent: budgets, anomaly alerts, and the usage budget that the partner keeps for the customer."""

from __future__ import annotations

from typing import Any

from firebreak.analysis.hardening import spending
from firebreak.errors import ScopeError
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.hardening import SpendingAlerts
from firebreak.model.ids import guid
from firebreak.model.step import Effect, Step
from tasks.arm import BUDGETS, COST
from tasks.reading import Notes

STEP = Step(
    id="investigate.spending_alerts",
    title="See who is told when money is spent",
    effect=Effect.READ,
    description=(
        "Reads the subscription's budgets, Cost Management's anomaly alerts, and the customer's usage budget in Partner Center, and checks that each "
        "runs now and tells somebody. They warn and stop nothing."
    ),
    permissions=("Microsoft.Consumption/budgets/read", "Microsoft.CostManagement/scheduledActions/read"),
    guidance=("S68", "S78", "S79", "S82"),
    produces=SpendingAlerts,
)


async def collect(eyes: Eyes, case: Case) -> SpendingAlerts:
    """Read the three, each on its own; what is refused is noted."""
    notes, scope = Notes(), f"/subscriptions/{eyes.arm.subscription_id}/providers"
    budgets = await notes.attempt("budgets", eyes.arm.list(f"{scope}/Microsoft.Consumption/budgets", BUDGETS), None)
    anomalies = await notes.attempt(
        "anomaly alerts", eyes.arm.list(f"{scope}/Microsoft.CostManagement/scheduledActions", COST), None
    )
    path, read, amount = "", False, None
    try:
        path = f"/v1/customers/{guid(case.incident.alert.customer_tenant_id, 'Customer tenant')}/usagebudget"
    except ScopeError as error:
        notes.add("the customer's usage budget", error.message)
    else:
        missing: dict[str, Any] = {"unread": True}
        found = await notes.attempt("the customer's usage budget", eyes.partner_center.get(path), missing)
        read, amount = found is not missing, spending.budget_of(found)
    return SpendingAlerts(
        budgets=None if budgets is None else tuple(budgets),
        anomalies=None if anomalies is None else tuple(anomalies),
        partner_path=path,
        partner_budget=amount,
        partner_budget_was_read=read,
        checks=spending.checks_of(
            budgets,
            anomalies,
            amount,
            partner_was_read=read,
            partner_path=path,
            now=case.now,
            notes=notes.all,
        ),
        not_looked_at=notes.all,
    )
