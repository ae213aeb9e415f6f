"""Domains whose people sign in at a service of somebody else's, and whether that service says that it asked for a second factor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import listed, shown
from firebreak.analysis.partner.judging import Claim
from firebreak.model.check import Check

STEP = "investigate.partner_federation"
_CLAIM = "claim provided by external provider"

FEDERATED = Claim(
    id="federated-domains",
    row="S95",
    step=STEP,
    title="No account depends on another company's service for its second factor",
    advice="Exceptions for such services ended: have these people use Microsoft's own second factor, or test that the service proves its own.",
)
PROVEN = Claim(
    id="federated-proof",
    row="S114",
    step=STEP,
    title="Where another service asks for the second factor, it says so in every sign-in",
    advice="Sign in as one of these people, then look for the proof in the sign-in log; if it is missing, work with the vendor of the service.",
)


def domains_of(rows: Iterable[Any]) -> tuple[str, ...]:
    """Names of domains whose people sign in elsewhere."""
    found = {
        doc.text(row, "id").lower()
        for row in rows
        if doc.text(row, "authenticationType").lower() == "federated" and doc.field(row, "isVerified") is not False
    }
    return tuple(sorted(found - {""}))


def domain_check(domains: Sequence[str]) -> Check:
    return FEDERATED.judged(
        [shown(one, 120) for one in domains],
        failed=f"Domains whose people sign in at another service: {len(domains)}.",
        passed="All domains are signed in to at Microsoft.",
    )


def proof_check(domains: Sequence[str], sign_ins: Mapping[str, Sequence[Any]]) -> Check:
    """`sign_ins` are Graph's rows by domain; a domain of which there are none says nothing."""
    if not domains:
        return PROVEN.judged([], failed="", passed="There is no such service.")
    wrong, seen = [], []
    for domain in domains:
        rows = [row for row in sign_ins.get(domain, ()) if doc.whole(row, "status", "errorCode", default=-1) == 0]
        without = [row for row in rows if not _proves(row)]
        if without:
            people = listed((doc.text(row, "userPrincipalName") for row in without), most=3)
            wrong.append(f"{shown(domain, 120)}: {len(without)} of {len(rows)} sign-ins without proof ({people})")
        elif rows:
            seen.append(f"{shown(domain, 120)}: all {len(rows)} sign-ins with proof")
    if not wrong and len(seen) < len(domains):
        return PROVEN.unread(
            "Nobody of such a domain signed in lately, so nothing shows whether the proof is given.", PROVEN.advice
        )
    return PROVEN.judged(
        wrong,
        failed="The proof is missing: for Partner Center these people have no second factor.",
        passed="The log shows the proof.",
        seen=seen,
    )


def _proves(row: Any) -> bool:
    """Whether Microsoft asked itself, or the other service's proof was accepted."""
    steps = doc.items(row, "authenticationDetails")
    said = " ".join(doc.text(step, "authenticationStepResultDetail").lower() for step in steps)
    return _CLAIM in said or doc.text(row, "authenticationRequirement").lower() == "multifactorauthentication"
