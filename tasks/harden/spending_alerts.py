"""Have people told when money is spent: a budget by what an ordinary month costs, and Cost Management's alert on unusual days."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from firebreak.analysis.hardening.spending import usual_month, warns, watches
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import SpendFacts
from firebreak.model.hardening import SpendingAlerts
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import BUDGETS, COST, Document, text_at
from tasks.settled import Settled, mails
from tasks.words import plain

STEP = Step(
    id="harden.spending_alerts",
    title="Have people told when money is spent",
    effect=Effect.REVERSIBLE,
    description=(
        "Makes a monthly budget with warnings at 80 and 100 percent spent and at 120 percent forecast, and an anomaly alert (Cost Management's daily "
        "look for unusual cost). Both only warn: they stop nothing. Where one runs and tells somebody, none is made."
    ),
    permissions=(
        "Microsoft.Consumption/budgets/read",
        "Microsoft.Consumption/budgets/write",
        "Microsoft.Consumption/budgets/delete",
        "Microsoft.CostManagement/scheduledActions/read",
        "Microsoft.CostManagement/scheduledActions/write",
        "Microsoft.CostManagement/scheduledActions/delete",
    ),
    guidance=("S78", "S82"),
    needs=(SpendingAlerts,),
    parameters={
        "emails": "Addresses that are told. FIREBREAK_HARDENING__EMAILS when not given; the budget also tells the Owners, the anomaly alert needs one.",
        "amount": "The budget of a month, whole, in the subscription's currency. A quarter above an ordinary month of its cost history when not given.",
    },
)

_BUDGET = Settled(
    step=STEP.id,
    aspect="budget",
    version=BUDGETS,
    kept=("category", "amount", "timeGrain", "timePeriod", "notifications", "filter"),
)
_ANOMALY = Settled(
    step=STEP.id,
    aspect="anomaly_alert",
    version=COST,
    kept=("displayName", "status", "viewId", "schedule", "notification", "notificationEmail", "fileDestination"),
)
_THRESHOLDS = {"spent-80": (80, "Actual"), "spent-100": (100, "Actual"), "forecast-120": (120, "Forecasted")}


def plan(case: Case) -> list[Action | NoOp]:
    scope = f"/subscriptions/{case.incident.subscription_id}"
    if case.incident.alert.is_test:
        return [NoOp(step=STEP.id, target=scope, reason="Test alert: no budget is made.")]
    return [_budget(case, scope), _anomaly(case, scope)]


def _budget(case: Case, scope: str) -> Action | NoOp:
    facts, target = case[SpendingAlerts], f"{scope}/providers/Microsoft.Consumption/budgets/firebreak-month"
    if facts.budgets is None:
        return NoOp(
            step=STEP.id, target=target, reason="Budgets could not be read: what is there already is not known."
        )
    if there := next((one for one in facts.budgets if warns(one, case.now)), None):
        return NoOp(step=STEP.id, target=text_at(there, "id"), reason="A budget runs and tells somebody.")
    spend = case.get(SpendFacts)
    given = case.parameter(STEP.id, "amount", None)
    amount = Decimal(str(given)) if given else usual_month(spend)
    if amount is None or amount < 1:
        reason = "What an ordinary month costs is not known: set harden.spending_alerts: {amount: ...} in the playbook."
        return NoOp(step=STEP.id, target=target, reason=reason)
    first = case.now.replace(day=1)
    currency = spend.currency if spend else "of the subscription's currency"
    addresses = mails(case, STEP.id)
    return _BUDGET.set(
        case,
        target=target,
        title=f"Set a budget: {int(amount)} {plain(currency, 40)} a month",
        reasons=(
            "No budget of the subscription runs and tells somebody.",
            "From the playbook." if given else "A quarter above what an ordinary month costs by its history.",
            f"It tells {', '.join([*addresses, 'the Owners'])} at 80 and 100 percent spent and 120 percent forecast. It stops nothing.",
        ),
        document={
            "properties": {
                "category": "Cost",
                "amount": int(amount),
                "timeGrain": "Monthly",
                "timePeriod": {
                    "startDate": f"{first:%Y-%m-%d}T00:00:00Z",
                    "endDate": f"{first.year + 5}-{first:%m-%d}T00:00:00Z",
                },
                "notifications": {
                    name: {
                        "enabled": True,
                        "operator": "GreaterThanOrEqualTo",
                        "threshold": threshold,
                        "thresholdType": kind,
                        "contactEmails": list(addresses),
                        "contactRoles": ["Owner"],
                    }
                    for name, (threshold, kind) in _THRESHOLDS.items()
                },
            }
        },
        stands=_at(facts.budgets, target),
    )


def _anomaly(case: Case, scope: str) -> Action | NoOp:
    facts, target = (
        case[SpendingAlerts],
        f"{scope}/providers/Microsoft.CostManagement/scheduledActions/firebreak-anomaly",
    )
    if facts.anomalies is None:
        return NoOp(
            step=STEP.id, target=target, reason="Anomaly alerts could not be read: what is there already is not known."
        )
    if there := next((one for one in facts.anomalies if watches(one, case.now)), None):
        return NoOp(step=STEP.id, target=text_at(there, "id"), reason="An anomaly alert runs and mails somebody.")
    addresses = mails(case, STEP.id)
    if not addresses:
        reason = "An anomaly alert mails addresses, not roles: set FIREBREAK_HARDENING__EMAILS, then run this again."
        return NoOp(step=STEP.id, target=target, reason=reason)
    day = f"{case.now:%Y-%m-%d}T00:00:00Z"
    until = f"{case.now.year + 1}-{case.now:%m}-01T00:00:00Z"
    return _ANOMALY.set(
        case,
        target=target,
        title=f"Mail people on days of unusual cost: {plain(', '.join(addresses), 120)}",
        reasons=(
            "Nobody is mailed now when a day costs unusually much.",
            f"It runs until {until[:10]}, the longest that Azure allows, and costs nothing.",
        ),
        document={
            "kind": "InsightAlert",
            "properties": {
                "displayName": "Firebreak: unusual cost",
                "status": "Enabled",
                "viewId": f"{scope}/providers/Microsoft.CostManagement/views/ms:DailyAnomalyByResourceGroup",
                "schedule": {"frequency": "Daily", "startDate": day, "endDate": until},
                "notification": {"to": list(addresses), "subject": "Unusual cost in the subscription"},
                "notificationEmail": addresses[0],
            },
        },
        stands=_at(facts.anomalies, target),
    )


def _at(documents: Sequence[Document], target: str) -> Document | None:
    return next((one for one in documents if text_at(one, "id").lower() == target.lower()), None)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    found = await _BUDGET.look([one for one in actions if _BUDGET.is_mine(one)], eyes)
    return found | await _ANOMALY.look([one for one in actions if _ANOMALY.is_mine(one)], eyes)


async def apply(action: Action, hands: Hands) -> Sent:
    return await (_BUDGET if _BUDGET.is_mine(action) else _ANOMALY).apply(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Take the budget or the alert away, or put back what stood under its name."""
    return (_BUDGET if _BUDGET.is_mine(action) else _ANOMALY).undo(action, prior)
