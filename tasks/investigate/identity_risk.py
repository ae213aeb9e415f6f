"""What Identity Protection says: people and applications at risk, and the detections of the window."""

from __future__ import annotations

from typing import Any

from firebreak.analysis.identity import protection, risk
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import SubscriptionFacts
from firebreak.model.finding import Finding
from firebreak.model.identity import IdentityRisk, RiskSign, TenantProtection
from firebreak.model.step import Effect, Step
from tasks import directory
from tasks.reading import Notes

_READS = (directory.RISKY_USERS, directory.RISK_SIGNS, directory.RISKY_APPLICATIONS, directory.APPLICATION_SIGNS)

STEP = Step(
    id="investigate.identity_risk",
    title="Ask Identity Protection who is at risk",
    effect=Effect.READ,
    description=(
        "Reads people and applications that Identity Protection holds at risk, and its detections of the window. Without the licence it knows "
        "little or nothing, and the review says so."
    ),
    graph_permissions=directory.permissions_of(*_READS),
    guidance=("S42", "S43", "S44"),
    produces=IdentityRisk,
)

_AT_RISK = "riskState eq 'atRisk'"
_CONFIRMED = "riskState eq 'confirmedCompromised'"


async def collect(eyes: Eyes, case: Case) -> IdentityRisk:
    """Read people, then applications. Each request takes a second, since Graph grants one a second to the whole tenant."""
    notes, start = Notes(), directory.window_of(eyes, case)
    users = await _risky(eyes, notes, directory.RISKY_USERS)
    signs = await _signs(eyes, notes, directory.RISK_SIGNS, "user", case, users is not None)
    applications = await _risky(eyes, notes, directory.RISKY_APPLICATIONS)
    more = await _signs(eyes, notes, directory.APPLICATION_SIGNS, "application", case, applications is not None)
    _doubt(notes, case.get(TenantProtection), users is not None, applications is not None)
    return IdentityRisk(
        window_start=start,
        users_read=users is not None,
        applications_read=applications is not None,
        identities=(
            *(risk.risky_of(one, "user") for one in users or ()),
            *(risk.risky_of(one, "application") for one in applications or ()),
        ),
        signs=(*signs, *more),
        not_looked_at=notes.all,
    )


def assess(facts: IdentityRisk, case: Case) -> list[Finding]:
    subscription = case.get(SubscriptionFacts)
    return risk.find(facts, own=subscription.own_principal_ids if subscription else ())


async def _risky(eyes: Eyes, notes: Notes, read: directory.Read) -> list[dict[str, Any]] | None:
    """Those at risk and those confirmed, in two requests: the filter knows no "or"."""
    nothing: list[dict[str, Any]] | None = None
    found = await directory.attempt(notes, read, directory.everything(eyes, read, {"$filter": _AT_RISK}), nothing)
    if found is None:
        return None
    confirmed = await directory.attempt(notes, read, directory.everything(eyes, read, {"$filter": _CONFIRMED}), nothing)
    return found + (confirmed or [])


async def _signs(
    eyes: Eyes, notes: Notes, read: directory.Read, kind: str, case: Case, answers: bool
) -> tuple[RiskSign, ...]:
    """The detections, asked for only where the service answers at all: each request costs the whole tenant a second."""
    if not answers:
        notes.add(read.what, "not asked for: who is at risk was refused")
        return ()
    params = {"$filter": directory.span("detectedDateTime", directory.window_of(eyes, case))}
    rows = await directory.attempt(notes, read, directory.everything(eyes, read, params), [])
    return tuple(sign for sign in (risk.sign_of(row, kind) for row in rows) if sign is not None)


def _doubt(notes: Notes, tenant: TenantProtection | None, users: bool, applications: bool) -> None:
    """Say what an empty answer is worth where the licence is known to be missing."""
    if tenant is None:
        return
    if users and tenant.has_plan(*protection.P2) is False:
        notes.add(
            "most risk detections of people",
            "the tenant has no Entra ID P2, without which Graph tells few of them and hides their kind",
        )
    if applications and tenant.has_plan(*protection.WORKLOAD) is False:
        notes.add(
            "most risk detections of applications",
            "the tenant has no Workload Identities Premium, without which Graph tells few of them",
        )
