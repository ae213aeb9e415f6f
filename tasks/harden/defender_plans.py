"""Turn on the plans of Defender for Cloud that watch what there is. Each costs money from then on, which the gate says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.analysis.hardening.defender import OFFERS, price_of
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.hardening import DefenderFacts
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import PRICINGS, read_all, text_at
from tasks.words import name_of

STEP = Step(
    id="harden.defender_plans",
    title="Turn on the plans of Defender for Cloud",
    effect=Effect.REVERSIBLE,
    description=(
        "Turns on the plans of Defender for Cloud for kinds of resources that are there, each an action of its own with its list price, to be left "
        "out one by one. Undo turns them off; what was billed until then stays billed."
    ),
    permissions=("Microsoft.Security/pricings/read", "Microsoft.Security/pricings/write"),
    guidance=("S76",),
    needs=(DefenderFacts,),
    parameters={
        "plans": "Names of the plans that may be proposed (VirtualMachines, Arm, ...). All that watch something when not given."
    },
)
SET, BACK = "defender_plan.turn_on", "defender_plan.put_back"


def plan(case: Case) -> list[Action | NoOp]:
    base = f"/subscriptions/{case.incident.subscription_id}/providers/Microsoft.Security/pricings"
    facts = case[DefenderFacts]
    if case.incident.alert.is_test:
        return [NoOp(step=STEP.id, target=base, reason="Test alert: nothing is turned on.")]
    if facts.plans is None:
        return [NoOp(step=STEP.id, target=base, reason="The plans could not be read: what is on is not known.")]
    wanted = {str(name).lower() for name in case.parameter(STEP.id, "plans", tuple(OFFERS))}
    by_name = {one.name.lower(): one for one in facts.plans}
    proposed: list[Action | NoOp] = []
    for name, count in sorted(facts.in_use.items()):
        found, target = by_name.get(name.lower()), f"{base}/{name}"
        if name.lower() not in wanted:
            proposed.append(NoOp(step=STEP.id, target=target, reason="The playbook does not ask for this plan."))
        elif found is None or found.deprecated:
            proposed.append(NoOp(step=STEP.id, target=target, reason="Azure does not offer this plan any more."))
        elif found.tier.lower() == "standard":
            proposed.append(NoOp(step=STEP.id, target=target, reason="The plan is on."))
        else:
            trial = (
                f"A free trial is left ({found.trial}); it is billed after that."
                if found.trial
                else "It is billed from now on."
            )
            offer = OFFERS[name]
            proposed.append(
                Action(
                    id=action_id(STEP.id, SET, target),
                    step=STEP.id,
                    kind=SET,
                    target=target,
                    title=f"Turn on Defender for {offer.title} (Free -> Standard{' ' + offer.sub_plan if offer.sub_plan else ''})",
                    effect=Effect.REVERSIBLE,
                    reasons=(
                        price_of(name, count, facts.prices, facts.currency),
                        trial,
                        "Your agreement may have other prices: ask who pays before you approve.",
                    ),
                    fingerprint={"tier": found.tier},
                    params={"tier": "Standard", "sub_plan": offer.sub_plan},
                )
            )
    return proposed


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    found = await read_all(eyes, (action.target for action in actions), PRICINGS)
    return {action.id: _target(action, found[action.target.lower()]) for action in actions}


def _target(action: Action, document: Any) -> Target:
    tier, sub_plan = text_at(document, "properties", "pricingTier"), text_at(document, "properties", "subPlan")
    wanted, part = str(action.params["tier"]), str(action.params.get("sub_plan") or "")
    so = tier.lower() == wanted.lower() and (wanted == "Free" or not part or sub_plan.lower() == part.lower())
    return Target(
        exists=document is not None,
        already_so=so,
        state=f"{tier} {sub_plan}".strip() or "no such plan",
        fingerprint={"tier": tier, "sub_plan": sub_plan},
        prior={"tier": tier, "sub_plan": sub_plan},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    properties = {"pricingTier": action.params["tier"]}
    if action.params.get("sub_plan") and action.params["tier"] == "Standard":
        properties["subPlan"] = action.params["sub_plan"]
    return await hands.arm.put(action.target, PRICINGS, {"properties": properties})


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Set the plan to the tier that it had."""
    if not prior.get("tier"):
        return None
    kind = BACK if action.kind == SET else SET
    return Action(
        id=action_id(STEP.id, kind, f"{action.target}#undo"),
        step=STEP.id,
        kind=kind,
        target=action.target,
        title=f"Set Defender's plan {name_of(action.target)} back to {prior['tier']}",
        effect=Effect.REVERSIBLE,
        reasons=("It was so before. What it cost meanwhile stays billed.",),
        fingerprint={"tier": str(action.params["tier"])},
        params={"tier": prior["tier"], "sub_plan": prior.get("sub_plan") or ""},
    )
