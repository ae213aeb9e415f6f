"""Reactivate a cancelled subscription: only when somebody asked, or when the verdict turned to legitimate after we cancelled it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, SubscriptionFacts
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
from tasks.words import plain

STEP = Step(
    id="recover.reactivate_entitlement",
    title="Reactivate the subscription in Partner Center",
    effect=Effect.REVERSIBLE,
    description="Takes back a cancellation while Microsoft allows it. Planned only on request, or when our own cancellation proved wrong.",
    guidance=("S05", "S60"),
    needs=(SubscriptionFacts,),
    parameters={"reactivate": "true asks for the reactivation of an inactive entitlement."},
)


def plan(case: Case) -> list[Action | NoOp]:
    facts = case[SubscriptionFacts]
    target = facts.entitlement or f"/subscriptions/{case.incident.subscription_id}"
    asked = case.parameter(STEP.id, "reactivate", False) is True
    cancelled = case.outcomes.get(action_id("contain.cancel_entitlement", CANCEL, facts.entitlement))
    ours = cancelled is not None and cancelled.state.is_good
    attribution = case.get(Attribution)
    proved_wrong = ours and attribution is not None and attribution.verdict == "legitimate"
    if not facts.entitlement:
        return [NoOp(step=STEP.id, target=target, reason=why_unknown(facts))]
    if facts.entitlement_status.lower() != "inactive":
        reason = (
            f"Its entitlement is {plain(facts.entitlement_status or 'of unknown status', 40)}: nothing to reactivate."
        )
        return [NoOp(step=STEP.id, target=target, reason=reason)]
    if not (asked or proved_wrong):
        reason = f"Inactive, but nobody asked: set the parameter {STEP.id}.reactivate to true."
        return [NoOp(step=STEP.id, target=target, reason=reason)]
    cancelled_at = cancelled.ended_at if cancelled is not None and ours else None
    if cancelled_at is not None and (late := why_too_late(cancelled_at, case)):
        return [NoOp(step=STEP.id, target=target, reason=late)]
    why = "Asked for by the playbook's parameter." if asked else "The verdict is now legitimate."
    until = (until_when(cancelled_at, case),) if cancelled_at is not None else ()
    by = "Cancelled by this incident." if ours else "Not cancelled by this incident: ask who did before you approve."
    return [
        Action(
            id=action_id(STEP.id, REACTIVATE, target),
            step=STEP.id,
            kind=REACTIVATE,
            target=target,
            title=f"Reactivate the subscription {plain(facts.display_name)}",
            effect=Effect.REVERSIBLE,
            reasons=(why, by, "Machines that were running may start again and are billed.", *until),
            fingerprint={"entitlement": target.rstrip("/").rsplit("/", 1)[-1].lower()},
            params={"case": case.incident.case, "round": case.round},
        )
    ]


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    return await look_at_entitlements(actions, eyes)


async def apply(action: Action, hands: Hands) -> Sent:
    return await change_entitlement(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> NoOp:  # noqa: ARG001 - one signature for all steps
    """Cancelling is never the inverse of anything."""
    reason = (
        "Cancelling the subscription again is a last resort of its own: ask for it with a response, not with an undo."
    )
    return NoOp(step=STEP.id, target=action.target, reason=reason)
