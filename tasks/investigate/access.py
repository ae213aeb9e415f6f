"""Who may do what in the subscription, and what is locked, ruled or denied there."""

from __future__ import annotations

from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.authorization import custom_role, lock, role_assignment
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import AccessFacts, ActivityFacts, Lock
from firebreak.model.finding import Finding, Severity
from firebreak.model.step import Effect, Step
from tasks.policies import read_policies
from tasks.reading import Notes

STEP = Step(
    id="investigate.access",
    title="Read roles, locks, policies and deny assignments",
    effect=Effect.READ,
    description=(
        "Lists role assignments with the names of their roles, the tenant's own role definitions, resource locks, policy assignments with what "
        "they deny, and deny assignments of the subscription and everything in it."
    ),
    permissions=(
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleDefinitions/read",
        "Microsoft.Authorization/locks/read",
        "Microsoft.Authorization/policyAssignments/read",
        "Microsoft.Authorization/policyDefinitions/read",
        "Microsoft.Authorization/policySetDefinitions/read",
        "Microsoft.Authorization/policyExemptions/read",
        "Microsoft.Authorization/denyAssignments/read",
    ),
    guidance=("S28", "S37", "S67"),
    produces=AccessFacts,
)

_AUTHORIZATION = "2022-04-01"
# Built-in roles whose names are needed even where role definitions may not be read.
_BUILT_IN = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "cfd33db0-3dd1-45e3-aa9d-cdbdf3b6f24e": "Support Request Contributor",
    "0e5f05e5-9ab9-446b-b98d-1e2157c94125": "Quota Request Operator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}
_STRONG = {"owner", "contributor", "user access administrator", "role based access control administrator"}


async def collect(eyes: Eyes, case: Case) -> AccessFacts:  # noqa: ARG001 - the contract
    """Read the role assignments or fail; what else cannot be read is noted."""
    base = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Authorization"
    notes = Notes()
    assignments = await eyes.arm.list(f"{base}/roleAssignments", _AUTHORIZATION)
    nothing: list[dict[str, Any]] = []
    definitions = await notes.attempt(
        "role definitions", eyes.arm.list(f"{base}/roleDefinitions", _AUTHORIZATION), nothing
    )
    unread: list[dict[str, Any]] | None = None
    locks = await notes.attempt("resource locks", eyes.arm.list(f"{base}/locks", "2020-05-01"), unread)
    policies = await read_policies(eyes, notes)
    denials = await notes.attempt("deny assignments", eyes.arm.list(f"{base}/denyAssignments", _AUTHORIZATION), nothing)
    names = _BUILT_IN | {
        doc.path(item, "id").rsplit("/", 1)[-1].lower(): doc.text(item, "properties", "roleName")
        for item in definitions
    }
    roles = _sorted(role_assignment(item, names) for item in assignments if doc.path(item, "id"))
    own = (custom_role(item, roles) for item in definitions if doc.path(item, "id"))
    return AccessFacts(
        role_assignments=roles,
        custom_roles=_sorted(role for role in own if role is not None),
        locks=_sorted(lock(item) for item in locks or () if doc.path(item, "id")),
        locks_were_read=locks is not None,
        policy_assignments=policies.assignments,
        policies_were_read=policies.were_read,
        policy_definitions=policies.definitions,
        policies_not_read=policies.not_read,
        policy_exemptions=policies.exemptions,
        deny_assignments=tuple(sorted(denials, key=lambda item: doc.path(item, "id").lower())),
        not_looked_at=notes.all,
    )


def assess(facts: AccessFacts, case: Case) -> list[Finding]:
    """Point out strong roles and locks that came in the incident's window."""
    activity = case.get(ActivityFacts)
    if activity is None:
        return []
    recent = [
        item
        for item in facts.role_assignments
        if item.created_at and item.created_at >= activity.window_start and item.role_name.lower() in _STRONG
    ]
    found = []
    if recent:
        found.append(
            Finding(
                id="strong-roles-new",
                step=STEP.id,
                title="Strong roles assigned in the incident's window",
                severity=Severity.MEDIUM,
                reasons=tuple(
                    f"{item.role_name} at {doc.shown(item.scope, 200)} for {item.principal_type or 'principal'} "
                    f"{doc.shown(item.principal_id)}, {item.created_at:%Y-%m-%d %H:%M}Z."
                    for item in recent
                ),
                resources=tuple(item.id for item in recent),
                techniques=("T1098.003",),
            )
        )
    fresh = [lock for lock in facts.locks if _is_fresh(lock, activity)]
    if fresh:
        found.append(
            Finding(
                id="locks-new",
                step=STEP.id,
                title="Locks put in the incident's window",
                severity=Severity.MEDIUM,
                reasons=tuple(f"{lock.level} on {doc.shown(lock.scope, 200)}." for lock in fresh),
                event_ids=tuple(e for lock in fresh for e in activity.creators[lock.id.lower()].event_ids),
                resources=tuple(lock.id for lock in fresh),
                techniques=("T1531",),
            )
        )
    return found


def _is_fresh(lock: Lock, activity: ActivityFacts) -> bool:
    creator = activity.creators.get(lock.id.lower())
    return creator is not None and creator.at >= activity.window_start


def _sorted(values: Any) -> tuple[Any, ...]:
    return tuple(sorted(values, key=lambda value: str(value.id).lower()))
