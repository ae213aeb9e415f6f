"""The tenant's sign-ins around the alert: of people, behind their backs, of applications and of managed identities."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from firebreak.analysis import documents as doc
from firebreak.analysis.identity import sign_in_findings
from firebreak.analysis.identity.guesses import Limits
from firebreak.analysis.identity.sign_in_records import APPLICATION, BACKGROUND, INTERACTIVE, MANAGED
from firebreak.analysis.identity.sign_in_review import SignInReview
from firebreak.errors import RejectedError
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import ActivityFacts, SubscriptionFacts
from firebreak.model.finding import Finding, NotLookedAt
from firebreak.model.identity import Administrators, Applications, DirectoryChanges, SignIns
from firebreak.model.step import Effect, Step
from tasks import directory
from tasks.detections import rules_of
from tasks.reading import Notes

STEP = Step(
    id="investigate.sign_ins",
    title="Review sign-ins around the alert",
    effect=Effect.READ,
    description=(
        "Reads a month of sign-ins and tells those of the window that are unlike all earlier ones of the same identity, guessed passwords, old "
        "protocols, missing second factors, fresh credentials of applications; ties them to the activity log by their tokens."
    ),
    graph_permissions=directory.permissions_of(directory.SIGN_INS),
    guidance=("S47", "S108", "S111", "S112"),
    produces=SignIns,
    parameters={
        "most_pages": "Pages of 1,000 sign-ins that are read at most of each kind, the newest first (12).",
        "most_people": "People of the activity log whose own sign-ins are read one by one where a log is longer than that (8).",
        "guesses": "Wrong passwords for one account within one hour that are worth telling (8).",
        "guesses_before_success": "Fewer do when somebody got in from the same strange address afterwards (3).",
        "sprayed_accounts": "Accounts that one address failed on within one hour (5).",
        "refused_factors": "Second factors asked for and not given within one hour (3).",
        "api": "Version of Graph's sign-in log, as it stands in the path (/beta): /v1.0 tells of interactive sign-ins of people only.",
    },
)

# Tokens for Azure Resource Manager: those that the activity log shows.
_AZURE = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
_PAGE = 999
_KINDS = (
    # what it is called; how Graph calls it; of which resource alone, since nobody reads a tenant's every renewed token
    (INTERACTIVE, "interactive sign-ins of people", "interactiveUser", ""),
    (BACKGROUND, "sign-ins to Azure in the background", "nonInteractiveUser", _AZURE),
    (APPLICATION, "sign-ins of applications", "servicePrincipal", ""),
    (MANAGED, "sign-ins of managed identities to Azure", "managedIdentity", _AZURE),
)


async def collect(eyes: Eyes, case: Case) -> SignIns:
    """Read each kind newest first; where one is longer than what is read, also the people of the activity log one by one."""
    notes, now, start = Notes(), eyes.now(), directory.window_of(eyes, case)
    rules = rules_of(case)
    review = SignInReview(rules, start)
    reader = _Reader(eyes, case, notes, review, min(start, now - directory.HISTORY), now)
    await reader.read()
    activity = case.get(ActivityFacts)
    if review.unreadable:
        notes.add(f"{review.unreadable} sign-ins", "they carry no time or no identity")
    if activity is None:
        notes.add("which operations were done with which sign-in", "the activity log was not collected")
    broken = tuple(NotLookedAt(f"the detection {p.file}:{p.line}", p.message) for p in rules.problems)
    return review.facts(now=now, activity=activity, of_interest=of_interest(case), not_looked_at=(*notes.all, *broken))


def assess(facts: SignIns, case: Case) -> list[Finding]:
    """Judge the sign-ins; the responder's own are left out where they are known."""
    subscription, defaults = case.get(SubscriptionFacts), Limits()
    chosen = {name: int(case.parameter(STEP.id, name, getattr(defaults, name))) for name in Limits.__struct_fields__}
    return sign_in_findings.find(
        facts,
        rules_of(case),
        limits=Limits(**chosen),
        own=subscription.own_principal_ids if subscription else (),
        around=sign_in_findings.Surroundings(case.get(Administrators), case.get(Applications)),
    )


def of_interest(case: Case) -> set[str]:
    """Object ids and names, lower-case, of those whose sign-ins matter most: at work in the subscription, ruling, changing or changed."""
    found: set[str] = set()
    activity, rulers, changes = case.get(ActivityFacts), case.get(Administrators), case.get(DirectoryChanges)
    for session in activity.sessions if activity else ():
        if activity and session.last_seen >= activity.window_start:
            found |= {session.caller, session.principal_id}
    found |= {
        name for one in (rulers.administrators if rulers else ()) if one.is_privileged for name in (one.id, one.name)
    }
    for change in changes.changes if changes else ():
        if not change.usual:
            found |= {change.actor_id, change.actor, *(target.id for target in change.targets)}
    return {name.lower() for name in found} - {""}


