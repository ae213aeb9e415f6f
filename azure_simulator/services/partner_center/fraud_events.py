"""FraudEvents, the legacy form of the partner security alerts: bare arrays, strings for numbers, other names for the same thing."""

from __future__ import annotations

import json
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.http import Request, Response
from azure_simulator.odata import moment
from azure_simulator.services.partner_center import models
from azure_simulator.services.partner_center.exceptions import BadRequestError
from azure_simulator.world import Document, World

UNRESOLVED = "9999-12-31T23:59:59.9970000"
STATUSES = ("active", "investigating", "resolved")
REASONS = ("fraud", "ignore")


def list_events(world: World, request: Request) -> Response:
    """GET /v1/fraudEvents: a bare array; pages only with both PageSize and PageNumber, in the new events model."""
    found = [_event(world, alert) for alert in world.alerts.values()]
    for query, field in (
        ("EventStatus", "eventStatus"),
        ("SubscriptionId", "subscriptionId"),
        ("EventType", "eventType"),
    ):
        if request.q(query) and (query != "EventType" or _is_new_model(request)):
            found = [event for event in found if event[field].lower() == request.q(query).lower()]
    size, number = request.q("PageSize"), request.q("PageNumber")
    if size or number:
        if not (size.isdigit() and number.isdigit() and int(size) and int(number)):
            raise BadRequestError("'PageSize' and 'PageNumber' must both be greater than 0.")
        found = found[int(size) * (int(number) - 1) : int(size) * int(number)]
    return Response(200, found)


def set_status(world: World, request: Request) -> Response:
    """POST /v1/fraudEvents/subscription/{id}/status. An empty `EventIds` changes every event of the subscription."""
    body: Any = request.json()
    given = {str(k).lower(): v for k, v in body.items()} if isinstance(body, dict) else {}
    status = str(given.get("eventstatus") or "").lower()
    status = "resolved" if status == "resolve" else status
    reason = str(given.get("resolvedreason") or "").lower()
    if status not in STATUSES or (status == "resolved" and reason not in REASONS):
        raise BadRequestError("'EventStatus' or 'ResolvedReason' is missing or unknown.")
    wanted = {str(i).lower() for i in given.get("eventids") or []}
    changed = []
    for alert in world.alerts.values():
        event = _event(world, alert)
        if event["subscriptionId"].lower() != request.params["s"].lower():
            continue
        if wanted and event["eventId"].lower() not in wanted:
            continue
        _change(world, request, alert, status, reason)
        changed.append(_event(world, alert))
    return Response(200, changed)


def _is_new_model(request: Request) -> bool:
    return request.headers.get("x-neweventsmodel", "").lower() == "true"


def _change(world: World, request: Request, alert: Document, status: str, reason: str) -> None:
    now = stamp(world.clock.now())
    who = (request.principal.upn or request.principal.name) if request.principal else ""
    entry = {"statusFrom": alert["status"], "statusTo": status, "updatedBy": who, "updatedDateTime": now}
    alert.setdefault("activityLogs", []).append(entry)
    alert["status"] = status
    if status == "resolved":
        alert |= {"resolvedReason": reason, "resolvedBy": who, "resolvedOnDateTime": now}


def _plain(time: object) -> str:
    found = moment(str(time or ""))
    return found.replace(tzinfo=None).isoformat() if found else ""


def _event(world: World, alert: Document) -> Document:
    tenant, subscription = str(alert["customerTenantId"]), str(alert["subscriptionId"])
    row = (world.partner.get("customers") or {}).get(tenant) or {}
    resources = [str(r.get("resourceId", "")) for r in alert.get("affectedResources") or []]
    first = resources[0] if resources else ""
    parts = first.split("/")
    entity = str(alert["id"])[-36:]
    document: Document = world.subscriptions.get(f"/subscriptions/{subscription}") or {}
    return {
        "eventTime": _plain(alert.get("detectedDateTime")),
        "eventId": f"{subscription}_{entity}",
        "partnerTenantId": world.partner_tenant_id,
        "partnerFriendlyName": str((world.partner.get("organization") or {}).get("companyName", "")),
        "customerTenantId": tenant,
        "customerFriendlyName": models.profile(tenant, row)["companyProfile"]["companyName"],
        "subscriptionId": subscription,
        "subscriptionType": "modern",
        "subscriptionName": str(document.get("displayName", "")),
        "entityId": entity,
        "entityName": parts[-1],
        "entityUrl": first,
        "hitCount": str((alert.get("additionalDetails") or {}).get("ConnectionCount", "1")),
        "catalogOfferId": str(alert.get("catalogOfferId") or ""),
        "eventStatus": str(alert["status"]).capitalize(),
        "serviceName": "Virtual Machines",
        "resourceName": parts[-1],
        "resourceGroupName": parts[4] if len(parts) > 4 else "",
        "firstObserved": _plain(alert.get("firstObservedDateTime")),
        "lastObserved": _plain(alert.get("lastObservedDateTime")),
        "firstOccurrence": _plain(alert.get("firstObservedDateTime")),
        "lastOccurrence": _plain(alert.get("lastObservedDateTime")),
        "resolvedReason": str(alert.get("resolvedReason") or "None").capitalize(),
        "resolvedOn": _plain(alert.get("resolvedOnDateTime")) or UNRESOLVED,
        "resolvedBy": str(alert.get("resolvedBy") or ""),
        "eventType": str(alert["alertType"]),
        "severity": str(alert.get("severity", "")).capitalize(),
        "confidenceLevel": str(alert.get("confidenceLevel", "")),
        "displayName": str(alert.get("displayName", "")),
        "description": str(alert.get("description", "")),
        "country": "",
        "valueAddedResellerTenantId": alert.get("valueAddedResellerTenantId"),
        "valueAddedResellerFriendlyName": None,
        "affectedResources": [{"azureResourceId": r, "type": "/".join(r.split("/")[6:8])} for r in resources],
        "additionalDetails": {
            str(k)[:1].lower() + str(k)[1:]: v for k, v in (alert.get("additionalDetails") or {}).items()
        },
        "isTest": str(alert.get("isTest", False)).lower(),
        "activityLogs": json.dumps(alert.get("activityLogs") or []),
    }
