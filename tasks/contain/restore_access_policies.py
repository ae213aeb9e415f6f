"""Put conditional access policies back to what they were before the attacker switched them off or excepted somebody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.analysis.identity.traces import holds
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.intrusion import Intrusion, Trace, TraceKind
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import intrusion
from tasks.arm import text_at, value_at
from tasks.requests import request_id
from tasks.words import plain

RESTORE = "access_policy.restore"
LEFT = "as the attacker left it"

STEP = Step(
    id="contain.restore_access_policies",
    title="Restore conditional access policies",
    effect=Effect.REVERSIBLE,
    description="Writes the parts of a conditional access policy that the attacker changed as the audit log shows them before.",
    graph_permissions=("Policy.Read.All", "Policy.ReadWrite.ConditionalAccess"),
    guidance=("S48",),
    needs=(Intrusion,),
)


def plan(case: Case) -> list[Action | NoOp]:
    free, left = intrusion.considered(STEP, case, TraceKind.POLICY)
    return [*(_restore(case, one) for one in free), *left]


def _restore(case: Case, trace: Trace) -> Action:
    before, after = trace.document["before"], trace.document["after"]
    told = [f"{name}: {plain(str(after[name]), 80)} -> {plain(str(before[name]), 80)}" for name in sorted(before)]
    return intrusion.action(
        STEP,
        case,
        RESTORE,
        trace.target,
        f"Restore the policy {plain(trace.holder, 80)}",
        (
            *intrusion.reasons_of(trace),
            *told,
            "It holds from the next sign-in on for everybody whom it held before; accounts excepted before are excepted again.",
        ),
        key=f"{trace.target}#{trace.event_id}",
        fingerprint={"id": trace.target.rpartition("/")[2], "parts": LEFT},
        params={"before": before, "after": after},
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    found = await intrusion.documents(eyes, (one.target for one in actions))
    return {one.id: _target(one, found[one.target]) for one in actions}


def _target(action: Action, document: dict[str, Any] | None) -> Target:
    if document is None:
        return intrusion.absent(action, wanted=False)
    before, after = action.params["before"], action.params["after"]
    restored, left = (all(holds(value_at(document, k), v) for k, v in part.items()) for part in (before, after))
    state = "as it was before" if restored else LEFT if left else "changed by somebody since"
    return Target(
        exists=True,
        already_so=restored,
        state=state,
        fingerprint={"id": text_at(document, "id").lower(), "parts": state},
        prior={name: value_at(document, name) for name in before},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    return await hands.graph.patch(action.target, action.params["before"], request_id=request_id(action))


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Write the parts as they stood."""
    if not prior:
        return None
    return intrusion.inverse(
        action,
        RESTORE,
        f"Change back {action.title.partition(' ')[2]}",
        "It stood so before it was restored.",
        key=f"{action.target}#{action.id}",
        fingerprint={"id": action.fingerprint.get("id", ""), "parts": LEFT},
        params={"before": prior, "after": action.params["before"]},
    )


whose = intrusion.whose
