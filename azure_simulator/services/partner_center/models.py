"""Customers, their commerce subscriptions and the Azure subscriptions (entitlements) below an Azure plan.

`world.partner["customers"][tenant]` is {"profile", "relationships", "subscriptions": {plan: {"document", "entitlements": {guid: ...}}}}.
"""

from __future__ import annotations

import re
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.http import Request
from azure_simulator.services.partner_center.exceptions import (
    BadRequestError,
    EntitlementMissingError,
    InvalidReasonError,
    NoRelationshipError,
    PendingError,
    PlanInUseError,
    StaleEtagError,
    SubscriptionMissingError,
    SuspendedError,
)
from azure_simulator.services.security import subscription_state
from azure_simulator.world import Document, World

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
AZURE_PLAN = "DZH318Z0BPS6"
REASONS = ("compromise",)
CHANGEABLE = ("friendlyName", "status", "autoRenewEnabled", "quantity", "partnerId")


def customer(world: World, tenant: str) -> Document:
    """A customer of this partner.

    Raises:
        BadRequestError: the id is no GUID.
        NoRelationshipError: it is not this partner's customer.
    """
    return _pick(world.partner.get("customers") or {}, tenant, NoRelationshipError)


def subscription(world: World, tenant: str, plan: str) -> Document:
    """A commerce subscription: {"document", "entitlements"}. An Azure subscription's id is not one.

    Raises:
        BadRequestError, NoRelationshipError, SubscriptionMissingError
    """
    return _pick(customer(world, tenant).get("subscriptions") or {}, plan, SubscriptionMissingError)


def entitlement(world: World, tenant: str, plan: str, azure: str) -> Document:
    """An Azure subscription below an Azure plan.

    Raises:
        BadRequestError, NoRelationshipError, SubscriptionMissingError, EntitlementMissingError
    """
    return _pick(subscription(world, tenant, plan).get("entitlements") or {}, azure, EntitlementMissingError)


def _pick(rows: Document, wanted: str, missing: type[Exception]) -> Document:
    if not _GUID.fullmatch(wanted):
        raise BadRequestError(f"'{wanted}' is not a valid identifier.")
    for key, row in rows.items():
        if key.lower() == wanted.lower():
            found: Document = row
            return found
    raise missing(wanted)


def profile(tenant: str, row: Document) -> Document:
    """A customer as answered, whether the scenario gave a whole document or only the company's names."""
    given: Document = row.get("profile") or {}
    company: Document = given.get("companyProfile") or {}
    return {
        "id": tenant,
        "commerceId": given.get("commerceId", tenant),
        "relationshipToPartner": "reseller",
        "allowDelegatedAccess": bool(given.get("allowDelegatedAccess", False)),
        **{k: v for k, v in given.items() if k not in ("companyName", "domain", "companyProfile")},
        "companyProfile": {
            "tenantId": tenant,
            "domain": given.get("domain", ""),
            "companyName": given.get("companyName", ""),
            **company,
            "attributes": {"objectType": "CustomerCompanyProfile"},
        },
        "attributes": {"objectType": "Customer"},
    }


def shown(world: World, row: Document) -> Document:
    """A commerce subscription with its current etag."""
    document: Document = row["document"]
    version = int(document.get("_version", 1))
    etag = world.chance.child(f"etag/{document['id']}/{version}").guid().replace("-", "")
    visible = {k: v for k, v in document.items() if not k.startswith("_")}
    return visible | {"attributes": {**(document.get("attributes") or {}), "etag": etag, "objectType": "Subscription"}}


