"""Take back roles that the attacker, or somebody by the attacker's grace, may take up in the subscription (Privileged Identity Management)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.eligible_access import EligibleAccess, EligibleRole
from firebreak.model.facts import ActivityFacts, Attribution, Class, Operation, SubscriptionFacts
from firebreak.model.intrusion import Intrusion
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import FREE, Effect, Sent, Step, Target
from tasks.arm import text_at, value_at
from tasks.eligible import SCHEDULES, VERSION, grant, removal, request_path
from tasks.judged import Judged, id_of_this_time
from tasks.words import name_of, plain

REMOVE, RESTORE = "eligible_access.remove", "eligible_access.restore"

STEP = Step(
    id="contain.remove_eligible_access",
    title="Take back Azure roles that the attacker may take up",
    effect=Effect.REVERSIBLE,
    description=(
        "Ends the eligibility for roles in the subscription that the attacker gave, or that an identity of the attacker's own holds. Eligibilities "
        "above the subscription are named for an administrator of the tenant."
    ),
    permissions=(
        "Microsoft.Authorization/roleEligibilitySchedules/read",
        "Microsoft.Authorization/roleEligibilityScheduleRequests/write",
    ),
    guidance=("S37", "S48", "S56"),
    needs=(EligibleAccess, ActivityFacts, Attribution),
)


def plan(case: Case) -> list[Action | NoOp]:
    judged = Judged(case)
    planned: list[Action | NoOp] = []
    for one in case[EligibleAccess].roles:
        reasons = _why(one, case, judged)
        keep = _keep(one, case, judged) if reasons else ""
        if keep:
            planned.append(NoOp(step=STEP.id, target=one.id, reason=keep))
        elif reasons:
            planned.append(_remove(one, case, judged, reasons))
    return planned


def _why(one: EligibleRole, case: Case, judged: Judged) -> tuple[str, ...]:
    """Why this is the attacker's doing: whose it is, or who asked for it."""
    reasons, own = [], judged.own_identities()
    intrusion = case.get(Intrusion)
    if one.principal_id in own:
        reasons.append(f"{own[one.principal_id]} is an identity of the attacker.")
    elif intrusion is not None and (found := intrusion.intruder(one.principal_id)) is not None and found.own:
        reasons.append(f"{plain(found.name, 80)} was brought in by the attacker.")
    asked = _asked(one, case)
    if asked is not None and judged.attacker_did(asked):
        place = plain(asked.address or "an unknown address", 45)
        reasons.append(
            f"Given by the attacker on {asked.at:%Y-%m-%d %H:%M}Z as {plain(asked.caller, 80)} from {place}."
        )
    return tuple(reasons)


def _asked(one: EligibleRole, case: Case) -> Operation | None:
    """The operation that made it, by the id of its request."""
    wanted = one.request_id.lower()
    found = (op for op in case[ActivityFacts].operations if op.resource_id.lower() == wanted and op.status != "failed")
    return next(found, None) if wanted else None


def _keep(one: EligibleRole, case: Case, judged: Judged) -> str:
    if case.incident.alert.is_test:
        return "Test alert: no access is removed."
    if one.principal_type.lower() == "foreigngroup":
        return "Access of the partner (ForeignGroup): never removed by Firebreak."
    facts = case.get(SubscriptionFacts)
    if facts is not None and one.principal_id in {own.lower() for own in facts.own_principal_ids}:
        return "Firebreak's own identity: never removed."
    if judged.is_protected_principal(one.principal_id):
        return f"{judged.principal_name(one.principal_id)} is a protected principal."
    inside = (one.scope.lower().rstrip("/") + "/").startswith(f"/subscriptions/{case.incident.subscription_id}/")
    if not inside:
        return (
            f"{plain(one.role_name, 80)} may be taken up above this subscription (at {plain(one.scope or '/', 160)}) by "
            f"{judged.principal_name(one.principal_id)}: an administrator of the tenant must end it there (Privileged Identity Management, "
            "Azure resources)."
        )
    if one.through_group:
        return "It is held through a group: take the attacker out of the group."
    return ""


