"""Remove our own deny policy at the end, when the operator asks for it by parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import AccessFacts
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import FREE, Effect, Sent, Step, Target
from tasks.arm import POLICY, absent, known, look_at, moment, text_at, value_at
from tasks.words import name_of, slug

LIFT = "policy.remove"
PUT_BACK = "policy.restore"
_TELLING = ("policyDefinitionId", "parameters", "enforcementMode")

STEP = Step(
    id="recover.lift_block",
    title="Allow the creation of compute again",
    effect=Effect.REVERSIBLE,
    description="Deletes the deny policy assignment of this incident. Planned only when the parameter asks for it.",
    permissions=(
        "Microsoft.Authorization/policyAssignments/read",
        "Microsoft.Authorization/policyAssignments/delete",
        "Microsoft.Authorization/policyAssignments/write",
    ),
    needs=(AccessFacts,),
    parameters={"lift": "true asks for the removal of this incident's deny policy."},
)


def plan(case: Case) -> list[Action | NoOp]:
    scope = f"/subscriptions/{case.incident.subscription_id}"
    name = f"firebreak-{slug(case.incident.case)}"
    target = f"{scope}/providers/Microsoft.Authorization/policyAssignments/{name}"
    ours = next((p for p in case[AccessFacts].policy_assignments if p.id.lower() == target.lower()), None)
    if ours is None:
        return [NoOp(step=STEP.id, target=target, reason="No deny policy of this incident is in place.")]
    if case.parameter(STEP.id, "lift", False) is not True:
        reason = f"The block stays until somebody asks: set the parameter {STEP.id}.lift to true, or undo it later."
        return [NoOp(step=STEP.id, target=ours.id, reason=reason)]
    return [
        Action(
            id=action_id(STEP.id, LIFT, target),
            step=STEP.id,
            kind=LIFT,
            target=target,
            title="Remove the deny policy of this incident: compute may be created again",
            effect=Effect.REVERSIBLE,
            reasons=(
                "Asked for by the playbook's parameter.",
                "Be sure that the attacker is out: whoever may create compute can do so again within minutes.",
            ),
            fingerprint=known({"policyDefinitionId": ours.definition_id.lower(), "createdAt": _made(ours.document)}),
        )
    ]


def _made(document: dict[str, Any]) -> str:
    return moment(text_at(document, "systemData", "createdAt"))


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    def judge(action: Action, document: dict[str, Any] | None) -> Target:
        if document is None:
            gone = Target(exists=False, already_so=False, state="absent", fingerprint=FREE, prior={"document": {}})
            return absent(action) if action.kind == LIFT else gone
        definition = text_at(document, "properties", "policyDefinitionId").lower()
        wanted = value_at(action.params, "document", "properties") or {}
        same = all(value_at(document, "properties", key) == value for key, value in wanted.items() if key in _TELLING)
        return Target(
            exists=True,
            already_so=action.kind == PUT_BACK and same,
            state="assigned",
            fingerprint={
                "policyDefinitionId": definition,
                "place": f"taken by {name_of(definition)}",
                "createdAt": _made(document),
            },
            prior={"document": document},
        )

    return await look_at(
        actions, eyes, judge, version=POLICY, list_path="providers/Microsoft.Authorization/policyAssignments"
    )


async def apply(action: Action, hands: Hands) -> Sent:
    if action.kind == PUT_BACK:
        return await hands.arm.put(action.target, POLICY, action.params["document"])
    return await hands.arm.delete(action.target, POLICY)


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Put the same assignment back, or remove the one that an undo put back."""
    properties = value_at(prior, "document", "properties")
    if action.kind == PUT_BACK and not isinstance(properties, dict):
        placed = text_at(action.params, "document", "properties", "policyDefinitionId").lower()
        return Action(
            id=action_id(STEP.id, LIFT, action.target),
            step=STEP.id,
            kind=LIFT,
            target=action.target,
            title="Remove the deny policy again: compute may be created",
            effect=Effect.REVERSIBLE,
            reasons=("It was not there before it was put back.",),
            fingerprint={"policyDefinitionId": placed},
        )
    if action.kind != LIFT or not isinstance(properties, dict):
        return None
    kept = ("displayName", "description", "policyDefinitionId", "parameters", "enforcementMode")
    return Action(
        id=action_id(STEP.id, PUT_BACK, action.target),
        step=STEP.id,
        kind=PUT_BACK,
        target=action.target,
        title="Put the deny policy back",
        effect=Effect.REVERSIBLE,
        reasons=("Restores the block as it was before.",),
        fingerprint=FREE,
        params={"document": {"properties": {key: properties[key] for key in kept if key in properties}}},
    )
