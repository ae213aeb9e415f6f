"""Whether every account of the partner's tenant, those of programs too, has a second factor and is asked for it."""

from __future__ import annotations

from firebreak.analysis import documents as doc
from firebreak.analysis.partner import accounts
from firebreak.analysis.partner.judging import why_not
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.identity import TenantProtection
from firebreak.model.partner import PartnerAccounts
from firebreak.model.step import Effect, Step
from tasks import directory, partner
from tasks.reading import Notes

STEP = Step(
    id="investigate.partner_accounts",
    title="Check the second factor of every account of the partner",
    effect=Effect.READ,
    description=(
        "Compares the enabled accounts with Microsoft's report on registered second factors, and with security defaults and access policies: who "
        "has none, who cannot have one, whom nothing asks, who is excepted."
    ),
    graph_permissions=directory.permissions_of(
        partner.ACCOUNTS, partner.REGISTRATIONS, partner.GROUPS, directory.ASSIGNMENTS
    ),
    guidance=("S93", "S107"),
    produces=PartnerAccounts,
    needs=(TenantProtection,),
)


async def collect(eyes: Eyes, case: Case) -> PartnerAccounts:
    """Read accounts, report, admin agents and roles, each on its own."""
    notes = Notes()
    users = await partner.users(eyes, notes)
    rows = await directory.attempt(
        notes, partner.REGISTRATIONS, directory.everything(eyes, partner.REGISTRATIONS), None
    )
    agents = await partner.agents(eyes, notes)
    holders = await partner.holders(eyes, notes)
    report = None if rows is None else {doc.text(row, "id").lower(): row for row in rows}
    found = None if users is None else accounts.accounts_of(users, report, agents, holders or {})
    protection = case.get(TenantProtection)
    missed = protection.not_looked_at if protection else ()
    checks = accounts.checks_of(
        found,
        why_no_accounts=why_not(notes.all, partner.ACCOUNTS.what) if users is None else "",
        why_no_registrations=why_not(notes.all, partner.REGISTRATIONS.what) if rows is None else "",
        protection=protection,
        why_no_protection=why_not(missed, directory.SECURITY_DEFAULTS.what, directory.ACCESS_POLICIES.what),
    )
    return PartnerAccounts(
        accounts=found, agents_read=agents is not None, checks=tuple(checks), not_looked_at=notes.all
    )
