"""Take away role assignments that the attacker holds or made. A stolen identity keeps its own long-standing role: that is a job for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import (
    AccessFacts,
    ActivityFacts,
    Attribution,
    Class,
    CustomRole,
    RoleAssignment,
    SubscriptionFacts,
)
from firebreak.model.ids import is_assignment_above
from firebreak.model.plan import HOLDER, NEEDS_TWO, Action, NoOp, action_id
from firebreak.model.step import FREE, Effect, Sent, Step, Target
from tasks.arm import AUTHORIZATION, absent, known, look_at, moment, text_at, value_at
from tasks.directory import is_deleted
from tasks.judged import Judged, id_of_this_time
from tasks.words import name_of, plain

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
# Built-in roles that take role assignments away: Owner, User Access Administrator, Role Based Access Control Administrator.
_GIVERS = {OWNER, "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "f58310d9-a9f6-439a-9e8d-f62e7b41a168"}
_BEYOND = "It stands at a management group: the role is lost in every subscription below it, not in this one alone."
REMOVE = "access.remove"
RESTORE = "access.restore"
THERE = "there"
_KEPT = (
    "roleDefinitionId",
    "principalId",
    "principalType",
    "condition",
    "conditionVersion",
    "delegatedManagedIdentityResourceId",
    "description",
)

STEP = Step(
    id="contain.remove_access",
    title="Remove the attacker's role assignments",
    effect=Effect.REVERSIBLE,
    description="Deletes role assignments granted by or to the attacker. Partner access, own identity, protected people and the last Owner stay.",
    permissions=(
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleAssignments/delete",
        "Microsoft.Authorization/roleAssignments/write",
    ),
    guidance=("S48", "S56", "S67"),
    needs=(AccessFacts, ActivityFacts, Attribution),
)


def plan(case: Case) -> list[Action | NoOp]:
    judged = Judged(case)
    assignments = sorted(case[AccessFacts].role_assignments, key=lambda a: a.id.lower())
    candidates: list[tuple[RoleAssignment, tuple[str, ...]]] = []
    kept: list[NoOp] = []
    for assignment in assignments:
        reasons, keep = _consider(assignment, case, judged)
        if reasons and not keep:
            candidates.append((assignment, reasons))
        elif keep:
            kept.append(NoOp(step=STEP.id, target=assignment.id, reason=keep))
    last = _last_owner(assignments, [a for a, _ in candidates], case)
    actions: list[Action | NoOp] = [_remove(a, reasons, judged) for a, reasons in candidates if a is not last]
    if last is not None:
        reason = "The last Owner: give Owner to somebody trusted first, then remove it."
        kept.append(NoOp(step=STEP.id, target=last.id, reason=reason))
    kept += [
        NoOp(step=STEP.id, target=role.id, reason=_by_hand(role))
        for role in case[AccessFacts].custom_roles
        if judged.is_attackers(role.id)
    ]
    return [*actions, *sorted(kept, key=lambda n: n.target.lower())]


def _by_hand(role: CustomRole) -> str:
    return (
        f"The attacker's own role definition {plain(role.name)}, assigned {role.assigned} times here: it gives nothing once these are "
        "removed. Firebreak deletes no role definitions: delete it by hand."
    )


def _consider(assignment: RoleAssignment, case: Case, judged: Judged) -> tuple[tuple[str, ...], str]:
    """Return (why it is the attacker's, why it stays nevertheless)."""
    if assignment.principal_type.lower() == "foreigngroup":
        return (), "Access of the partner (ForeignGroup): never removed by Firebreak."
    principal, name = assignment.principal_id.lower(), judged.principal_name(assignment.principal_id)
    reasons = _why(assignment, case, judged)
    if not reasons:
        stolen = judged.stolen_identities()
        if principal in stolen and _at_or_above(assignment, case):
            since = f" since {assignment.created_at:%Y-%m-%d}" if assignment.created_at else ""
            return (), (
                f"{plain(assignment.role_name)} of {stolen[principal]}{since} is a role of its own: its token was stolen, the role was not "
                f"granted by the attacker. To do by people: revoke the sessions of {stolen[principal]}, reset password and secrets, check MFA. "
                "Until then the attacker may still act with it; the deny policy stops new compute only."
            )
        return (), ""
    if case.incident.alert.is_test:
        return reasons, "Test alert: no access is removed."
    facts = case.get(SubscriptionFacts)
    if facts is not None and principal in {own.lower() for own in facts.own_principal_ids}:
        return reasons, "Firebreak's own identity: never removed."
    if judged.is_protected_principal(assignment.principal_id):
        return reasons, f"{name} is a protected principal."
    if not _inside(assignment, case) and (above := _why_above(assignment, case)):
        return reasons, above
    # By the assignment's own id, which lies where it holds: a protected thing somewhere below its scope is not touched, or the attacker would keep
    # a role on the whole subscription by one tag on one machine.
    return reasons, "" if is_assignment_above(assignment.id) else judged.protection(assignment.id)


def _why_above(assignment: RoleAssignment, case: Case) -> str:
    """Why a role above the subscription is not taken away; "" when it is at a management group where Firebreak may."""
    where = f"Granted above this subscription (at {plain(assignment.scope or '/')})"
    if not is_assignment_above(assignment.id):
        return f"{where}: an administrator of the tenant must remove it."
    facts = case.get(SubscriptionFacts)
    own = {one.lower() for one in (*facts.own_principal_ids, *facts.member_of)} if facts is not None else set()
    may = any(
        one.principal_id.lower() in own
        and one.role_definition_id.rsplit("/", 1)[-1].lower() in _GIVERS
        and one.scope.lower().rstrip("/") in ("", assignment.scope.lower().rstrip("/"))
        for one in case[AccessFacts].role_assignments
    )
    return (
        ""
        if may
        else f"{where}, where Firebreak may take no roles away: an administrator of the tenant must remove it."
    )


def _why(assignment: RoleAssignment, case: Case, judged: Judged) -> tuple[str, ...]:
    judgement = judged.of(assignment.id)
    if judgement is not None and judgement.cls is not Class.UNKNOWN:
        return judged.reasons(assignment.id) if judgement.cls is Class.ATTACKER else ()
    reasons = []
    own = judged.own_identities()
    if assignment.principal_id.lower() in own:
        reasons.append(f"{own[assignment.principal_id.lower()]} is an identity of the attacker.")
    grant = _grant(assignment, case)
    when = f" on {grant.at:%Y-%m-%d %H:%M}Z" if grant is not None else ""
    if grant is not None and judged.attacker_did(grant):
        reasons.append(
            f"Granted by the attacker{when} as {plain(grant.caller)} from {plain(grant.address or 'an unknown address', 45)}."
        )
    elif grant is None and assignment.created_by.lower() in own:
        reasons.append(f"Granted by the attacker as {own[assignment.created_by.lower()]}.")
    return tuple(reasons)


def _grant(assignment: RoleAssignment, case: Case) -> Any:
    activity = case[ActivityFacts]
    created = activity.creators.get(assignment.id.lower())
    if created is not None:
        return created
    writes = [
        op
        for op in activity.operations
        if op.name.lower() == "microsoft.authorization/roleassignments/write"
        and op.resource_id.lower() == assignment.id.lower()
        and op.status != "failed"
    ]
    return min(writes, key=lambda op: (op.at, op.id)) if writes else None


def _inside(assignment: RoleAssignment, case: Case) -> bool:
    scope = f"/subscriptions/{case.incident.subscription_id}"
    return (assignment.scope.lower().rstrip("/") + "/").startswith(scope + "/")


def _at_or_above(assignment: RoleAssignment, case: Case) -> bool:
    """Whether the role holds in this subscription at all; every listed one does, unless its scope is elsewhere."""
    return _inside(assignment, case) or not assignment.scope.lower().startswith("/subscriptions/")


def _is_owner(assignment: RoleAssignment, case: Case) -> bool:
    whole = assignment.scope.lower().rstrip("/") in (f"/subscriptions/{case.incident.subscription_id}", "") or (
        "/managementgroups/" in assignment.scope.lower()
    )
    return whole and assignment.role_definition_id.lower().endswith(OWNER)


def _last_owner(
    everybody: Sequence[RoleAssignment], leaving: Sequence[RoleAssignment], case: Case
) -> RoleAssignment | None:
    gone = {a.id.lower() for a in leaving}
    if any(_is_owner(a, case) and a.id.lower() not in gone for a in everybody):
        return None
    owners = [a for a in leaving if _is_owner(a, case)]
    return min(owners, key=lambda a: (str(a.created_at or "9"), a.id.lower())) if owners else None


def _remove(assignment: RoleAssignment, reasons: tuple[str, ...], judged: Judged) -> Action:
    who, above = judged.principal_name(assignment.principal_id), is_assignment_above(assignment.id)
    return Action(
        id=id_of_this_time(judged.case, STEP.id, REMOVE, assignment.id),
        step=STEP.id,
        kind=REMOVE,
        target=assignment.id,
        title=f"Remove {plain(assignment.role_name or 'a role')} from {who} ({assignment.principal_type}) on {_where(assignment)}",
        effect=Effect.REVERSIBLE,
        reasons=(
            *reasons,
            *((_BEYOND,) if above else ()),
            "Takes up to ten minutes to bite; tokens already issued live up to an hour or more.",
        ),
        params={NEEDS_TWO: True} if above else {},
        fingerprint=known(
            {
                "principalId": assignment.principal_id.lower(),
                "roleDefinitionId": assignment.role_definition_id.rsplit("/", 1)[-1].lower(),
                "createdOn": moment(assignment.created_at),
            }
        ),
    )


def _where(assignment: RoleAssignment) -> str:
    return "the subscription" if assignment.scope.count("/") <= 2 else name_of(assignment.scope)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    holders = {_identity(a.params.get("document"))["principalId"] for a in actions if a.kind == RESTORE}
    deleted = {holder for holder in sorted(holders) if await is_deleted(holder, eyes)}

    def judge(action: Action, document: dict[str, Any] | None) -> Target:
        wanted = _identity(action.params.get("document"))
        gone = "deleted from the directory" if wanted["principalId"] in deleted else THERE
        if document is None:
            free = FREE | {"principal": gone}
            left = Target(exists=False, already_so=False, state="absent", fingerprint=free, prior={"document": {}})
            return absent(action) if action.kind == REMOVE else left
        found = _identity(document)
        taken = f"taken by role {found['roleDefinitionId']} of {found['principalId']}"
        return Target(
            exists=True,
            already_so=action.kind == RESTORE and found == wanted,
            state="assigned",
            fingerprint=found
            | {"place": taken, "principal": gone, "createdOn": moment(text_at(document, "properties", "createdOn"))},
            prior={"document": document},
        )

    return await look_at(
        actions, eyes, judge, version=AUTHORIZATION, list_path="providers/Microsoft.Authorization/roleAssignments"
    )


def _identity(document: Any) -> dict[str, str]:
    """Whom a role assignment gives which role."""
    return {
        "principalId": text_at(document, "properties", "principalId").lower(),
        "roleDefinitionId": text_at(document, "properties", "roleDefinitionId").rsplit("/", 1)[-1].lower(),
    }


async def apply(action: Action, hands: Hands) -> Sent:
    if action.kind == RESTORE:
        return await hands.arm.put(action.target, AUTHORIZATION, action.params["document"])
    return await hands.arm.delete(action.target, AUTHORIZATION)


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Grant the same role again, under the same id, or remove what an undo granted."""
    properties = value_at(prior, "document", "properties")
    if action.kind == RESTORE and not isinstance(properties, dict):
        return Action(
            id=action_id(STEP.id, REMOVE, action.target),
            step=STEP.id,
            kind=REMOVE,
            target=action.target,
            title=action.title.replace("Give back", "Remove", 1).replace(" to ", " from ", 1),
            effect=Effect.REVERSIBLE,
            reasons=("It was not there before it was given back.",),
            fingerprint=_identity(action.params["document"]),
            params={NEEDS_TWO: True} if is_assignment_above(action.target) else {},
        )
    if action.kind != REMOVE or not isinstance(properties, dict):
        return None
    return Action(
        id=action_id(STEP.id, RESTORE, action.target),
        step=STEP.id,
        kind=RESTORE,
        target=action.target,
        title=action.title.replace("Remove", "Give back", 1).replace(" from ", " to ", 1),
        effect=Effect.REVERSIBLE,
        reasons=("Restores the role assignment as it was before.",),
        fingerprint=FREE | {"principal": THERE},
        params=({NEEDS_TWO: True} if is_assignment_above(action.target) else {})
        | {
            "document": {"properties": {k: properties[k] for k in _KEPT if properties.get(k) is not None}},
            HOLDER: text_at(properties, "principalId").lower(),
        },
    )


def whose(action: Action, case: Case) -> Class:
    """A role assignment is the attacker's when the attacker holds or granted it."""
    assignments = case[AccessFacts].role_assignments
    assignment = next((one for one in assignments if one.id.lower() == action.target.lower()), None)
    judged = case[Attribution].of(action.target)
    if assignment is None or (judged is not None and judged.cls is Class.LEGITIMATE):
        return judged.cls if judged is not None else Class.UNKNOWN
    return Class.ATTACKER if _why(assignment, case, Judged(case)) else Class.UNKNOWN
