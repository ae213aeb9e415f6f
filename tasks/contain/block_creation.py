"""Deny creating compute in the subscription, before any of it is stopped: miners come back under new names (P9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import AccessFacts, Attribution, Class, Inventory, SubscriptionFacts
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import POLICY, items_at, look_at, text_at, value_at
from tasks.judged import id_of_this_time
from tasks.words import plain, slug

# Built-in policy "Not allowed resource types".
DEFINITION = "/providers/Microsoft.Authorization/policyDefinitions/6c112d4e-5bc7-47ae-a041-ea2d9dccd749"
TYPES = (
    "Microsoft.Batch/batchAccounts",
    "Microsoft.Compute/virtualMachineScaleSets",
    "Microsoft.Compute/virtualMachines",
    "Microsoft.ContainerInstance/containerGroups",
    "Microsoft.ContainerService/managedClusters",
    "Microsoft.MachineLearningServices/workspaces/computes",
)
DENY = "policy.deny_creation"
ALLOW = "policy.remove"

STEP = Step(
    id="contain.block_creation",
    title="Block the creation of compute",
    effect=Effect.REVERSIBLE,
    description="Assigns the built-in deny policy 'Not allowed resource types' to the subscription. What runs keeps running; nothing new starts.",
    permissions=(
        "Microsoft.Authorization/policyAssignments/read",
        "Microsoft.Authorization/policyAssignments/write",
        "Microsoft.Authorization/policyAssignments/delete",
    ),
    guidance=("S34", "S101"),
    needs=(AccessFacts, Attribution),
    parameters={"resource_types": "Resource types whose creation is denied."},
)


def plan(case: Case) -> list[Action | NoOp]:
    scope = f"/subscriptions/{case.incident.subscription_id}"
    types = tuple(sorted(case.parameter(STEP.id, "resource_types", TYPES)))
    if case.incident.alert.is_test:
        return [NoOp(step=STEP.id, target=scope, reason="Test alert: nothing is blocked.")]
    attribution = case[Attribution]
    signs = [j for j in (*attribution.actors, *attribution.resources) if j.cls is Class.ATTACKER]
    if not signs and attribution.verdict != "fraud":
        return [NoOp(step=STEP.id, target=scope, reason="No actor and no resource was judged the attacker's.")]
    name = f"firebreak-{slug(case.incident.case)}"
    target = f"{scope}/providers/Microsoft.Authorization/policyAssignments/{name}"
    for existing in case[AccessFacts].policy_assignments:
        if existing.scope.lower().rstrip("/") == scope and denies(existing.document, types):
            reason = f"Policy assignment {plain(existing.name, 80)} already denies these types here."
            return [NoOp(step=STEP.id, target=existing.id, reason=reason)]
    facts = case.get(SubscriptionFacts)
    where = plain(facts.display_name, 60) if facts is not None else case.incident.subscription_id
    return [
        Action(
            id=id_of_this_time(case, STEP.id, DENY, target),
            step=STEP.id,
            kind=DENY,
            target=target,
            title=f"Deny new virtual machines, scale sets and other compute in {where}",
            effect=Effect.REVERSIBLE,
            reasons=(
                "Attackers start stopped machines again under new names while creation is allowed.",
                "Running machines are not affected; it takes effect within minutes, at most about 30.",
                "Denied until lifted, for everybody: " + ", ".join(t.split("/", 1)[1] for t in types) + ".",
                *_side_effects(case, types),
            ),
            params={"document": _document(case.incident.case, types)},
        )
    ]


def _side_effects(case: Case, types: Sequence[str]) -> tuple[str, ...]:
    inventory = case.get(Inventory)
    if inventory is None or "Microsoft.Compute/virtualMachineScaleSets" not in types:
        return ()
    clusters = sorted({plain(s.managed_by.rsplit("/", 1)[-1], 60) for s in inventory.scale_sets if s.managed_by})
    return (f"Cannot scale out meanwhile: {', '.join(clusters)}.",) if clusters else ()


def _document(case: str, types: Sequence[str]) -> dict[str, Any]:
    return {
        "properties": {
            "displayName": f"Firebreak {plain(case, 60)}: no new compute",
            "description": "Placed by an incident response. Remove it with the incident's undo or recover step.",
            "policyDefinitionId": DEFINITION,
            "parameters": {"listOfResourceTypesNotAllowed": {"value": list(types)}},
            "enforcementMode": "Default",
        }
    }


def denies(document: Any, types: Sequence[str]) -> bool:
    """Whether a policy assignment denies all of `types` everywhere below its scope."""
    properties = value_at(document, "properties")
    denied = {
        str(t).lower()
        for t in items_at(properties, "parameters", "listOfResourceTypesNotAllowed", "value")
        if isinstance(t, str)
    }
    return (
        text_at(properties, "policyDefinitionId").lower() == DEFINITION.lower()
        and text_at(properties, "enforcementMode").lower() in ("", "default")
        and not items_at(properties, "notScopes")
        and not items_at(properties, "resourceSelectors")
        and not items_at(properties, "overrides")
        and {t.lower() for t in types} <= denied
    )


def _equal(document: Any, wanted: Any) -> bool:
    keys = ("policyDefinitionId", "parameters", "enforcementMode", "notScopes")
    return all(value_at(document, "properties", key) == value_at(wanted, "properties", key) for key in keys)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    def judge(action: Action, document: dict[str, Any] | None) -> Target:
        state = "absent" if document is None else text_at(document, "properties", "enforcementMode") or "Default"
        if action.kind == ALLOW:
            return Target(
                exists=document is not None,
                already_so=document is None,
                state=state,
                prior={"document": document or {}},
            )
        wanted = items_at(
            action.params, "document", "properties", "parameters", "listOfResourceTypesNotAllowed", "value"
        )
        return Target(
            exists=document is not None,
            already_so=denies(document, wanted) if wanted else _equal(document, action.params["document"]),
            state=state,
            prior={"document": document or {}},
        )

    return await look_at(
        actions,
        eyes,
        judge,
        version=POLICY,
        list_path="providers/Microsoft.Authorization/policyAssignments",
    )


async def apply(action: Action, hands: Hands) -> Sent:
    if action.kind == ALLOW:
        return await hands.arm.delete(action.target, POLICY)
    return await hands.arm.put(action.target, POLICY, action.params["document"])


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Remove the assignment, or put back the one that stood there before under the same name."""
    document = prior.get("document") or {}
    kind = DENY if document else ALLOW
    return Action(
        id=action_id(STEP.id, kind, f"{action.target}#undo"),
        step=STEP.id,
        kind=kind,
        target=action.target,
        title="Allow the creation of compute again",
        effect=Effect.REVERSIBLE,
        reasons=("Takes back the block of this incident.",),
        params={"document": {"properties": document["properties"]}} if document else {},
    )
