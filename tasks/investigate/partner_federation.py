"""Domains of the partner whose people sign in at another service, and whether that service proves the second factor."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.partner import federation
from firebreak.analysis.partner.judging import why_not
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.partner import PartnerFederation
from firebreak.model.step import Effect, Step
from tasks import directory, partner
from tasks.reading import Notes

_DAYS = timedelta(days=7)
_MOST_PEOPLE = 5  # of each domain, whose sign-ins show what its service does
_SIGN_INS = "sign-ins by other services"

STEP = Step(
    id="investigate.partner_federation",
    title="Check second factors that other services ask for",
    effect=Effect.READ,
    description=(
        "Finds domains whose people sign in at another service, and looks in the sign-in log of a few of them for the proof that it asked for a "
        "second factor: Partner Center accepts nothing else."
    ),
    graph_permissions=directory.permissions_of(partner.DOMAINS, partner.ACCOUNTS, directory.SIGN_INS),
    guidance=("S95", "S114"),
    produces=PartnerFederation,
    parameters={"api": "The version of Graph whose sign-in log is read; v1.0 does not tell the proof."},
)


async def collect(eyes: Eyes, case: Case) -> PartnerFederation:
    """Read the domains, then the sign-ins of a few people of each that is signed in to elsewhere."""
    notes = Notes()
    rows = await directory.attempt(notes, partner.DOMAINS, directory.everything(eyes, partner.DOMAINS), None)
    if rows is None:
        why = why_not(notes.all, partner.DOMAINS.what)
        return PartnerFederation(
            checks=(federation.FEDERATED.unread(why), federation.PROVEN.unread(why)), not_looked_at=notes.all
        )
    domains = federation.domains_of(rows)
    found: dict[str, list[Any]] = {}
    people = await partner.users(eyes, notes) if domains else []
    for domain in domains:
        mine = [one for one in people or () if doc.text(one, "userPrincipalName").lower().endswith(f"@{domain}")]
        for person in mine[:_MOST_PEOPLE]:
            found.setdefault(domain, []).extend(await _sign_ins(eyes, case, notes, doc.text(person, "id")))
    proof = (
        federation.PROVEN.unread(why_not(notes.all, _SIGN_INS, partner.ACCOUNTS.what))
        if notes.all
        else federation.proof_check(domains, found)
    )
    return PartnerFederation(domains=domains, checks=(federation.domain_check(domains), proof), not_looked_at=notes.all)


async def _sign_ins(eyes: Eyes, case: Case, notes: Notes, person: str) -> list[Any]:
    if not all(c.isalnum() or c == "-" for c in person):
        return []
    path = str(case.parameter(STEP.id, "api", "/beta")) + directory.SIGN_INS.path
    params = {"$filter": f"{directory.span('createdDateTime', case.now - _DAYS)} and userId eq '{person}'"}
    return await directory.attempt(
        notes,
        directory.SIGN_INS,
        directory.everything(eyes, directory.SIGN_INS, params, path=path),
        [],
        what=_SIGN_INS,
    )
