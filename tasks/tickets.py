"""Support tickets: who is to be called back, which problem they are about, and the one request that files them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import SupportFacts, SupportProblem
from firebreak.model.plan import Action
from firebreak.model.step import Sent, Target
from tasks.arm import SUPPORT, read_all, text_at
from tasks.words import plain, slug

CONTACT_OWNER = "notify.support_ticket"
PERMISSIONS = ("Microsoft.Support/supportTickets/read", "Microsoft.Support/supportTickets/write")
STAYS = "A filed ticket stays with Microsoft: close it there."
SEVERITIES = ("minimal", "moderate", "critical", "highestcriticalimpact")

# The names of our parameters and those of Microsoft.Support; country is ISO alpha-3.
_CONTACT = {
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "primaryEmailAddress",
    "time_zone": "preferredTimeZone",
    "country": "country",
    "language": "preferredSupportLanguage",
}


def ticket_path(case: Case, suffix: str = "") -> str:
    """The ticket's id, the same for the same incident: filing twice is one ticket."""
    name = f"firebreak-{slug(case.incident.case)}{suffix}"
    return f"/subscriptions/{case.incident.subscription_id}/providers/Microsoft.Support/supportTickets/{name}"


def contact(case: Case) -> tuple[dict[str, str], str]:
    """Return the contact details, or the reason why there are none."""
    given = case.parameter(CONTACT_OWNER, "contact", None)
    missing = [name for name in _CONTACT if not (isinstance(given, Mapping) and given.get(name))]
    if not isinstance(given, Mapping) or missing:
        lacking = "" if not isinstance(given, Mapping) else f" ({', '.join(missing)} missing)"
        return {}, f"Nobody to call back is configured{lacking}: set the playbook parameter {CONTACT_OWNER}.contact."
    details = {theirs: plain(str(given[ours]), 100) for ours, theirs in _CONTACT.items()}
    phone = {"phoneNumber": plain(str(given["phone"]), 40)} if given.get("phone") else {}
    return details | phone | {"preferredContactMethod": "phone" if phone else "email"}, ""


def problem_for(case: Case, service: str, words: Sequence[str]) -> SupportProblem | None:
    """The classification of a service whose title fits best: the first word that any title holds decides."""
    facts = case.get(SupportFacts)
    offered = [p for p in (facts.problems if facts is not None else ()) if service in p.service.lower()]
    for word in words:
        fitting = sorted((p for p in offered if word in p.title.lower()), key=lambda p: p.id)
        if fitting:
            return fitting[0]
    return None


def document(
    problem: SupportProblem, people: Mapping[str, str], *, title: str, description: str, severity: str, **more: Any
) -> dict[str, Any]:
    """The body of a new ticket."""
    return {
        "properties": {
            "serviceId": problem.service_id,
            "problemClassificationId": problem.id,
            "title": plain(title, 200),
            "description": description,
            "severity": severity,
            "advancedDiagnosticConsent": "Yes",
            "require24X7Response": severity in ("critical", "highestcriticalimpact"),
            "contactDetails": dict(people),
            **more,
        }
    }


def severity_of(case: Case, step: str, default: str) -> str:
    """The severity a playbook asks for, else the default; anything Microsoft does not know counts as the default."""
    asked = str(case.parameter(step, "severity", default)).lower()
    return asked if asked in SEVERITIES else default


async def look_at_tickets(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    """A ticket that exists is filed, whatever became of it since."""
    documents = await read_all(eyes, (action.target for action in actions), SUPPORT)
    found = {}
    for action in actions:
        ticket = documents[action.target.lower()]
        status = text_at(ticket, "properties", "status")
        number = text_at(ticket, "properties", "supportTicketId")
        state = f"{status or 'filed'} {number}".strip() if ticket is not None else "absent"
        found[action.id] = Target(exists=ticket is not None, already_so=ticket is not None, state=state)
    return found


async def file_ticket(action: Action, hands: Hands) -> Sent:
    """Send the one request."""
    return await hands.arm.put(action.target, SUPPORT, action.params["document"])
