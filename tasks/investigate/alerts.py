"""What Microsoft itself says of this customer: the alert again, other alerts, fraud events of Partner Center, security advisories.

https://learn.microsoft.com/graph/api/partner-security-partnersecurityalert-list-securityalerts
https://learn.microsoft.com/rest/api/resourcehealth/events/list-by-subscription-id
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.errors import RejectedError, ScopeError
from firebreak.model.alert import Alert
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import Advisory, AlertFacts, FraudEvent, SeenAlert
from firebreak.model.finding import Finding, Severity
from firebreak.model.ids import guid
from firebreak.model.step import Effect, Step
from tasks.reading import Notes

STEP = Step(
    id="investigate.alerts",
    title="Read Microsoft's alerts about the customer",
    effect=Effect.READ,
    description=(
        "Reads the alert again, the customer's other alerts, the fraud events in Partner Center's audit records and the security advisories "
        "sent to the customer: whether Microsoft knows this alert, what else it warned of, and what never reached us."
    ),
    permissions=("Microsoft.ResourceHealth/events/read",),
    guidance=("S10", "S14", "S16", "S17", "S25", "S33"),
    produces=AlertFacts,
)

HEALTH = "2025-05-01"
ALERTS = "/beta/security/partner/securityAlerts"
_OPEN = ("active", "investigating")
_KNOWN = frozenset(
    [
        "id",
        "displayname",
        "description",
        "alerttype",
        "status",
        "severity",
        "confidencelevel",
        "customertenantid",
        "subscriptionid",
        "valueaddedresellertenantid",
        "catalogofferid",
        "detecteddatetime",
        "firstobserveddatetime",
        "lastobserveddatetime",
        "resolvedreason",
        "resolvedondatetime",
        "resolvedby",
        "istest",
        "affectedresources",
        "activitylogs",
        "additionaldetails",
    ]
)
_FRAUD = "azurefraudeventdetected"
_GRAPH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Partner Center refuses a start more than 90 days ago; a day is left for clocks that differ.
_RECORDS = timedelta(days=89)
# Fraud events and alerts of one attack are stamped apart.
_TOGETHER = timedelta(days=1)
# Microsoft sends its daily summary while an alert of the last 60 days is open; before that somebody should know.
_OLD = timedelta(days=50)
# Older advisories are about something else.
_RECENT = timedelta(days=30)
_MANY = 10


async def collect(eyes: Eyes, case: Case) -> AlertFacts:
    """Read alerts and records, each as far as it may be read."""
    notes, alert = Notes(), case.incident.alert
    try:
        customer = guid(alert.customer_tenant_id, "Customer tenant")
    except ScopeError as error:
        notes.add("Microsoft's alerts about the customer", error.message)
        return AlertFacts(not_looked_at=notes.all)
    rows = await notes.attempt("Microsoft's alerts about the customer", _alerts(eyes, customer), None)
    mine = [row for row in rows or () if doc.text(row, "customerTenantId").lower() in ("", customer)]
    wanted = alert.id if alert.source == "graph" else alert.details.get("graph_alert_id", "")
    this = _among(mine, wanted, alert)
    if this is None and rows is not None and _GRAPH_ID.fullmatch(wanted):
        this = await notes.attempt("this alert in Graph", eyes.graph.get(f"{ALERTS}/{wanted}"), None)
    asked = {
        "startDate": f"{eyes.now() - _RECORDS:%Y-%m-%d}",
        "endDate": f"{eyes.now():%Y-%m-%d}",
        "filter": json.dumps({"Field": "CustomerId", "Value": customer, "Operator": "equals"}),
    }
    listed = eyes.partner_center.list("/v1/auditrecords", asked)
    records = await notes.attempt("fraud events in Partner Center's audit records", listed, [])
    told = await notes.attempt("security advisories sent to the customer", _health(eyes), [])
    others = [_alert(row) for row in mine if row is not this]
    return AlertFacts(
        this_alert=_alert(this) if this else None,
        others=tuple(sorted(others, key=lambda one: one.id)),
        events=tuple(sorted(_events(records, customer), key=lambda one: (str(one.at), one.subscription_id))),
        advisories=tuple(sorted((_advisory(row) for row in told), key=lambda one: one.id)),
        were_read=rows is not None,
        new_fields=tuple(
            sorted({str(key)[:60] for row in mine for key in row if str(key).lower() not in _KNOWN and "@" not in key})
        ),
        not_looked_at=notes.all,
    )


def assess(facts: AlertFacts, case: Case) -> list[Finding]:
    """Say when Microsoft does not know the alert, what else it warned of, and what never reached us."""
    alert = case.incident.alert
    still = [one for one in facts.others if one.status in _OPEN]
    old = [one for one in still if one.detected_at and case.now - one.detected_at >= _OLD]
    recent = [one for one in facts.advisories if one.updated_at is None or case.now - one.updated_at <= _RECENT]
    elsewhere = {one.subscription_id for one in still} - {alert.subscription_id, ""}
    found = []
    if facts.were_read and facts.this_alert is None:
        came = f"{doc.shown(alert.id)}, which came from {doc.shown(alert.source, 40)}"
        reasons = [f"Among Microsoft's alerts for this customer is none like {came}."]
        reasons.append("Before acting on it, make sure that it is genuine.")
        found.append(_finding("alert-not-listed", "Microsoft does not list this alert", Severity.MEDIUM, reasons))
    if still:
        reasons = _some(_in_words(one) for one in still)
        if elsewhere:
            reasons.append("Other subscriptions of the customer are named: each needs its own response.")
        title = "Microsoft has further open alerts about this customer"
        found.append(_finding("more-alerts", title, Severity.MEDIUM, reasons))
    if old:
        title = "Alerts open for fifty days or more: answer them before sixty"
        found.append(_finding("old-alerts", title, Severity.LOW, _some(_in_words(one) for one in old)))
    if missed := _missed(facts):
        title = "Partner Center noted fraud events without an alert"
        found.append(_finding("missed-events", title, Severity.MEDIUM, _some(missed)))
    if recent:
        reasons = _some(_advisory_in_words(one) for one in recent)
        reasons.append("The full text is in the portal under Service Health, Security advisories.")
        title = "Microsoft sent the customer security advisories"
        found.append(_finding("advisories", title, Severity.LOW, reasons))
    if facts.new_fields:
        names = ", ".join(doc.shown(name, 60) for name in facts.new_fields[:_MANY])
        title = "Microsoft's alerts have fields that this release does not know"
        reasons = [f"Fields: {names}. They are kept in the evidence and not looked at."]
        found.append(_finding("alert-fields", title, Severity.INFORMATIONAL, reasons))
    return found


def _some(sentences: Iterable[str]) -> list[str]:
    said = list(sentences)
    return [*said[:_MANY], *([f"… and {len(said) - _MANY} more."] if len(said) > _MANY else [])]


def _among(rows: list[dict[str, Any]], wanted: str, alert: Alert) -> dict[str, Any] | None:
    """The incident's alert in Microsoft's list: by its id, or, where what came to us names none, the nearest of the same subscription."""
    if wanted:
        return next((row for row in rows if doc.text(row, "id").lower() == wanted.lower()), None)
    near = [
        (abs(at - alert.detected_at), doc.text(row, "id"), row)
        for row in rows
        if doc.text(row, "subscriptionId").lower() == alert.subscription_id
        and (at := doc.moment(doc.text(row, "detectedDateTime"))) is not None
        and abs(at - alert.detected_at) <= _TOGETHER
    ]
    return min(near, key=lambda entry: entry[:2])[2] if near else None


async def _alerts(eyes: Eyes, customer: str) -> list[dict[str, Any]]:
    """The customer's alerts. Which properties may be filtered by is not documented: where Graph refuses, all are read and the others dropped."""
    try:
        return await eyes.graph.list(ALERTS, {"$filter": f"customerTenantId eq '{customer}'"})
    except RejectedError as error:
        if error.status not in (400, 501):
            raise
        return await eyes.graph.list(ALERTS)


