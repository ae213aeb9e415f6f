"""Azure Monitor's alerts as action groups deliver them: the common schema, and the older ones of activity log, metrics and budgets. Pure.

https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema
https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-payload-samples
https://learn.microsoft.com/azure/azure-monitor/alerts/activity-log-alerts-webhook
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from firebreak.errors import AlertError, NothingToDoError
from firebreak.intake.fields import Fields, alerts_of, by_subscription, moment
from firebreak.model.alert import Alert

PLACE: Final = "azure-monitor"
_SEVERITIES: Final = {"sev0": "high", "sev1": "high", "sev2": "medium", "sev3": "low", "sev4": "informational"}
_OVER: Final = ("resolved", "deactivated", "closed")


def parse(document: Any, raw: bytes, *, now: datetime, tenant: str) -> list[Alert]:
    """Return the alerts of a delivery, one for each subscription that it is about.

    Raises:
        AlertError: it is over, it is news about a service, or it is not such an alert.
    """
    top = Fields(document)
    schema, data = top.text("schemaId"), top.at("data")
    if schema.lower() == "azuremonitorcommonalertschema" or data.at("essentials"):
        subjects, template = _common(data, now)
    elif schema.lower() == "aip budget notification":
        subjects, template = _budget(data, now)
    elif data.at("context"):
        subjects, template = _older(schema, data, now)
    else:
        raise AlertError(
            f"{PLACE}: no alert of Azure Monitor.", hint="Switch the common alert schema on in the action group."
        )
    return alerts_of(subjects, raw, tenant=tenant, place=PLACE, template=template)


def _common(data: Fields, now: datetime) -> tuple[dict[str, tuple[str, ...]], dict[str, Any]]:
    essentials, context = data.at("essentials"), data.at("alertContext")
    if (condition := essentials.text("monitorCondition").lower()) in _OVER:
        raise NothingToDoError(f"{PLACE}: the alert is {condition}.", hint="Nothing is to be done.")
    service = essentials.text("monitoringService") or "unknown"
    if service.replace(" ", "").lower() == "servicehealth":
        _check_health(context.at("properties"))
    budget = context.at("AlertData")
    subjects = by_subscription(
        [*essentials.texts("alertTargetIDs"), *([budget.text("Scope")] if budget else [])],
        place=PLACE,
        otherwise=essentials.text("alertId"),
    )
    rule = essentials.text("alertRule") or budget.text("BudgetName")
    template = _template(
        # A budget's alert keeps its id from month to month.
        identity=essentials.text("alertId", "originAlertId")
        + (f"|{essentials.text('firedDateTime')}" if budget else ""),
        kind=service,
        title=rule or essentials.text("description") or service,
        severity=_SEVERITIES.get(essentials.text("severity").lower(), "unknown"),
        at=moment(essentials.text("firedDateTime"), PLACE) or now,
        details={
            "monitoring_service": service,
            "signal": essentials.text("signalType"),
            "description": essentials.text("description"),
            "operation": context.text("operationName"),
            "caller": context.text("caller"),
            "spent": budget.text("SpentAmount"),
            "threshold": budget.text("NotificationThresholdAmount"),
        },
    )
    return subjects, template


def _older(schema: str, data: Fields, now: datetime) -> tuple[dict[str, tuple[str, ...]], dict[str, Any]]:
    if (status := data.text("status").lower()) in _OVER:
        raise NothingToDoError(f"{PLACE}: the alert is {status}.", hint="Nothing is to be done.")
    log, context = data.at("context").at("activityLog"), data.at("context")
    source = log or context
    if source.text("eventSource").replace(" ", "").lower() == "servicehealth":
        _check_health(source.at("properties"))
    subjects = by_subscription(
        [one for one in (source.text("resourceId"),) if one],
        place=PLACE,
        otherwise=source.text("subscriptionId") or source.text("id"),
    )
    service = source.text("eventSource") or schema.rpartition("/")[2] or "unknown"
    template = _template(
        # A metric alert's id is its rule's: each time it fires it is another alert.
        identity=source.text("eventDataId") or f"{source.text('id')}|{source.text('timestamp')}",
        kind=service,
        title=source.text("operationName", "name", "description") or service,
        severity=_SEVERITIES.get(f"sev{source.text('severity')}", "unknown"),
        at=moment(source.text("eventTimestamp", "timestamp"), PLACE) or now,
        details={
            "operation": source.text("operationName"),
            "caller": source.text("caller"),
            "monitoring_service": service,
        },
    )
    return subjects, template


def _budget(data: Fields, now: datetime) -> tuple[dict[str, tuple[str, ...]], dict[str, Any]]:
    spent, limit = data.text("SpendingAmount"), data.text("NotificationThresholdAmount")
    template = _template(
        identity="|".join(
            ("budget", data.text("SubscriptionId"), data.text("BudgetName"), data.text("BudgetStartDate"), spent)
        ),
        kind="Budget",
        title=f"Budget {data.text('BudgetName')}: {spent} {data.text('Unit')} spent",
        severity="unknown",
        at=now,
        details={"spent": spent, "threshold": limit, "unit": data.text("Unit"), "monitoring_service": "Budget"},
    )
    return by_subscription([], place=PLACE, otherwise=data.text("SubscriptionId")), template


def _check_health(properties: Fields) -> None:
    """News of outages and maintenance are no compromise; security advisories may be."""
    if (kind := properties.text("incidentType")).lower() != "security":
        raise NothingToDoError(
            f"{PLACE}: service health news of the kind {kind or 'unknown'!r:.40}.", hint="Nothing is to be done."
        )


def _template(
    *, identity: str, kind: str, title: str, severity: str, at: datetime, details: dict[str, str]
) -> dict[str, Any]:
    plain = "".join(c for c in kind if c.isalnum() or c in "-_.") or "unknown"
    return {
        "id": identity,
        "source": PLACE,
        "type": f"AzureMonitor.{plain}",
        "title": title,
        "severity": severity,
        "detected_at": at,
        "details": details,
    }
