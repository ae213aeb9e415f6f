"""Microsoft's security score of the partner, with its requirements and its history."""

from __future__ import annotations

from firebreak.analysis import documents as doc
from firebreak.analysis.partner import score
from firebreak.analysis.partner.judging import why_not
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.partner import PartnerScore
from firebreak.model.step import Effect, Step
from tasks import directory, partner
from tasks.reading import Notes

STEP = Step(
    id="investigate.partner_score",
    title="Read Microsoft's security score of the partner",
    effect=Effect.READ,
    description=(
        "Reads the security requirements for partners with Microsoft's own verdict on each, the score, and how it went. The service is in beta."
    ),
    graph_permissions=partner.SCORE.permissions,
    guidance=("S91", "S103"),
    produces=PartnerScore,
    parameters={"api": "The path of the score in Graph, without the address."},
)


async def collect(eyes: Eyes, case: Case) -> PartnerScore:
    """Ask for the score, its requirements and its history, each on its own."""
    notes, read = Notes(), partner.SCORE
    path = str(case.parameter(STEP.id, "api", read.path))
    found = await directory.attempt(notes, read, eyes.graph.get(path), None)
    checks = [score.SCORE.unread(why_not(notes.all, read.what))] if found is None else [score.score_check(found)]
    if found is None and not notes.all:
        checks = [score.SCORE.unread("Microsoft has no score for this tenant.")]
    what = "the security requirements"
    rows = await directory.attempt(
        notes, read, directory.everything(eyes, read, path=f"{path}/requirements"), None, what=what
    )
    if rows is None:
        checks.append(score.REQUIREMENTS.unread(why_not(notes.all, what)))
    else:
        checks += score.requirement_checks(rows)
    past = await directory.attempt(
        notes, read, directory.everything(eyes, read, path=f"{path}/history"), None, what="the history of the score"
    )
    return PartnerScore(
        score=doc.amount(doc.field(found, "currentScore")),
        highest=doc.amount(doc.field(found, "maxScore")),
        history=score.history_of(past or ()),
        checks=tuple(checks),
        not_looked_at=notes.all,
    )
