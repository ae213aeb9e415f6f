"""Tell Microsoft the verdict on the partner alert. The status records it only: nothing in Azure changes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from firebreak.analysis.running import ENDS_BILLING, attackers_compute
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, Inventory
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.platform import PlatformCompute
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import text_at
from tasks.judged import newest_outcome
from tasks.platform import STOPPED_BY
from tasks.requests import request_id
from tasks.words import SENTENCE, name_of, plain

RESOLVE = "alert.resolve"
STAYS = "Microsoft was told, and keeps the history of the alert: correct the verdict in Partner Center."
ALERTS = "/beta/security/partner/securityAlerts"
_GRAPH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # opaque to us, but a plain path segment
_REASONS = ("fraud", "legitimate")
_STOPPING = ("contain.deallocate_machines", "contain.deallocate_scale_sets", *sorted(set(STOPPED_BY.values())))
_STOPS = tuple((step, kind) for step in _STOPPING for kind in ENDS_BILLING)

STEP = Step(
    id="notify.alert_verdict",
    title="Resolve the partner alert with the verdict",
    effect=Effect.REVERSIBLE,
    description="Sets the Graph partner alert to resolved with the reason fraud or legitimate. 'ignore' is never proposed.",
    guidance=("S23", "S29", "S30"),
    needs=(Attribution,),
)


def plan(case: Case) -> list[Action | NoOp]:
    alert, verdict = case.incident.alert, case[Attribution].verdict
    wanted = alert.id if alert.source == "graph" else alert.details.get("graph_alert_id", "")
    target = f"{ALERTS}/{wanted or alert.id}"
    keep = ""
    if not _GRAPH_ID.fullmatch(wanted):
        keep = f"The alert came from {plain(alert.source, 40)} and has no Graph id: resolve it in Partner Center."
    elif alert.is_test:
        keep = "Test alert: its status is left as it is."
    elif verdict not in _REASONS:
        keep = f"The proposed verdict is {plain(verdict, 40)}: a person decides and resolves it."
    elif case.get(Inventory) is None:
        keep = "The inventory was not read, so nobody knows what still runs: a person looks and resolves it."
    elif running := _still_running(case):
        keep = f"Not over yet: {name_of(running[0])} of the attacker still runs" + (
            f", and {len(running) - 1} more." if len(running) > 1 else "."
        )
    if keep:
        return [NoOp(step=STEP.id, target=target, reason=keep)]
    return [
        Action(
            id=action_id(STEP.id, RESOLVE, target),
            step=STEP.id,
            kind=RESOLVE,
            target=target,
            title=f"Resolve the partner alert as {verdict}",
            effect=Effect.REVERSIBLE,
            reasons=(
                *(plain(reason, SENTENCE) for reason in case[Attribution].verdict_reasons[:4]),
                "The reason can be corrected later; Microsoft keeps the history of the alert.",
            ),
            fingerprint={"subscriptionId": case.incident.subscription_id.lower()},
            params={"status": "resolved", "resolvedReason": verdict, "case": case.incident.case, "round": case.round},
            irreversible_because=STAYS,
        )
    ]


def _still_running(case: Case) -> list[str]:
    """The attacker's compute that the newest inventory shows billed and that nothing stopped since."""
    running = attackers_compute(case[Attribution], case[Inventory], case.get(PlatformCompute))
    left = [one for one in running if not any(_ended_well_since(case, *way, one) for way in _STOPS)]
    return sorted(left, key=str.lower)


def _ended_well_since(case: Case, step: str, kind: str, target: str) -> bool:
    """Whether the newest such action on the target ended well after the inventory was read; of what ended before, the inventory is right."""
    outcome = newest_outcome(case, step, kind, target)
    return outcome is not None and outcome.state.is_good and (outcome.ended_at is None or outcome.ended_at >= case.now)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    targets = {}
    for action in actions:
        alert = await eyes.graph.get(action.target)
        status, reason = text_at(alert, "status").lower(), text_at(alert, "resolvedReason").lower()
        targets[action.id] = Target(
            exists=alert is not None,
            already_so=status == "resolved" and reason == action.params["resolvedReason"],
            state=" ".join(part for part in (status or "absent", reason) if part),
            fingerprint={"subscriptionId": text_at(alert, "subscriptionId").lower()},
            prior={"status": status, "resolvedReason": reason},
        )
    return targets


async def apply(action: Action, hands: Hands) -> Sent:
    body = {"status": action.params["status"], "resolvedReason": action.params["resolvedReason"]}
    return await hands.graph.patch(action.target, body, request_id=request_id(action))


def undo(action: Action, prior: dict[str, Any]) -> NoOp:  # noqa: ARG001 - one signature for all steps
    """What Microsoft was told is not taken back by machine."""
    return NoOp(step=STEP.id, target=action.target, reason=f"Cannot be undone. {STAYS}")
