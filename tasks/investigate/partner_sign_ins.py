"""Sign-ins to the partner's tenant that nobody was asked for a second factor at: by people, old protocols, programs, directory-sync accounts."""

from __future__ import annotations

from datetime import timedelta

from firebreak.analysis.partner import sign_ins
from firebreak.analysis.partner.judging import why_not
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.partner import PartnerSignIns
from firebreak.model.step import Effect, Step
from tasks import directory
from tasks.reading import Notes

_DAYS = timedelta(days=7)
_PAGE = 1000
_KINDS = (("interactiveUser", "sign-ins of people"), ("nonInteractiveUser", "sign-ins in the background"))

STEP = Step(
    id="investigate.partner_sign_ins",
    title="Read the partner's sign-ins without a second factor",
    effect=Effect.READ,
    description=(
        "Reads the successful sign-ins of the last seven days that needed a password alone: who, by which protocol, and which of them are "
        "programs or the account that synchronises the directory."
    ),
    graph_permissions=directory.SIGN_INS.permissions,
    guidance=("S105", "S108", "S111", "S112"),
    produces=PartnerSignIns,
    parameters={
        "api": "The version of Graph whose sign-in log is read; v1.0 knows sign-ins of people only.",
        "most_pages": "How many pages of 1,000 sign-ins are read of each kind.",
    },
)


async def collect(eyes: Eyes, case: Case) -> PartnerSignIns:
    """Read both kinds; the log of a tenant without the licence is refused, and then nothing is said of it."""
    notes, since = Notes(), case.now - _DAYS
    path = str(case.parameter(STEP.id, "api", "/beta")) + directory.SIGN_INS.path
    most = int(case.parameter(STEP.id, "most_pages", 12))
    span = directory.span("createdDateTime", since)
    documents: list[object] = []
    if path.startswith("/v1.0"):
        text = "v1.0 of Graph does not tell which sign-ins had one factor; set FIREBREAK_OPERATIONS__SIGN_INS_API=/beta"
        notes.add("sign-ins", text)
    else:
        for kind, what in _KINDS:
            asked = (
                f"signInEventTypes/any(t: t eq '{kind}') and authenticationRequirement eq 'singleFactorAuthentication'"
            )
            await directory.attempt(
                notes,
                directory.SIGN_INS,
                _pages(eyes, path, f"{span} and {asked}", most, documents, notes, what),
                None,
                what=what,
            )
    rows = sign_ins.rows_of(documents)
    why = why_not(notes.all, *(note.what for note in notes.all)) if notes.all else ""
    return PartnerSignIns(
        since=since,
        were_read=not notes.all,
        shut_out=sign_ins.shut_out(rows),
        checks=tuple(sign_ins.checks_of(rows, since=since, why=why)),
        not_looked_at=notes.all,
    )


async def _pages(
    eyes: Eyes, path: str, wanted: str, most: int, documents: list[object], notes: Notes, what: str
) -> None:
    params = {"$filter": wanted, "$top": str(_PAGE)}
    async for page in eyes.graph.pages(path, params):
        documents += page
        most -= 1
        if most <= 0 and len(page) >= _PAGE:
            notes.add(what, "the log is longer than the pages that are read of it: older sign-ins were left out")
            return
