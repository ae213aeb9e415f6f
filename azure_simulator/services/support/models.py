"""Tickets: which fields they need, and the document that the service makes of them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.services.support import catalogue
from azure_simulator.services.support.exceptions import InvalidTicketError
from azure_simulator.world import Document, World

SEVERITIES = {
    "minimal": 480,
    "moderate": 240,
    "critical": 60,
    "highestcriticalimpact": 15,
}  # minutes to the first answer
REQUIRED = (
    "serviceId",
    "problemClassificationId",
    "title",
    "description",
    "severity",
    "advancedDiagnosticConsent",
    "contactDetails",
)
CONTACT = (
    "firstName",
    "lastName",
    "preferredContactMethod",
    "primaryEmailAddress",
    "preferredTimeZone",
    "country",
    "preferredSupportLanguage",
)
STATUSES = ("open", "closed")
Problem = tuple[str, str, str]


def check_new(world: World, body: Any) -> Document:
    """The properties of a valid new ticket.

    Raises:
        InvalidTicketError: lists everything that is wrong.
    """
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise InvalidTicketError([("MissingParameter", "The request body must have 'properties'.", "properties")])
    wrong = [_missing(name, name) for name in REQUIRED if not properties.get(name)]
    wrong += _contact_problems(properties.get("contactDetails"))
    wrong += _choice_problems(properties)
    if properties.get("serviceId") and properties.get("problemClassificationId"):
        wrong += _classification_problems(world, properties)
    if wrong:
        raise InvalidTicketError(wrong)
    return properties


def check_change(body: Any) -> Document:
    """The fields of a PATCH: severity, status, contactDetails, advancedDiagnosticConsent.

    Raises:
        InvalidTicketError: nothing to change, or an unknown value.
    """
    if isinstance(body, dict) and isinstance(body.get("properties"), dict):
        body = body["properties"]
    known = ("severity", "status", "contactDetails", "advancedDiagnosticConsent", "secondaryConsent")
    change = {k: v for k, v in body.items() if k in known and v is not None} if isinstance(body, dict) else {}
    if not change:
        raise InvalidTicketError([("MissingParameter", f"Nothing to update: send one of {', '.join(known)}.", "body")])
    wrong = _choice_problems(change)
    status = change.get("status")
    if status is not None and str(status).lower() not in STATUSES:
        wrong.append(
            ("InvalidParameter", f"Invalid value '{status}' for status; valid values: open, closed.", "status")
        )
    if wrong:
        raise InvalidTicketError(wrong)
    return change


def ticket(world: World, identity: str, properties: Document) -> Document:
    """The document of a ticket that was just opened; enums come back with capitals."""
    now = world.clock.now()
    minutes = SEVERITIES[str(properties["severity"]).lower()]
    service, problem = _find(world, properties)
    if service is None or problem is None:
        raise InvalidTicketError([("InvalidParameter", "The service or classification is unknown.", "serviceId")])
    needs_plan = service["_key"] not in (catalogue.QUOTA, catalogue.BILLING, catalogue.SUBSCRIPTION)
    return {
        "id": identity,
        "name": identity.rsplit("/", 1)[1],
        "type": "Microsoft.Support/supportTickets",
        "properties": {
            **{k: v for k, v in properties.items() if not k.startswith("_")},
            "severity": _capital(properties["severity"]),
            "advancedDiagnosticConsent": _capital(properties["advancedDiagnosticConsent"]),
            "contactDetails": echoed_contact(properties["contactDetails"]),
            "supportTicketId": str(world.chance.child(f"ticket/{identity.lower()}").randrange(10**14, 10**15)),
            "serviceDisplayName": service["properties"]["displayName"],
            "problemClassificationDisplayName": problem["properties"]["displayName"],
            "serviceLevelAgreement": {
                "startTime": stamp(now),
                "expirationTime": stamp(now + timedelta(minutes=minutes)),
                "slaMinutes": minutes,
            },
            "supportPlanType": "Premier" if needs_plan else "Basic support",
            "supportPlanDisplayName": "Premier" if needs_plan else "Basic support",
            "require24X7Response": bool(properties.get("require24X7Response", False)),
            "status": "Open",
            "createdDate": stamp(now),
            "modifiedDate": stamp(now),
        },
    }


def apply(world: World, document: Document, change: Document) -> None:
    """Carry out a checked PATCH."""
    properties = document["properties"]
    for key in ("severity", "status", "advancedDiagnosticConsent"):
        if key in change:
            properties[key] = _capital(change[key])
    if isinstance(change.get("contactDetails"), dict):
        properties["contactDetails"] = properties["contactDetails"] | echoed_contact(change["contactDetails"])
    if "secondaryConsent" in change:
        properties["secondaryConsent"] = change["secondaryConsent"]
    properties["modifiedDate"] = stamp(world.clock.now())


def echoed_contact(contact: Document) -> Document:
    """Contact details as answered: the method with a capital."""
    method = contact.get("preferredContactMethod")
    return contact | ({"preferredContactMethod": _capital(method)} if method else {})


def _capital(value: object) -> str:
    text = str(value)
    return "HighestCriticalImpact" if text.lower() == "highestcriticalimpact" else text[:1].upper() + text[1:].lower()


def _missing(name: str, target: str) -> Problem:
    return ("MissingParameter", f"The required parameter '{name}' is missing.", target)


def _contact_problems(contact: Any) -> list[Problem]:
    if not contact:
        return []
    if not isinstance(contact, dict):
        return [("InvalidParameter", "contactDetails must be an object.", "contactDetails")]
    wrong = [_missing(f"contactDetails.{n}", f"contactDetails.{n}") for n in CONTACT if not contact.get(n)]
    country = str(contact.get("country") or "AAA")
    if len(country) != 3 or not country.isalpha():
        text = f"Invalid value '{country}' for contactDetails.country: an ISO 3166-1 alpha-3 code is expected."
        wrong.append(("InvalidParameter", text, "contactDetails.country"))
    method = str(contact.get("preferredContactMethod") or "email").lower()
    if method not in ("email", "phone"):
        text = f"Invalid value '{method}' for contactDetails.preferredContactMethod; valid values: email, phone."
        wrong.append(("InvalidParameter", text, "contactDetails.preferredContactMethod"))
    if method == "phone" and not contact.get("phoneNumber"):
        wrong.append(_missing("contactDetails.phoneNumber", "contactDetails.phoneNumber"))
    return wrong


def _choice_problems(properties: Document) -> list[Problem]:
    wrong: list[Problem] = []
    severity = properties.get("severity")
    if severity and str(severity).lower() not in SEVERITIES:
        text = f"Invalid value '{severity}' for severity; valid values: {', '.join(SEVERITIES)}."
        wrong.append(("InvalidParameter", text, "severity"))
    consent = properties.get("advancedDiagnosticConsent")
    if consent and str(consent).lower() not in ("yes", "no"):
        text = f"Invalid value '{consent}' for advancedDiagnosticConsent; valid values: Yes, No."
        wrong.append(("InvalidParameter", text, "advancedDiagnosticConsent"))
    return wrong


def _find(world: World, properties: Document) -> tuple[Document | None, Document | None]:
    wanted = str(properties["serviceId"]).lower()
    service = next((s for s in catalogue.services(world) if s["id"].lower() == wanted), None)
    if service is None:
        return None, None
    wanted = str(properties["problemClassificationId"]).lower()
    return service, next((p for p in catalogue.classifications(world, service) if p["id"].lower() == wanted), None)


def _classification_problems(world: World, properties: Document) -> list[Problem]:
    service, problem = _find(world, properties)
    if service is None:
        return [("InvalidParameter", f"The service '{properties['serviceId']}' is unknown.", "serviceId")]
    if problem is None:
        text = f"The problem classification '{properties['problemClassificationId']}' is not one of the service's."
        return [("InvalidParameter", text, "problemClassificationId")]
    if service["_key"] == catalogue.QUOTA:
        return _quota_problems(properties.get("quotaTicketDetails"))
    return []


def _quota_problems(details: Any) -> list[Problem]:
    target = "quotaTicketDetails"
    changes = details.get("quotaChangeRequests") if isinstance(details, dict) else None
    if not isinstance(changes, list) or not changes:
        return [_missing(f"{target}.quotaChangeRequests", target)]
    wrong: list[Problem] = []
    for index, change in enumerate(changes):
        place = f"{target}.quotaChangeRequests[{index}]"
        if not isinstance(change, dict) or not change.get("region"):
            wrong.append(_missing(f"{place}.region", place))
            continue
        try:
            payload = json.loads(change["payload"]) if isinstance(change.get("payload"), str) else None
        except ValueError:
            payload = None
        if not isinstance(payload, dict) or "NewLimit" not in payload:
            text = f"{place}.payload must be a JSON string with 'NewLimit'."
            wrong.append(("InvalidParameter", text, f"{place}.payload"))
    return wrong
