"""Who is told when money is spent: budgets, anomaly alerts, the partner's usage budget. They warn and stop nothing.

https://learn.microsoft.com/azure/cost-management-billing/costs/tutorial-acm-create-budgets
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from statistics import median
from typing import Any, Final

from firebreak.analysis import documents as doc
from firebreak.analysis.hardening.checks import check, why
from firebreak.model.check import Check
from firebreak.model.facts import SpendFacts
from firebreak.model.finding import NotLookedAt

STEP: Final = "investigate.spending_alerts"
_DAYS = Decimal("30.4")  # of a month
_ROOM = Decimal("1.25")  # a budget that every ordinary month exceeds is read by nobody
_STEP = Decimal(10)
_FEW_DAYS = 7


def warns(budget: Any, now: datetime) -> bool:
    """Whether a budget runs now and tells somebody when it is exceeded or before."""
    properties = doc.mapping(budget, "properties")
    period = doc.mapping(properties, "timePeriod")
    begins, ends = doc.moment(doc.field(period, "startDate")), doc.moment(doc.field(period, "endDate"))
    if (begins and begins > now) or (ends and ends <= now):
        return False
    return any(
        isinstance(one, dict)
        and doc.field(one, "enabled") is not False
        and (doc.items(one, "contactEmails") or doc.items(one, "contactGroups") or doc.items(one, "contactRoles"))
        for one in doc.mapping(properties, "notifications").values()
    )


def watches(action: Any, now: datetime) -> bool:
    """Whether a scheduled action is an anomaly alert that runs now and mails somebody."""
    properties = doc.mapping(action, "properties")
    ends = doc.moment(doc.field(doc.mapping(properties, "schedule"), "endDate"))
    return (
        doc.text(action, "kind").lower() == "insightalert"
        and doc.text(properties, "status").lower() == "enabled"
        and not (ends and ends <= now)
        and bool(doc.items(doc.mapping(properties, "notification"), "to"))
    )


def budget_of(document: Any) -> Decimal | None:
    """The amount of a usage budget wherever Partner Center puts it; None for none and for nothing."""
    for found in (document, doc.mapping(document, "usageSpendingBudget"), *doc.items(document, "items")):
        amount = doc.text(found, "amount")
        try:
            if amount and Decimal(amount) > 0:
                return Decimal(amount)
        except ArithmeticError:
            continue
    return None


def usual_month(spend: SpendFacts | None) -> Decimal | None:
    """What an ordinary month costs, with a quarter on top and in tens; None where less than a week of ordinary days is known.

    Ordinary is what was expected of each day, so that the days of an attack do not raise it; else the days' own amounts.
    """
    if spend is None or spend.total is None or spend.status in ("not_read", "too_little_history"):
        return None
    expected = [amount for amount in spend.baseline if amount is not None and amount > 0]
    complete = [
        amount
        for day, amount in zip(spend.total.days, spend.total.amounts, strict=True)
        if day not in spend.incomplete_days and amount > 0
    ]
    days = expected if len(expected) >= _FEW_DAYS else complete if spend.status == "ok" else []
    if len(days) < _FEW_DAYS:
        return None
    month = median(days) * _DAYS * _ROOM
    return (month / _STEP).to_integral_value(ROUND_CEILING) * _STEP


def checks_of(
    budgets: Sequence[Any] | None,
    anomalies: Sequence[Any] | None,
    partner_budget: Decimal | None,
    *,
    partner_was_read: bool,
    partner_path: str,
    now: datetime,
    notes: Sequence[NotLookedAt],
) -> tuple[Check, ...]:
    """The checks of rows S78 and S82."""
    warning = [one for one in budgets or () if warns(one, now)]
    watching = [one for one in anomalies or () if watches(one, now)]
    return (
        check(
            STEP,
            "S78",
            "budget",
            "A budget warns somebody before the month becomes dear",
            holds=None if budgets is None else bool(warning),
            reason=why(notes, "budgets")
            if budgets is None
            else f"{len(warning)} of {len(budgets)} budgets of the subscription run now and tell somebody.",
            evidence=[f"{doc.text(b, 'id')}: {_amount(b)} a {_grain(b)}" for b in warning],
            advice="A budget that mails the owners; it stops nothing. This run proposes one for approval, from what an ordinary month costs.",
        ),
        check(
            STEP,
            "S82",
            "anomaly-alert",
            "Somebody is mailed when a day costs unusually much",
            holds=None if anomalies is None else bool(watching),
            reason=why(notes, "anomaly alerts")
            if anomalies is None
            else f"{len(watching)} anomaly alerts (Cost Management's daily look for unusual cost) run now and mail somebody.",
            evidence=[doc.text(one, "id") for one in watching],
            advice="An anomaly alert costs nothing. This run proposes one for approval, where the operator of Firebreak has set whom to mail.",
        ),
        check(
            STEP,
            "S78",
            "partner-budget",
            "The partner is told when the customer's usage passes a budget",
            holds=None if not partner_was_read else bool(partner_budget),
            reason=why(notes, "the customer's usage budget")
            if not partner_was_read
            else f"Partner Center has a usage budget of {partner_budget} for the customer."
            if partner_budget
            else "Partner Center has no usage budget for the customer.",
            evidence=[partner_path] if partner_budget else [],
            advice="Set one in Partner Center; it warns and stops nothing. This run proposes it for approval, where its amount is known.",
        ),
    )


def _amount(budget: Any) -> str:
    return doc.text(doc.mapping(budget, "properties"), "amount").removesuffix(".0") or "an unknown amount"


def _grain(budget: Any) -> str:
    return {"monthly": "month", "quarterly": "quarter", "annually": "year"}.get(
        doc.text(doc.mapping(budget, "properties"), "timeGrain").lower(), "billing period"
    )
