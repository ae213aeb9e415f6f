"""The directory's audit log: what was changed in the window, by whom, judged by detections and by the properties of each change."""

from __future__ import annotations

from datetime import datetime

from firebreak.analysis.identity import change_findings
from firebreak.analysis.identity.changes import ChangeReview
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import SubscriptionFacts
from firebreak.model.finding import Finding, NotLookedAt
from firebreak.model.identity import Administrators, DirectoryChanges
from firebreak.model.step import Effect, Step
from tasks import directory
from tasks.detections import rules_of
from tasks.reading import Notes

STEP = Step(
    id="investigate.directory_changes",
    title="Review changes of the directory",
    effect=Effect.READ,
    description=(
        "Reads the directory's audit log: roles given, sign-in methods registered, credentials added to applications, consents, guests, policies "
        "and federation changed; each judged by what exactly was changed and by what its actor usually does."
    ),
    graph_permissions=directory.permissions_of(directory.AUDITS),
    guidance=("S48", "S51"),
    produces=DirectoryChanges,
    parameters={"most_pages": "Pages of 1,000 records that are read at most, the newest first (20)."},
)

_PAGE = "999"


async def collect(eyes: Eyes, case: Case) -> DirectoryChanges:
    """Read the log newest first, a month back, so that what an actor usually does is known."""
    notes, now, start = Notes(), eyes.now(), directory.window_of(eyes, case)
    rules = rules_of(case)
    review = ChangeReview(rules, start)

    async def read() -> bool:
        left = int(case.parameter(STEP.id, "most_pages", 20))
        params = {
            "$filter": directory.span("activityDateTime", min(start, now - directory.HISTORY), now),
            "$orderby": "activityDateTime desc",
            "$top": _PAGE,
        }
        async for page in eyes.graph.pages(directory.AUDITS.path, params):
            review.add(page)
            left -= 1
            if left <= 0:
                return len(page) < int(_PAGE)
        return True

    whole = await directory.attempt(notes, directory.AUDITS, read(), None)
    oldest = review.oldest()
    if whole is False or (whole is None and review.records):
        notes.add(f"changes of the directory before {_minute(oldest)}", "the log is longer than what is read of it")
    if review.unreadable:
        notes.add(f"{review.unreadable} records of the directory's audit log", "they carry no time or no activity")
    broken = tuple(NotLookedAt(f"the detection {p.file}:{p.line}", p.message) for p in rules.problems)
    return review.facts(now=now, not_looked_at=(*notes.all, *broken))


def assess(facts: DirectoryChanges, case: Case) -> list[Finding]:
    """Judge the changes; the responder's own are left out where they are known."""
    subscription = case.get(SubscriptionFacts)
    return change_findings.find(
        facts,
        rules_of(case),
        own=subscription.own_principal_ids if subscription else (),
        administrators=case.get(Administrators),
    )


def _minute(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z" if at else "today"
