"""Which roles of the subscription somebody may take up (Privileged Identity Management): a way back that no list of role assignments shows."""

from __future__ import annotations

from typing import Any

from firebreak.analysis import documents as doc
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.eligible_access import EligibleAccess, EligibleRole
from firebreak.model.facts import AccessFacts, ActivityFacts
from firebreak.model.finding import Finding, Severity
from firebreak.model.step import Effect, Step
from tasks.eligible import SCHEDULES, VERSION
from tasks.reading import Notes

STEP = Step(
    id="investigate.eligible_access",
    title="Read which roles may be taken up",
    effect=Effect.READ,
    description=(
        "Lists the roles at the subscription, above it and below it for which somebody is eligible (Privileged Identity Management). Without "
        "Entra ID P2 or Governance there are none that work, and the report says that they were not looked at."
    ),
    permissions=("Microsoft.Authorization/roleEligibilitySchedules/read",),
    guidance=("S37", "S48", "S56"),
    produces=EligibleAccess,
)


async def collect(eyes: Eyes, case: Case) -> EligibleAccess:
    """Read the schedules once; a refusal is noted with its reason."""
    notes, access = Notes(), case.get(AccessFacts)
    path = f"/subscriptions/{eyes.arm.subscription_id}/{SCHEDULES}"
    nothing: list[dict[str, Any]] = []
    rows = await notes.attempt("roles that may be taken up", eyes.arm.list(path, VERSION), nothing)
    names = (
        {one.role_definition_id.rsplit("/", 1)[-1].lower(): one.role_name for one in access.role_assignments}
        if access
        else {}
    )
    found = [_role(row, names) for row in rows if doc.path(row, "id")]
    return EligibleAccess(roles=tuple(sorted(found, key=lambda one: one.id.lower())), not_looked_at=notes.all)


def _role(row: Any, names: dict[str, str]) -> EligibleRole:
    definition = doc.path(row, "properties", "roleDefinitionId")
    expanded = doc.text(row, "properties", "expandedProperties", "roleDefinition", "displayName")
    guid = definition.rsplit("/", 1)[-1].lower()
    return EligibleRole(
        id=doc.path(row, "id"),
        scope=doc.path(row, "properties", "scope"),
        role_definition_id=definition,
        role_name=expanded or names.get(guid, "") or guid,
        principal_id=doc.text(row, "properties", "principalId").lower(),
        principal_type=doc.text(row, "properties", "principalType"),
        request_id=doc.path(row, "properties", "roleEligibilityScheduleRequestId"),
        created_at=doc.moment(doc.field(row, "properties", "createdOn")),
        ends_at=doc.moment(doc.field(row, "properties", "endDateTime")),
        through_group=doc.text(row, "properties", "memberType").lower() in ("group", "inherited"),
    )


def assess(facts: EligibleAccess, case: Case) -> list[Finding]:
    """Point out those that came in the incident's window."""
    activity = case.get(ActivityFacts)
    if activity is None:
        return []
    fresh = [one for one in facts.roles if one.created_at and one.created_at >= activity.window_start]
    if not fresh:
        return []
    return [
        Finding(
            id="eligible-roles-new",
            step=STEP.id,
            title="Roles that somebody may take up since the incident's window began",
            severity=Severity.MEDIUM,
            reasons=tuple(
                f"{doc.shown(one.role_name, 80)} at {doc.shown(one.scope, 200)} for {one.principal_type or 'principal'} "
                f"{doc.shown(one.principal_id)}, {one.created_at:%Y-%m-%d %H:%M}Z."
                for one in fresh
            ),
            resources=tuple(one.id for one in fresh),
            techniques=("T1098.003",),
        )
    ]
