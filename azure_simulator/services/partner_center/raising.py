"""Microsoft raises an alert: in Graph's list, and as a fraud event in the partner's audit records. A webhook is sent by `sender`, or never.

The spelling of the records' operation type is not documented; the portal calls it "Azure Fraud Event Detected".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.http import ArmError, Response
from azure_simulator.services.partner_center import models
from azure_simulator.world import Document, World

OPERATION = "azure_fraud_event_detected"
PLACES = ("graph", "audit-records")


def post(world: World, body: Any) -> Response:
    """The control route `POST /_simulator/alerts`: `{"subscription_id", "type", "is_test", "in": ["graph", "audit-records"]}`, all optional.

    Raises:
        ArmError: 400, not such a body.
    """
    given: Mapping[str, Any] = body if isinstance(body, dict) else {}
    places = given.get("in") or PLACES
    first: Document = next(iter(world.subscriptions.values()), {})
    subscription = str(given.get("subscription_id") or first.get("subscriptionId") or "").lower()
    if not subscription or not set(places) <= set(PLACES):
        raise ArmError(
            400, "InvalidAlert", f"An alert is about a subscription, in {' or '.join(PLACES)}; got {body!r}."
        )
    alert = raised(
        world, subscription, kind=str(given.get("type") or "CryptoMining"), is_test=given.get("is_test") is True
    )
    if "graph" in places:
        world.alerts[alert["id"]] = alert
    if "audit-records" in places:
        note(world, alert)
    return Response(200, alert)


def raised(world: World, subscription: str, *, kind: str = "CryptoMining", is_test: bool = False) -> Document:
    """An alert as of now, in the shape of Graph's; nobody lists it yet."""
    now = stamp(world.clock.now())
    number = len(world.alerts) + len(world.partner.get("auditRecords") or [])
    identity = f"{subscription}-{world.chance.child(f'raised/{subscription}/{now}/{number}').guid()}"
    return {
        "id": identity,
        "displayName": f"{kind} detected",
        "description": "Activity in this subscription looks like abuse.",
        "alertType": kind,
        "status": "active",
        "severity": "high",
        "confidenceLevel": "high",
        "customerTenantId": customer_of(world, subscription),
        "subscriptionId": subscription,
        "valueAddedResellerTenantId": None,
        "catalogOfferId": "MS-AZR-0017G",
        "detectedDateTime": now,
        "firstObservedDateTime": now,
        "lastObservedDateTime": now,
        "resolvedReason": None,
        "resolvedOnDateTime": None,
        "resolvedBy": None,
        "isTest": is_test,
        "affectedResources": [],
        "activityLogs": [],
        "additionalDetails": {},
    }


def note(world: World, alert: Document) -> None:
    """Append the fraud event of an alert to the partner's audit records."""
    tenant = str(alert["customerTenantId"])
    row = (world.partner.get("customers") or {}).get(tenant) or {}
    records = world.partner.setdefault("auditRecords", [])
    records.append(
        {
            "id": f"{world.partner_tenant_id}_{tenant}_azurefraudeventdetected_{len(records)}",
            "partnerId": world.partner_tenant_id,
            "customerId": tenant,
            "customerName": models.profile(tenant, row)["companyProfile"]["companyName"],
            "userPrincipalName": "",
            "applicationId": "",
            "resourceType": "azure_fraud_event",
            "resourceNewValue": json.dumps({"SubscriptionId": alert["subscriptionId"]}),
            "operationType": OPERATION,
            "operationDate": alert["detectedDateTime"],
            "operationStatus": "succeeded",
            "customizedData": [],
            "attributes": {"objectType": "AuditRecord"},
        }
    )


def customer_of(world: World, subscription: str) -> str:
    """The customer below whose Azure plan the subscription is, else the world's customer tenant."""
    for tenant, row in (world.partner.get("customers") or {}).items():
        for plan in (row.get("subscriptions") or {}).values():
            if subscription in {str(one).lower() for one in plan.get("entitlements") or {}}:
                return str(tenant)
    return world.tenant_id
