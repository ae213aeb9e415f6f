"""The partner security alert: its ETag, who may see it, and how its status moves."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.http import Request
from azure_simulator.services.graph.envelope import tenant_of
from azure_simulator.services.graph.exceptions import (
    DeniedError,
    GraphBadRequestError,
    GraphNotFoundError,
    StaleAlertError,
)
from azure_simulator.world import Document, World, public

ORDER = ("active", "investigating", "resolved")  # a status moves forward only; steps may be left out
REASONS = ("legitimate", "fraud", "ignore")
FILTERABLE = {
    "id",
    "status",
    "severity",
    "alertType",
    "confidenceLevel",
    "subscriptionId",
    "customerTenantId",
    "detectedDateTime",
    "firstObservedDateTime",
    "lastObservedDateTime",
    "isTest",
}


def alerts(world: World, request: Request) -> list[Document]:
    """Every alert of the partner, newest first.

    Raises:
        DeniedError: the token is not the partner tenant's.
    """
    if world.partner_tenant_id and tenant_of(world, request) != world.partner_tenant_id.lower():
        raise DeniedError
    return sorted(world.alerts.values(), key=lambda alert: str(alert.get("detectedDateTime")), reverse=True)


def alert(world: World, request: Request, identity: str) -> Document:
    """One alert.

    Raises:
        DeniedError, GraphNotFoundError
    """
    for found in alerts(world, request):
        if str(found["id"]).lower() == identity.lower():
            return found
    raise GraphNotFoundError(identity)


def etag(found: Document) -> str:
    """A weak ETag over the whole alert: any change changes it."""
    text = json.dumps(public(found), sort_keys=True, default=str).encode()
    return f'W/"{hashlib.sha256(text).hexdigest()[:16]}"'


def update(world: World, request: Request, found: Document, body: Document) -> None:
    """Carry out a PATCH: a verdict that is recorded and touches nothing in Azure. A repeated one adds to `activityLogs`.

    Raises:
        StaleAlertError: If-Match names an older version.
        GraphBadRequestError: unknown status, a status that goes back, or a reason missing, unknown or out of place.
    """
    if_match = request.headers.get("if-match", "*")
    if if_match != "*" and _opaque(if_match) != _opaque(etag(found)):
        raise StaleAlertError
    if unknown := [key for key in body if key not in ("status", "resolvedReason") and not key.startswith("@")]:
        raise GraphBadRequestError(f"The property '{unknown[0]}' cannot be updated.")
    status, reason = body.get("status"), body.get("resolvedReason")
    before = str(found["status"])
    if status not in ORDER:
        raise GraphBadRequestError(f"Invalid status '{status}': it must be one of {', '.join(ORDER)}.")
    if before in ORDER and ORDER.index(status) < ORDER.index(before):
        raise GraphBadRequestError(f"The status cannot be changed from '{before}' to '{status}'.")
    _check_reason(status, reason)
    now, who = stamp(world.clock.now()), _name(request)
    entry = {"statusFrom": before, "statusTo": status, "updatedBy": who, "updatedDateTime": now}
    found["activityLogs"] = [*(found.get("activityLogs") or []), entry]
    found["status"] = status
    if status == "resolved":
        found |= {"resolvedReason": reason, "resolvedBy": who, "resolvedOnDateTime": now}


def _check_reason(status: str, reason: Any) -> None:
    if status == "resolved" and reason not in REASONS:
        raise GraphBadRequestError(f"Invalid resolvedReason '{reason}': it must be one of {', '.join(REASONS)}.")
    if status != "resolved" and reason is not None:
        raise GraphBadRequestError("resolvedReason can only be set together with the status 'resolved'.")


def _opaque(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')


def _name(request: Request) -> str:
    who = request.principal
    return (who.upn or who.name or who.object_id) if who else ""