def _remove(one: EligibleRole, case: Case, judged: Judged, reasons: tuple[str, ...]) -> Action:
    where = "the subscription" if one.scope.count("/") <= 2 else name_of(one.scope)
    return Action(
        id=id_of_this_time(case, STEP.id, REMOVE, one.id),
        step=STEP.id,
        kind=REMOVE,
        target=one.id,
        title=f"Take from {judged.principal_name(one.principal_id)} the right to take up {plain(one.role_name, 80)} on {where}",
        effect=Effect.REVERSIBLE,
        reasons=(
            *reasons,
            "Whoever is eligible takes the role up alone, at any time, and is in no list of role assignments until then.",
        ),
        fingerprint=_identity(one.principal_id, one.role_definition_id),
        params={
            "case": case.incident.case,
            "scope": one.scope,
            "principal_id": one.principal_id,
            "role_definition_id": one.role_definition_id,
            "ends_at": f"{one.ends_at:%Y-%m-%dT%H:%M:%SZ}" if one.ends_at else "",
        },
    )


def _identity(principal_id: str, role_definition_id: str) -> dict[str, str]:
    return {"principalId": principal_id.lower(), "role": role_definition_id.rsplit("/", 1)[-1].lower()}


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    rows = await eyes.arm.list(f"/subscriptions/{eyes.arm.subscription_id}/{SCHEDULES}", VERSION)
    standing = {_key(row): row for row in rows}
    found: dict[str, Target] = {}
    for action in actions:
        identity = _identity(action.params["principal_id"], action.params["role_definition_id"])
        scope = str(action.params["scope"]).lower().rstrip("/")
        row = standing.get((scope, identity["principalId"], identity["role"]))
        there, wanted = row is not None, action.kind == RESTORE
        free = FREE if wanted else dict(action.fingerprint)
        found[action.id] = Target(
            exists=there,
            already_so=there == wanted,
            state="may be taken up" if there else "absent",
            fingerprint=identity | ({"place": "taken"} if wanted else {}) if there else free,
            prior={"ends_at": text_at(row, "properties", "endDateTime")} if there else {"absent": True},
        )
    return found


def _key(row: Any) -> tuple[str, str, str]:
    properties = value_at(row, "properties")
    identity = _identity(text_at(properties, "principalId"), text_at(properties, "roleDefinitionId"))
    return (text_at(properties, "scope").lower().rstrip("/"), identity["principalId"], identity["role"])


async def apply(action: Action, hands: Hands) -> Sent:
    params = action.params
    path = request_path(params["scope"], action.id, params["case"])
    who, role = params["principal_id"], params["role_definition_id"]
    if action.kind == REMOVE:
        return await hands.arm.put(path, VERSION, removal(who, role))
    ends = datetime.fromisoformat(params["ends_at"]) if params["ends_at"] else None
    return await hands.arm.put(path, VERSION, grant(who, role, ends))


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Make them eligible again until the same end, or end it again."""
    if not prior:
        return None
    back = action.kind == REMOVE
    title = (
        action.title.replace("Take from", "Give back to", 1)
        if back
        else action.title.replace("Give back to", "Take from", 1)
    )
    identity = _identity(action.params["principal_id"], action.params["role_definition_id"])
    return Action(
        id=action_id(STEP.id, RESTORE if back else REMOVE, action.target),
        step=STEP.id,
        kind=RESTORE if back else REMOVE,
        target=action.target,
        title=title,
        effect=Effect.REVERSIBLE,
        reasons=("They could take it up before." if back else "They could not take it up before.",),
        fingerprint=dict(FREE) if back else identity,
        params=action.params | ({"ends_at": str(prior.get("ends_at") or "")} if back else {}),
    )


def whose(action: Action, case: Case) -> Class:
    """An eligibility is the attacker's when the attacker holds it or gave it."""
    one = next((role for role in case[EligibleAccess].roles if role.id.lower() == action.target.lower()), None)
    return Class.ATTACKER if one is not None and _why(one, case, Judged(case)) else Class.UNKNOWN
