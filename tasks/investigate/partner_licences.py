"""Whether the admin agents have the premium licence, take their roles up for a while, and are stopped when a sign-in looks dangerous."""

from __future__ import annotations

from firebreak.analysis import documents as doc
from firebreak.analysis.partner import licences
from firebreak.analysis.partner.judging import why_not
from firebreak.model.case import Case
from firebreak.model.check import Check
from firebreak.model.clouds import Eyes
from firebreak.model.identity import TenantProtection
from firebreak.model.partner import PartnerAccounts, PartnerLicences
from firebreak.model.step import Effect, Step
from tasks import directory, partner
from tasks.reading import Notes

STEP = Step(
    id="investigate.partner_licences",
    title="Check what protects the admin agents",
    effect=Effect.READ,
    description=(
        "Compares the licences of the members of AdminAgents with those that hold Entra ID P2, tells who holds strong roles for good, and whether "
        "access policies look at risk."
    ),
    graph_permissions=directory.permissions_of(directory.LICENCES, directory.ACTIVE),
    guidance=("S102",),
    produces=PartnerLicences,
    needs=(PartnerAccounts, TenantProtection),
)


async def collect(eyes: Eyes, case: Case) -> PartnerLicences:
    """Read the tenant's licences and who holds roles for good."""
    notes = Notes()
    checks = (await _licensed(eyes, case, notes), await _temporary(eyes, case, notes), _by_risk(case))
    return PartnerLicences(checks=checks, not_looked_at=notes.all)


async def _licensed(eyes: Eyes, case: Case, notes: Notes) -> Check:
    facts = case.get(PartnerAccounts)
    skus = await directory.attempt(notes, directory.LICENCES, directory.everything(eyes, directory.LICENCES), None)
    if skus is None:
        return licences.LICENSED.unread(why_not(notes.all, directory.LICENCES.what))
    if facts is None or facts.accounts is None or not facts.agents_read:
        missed = facts.not_looked_at if facts else ()
        return licences.LICENSED.unread(why_not(missed, partner.ACCOUNTS.what, partner.GROUPS.what))
    return licences.licence_check([one for one in facts.accounts if one.is_agent], licences.premium_skus(skus))


async def _temporary(eyes: Eyes, case: Case, notes: Notes) -> Check:
    rows = await directory.attempt(notes, directory.ACTIVE, directory.everything(eyes, directory.ACTIVE), None)
    facts = case.get(PartnerAccounts)
    if rows is None or facts is None or facts.accounts is None:
        return licences.TEMPORARY.unread(
            why_not((*notes.all, *(facts.not_looked_at if facts else ())), directory.ACTIVE.what, partner.ACCOUNTS.what)
        )
    for_good = [
        row
        for row in rows
        if doc.text(row, "assignmentType").lower() == "assigned" and not doc.field(row, "endDateTime")
    ]
    return licences.role_check(partner.by_principal(for_good), facts.accounts)


def _by_risk(case: Case) -> Check:
    facts = case.get(TenantProtection)
    if facts is None or facts.policies is None:
        return licences.BY_RISK.unread(why_not(facts.not_looked_at if facts else (), directory.ACCESS_POLICIES.what))
    return licences.risk_check(facts)
