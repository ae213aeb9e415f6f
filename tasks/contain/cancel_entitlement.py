"""Cancel the whole Azure subscription in Partner Center: the last resort, everything in it stops, the customer's own work too."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, Inventory, SubscriptionFacts
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.entitlement import (
    CANCEL,
    REACTIVATE,
    change_entitlement,
    look_at_entitlements,
    until_when,
    why_too_late,
    why_unknown,
)
from tasks.judged import Judged
from tasks.words import plain

STEP = Step(
    id="contain.cancel_entitlement",
    title="Cancel the subscription in Partner Center",
    effect=Effect.IRREVERSIBLE,
    description="Cancels the one Azure entitlement that is this subscription, with the reason 'compromise'. Everything in it stops.",
    guidance=("S05", "S60"),
    needs=(SubscriptionFacts, Attribution),
)


def plan(case: Case) -> list[Action | NoOp]:
    facts, attribution = case[SubscriptionFacts], case[Attribution]
    subscription = f"/subscriptions/{case.incident.subscription_id}"
    keep = ""
    if case.incident.alert.is_test:
        keep = "Test alert: the subscription is not cancelled."
    elif not facts.entitlement:
        keep = why_unknown(facts)
    elif facts.entitlement_status.lower() not in ("", "active"):
        keep = f"Its entitlement is {plain(facts.entitlement_status, 40)}, not active."
    elif attribution.verdict != "fraud":
        keep = f"The proposed verdict is {attribution.verdict}; a subscription is cancelled only for fraud."
    if keep:
        return [NoOp(step=STEP.id, target=facts.entitlement or subscription, reason=keep)]
    return [_cancel(case, facts)]


def _cancel(case: Case, facts: SubscriptionFacts) -> Action:
    judged = Judged(case)
    inventory = case.get(Inventory)
    machines = inventory.machines if inventory is not None else ()
    others = sum(1 for m in machines if m.power == "running" and not judged.is_attackers(m.id))
    reasons = ["Stops every charge of this subscription within about ten minutes."]
    if inventory is not None:
        reasons.append(f"Stops {others} running machines that are not the attacker's as well.")
    reasons.append("Does not remove users, roles or application secrets of the attacker: that work remains.")
    reasons.append("Tell the customer before you approve; the evidence of this incident is already saved.")
    customer = f" of {plain(facts.customer_name)}" if facts.customer_name else ""
    return Action(
        id=action_id(STEP.id, CANCEL, facts.entitlement),
        step=STEP.id,
        kind=CANCEL,
        target=facts.entitlement,
        title=f"Cancel the whole subscription {plain(facts.display_name)}{customer}",
        effect=Effect.IRREVERSIBLE,
        reasons=tuple(reasons),
        fingerprint={"entitlement": facts.entitlement.rstrip("/").rsplit("/", 1)[-1].lower()},
        params={"case": case.incident.case, "round": case.round},
        irreversible_because=(
            "Reversible for a limited time only, and Microsoft names no deadline: count on at most 30 days from the moment of cancelling, "
            "then data is deleted. Running work of the customer stops at once."
        ),
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    return await look_at_entitlements(actions, eyes)


async def apply(action: Action, hands: Hands) -> Sent:
    return await change_entitlement(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Reactivate it, while Microsoft still allows that."""
    if action.kind != CANCEL:
        reason = "Cancelling it once more is a last resort of its own: ask for it with a response, not with an undo."
        return NoOp(step=STEP.id, target=action.target, reason=reason)
    if prior.get("status") != "active":
        reason = "It was not active before it was cancelled, so it is not reactivated."
        return NoOp(step=STEP.id, target=action.target, reason=reason)
    return Action(
        id=action_id(STEP.id, REACTIVATE, action.target),
        step=STEP.id,
        kind=REACTIVATE,
        target=action.target,
        title=action.title.replace("Cancel", "Reactivate", 1),
        effect=Effect.REVERSIBLE,
        reasons=(
            "It was active before this incident cancelled it.",
            "Machines that were running may start again and are billed; those that cancelling stopped and that stay stopped are started by hand.",
        ),
        fingerprint=action.fingerprint,
        params=action.params,
    )


def in_time(inverse: Action, done_at: datetime, case: Case) -> Action | NoOp:
    """Reactivating has a deadline, counted from the moment of cancelling."""
    if late := why_too_late(done_at, case):
        return NoOp(step=STEP.id, target=inverse.target, reason=late)
    return msgspec.structs.replace(inverse, reasons=(*inverse.reasons, until_when(done_at, case)))