def update(world: World, row: Document, body: Any, if_match: str) -> Document:
    """Carry out a PATCH. The body is the whole resource: what it leaves out is reset.

    Raises:
        BadRequestError: no body, or another subscription's.
        StaleEtagError: If-Match is missing or old.
        SuspendedError: anything but reactivation of a suspended subscription.
        PlanInUseError: an Azure plan with active entitlements was to be suspended.
    """
    document: Document = row["document"]
    if not isinstance(body, dict) or not body:
        raise BadRequestError("The request body is missing.")
    if str(body.get("id") or "").lower() != str(document["id"]).lower():
        raise BadRequestError("The 'id' of the body is not that of the subscription.")
    if if_match.strip('"') != shown(world, row)["attributes"]["etag"]:
        raise StaleEtagError
    wanted = str(body.get("status") or document.get("status") or "active").lower()
    if wanted not in ("active", "suspended", "deleted"):
        raise BadRequestError(f"'{wanted}' is not a valid status.")
    if str(document.get("status", "")).lower() == "suspended" and wanted != "active":
        raise SuspendedError
    is_plan = str(document.get("offerId", "")).upper().startswith(AZURE_PLAN)
    if wanted == "suspended" and is_plan:
        if any(e.get("status") == "active" for e in (row.get("entitlements") or {}).values()):
            raise PlanInUseError
    elif wanted == "suspended":
        subscription_state.disable(world, str(document["id"]))
    elif str(document.get("status", "")).lower() == "suspended":
        subscription_state.enable(world, str(document["id"]))
    defaults: Document = {"friendlyName": "", "autoRenewEnabled": False, "quantity": 1, "partnerId": ""}
    for name in CHANGEABLE:
        if name in document or name in body:
            document[name] = wanted if name == "status" else body.get(name, defaults[name])
    document["_version"] = int(document.get("_version", 1)) + 1
    return shown(world, row)


def cancel(world: World, found: Document, body: Any) -> None:
    """Begin the cancellation of an Azure subscription. It stays active until its time has come; then everything in it stops.

    Raises:
        BadRequestError: no body.
        InvalidReasonError: a reason that Partner Center does not know.
        PendingError: a cancellation or reactivation is under way.
    """
    if not isinstance(body, dict) or not body:
        raise BadRequestError("The request body is missing.")
    reason = str(next((v for k, v in body.items() if k.lower() == "cancellationreason"), ""))
    if reason.lower() not in REASONS:
        raise InvalidReasonError(reason)
    _begin(world, found, "inactive")


def reactivate(world: World, found: Document) -> None:
    """Begin to bring a cancelled Azure subscription back.

    Raises:
        PendingError: a cancellation or reactivation is under way.
    """
    _begin(world, found, "active")


def _begin(world: World, found: Document, becomes: str) -> None:
    if found.get("_pending"):
        raise PendingError(str(found["id"]))
    if found["status"] == becomes:
        return
    found["_pending"] = becomes

    def end() -> None:
        found.pop("_pending", None)
        found["status"] = becomes
        if becomes == "inactive":
            subscription_state.disable(world, str(found["id"]))
        else:
            subscription_state.enable(world, str(found["id"]))

    world.later(world.entitlement_seconds, end)


def record(world: World, request: Request, operation: str, kind: str, tenant: str, value: Document) -> None:
    """Append to the partner's audit records: `operation` and `kind` as the API spells them (partly inferred)."""
    import json

    row = (world.partner.get("customers") or {}).get(tenant) or {}
    who = request.principal
    number = len(world.partner.setdefault("auditRecords", []))
    world.partner["auditRecords"].append(
        {
            "id": f"{world.partner_tenant_id}_{tenant}_{operation.replace('_', '')}_{number}",
            "partnerId": world.partner_tenant_id,
            "customerId": tenant,
            "customerName": profile(tenant, row)["companyProfile"]["companyName"],
            "userPrincipalName": who.upn if who else "",
            "applicationId": str(request.claims.get("appid") or (who.app_id if who else "")),
            "resourceType": kind,
            "resourceNewValue": json.dumps(value, sort_keys=True),
            "operationType": operation,
            "operationDate": stamp(world.clock.now()),
            "operationStatus": "succeeded",
            "customizedData": [],
            "attributes": {"objectType": "AuditRecord"},
        }
    )