async def _health(eyes: Eyes) -> list[dict[str, Any]]:
    """The security advisories among the service-health events. Their text is left out of lists."""
    path = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.ResourceHealth/events"
    rows = await eyes.arm.list(path, HEALTH, {"queryStartTime": f"{eyes.now() - _RECORDS:%m/%d/%Y}"})
    return [row for row in rows if doc.text(row, "properties", "eventType").lower() == "securityadvisory"]


def _advisory(row: dict[str, Any]) -> Advisory:
    return Advisory(
        id=doc.text(row, "name"),
        title=doc.text(row, "properties", "title"),
        status=doc.text(row, "properties", "status").lower(),
        updated_at=doc.moment(doc.text(row, "properties", "lastUpdateTime")),
    )


def _alert(row: dict[str, Any]) -> SeenAlert:
    return SeenAlert(
        id=doc.text(row, "id"),
        type=doc.text(row, "alertType"),
        title=doc.text(row, "displayName"),
        severity=doc.text(row, "severity").lower(),
        status=doc.text(row, "status").lower(),
        resolved_reason=doc.text(row, "resolvedReason").lower(),
        subscription_id=doc.text(row, "subscriptionId").lower(),
        detected_at=doc.moment(doc.text(row, "detectedDateTime")),
        is_test=str(doc.field(row, "isTest")).lower() == "true",
    )


