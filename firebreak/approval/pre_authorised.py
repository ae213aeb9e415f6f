"""What may be done without asking anybody: when a whole plan qualifies, and why not. Pure.

Two people have said yes beforehand: the playbook's author (`pre_authorised` of the gate) and the operator, who switched it on for one
content of one playbook. The plan qualifies as a whole or people are asked about the whole of it.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from firebreak.model.alert import Incident
from firebreak.model.facts import Attribution, Class
from firebreak.model.plan import Action, Plan
from firebreak.model.playbook import Gate, Playbook, PreAuthorised
from firebreak.model.step import Effect

FRAUD = "fraud"


class Beforehand(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller vouches for as the engine's own work: the incident's playbook, and who was taken for the attacker."""

    playbook: Playbook
    attribution: Attribution


def switch_name(playbook: str, digest: str) -> str:
    """How the operator's setting names one content of one playbook."""
    return f"{playbook}:{digest}"


def why_not_allowed(plan: Plan, gate: Gate, switched_on: Collection[str]) -> str:
    """Why a plan needs people by what it is, "" when it does not: asked before anything is done, and again when it is bound."""
    allowed = gate.pre_authorised
    if allowed is None:
        return f"The gate {gate.id} pre-authorises nothing."
    if switch_name(plan.playbook, plan.playbook_digest) not in switched_on:
        return f"The operator has not switched it on for playbook {plan.playbook} with digest {plan.playbook_digest}."
    if plan.over_limits:
        return f"The plan is over its limits: {plan.over_limits[0]}"
    if plan.errored or not plan.complete or not plan.applyable or plan.problems:
        return f"The plan has problems: {' '.join(plan.problems) or 'it is not complete.'}"
    for action in plan.actions:
        if action.effect is not Effect.REVERSIBLE:
            return f"{action.title} is {action.effect.value}."
        if action.step not in allowed.steps:
            return f"{action.title} is of step {action.step}, which the playbook does not pre-authorise."
    return ""


def why_not_sure(plan: Plan, gate: Gate, incident: Incident, beforehand: Beforehand | None) -> str:
    """Why attribution is not sure enough to leave people out, "" when it is.

    Sure means: the verdict is fraud, nothing was left unread, some session is the attacker's with at least `min_score` points, and so is
    every target. A target that attribution does not know may only lie on the subscription itself, as a new policy does, not in a group.
    """
    allowed = gate.pre_authorised or PreAuthorised(steps=())
    if beforehand is None:
        return "There is no attribution, or it or the plan was not made by this engine as it is now."
    if beforehand.playbook.digest != plan.playbook_digest or beforehand.playbook.gates.get(gate.id) != gate:
        return "The gate or the plan is not of the incident's playbook as it is now."
    attribution = beforehand.attribution
    if attribution.verdict != FRAUD:
        return f"The proposed verdict is {attribution.verdict.replace('_', ' ')}, not fraud."
    if attribution.not_looked_at:
        return f"Attribution could not see everything: {attribution.not_looked_at[0].what}."
    best = max((judged.score for judged in attribution.actors if judged.cls is Class.ATTACKER), default=0)
    if best < allowed.min_score:
        return f"No session is the attacker's with {allowed.min_score} points; the most is {best}."
    for action in plan.actions:
        if problem := _why_not_the_attackers(action, incident, attribution, allowed.min_score):
            return problem
    return ""


def _why_not_the_attackers(action: Action, incident: Incident, attribution: Attribution, min_score: int) -> str:
    judged = attribution.of(action.target)
    if judged is None:
        above = f"/subscriptions/{incident.subscription_id}/".lower()
        parts = f"{action.target.lower()}/"
        on_it = parts.startswith(above) and not parts.startswith(f"{above}resourcegroups/")
        return "" if on_it else f"{action.title}: attribution does not know its target."
    if judged.cls is not Class.ATTACKER or judged.score < min_score:
        return f"{action.title}: its target is {judged.cls.value} with {judged.score} points; {min_score} as the attacker's are needed."
    return ""
