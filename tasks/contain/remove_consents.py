"""Take back the rights that the attacker gave to applications: on behalf of people, and to act by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.intrusion import Intrusion, Trace, TraceKind
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import FREE, Effect, Sent, Step, Target
from tasks import intrusion
from tasks.arm import text_at
from tasks.requests import request_id
from tasks.words import plain

CONSENT, CONSENT_AGAIN = "consent.remove", "consent.restore"
RIGHT, RIGHT_AGAIN = "right.remove", "right.restore"
_PARTS = {
    CONSENT: ("clientId", "consentType", "principalId", "resourceId", "scope"),
    RIGHT: ("principalId", "resourceId", "appRoleId"),
}
_LISTS = {CONSENT: "oauth2PermissionGrants", RIGHT: "appRoleAssignments"}
_REMOVALS = {CONSENT: CONSENT, CONSENT_AGAIN: CONSENT, RIGHT: RIGHT, RIGHT_AGAIN: RIGHT}

STEP = Step(
    id="contain.remove_consents",
    title="Take back the rights that the attacker gave to applications",
    effect=Effect.REVERSIBLE,
    description=(
        "Deletes consents and application rights that the audit log shows the attacker giving. A grant that also holds rights from before is left to "
        "an administrator."
    ),
    graph_permissions=("AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All"),
    guidance=("S48",),
    needs=(Intrusion,),
)


def plan(case: Case) -> list[Action | NoOp]:
    free, left = intrusion.considered(STEP, case, TraceKind.CONSENT, TraceKind.RIGHT)
    return [*(_remove(case, one) for one in free), *left]


def _remove(case: Case, trace: Trace) -> Action:
    kind = CONSENT if trace.kind is TraceKind.CONSENT else RIGHT
    return intrusion.action(
        STEP,
        case,
        kind,
        trace.target,
        f"Take {plain(trace.what, 90)} from the application {plain(trace.holder, 60)}",
        intrusion.reasons_of(trace),
        fingerprint=_mark(kind, trace.document),
        params={"principal_id": trace.principal_id},
    )


def _mark(kind: str, document: Any) -> dict[str, str]:
    return {name: text_at(document, name) for name in _PARTS[kind] if text_at(document, name)}


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    held = await intrusion.lists(eyes, (_list_of(one) for one in actions))
    return {one.id: _target(one, held[_list_of(one)]) for one in actions}


def _list_of(action: Action) -> str:
    principal = str(action.params["principal_id"])
    return f"/v1.0/servicePrincipals/{principal}/{_LISTS[_REMOVALS[action.kind]]}"


def _target(action: Action, rows: Sequence[dict[str, Any]]) -> Target:
    removal = _REMOVALS[action.kind]
    if action.kind == removal:
        identity = action.target.rpartition("/")[2]
        row = next((one for one in rows if text_at(one, "id") == identity), None)
        if row is None:
            return intrusion.absent(action, wanted=True)
        return Target(
            exists=True, already_so=False, state="given", fingerprint=_mark(removal, row), prior={"document": row}
        )
    given = any(_mark(removal, one) == _mark(removal, action.params["document"]) for one in rows)
    return Target(
        exists=given, already_so=given, state="given" if given else "absent", fingerprint=FREE, prior={"document": {}}
    )


async def apply(action: Action, hands: Hands) -> Sent:
    again = request_id(action)
    if action.kind == _REMOVALS[action.kind]:
        return await hands.graph.delete(action.target, request_id=again)
    place = "/v1.0/oauth2PermissionGrants" if action.kind == CONSENT_AGAIN else _list_of(action)
    return await hands.graph.post(place, action.params["document"], request_id=again)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Give the same right again, under an id of its own."""
    if action.kind != _REMOVALS[action.kind]:
        return NoOp(
            step=STEP.id, target=action.target, reason="It came back under an id of its own: take it away by hand."
        )
    document = prior.get("document") or {}
    kept = {name: document[name] for name in _PARTS[action.kind] if document.get(name)}
    if not kept:
        return None
    return intrusion.inverse(
        action,
        CONSENT_AGAIN if action.kind == CONSENT else RIGHT_AGAIN,
        action.title.replace("Take", "Give", 1).replace(" from ", " again to ", 1),
        "Restores the right as it was before.",
        fingerprint=FREE,
        params={"document": kept, "principal_id": action.params["principal_id"]},
    )


whose = intrusion.whose
