"""What Partner Center says of the second factor behind its calls: our own, everybody's, by application and by person."""

from __future__ import annotations

from datetime import timedelta

from firebreak.analysis.partner import calls
from firebreak.analysis.partner.judging import why_not
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.partner import PartnerCalls
from firebreak.model.step import Effect, Step
from tasks.reading import Notes

_OWN, _CALLS, _APPLICATIONS, _PEOPLE = (
    "the second factor behind our own access",
    "the last calls of Partner Center",
    "the calls of Partner Center by application",
    "people without a second factor in Partner Center",
)
_DAYS = timedelta(days=7)

STEP = Step(
    id="investigate.partner_calls",
    title="Ask Partner Center which calls had no second factor",
    effect=Effect.READ,
    description=(
        "Asks Partner Center whether a second factor stands behind this installation's access (ValidateMfa), and for the calls, applications and "
        "people without one. It answers sign-ins on behalf of a person only."
    ),
    guidance=("S65", "S94", "S113"),
    produces=PartnerCalls,
)


async def collect(eyes: Eyes, case: Case) -> PartnerCalls:
    """Ask the four questions, each on its own."""
    notes, center = Notes(), eyes.partner_center
    own = await notes.attempt(_OWN, center.second_factor(), None)
    rows = await notes.attempt(_CALLS, center.list("/v1/partnerRequests"), None)
    days = {"startDate": f"{case.now - _DAYS:%Y-%m-%d}", "endDate": f"{case.now:%Y-%m-%d}"}
    applications = await notes.attempt(_APPLICATIONS, center.list("/v1/applicationmfaadoptionstatus", days), None)
    people = await notes.attempt(_PEOPLE, center.list("/v1/nonMfaCompliantPartnerPrincipals"), None)
    refused = {note.what for note in notes.all}
    checks = (
        calls.OWN.unread(why_not(notes.all, _OWN)) if _OWN in refused else calls.own_check(own),
        calls.CALLS.unread(why_not(notes.all, _CALLS)) if rows is None else calls.calls_check(rows),
        calls.APPLICATIONS.unread(why_not(notes.all, _APPLICATIONS))
        if applications is None
        else calls.applications_check(applications),
        calls.PEOPLE.unread(why_not(notes.all, _PEOPLE)) if people is None else calls.people_check(people),
    )
    return PartnerCalls(checks=checks, not_looked_at=notes.all)
