"""Alerts of Microsoft Defender for Cloud and incidents of Microsoft Sentinel, as exports, workflow automation and Logic Apps deliver them. Pure.

https://learn.microsoft.com/azure/defender-for-cloud/alerts-schemas
https://learn.microsoft.com/azure/sentinel/create-playbooks
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from firebreak.errors import AlertError, NothingToDoError
from firebreak.intake.fields import Fields, alerts_of, by_subscription, moment
from firebreak.model.alert import Alert

DEFENDER: Final = "defender"
SENTINEL: Final = "sentinel"
_OVER: Final = ("resolved", "dismissed", "closed")


def parse_defender(document: Any, raw: bytes, *, now: datetime, tenant: str) -> list[Alert]:
    """Return the alerts of a delivery of Defender for Cloud, one for each subscription.

    Raises:
        AlertError: it is closed, or not such an alert.
    """
    top = Fields(document)
    found = top.at("properties") or top
    if not found.text("SystemAlertId", "AlertType"):
        raise AlertError(
            f"{DEFENDER}: no alert of Defender for Cloud.", hint="It must hold SystemAlertId and AlertType."
        )
    _check_open(found.text("Status"), DEFENDER)
    subjects = by_subscription(_resources(found), place=DEFENDER, otherwise=top.text("id"))
    kind = found.text("AlertType") or "unknown"
    template = {
        "id": found.text("SystemAlertId") or top.text("id", "name"),
        "source": DEFENDER,
        "type": f"Defender.{kind}",
        "title": found.text("AlertDisplayName", "DisplayName", "AlertName") or kind,
        "severity": found.text("Severity", "AlertSeverity").lower() or "unknown",
        "detected_at": moment(found.text("TimeGeneratedUtc", "TimeGenerated", "ProcessingEndTime"), DEFENDER) or now,
        "first_observed_at": moment(found.text("StartTimeUtc", "StartTime"), DEFENDER),
        "last_observed_at": moment(found.text("EndTimeUtc", "EndTime"), DEFENDER),
        "details": {
            "compromised_entity": found.text("CompromisedEntity"),
            "intent": found.text("Intent"),
            "description": found.text("Description"),
            "product": found.text("ProductName"),
        },
    }
    return alerts_of(subjects, raw, tenant=tenant, place=DEFENDER, template=template)


def parse_sentinel(document: Any, raw: bytes, *, now: datetime, tenant: str) -> list[Alert]:
    """Return the alerts of a delivery of Sentinel: an incident, or an alert as Defender has it. The subscription is the affected
    resources', never the workspace's.

    Raises:
        AlertError: it is closed, names no affected subscription, or is not such an incident.
    """
    top = Fields(document)
    incident = top.at("object") or top
    found = incident.at("properties")
    if not found.text("incidentNumber", "title"):
        return parse_defender(document, raw, now=now, tenant=tenant)
    _check_open(found.text("status"), SENTINEL)
    resources = [one.at("properties").text("resourceId") for one in found.each("relatedEntities")]
    for alert in found.each("alerts"):
        resources += _resources(alert.at("properties") or alert)
    subjects = by_subscription([one for one in resources if one], place=SENTINEL)
    template = {
        "id": incident.text("id", "name"),
        "source": SENTINEL,
        "type": "Sentinel.Incident",
        "title": found.text("title") or "Sentinel incident",
        "severity": found.text("severity").lower() or "unknown",
        "detected_at": moment(found.text("createdTimeUtc"), SENTINEL) or now,
        "first_observed_at": moment(found.text("firstActivityTimeUtc"), SENTINEL),
        "last_observed_at": moment(found.text("lastActivityTimeUtc"), SENTINEL),
        "details": {
            "incident_number": found.text("incidentNumber"),
            "description": found.text("description"),
            "products": ", ".join(found.at("additionalData").texts("alertProductNames")),
        },
    }
    return alerts_of(subjects, raw, tenant=tenant, place=SENTINEL, template=template)


def _resources(alert: Fields) -> Iterable[str]:
    named = [one.text("AzureResourceId", "ResourceId") for one in alert.each("ResourceIdentifiers")]
    return [one for one in (*named, alert.text("AzureResourceId", "ResourceId")) if one]


def _check_open(status: str, place: str) -> None:
    if status.lower() in _OVER:
        raise NothingToDoError(f"{place}: the alert is {status.lower()}.", hint="Nothing is to be done.")