def _events(records: Iterable[dict[str, Any]], customer: str) -> list[FraudEvent]:
    """The fraud events among the records. How the API spells their type is not documented: only its letters are compared."""
    found = []
    for record in records:
        kind = re.sub(r"[^a-z]", "", doc.text(record, "operationType").lower())
        if kind != _FRAUD or doc.text(record, "customerId").lower() not in ("", customer):
            continue
        value = doc.mapping(record, "resourceNewValue")
        found.append(
            FraudEvent(
                at=doc.moment(doc.text(record, "operationDate")),
                subscription_id=(doc.text(value, "subscriptionId") or doc.text(value, "id")).lower(),
            )
        )
    return found


def _missed(facts: AlertFacts) -> list[str]:
    """Fraud events near which no alert was seen, in words; without the list of alerts nothing can be said."""
    if not facts.were_read:
        return []
    seen = [one for one in (facts.this_alert, *facts.others) if one is not None and one.detected_at]
    return [
        f"{event.at:%Y-%m-%d %H:%M}Z: a fraud event{_on(event.subscription_id)}, and no alert within a day of it."
        for event in facts.events
        if event.at and not any(_belong(event.at, event.subscription_id, one) for one in seen)
    ]


def _belong(at: datetime, subscription: str, alert: SeenAlert) -> bool:
    same = not subscription or not alert.subscription_id or subscription == alert.subscription_id
    return same and alert.detected_at is not None and abs(alert.detected_at - at) <= _TOGETHER


def _in_words(alert: SeenAlert) -> str:
    since = f", {alert.detected_at:%Y-%m-%d}" if alert.detected_at else ""
    name = doc.shown(alert.title or alert.type or alert.id)
    return (
        f"{name} ({doc.shown(alert.severity or 'no severity', 20)}, {alert.status}{since}){_on(alert.subscription_id)}."
    )


def _advisory_in_words(advisory: Advisory) -> str:
    since = f", {advisory.updated_at:%Y-%m-%d}" if advisory.updated_at else ""
    return f"{doc.shown(advisory.title or advisory.id)} ({doc.shown(advisory.status or 'no status', 20)}{since})."


def _on(subscription: str) -> str:
    return f" on subscription {doc.shown(subscription, 60)}" if subscription else ""


def _finding(name: str, title: str, severity: Severity, reasons: list[str]) -> Finding:
    return Finding(id=name, step=STEP.id, title=title, severity=severity, reasons=tuple(reasons))