class _Reader:
    """Reads the log in the order of what matters most, and says what it left."""

    def __init__(
        self, eyes: Eyes, case: Case, notes: Notes, review: SignInReview, since: datetime, now: datetime
    ) -> None:
        self._eyes, self._case, self._notes, self._review = eyes, case, notes, review
        self._span = directory.span("createdDateTime", since, now)
        self._path = str(case.parameter(STEP.id, "api", "/beta")) + directory.SIGN_INS.path
        self._most = int(case.parameter(STEP.id, "most_pages", 12))

    async def read(self) -> None:
        first = await self._kind(*_KINDS[0])
        if first is None:
            self._notes.add(
                "sign-ins of applications and in the background", "the log of sign-ins was refused as a whole"
            )
            return
        if self._path.startswith("/v1.0"):
            text = "this version of Graph's log tells of interactive sign-ins only; set FIREBREAK_OPERATIONS__SIGN_INS_API=/beta"
            self._notes.add("sign-ins of applications and in the background", text)
            return
        cut = [INTERACTIVE] if first is False else []
        for kind in _KINDS[1:]:
            cut += [kind[0]] if await self._kind(*kind) is False else []
        if cut:
            await self._people(cut)

    async def _kind(self, kind: str, what: str, asked: str, resource: str) -> bool | None:
        """Whether all of a kind was read; None when it was refused."""
        filters = [self._span]
        if not self._path.startswith("/v1.0"):
            filters.append(f"signInEventTypes/any(t: t eq '{asked}')")
        if resource:
            filters.append(f"resourceId eq '{resource}'")
        seen: list[datetime] = []
        reading = self._tolerant(kind, filters, seen)
        whole = await directory.attempt(self._notes, directory.SIGN_INS, reading, None, what=what)
        if whole is False:
            self._notes.add(
                f"{what} before {min(seen):%Y-%m-%d %H:%M}Z",
                f"the log is longer than the {self._most} pages that are read of it",
            )
        return whole

    async def _tolerant(self, kind: str, filters: list[str], seen: list[datetime]) -> bool:
        """Read a kind; a cloud that does not take a filter is asked with fewer of them, or in the older version."""
        try:
            return await self._pages(kind, filters, self._most, seen)
        except RejectedError:
            if seen or self._path.startswith("/v1.0"):
                raise
            if kind == INTERACTIVE:
                self._path = f"/v1.0{directory.SIGN_INS.path}"
                return await self._pages(kind, filters[:1], self._most, seen)
            if len(filters) < 3:
                raise
            return await self._pages(kind, filters[:2], self._most, seen)

    async def _pages(self, kind: str, filters: Iterable[str], most: int, seen: list[datetime]) -> bool:
        """Whether the list ended before `most` pages were read."""
        params = {"$filter": " and ".join(filters), "$top": str(_PAGE)}
        async for page in self._eyes.graph.pages(self._path, params):
            self._review.add(page, kind=kind)
            seen += [at for at in (doc.moment(doc.field(row, "createdDateTime")) for row in page) if at]
            most -= 1
            if most <= 0:
                return len(page) < _PAGE
        return True

    async def _people(self, kinds: list[str]) -> None:
        """The own sign-ins of the people of the window, so that what is usual for them is known where the tenant's log was cut off."""
        activity = self._case.get(ActivityFacts)
        people: dict[str, None] = {}
        for session in activity.sessions if activity else ():
            if (
                activity
                and session.last_seen >= activity.window_start
                and "@" in session.caller
                and session.principal_id
            ):
                people[session.principal_id.lower()] = None
        most = int(self._case.parameter(STEP.id, "most_people", 8))
        for person in list(people)[:most]:
            if not all(c.isalnum() or c == "-" for c in person):
                continue
            for kind, what, asked, resource in _KINDS[:2]:
                if kind in kinds:
                    filters = [self._span, f"userId eq '{person}'", f"signInEventTypes/any(t: t eq '{asked}')"]
                    filters += [f"resourceId eq '{resource}'"] if resource else []
                    await directory.attempt(
                        self._notes,
                        directory.SIGN_INS,
                        self._pages(kind, filters, 3, []),
                        None,
                        what=f"{what}, one by one",
                    )
