"""Report the incident to Azure support, or give the text to send when nobody to call back is configured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, BurnRate, Class, SubscriptionFacts
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.tickets import (
    PERMISSIONS,
    STAYS,
    contact,
    document,
    file_ticket,
    look_at_tickets,
    problem_for,
    severity_of,
    ticket_path,
)
from tasks.words import name_of, plain

TICKET = "support.ticket"
_WORDS = ("compromised subscription", "compromise", "unauthorized", "fraud", "security")

STEP = Step(
    id="notify.support_ticket",
    title="Report the incident to Azure support",
    effect=Effect.REVERSIBLE,
    description="Files one support ticket with what was found and done. Filing it again changes nothing.",
    permissions=PERMISSIONS,
    guidance=("S61", "S88"),
    needs=(Attribution,),
    parameters={
        "contact": "Who is called back: first_name, last_name, email, phone (optional), time_zone, country (ISO alpha-3), language.",
        "severity": "minimal, moderate, critical or highestcriticalimpact; critical when not given.",
    },
)


def plan(case: Case) -> list[Action | NoOp]:
    target = ticket_path(case)
    attribution = case[Attribution]
    if case.incident.alert.is_test:
        return [NoOp(step=STEP.id, target=target, reason="Test alert: nobody is called.")]
    if attribution.verdict == "legitimate":
        return [NoOp(step=STEP.id, target=target, reason="The proposed verdict is legitimate: nothing to report.")]
    text = describe(case)
    people, missing = contact(case)
    problem = problem_for(case, "subscription management", _WORDS) or problem_for(case, "billing", _WORDS)
    if not people or problem is None:
        why = missing or "No fitting problem classification could be read from Azure support."
        return [NoOp(step=STEP.id, target=target, reason=f"{why} Text for a ticket by hand: {plain(text, 1500)}")]
    title = f"{case.incident.case}: compromised subscription {case.incident.subscription_id}"
    body = document(problem, people, title=title, description=text, severity=severity_of(case, STEP.id, "critical"))
    return [
        Action(
            id=action_id(STEP.id, TICKET, target),
            step=STEP.id,
            kind=TICKET,
            target=target,
            title=f"Open a support ticket: {plain(problem.title)}",
            effect=Effect.REVERSIBLE,
            reasons=(
                "Microsoft asks to be told at once of a compromised subscription.",
                f"Calls back {people['primaryEmailAddress']}.",
            ),
            params={"document": body},
            irreversible_because=STAYS,
        )
    ]


def describe(case: Case) -> str:
    """The incident in a paragraph: who, where, what, when and how much."""
    attribution, facts, burn = case[Attribution], case.get(SubscriptionFacts), case.get(BurnRate)
    alert = case.incident.alert
    rogue = [j.id for j in attribution.resources if j.cls is Class.ATTACKER]
    lines = [
        f"Subscription {case.incident.subscription_id} of customer tenant {alert.customer_tenant_id} is compromised.",
        f"Alert {plain(alert.id, 100)} ({plain(alert.type)}) of {alert.detected_at:%Y-%m-%d %H:%M}Z.",
    ]
    if facts is not None and facts.partner_name:
        lines.append(f"Reported by partner {plain(facts.partner_name, 100)}.")
    if attribution.attack_start is not None:
        until = f" to {attribution.attack_end:%Y-%m-%d %H:%M}Z" if attribution.attack_end is not None else ""
        lines.append(f"Impact from {attribution.attack_start:%Y-%m-%d %H:%M}Z{until}.")
    if rogue:
        named = ", ".join(name_of(one) for one in sorted(rogue)[:10])
        more = f" and {len(rogue) - 10} more" if len(rogue) > 10 else ""
        lines.append(f"{len(rogue)} resources were made by the attacker: {named}{more}.")
    if burn is not None and burn.lost:
        lines.append(f"Loss so far about {burn.lost:.2f} {burn.currency}.")
    lines.append("Please review the charges and tell us what else you see.")
    return " ".join(lines)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    return await look_at_tickets(actions, eyes)


async def apply(action: Action, hands: Hands) -> Sent:
    return await file_ticket(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> NoOp:  # noqa: ARG001 - one signature for all steps
    """A ticket that was filed stays filed."""
    return NoOp(step=STEP.id, target=action.target, reason=f"Cannot be undone. {STAYS}")
