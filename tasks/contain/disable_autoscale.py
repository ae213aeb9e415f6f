"""Switch off autoscale settings that would start a rogue scale set's instances again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, Class, Inventory, Resource
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import AUTOSCALE, RESOURCES, known, moment, read_all, text_at, value_at
from tasks.judged import Judged
from tasks.words import group_of, name_of

TYPE = "microsoft.insights/autoscalesettings"
DISABLE = "autoscale.disable"
ENABLE = "autoscale.enable"
ROGUE = "a scale set of the attacker"

STEP = Step(
    id="contain.disable_autoscale",
    title="Switch off autoscale of rogue scale sets",
    effect=Effect.REVERSIBLE,
    description="Disables autoscale settings that are the attacker's or that target a scale set of the attacker; else they undo the stop.",
    permissions=("Microsoft.Insights/AutoscaleSettings/Read", "Microsoft.Insights/AutoscaleSettings/Write"),
    guidance=("S04", "S54"),
    needs=(Inventory, Attribution),
)


def plan(case: Case) -> list[Action | NoOp]:
    judged = Judged(case)
    inventory = case[Inventory]
    rogue = sorted(s.id for s in inventory.scale_sets if not s.managed_by and judged.is_attackers(s.id))
    planned: list[Action | NoOp] = []
    settings = [r for r in inventory.resources if r.type.lower() == TYPE]
    for setting in sorted(settings, key=lambda r: r.id.lower()):
        own = judged.is_attackers(setting.id)
        beside = [s for s in rogue if _group(s) == _group(setting.id)]
        if not own and (not beside or _is_legitimate(setting, judged)):
            reason = "Neither the attacker's nor beside a scale set of the attacker."
            planned.append(NoOp(step=STEP.id, target=setting.id, reason=reason))
            continue
        keep = judged.protection(setting.id) or judged.locked(setting.id, deleting=False)
        if case.incident.alert.is_test:
            keep = "Test alert: nothing is switched off."
        planned.append(
            NoOp(step=STEP.id, target=setting.id, reason=keep) if keep else _disable(setting, own, rogue, judged)
        )
    return planned


def _is_legitimate(setting: Resource, judged: Judged) -> bool:
    judgement = judged.of(setting.id)
    return judgement is not None and judgement.cls is Class.LEGITIMATE


def _disable(setting: Resource, own: bool, rogue: Sequence[str], judged: Judged) -> Action:
    reasons = ["Autoscale starts instances again that were stopped."]
    if own:
        reasons.extend(judged.reasons(setting.id))
    else:
        reasons.append("In the group of a rogue scale set; refused when it turns out to target anything else.")
    return Action(
        # The list of resources does not say whether a setting is enabled: one that was switched off is not planned again.
        id=action_id(STEP.id, DISABLE, setting.id),
        step=STEP.id,
        kind=DISABLE,
        target=setting.id,
        title=f"Switch off autoscale setting {name_of(setting.id)}",
        effect=Effect.REVERSIBLE,
        reasons=tuple(reasons),
        fingerprint=known({"createdTime": moment(setting.created_at), "scales": "" if own else ROGUE}),
        params={"scale_sets": list(rogue)},
        region=setting.region,
    )


def _group(resource_id: str) -> str:
    return group_of(resource_id).lower()


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    documents = await read_all(eyes, (action.target for action in actions), AUTOSCALE)
    created: dict[str, str] = {}
    if any("createdTime" in action.fingerprint for action in actions):
        wanted = {"$filter": f"resourceType eq '{TYPE}'", "$expand": "createdTime"}
        rows = await eyes.arm.list(f"/subscriptions/{eyes.arm.subscription_id}/resources", RESOURCES, wanted)
        created = {text_at(row, "id").lower(): moment(text_at(row, "createdTime")) for row in rows}
    return {a.id: _judge(a, documents[a.target.lower()], created.get(a.target.lower(), "")) for a in actions}


def _judge(action: Action, document: dict[str, Any] | None, created: str) -> Target:
    if document is None:
        gone = action.kind == DISABLE
        return Target(exists=False, already_so=gone, state="absent", fingerprint=dict(action.fingerprint))
    enabled = value_at(document, "properties", "enabled") is not False
    scaled = text_at(document, "properties", "targetResourceUri")
    rogue = {s.lower() for s in action.params.get("scale_sets", ())}
    scales = ROGUE if scaled.lower() in rogue else scaled
    return Target(
        exists=True,
        already_so=enabled if action.kind == ENABLE else not enabled,
        state="enabled" if enabled else "disabled",
        fingerprint=known({"scales": scales, "createdTime": created}),
        prior={"enabled": enabled, "scales": scales},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    return await hands.arm.patch(action.target, AUTOSCALE, {"properties": {"enabled": action.kind == ENABLE}})


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Switch it to what it was."""
    if "enabled" not in prior or bool(prior["enabled"]) != (action.kind == DISABLE):
        return None
    kind, word = (ENABLE, "on") if action.kind == DISABLE else (DISABLE, "off")
    return Action(
        id=action_id(STEP.id, kind, action.target),
        step=STEP.id,
        kind=kind,
        target=action.target,
        title=f"Switch autoscale setting {name_of(action.target)} {word} again",
        effect=Effect.REVERSIBLE,
        reasons=("Restores the setting as it was before.",),
        fingerprint=action.fingerprint | {"scales": str(prior.get("scales", action.fingerprint.get("scales", "")))},
        params=action.params,
        region=action.region,
    )


def whose(action: Action, case: Case) -> Class:
    """A setting beside a scale set of the attacker works for the attacker, whoever made it."""
    judged = case[Attribution].of(action.target)
    if judged is not None and judged.cls is not Class.UNKNOWN:
        return judged.cls
    return Class.ATTACKER if action.params.get("scale_sets") else Class.UNKNOWN
