"""Put recovery mail addresses and telephones of an account back to what they were before the attacker wrote theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.intrusion import Intrusion, Trace, TraceKind
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import intrusion
from tasks.arm import text_at, value_at
from tasks.requests import request_id
from tasks.words import plain

RESTORE, PUT_BACK = "contact.restore", "contact.put_back"
_FIELDS = {"$select": "id,otherMails,mobilePhone,businessPhones"}

STEP = Step(
    id="contain.restore_contacts",
    title="Restore recovery mail addresses and telephones",
    effect=Effect.REVERSIBLE,
    description="Writes other mail addresses and telephones of an account as the audit log shows them before the attacker changed them.",
    graph_permissions=("User.ReadWrite.All",),
    guidance=("S40", "S41"),
    needs=(Intrusion,),
)


def plan(case: Case) -> list[Action | NoOp]:
    free, left = intrusion.considered(STEP, case, TraceKind.CONTACT)
    return [*(_restore(case, one) for one in free), *left]


def _restore(case: Case, trace: Trace) -> Action:
    before, after = trace.document["before"], trace.document["after"]
    names = ", ".join(sorted(before))
    return intrusion.action(
        STEP,
        case,
        RESTORE,
        trace.target,
        f"Restore {names} of {plain(trace.holder, 80)}",
        (
            *intrusion.reasons_of(trace),
            f"There stands now: {plain(trace.what, 120)}. Ask the owner whether what was before is theirs.",
        ),
        key=f"{trace.target}#{trace.event_id}",
        fingerprint={"id": trace.principal_id, "contact": "as the attacker left it"},
        params={"before": before, "after": after},
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    found = await intrusion.documents(eyes, (one.target for one in actions), _FIELDS)
    return {one.id: _target(one, found[one.target]) for one in actions}


def _target(action: Action, document: dict[str, Any] | None) -> Target:
    if document is None:
        return intrusion.absent(action, wanted=True)
    before, after = action.params["before"], action.params["after"]
    restored = all(value_at(document, name) == value for name, value in before.items())
    left = all(value_at(document, name) == value for name, value in after.items())
    state = "as it was before" if restored else "as the attacker left it" if left else "changed by somebody since"
    return Target(
        exists=True,
        already_so=restored,
        state=state,
        fingerprint={"id": text_at(document, "id"), "contact": state if action.kind == RESTORE else "as it was left"},
        prior={name: value_at(document, name) for name in before},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    return await hands.graph.patch(action.target, action.params["before"], request_id=request_id(action))


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Write again what stood there."""
    if not prior:
        return None
    title = action.title.replace("Restore", "Put back", 1) if action.kind == RESTORE else action.title
    return intrusion.inverse(
        action,
        PUT_BACK if action.kind == RESTORE else RESTORE,
        title,
        "It stood so before it was restored." if action.kind == RESTORE else "It stood so before.",
        key=f"{action.target}#{action.id}",
        fingerprint={"id": action.fingerprint.get("id", "")},
        params={"before": prior, "after": action.params["before"]},
    )


whose = intrusion.whose
