"""Take back the directory roles that the attacker gave, active ones and those that may be taken up."""

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

ROLE, ROLE_AGAIN = "directory_role.remove", "directory_role.restore"
ELIGIBLE, ELIGIBLE_AGAIN = "eligible_role.remove", "eligible_role.restore"
_BASE = "/v1.0/roleManagement/directory"
_LISTS = {ROLE: "roleAssignments", ELIGIBLE: "roleEligibilitySchedules"}
_REMOVALS = {ROLE: ROLE, ROLE_AGAIN: ROLE, ELIGIBLE: ELIGIBLE, ELIGIBLE_AGAIN: ELIGIBLE}
_PARTS = ("principalId", "roleDefinitionId", "directoryScopeId")

STEP = Step(
    id="contain.remove_directory_roles",
    title="Take back the directory roles that the attacker gave",
    effect=Effect.REVERSIBLE,
    description=(
        "Removes roles of the directory, active and eligible, that the audit log shows the attacker giving, whoever holds them. Roles that an account "
        "held before stay; the last Global Administrator stays."
    ),
    graph_permissions=("RoleManagement.ReadWrite.Directory",),
    guidance=("S36", "S48"),
    needs=(Intrusion,),
)


def plan(case: Case) -> list[Action | NoOp]:
    free, left = intrusion.considered(STEP, case, TraceKind.ROLE, TraceKind.ELIGIBLE)
    return [*(_remove(case, one) for one in free), *left]


def _remove(case: Case, trace: Trace) -> Action:
    eligible = trace.kind is TraceKind.ELIGIBLE
    known = case[Intrusion].intruder(trace.principal_id)
    whose = (
        () if known else ("The holder is not known to be the attacker's: ask them. The role was not theirs before.",)
    )
    mark = _mark(trace.document)
    return intrusion.action(
        STEP,
        case,
        ELIGIBLE if eligible else ROLE,
        trace.target,
        f"Take the {'eligible ' if eligible else ''}role {plain(trace.what, 80)} from {plain(trace.holder, 80)}",
        (*intrusion.reasons_of(trace), *whose),
        fingerprint=mark,
        params={"principal_id": trace.principal_id, "role_id": mark["roleDefinitionId"], "document": mark},
    )


def _mark(document: Any) -> dict[str, str]:
    found = {name: text_at(document, name).lower() for name in _PARTS}
    return found | {"directoryScopeId": found["directoryScopeId"] or "/"}


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    targets: dict[str, Target] = {}
    for principal in sorted({str(one.params["principal_id"]) for one in actions}):
        theirs = [one for one in actions if one.params["principal_id"] == principal]
        paths = {f"{_BASE}/{_LISTS[_REMOVALS[one.kind]]}" for one in theirs}
        held = await intrusion.lists(eyes, paths, {"$filter": f"principalId eq '{principal}'"})
        for one in theirs:
            rows = held[f"{_BASE}/{_LISTS[_REMOVALS[one.kind]]}"]
            targets[one.id] = _target(one, [row for row in rows if _mark(row) == one.params["document"]])
    return targets


def _target(action: Action, rows: Sequence[dict[str, Any]]) -> Target:
    removes = action.kind == _REMOVALS[action.kind]
    if not rows and removes:
        return intrusion.absent(action, wanted=True)
    place = {} if rows else FREE
    return Target(
        exists=bool(rows),
        already_so=bool(rows) and not removes,
        state="held" if rows else "absent",
        fingerprint=(_mark(rows[0]) if rows else {}) | place,
        prior={"document": rows[0] if rows else {}},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    again, document = request_id(action), action.params["document"]
    if action.kind == ROLE:
        return await hands.graph.delete(action.target, request_id=again)
    if action.kind == ROLE_AGAIN:
        return await hands.graph.post(f"{_BASE}/roleAssignments", document, request_id=again)
    body = document | {
        "action": "adminRemove" if action.kind == ELIGIBLE else "adminAssign",
        "justification": f"Firebreak, incident {action.params['case']}",
    }
    if action.kind == ELIGIBLE_AGAIN:
        body |= {"scheduleInfo": {"expiration": {"type": "noExpiration"}}}
    return await hands.graph.post(f"{_BASE}/roleEligibilityScheduleRequests", body, request_id=again)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Give the role again, or take it away again."""
    params = {name: action.params[name] for name in ("principal_id", "role_id", "document")}
    removal = _REMOVALS[action.kind]
    if action.kind != removal:
        title = action.title.replace("Give", "Take", 1).replace(" again to ", " from ", 1)
        reason, mark = "It was not held before it was given back.", dict(action.params["document"])
        return intrusion.inverse(action, removal, title, reason, fingerprint=mark, params=params)
    if not prior.get("document"):
        return None
    again = ROLE_AGAIN if action.kind == ROLE else ELIGIBLE_AGAIN
    title = action.title.replace("Take", "Give", 1).replace(" from ", " again to ", 1)
    return intrusion.inverse(
        action, again, title, "Restores the role as it was before.", fingerprint=FREE, params=params
    )


whose = intrusion.whose
