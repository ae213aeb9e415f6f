"""Deny creating compute in the subscription, before any of it is stopped: miners come back under new names (P9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import AccessFacts, Attribution, Class, Inventory, SubscriptionFacts
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import FREE, Effect, Sent, Step, Target
from tasks.arm import POLICY, items_at, look_at, text_at, value_at
from tasks.judged import id_of_this_time
from tasks.words import name_of, plain, slug

# Built-in policy "Not allowed resource types".
DEFINITION = "/providers/Microsoft.Authorization/policyDefinitions/6c112d4e-5bc7-47ae-a041-ea2d9dccd749"
# What miners rent, the types behind platform services included: whoever has a Batch account needs only a pool, whoever has an app only a larger plan.
TYPES = (
    "Microsoft.Batch/batchAccounts",
    "Microsoft.Batch/batchAccounts/pools",
    "Microsoft.Compute/virtualMachineScaleSets",
    "Microsoft.Compute/virtualMachines",
    "Microsoft.ContainerInstance/containerGroups",
    "Microsoft.ContainerService/managedClusters",
    "Microsoft.MachineLearningServices/workspaces/computes",
    "Microsoft.Web/serverfarms",
)
_DENIED = ("document", "properties", "parameters", "listOfResourceTypesNotAllowed", "value")
_KEPT = (
    "displayName",
    "description",
    "policyDefinitionId",
    "parameters",
    "enforcementMode",
    "notScopes",
    "metadata",
    "nonComplianceMessages",
    "resourceSelectors",
    "overrides",
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
            reason = f"Policy assignment {plain(existing.name)} already denies these types here."
            return [NoOp(step=STEP.id, target=existing.id, reason=reason)]
    facts = case.get(SubscriptionFacts)
    where = plain(facts.display_name) if facts is not None else case.incident.subscription_id
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
    clusters = sorted({plain(s.managed_by.rsplit("/", 1)[-1]) for s in inventory.scale_sets if s.managed_by})
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


def marks_of(document: Any) -> dict[str, str]:
    """What tells one policy assignment from another in its place: somebody may have changed or replaced it since."""
    properties = value_at(document, "properties")
    types = sorted(str(t).lower() for t in items_at(document, *_DENIED[1:]))
    return {
        "definition": text_at(properties, "policyDefinitionId").rsplit("/", 1)[-1].lower(),
        "denied": ", ".join(t.split("/", 1)[-1] for t in types) or "nothing by type",
        "enforcement": (text_at(properties, "enforcementMode") or "Default").lower(),
        "excluded": ", ".join(sorted(str(s).lower() for s in items_at(properties, "notScopes"))) or "nothing",
        "place": f"taken by policy assignment {plain(text_at(properties, 'displayName') or 'without a name')}",
    }


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
                fingerprint=marks_of(document) if document is not None else FREE,
                prior={"document": document or {}},
            )
        wanted = items_at(action.params, *_DENIED)
        as_before = action.params.get("as_before") or not wanted
        return Target(
            exists=document is not None,
            already_so=_equal(document, action.params["document"]) if as_before else denies(document, wanted),
            state=state,
            fingerprint=marks_of(document) if document is not None else FREE,
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
    now = marks_of(action.params["document"]) if action.kind == DENY else FREE
    if not document and action.kind == ALLOW:
        return None  # nothing stood there, so nothing was removed
    if document:
        kind, title = DENY, f"Put policy assignment {name_of(action.target)} back as it was"
        reasons: tuple[str, ...] = ("Restores the assignment that stood there before.",)
    else:
        kind, title = ALLOW, "Allow the creation of compute again"
        reasons = (
            "Takes back the block of this incident.",
            "Be sure that the attacker is out: whoever may create compute can do so again within minutes.",
        )
    return Action(
        id=action_id(STEP.id, kind, f"{action.target}#undo"),
        step=STEP.id,
        kind=kind,
        target=action.target,
        title=title,
        effect=Effect.REVERSIBLE,
        reasons=reasons,
        fingerprint={name: value for name, value in now.items() if action.kind == ALLOW or name != "place"},
        params={"document": kept_of(document), "as_before": True} if document else {},
    )


def kept_of(document: Any) -> dict[str, Any]:
    """What has to be sent to make a policy assignment again as it was; what Azure adds by itself is left out."""
    properties = value_at(document, "properties") or {}
    top = {name: document[name] for name in ("location", "identity") if document.get(name)}
    return top | {"properties": {name: properties[name] for name in _KEPT if properties.get(name) is not None}}
