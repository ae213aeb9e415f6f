"""Disable the service principals that the attacker acts as: their own applications, and a customer's whose secret they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.intrusion import Intruder, Intrusion, Service
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import directory, intrusion
from tasks.arm import text_at, value_at
from tasks.requests import request_id
from tasks.words import plain

DISABLE, ENABLE = "application.disable", "application.enable"
_FIELDS = {"$select": "id,appId,accountEnabled"}

STEP = Step(
    id="contain.disable_applications",
    title="Disable applications that the attacker acts as",
    effect=Effect.REVERSIBLE,
    description=(
        "Switches the service principal off: no new tokens for whoever has its secret. What runs honestly as a stolen application stops as well, "
        "until it has a new secret and is enabled again."
    ),
    graph_permissions=("Application.ReadWrite.All",),
    guidance=("S37", "S48"),
    needs=(Intrusion,),
)


def plan(case: Case) -> list[Action | NoOp]:
    facts = case[Intrusion]
    services = {one.id: one for one in facts.services}
    planned: list[Action | NoOp] = []
    for intruder in (one for one in facts.intruders if one.kind != "user"):
        target, service = f"/v1.0/servicePrincipals/{intruder.id}", services.get(intruder.id)
        why = intrusion.why_left_alone(case, intruder.id)
        if service is None:
            why = why or intrusion.gone(facts, directory.PRINCIPALS)
        elif service.kind.lower() == "managedidentity":
            why = (
                why
                or "A managed identity: it goes with the resource that carries it; its roles are taken away by their own step."
            )
        elif service.enabled is False:
            why = why or "It is disabled already."
        if why or service is None:
            planned.append(NoOp(step=STEP.id, target=target, reason=f"{plain(intruder.name, 80)}: {why}"))
        else:
            planned.append(_disable(case, intruder, service, target))
    return planned


def _disable(case: Case, intruder: Intruder, service: Service, target: str) -> Action:
    whose = (
        "The attacker brought this application in; nothing of the customer's runs as it."
        if intruder.own
        else "It is the customer's, and the attacker has a secret of it. Pipelines and services that sign in as it stop now. To do: make a new "
        "secret, put it where it is used, remove the old one, then undo this."
    )
    return intrusion.action(
        STEP,
        case,
        DISABLE,
        target,
        f"Disable the application {plain(service.name, 80)}",
        (*intruder.reasons, whose),
        fingerprint={"id": service.id, "appId": service.app_id},
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    found = await intrusion.documents(eyes, (one.target for one in actions), _FIELDS)
    return {one.id: _target(one, found[one.target]) for one in actions}


def _target(action: Action, document: dict[str, Any] | None) -> Target:
    if document is None:
        return intrusion.absent(action, wanted=action.kind == DISABLE)
    enabled = value_at(document, "accountEnabled") is True
    return Target(
        exists=True,
        already_so=enabled == (action.kind == ENABLE),
        state="enabled" if enabled else "disabled",
        fingerprint={"id": text_at(document, "id"), "appId": text_at(document, "appId")},
        prior={"accountEnabled": enabled},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    body = {"accountEnabled": action.kind == ENABLE}
    return await hands.graph.patch(action.target, body, request_id=request_id(action))


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Enable it again, or disable it."""
    enabled = bool(prior.get("accountEnabled"))
    if enabled == (action.kind == ENABLE):
        return NoOp(step=STEP.id, target=action.target, reason="It was so before: nothing to take back.")
    kind, verb = (ENABLE, "Enable") if enabled else (DISABLE, "Disable")
    title = f"{verb} {action.title.partition(' ')[2]}"
    reason = "Whoever has one of its secrets is it again." if enabled else "It was disabled before."
    return intrusion.inverse(action, kind, title, reason, fingerprint=dict(action.fingerprint))


whose = intrusion.whose
