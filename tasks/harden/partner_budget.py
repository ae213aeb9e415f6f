"""Have the partner told when the customer's usage passes an amount: the usage budget in Partner Center."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from firebreak.analysis.hardening.spending import budget_of, usual_month
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import SpendFacts
from firebreak.model.hardening import SpendingAlerts
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.requests import request_id

STEP = Step(
    id="harden.partner_budget",
    title="Set the customer's usage budget in Partner Center",
    effect=Effect.REVERSIBLE,
    description=(
        "Sets the usage budget of the customer, all subscriptions together, where there is none. Partner Center tells the partner when it is passed; "
        "it stops nothing."
    ),
    guidance=("S78",),
    needs=(SpendingAlerts,),
    parameters={
        "amount": "The budget of a month, whole, in the currency that the customer is billed in. A quarter above an ordinary month of this subscription when not given."
    },
)
SET, BACK = "usage_budget.set", "usage_budget.put_back"


def plan(case: Case) -> list[Action | NoOp]:
    facts = case[SpendingAlerts]
    target = facts.partner_path or f"/subscriptions/{case.incident.subscription_id}"
    if case.incident.alert.is_test:
        return [NoOp(step=STEP.id, target=target, reason="Test alert: no budget is set.")]
    if not facts.partner_budget_was_read:
        return [
            NoOp(step=STEP.id, target=target, reason="The usage budget could not be read: what is set is not known.")
        ]
    if facts.partner_budget:
        return [NoOp(step=STEP.id, target=target, reason=f"There is a usage budget of {facts.partner_budget}.")]
    spend, given = case.get(SpendFacts), case.parameter(STEP.id, "amount", None)
    amount = Decimal(str(given)) if given else usual_month(spend)
    if amount is None or amount < 1:
        reason = "What an ordinary month costs is not known: set harden.partner_budget: {amount: ...} in the playbook."
        return [NoOp(step=STEP.id, target=target, reason=reason)]
    return [
        _action(
            SET,
            target,
            int(amount),
            0,
            case.incident.case,
            ("There is no usage budget.", "It warns the partner and stops nothing."),
        )
    ]


def _action(kind: str, target: str, amount: int, before: int, case: str, reasons: tuple[str, ...]) -> Action:
    title = f"Set the customer's usage budget in Partner Center: from {before or 'none'} to {amount or 'none'}"
    return Action(
        id=action_id(STEP.id, kind, f"{target}#{amount}"),
        step=STEP.id,
        kind=kind,
        target=target,
        title=title,
        effect=Effect.REVERSIBLE,
        reasons=reasons,
        fingerprint={"amount": str(before)},
        params={"amount": amount, "before": before, "case": case},
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    found: dict[str, Target] = {}
    for action in actions:
        amount = int(budget_of(await eyes.partner_center.get(action.target)) or 0)
        so = amount == int(action.params["amount"])
        found[action.id] = Target(
            exists=True,
            already_so=so,
            state=f"budget {amount or 'none'}",
            fingerprint={"amount": str(amount)},
            prior={"amount": amount},
        )
    return found


async def apply(action: Action, hands: Hands) -> Sent:
    body = {"Amount": int(action.params["amount"]), "Attributes": {"ObjectType": "SpendingBudget"}}
    return await hands.partner_center.patch(action.target, body, request_id=request_id(action))


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Set the budget back to what it was; none is an amount of nothing."""
    if "amount" not in prior:
        return None
    kind = BACK if action.kind == SET else SET
    case, before = str(action.params.get("case", "")), int(action.params["amount"])
    return _action(kind, action.target, int(prior["amount"]), before, case, ("It was so before.",))
