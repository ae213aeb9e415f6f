"""The one shape of an activity-log event (REST EventData): the history of a scenario and what the pipeline records look alike."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.clock import stamp
from azure_simulator.world import Document, Principal

AZURE_CLI_APP = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
PORTAL_APP = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"


def event(
    chance: Chance,
    *,
    at: datetime,
    operation: str,
    resource_id: str,
    principal: Principal,
    address: str,
    status: str,
    correlation_id: str,
    subscription_id: str,
    tenant_id: str,
    sub_status: str = "",
    role: str = "Contributor",
    app_id: str = AZURE_CLI_APP,
    method: str = "PUT",
    properties: dict[str, Any] | None = None,
    level: str = "",
    category: str = "Administrative",
    mfa: bool = True,
    token: str = "",
) -> Document:
    """Return one event. `status` is Started, Accepted, Succeeded or Failed; only Started carries `httpRequest`, as in reality.

    `token` is the id of the access token (claim `uti`); by default one that the principal uses with the application at the address for an hour.
    `properties` is merged into the event's properties: put the request body there as the JSON string `requestbody` on Started.
    """
    parts = resource_id.split("/")
    low = [p.lower() for p in parts]
    provider = parts[low.index("providers") + 1] if "providers" in low else "Microsoft.Resources"
    tail = parts[low.index("providers") + 2 :] if "providers" in low else []
    kind = "/".join([provider, *tail[0::2]]) if tail else "Microsoft.Resources/subscriptions/resourceGroups"
    caller = principal.upn or principal.object_id
    application = app_id if principal.kind == "User" else principal.app_id
    claims = {
        "aud": "https://management.core.windows.net/",
        "ipaddr": address,
        "appid": application,
        "http://schemas.microsoft.com/identity/claims/objectidentifier": principal.object_id,
        "http://schemas.microsoft.com/identity/claims/tenantid": tenant_id,
        "idtyp": "user" if principal.kind == "User" else "app",
        "uti": token or token_id(principal.object_id, application, address, f"{at:%Y%m%d%H}"),
    }
    if principal.kind == "User":
        claims["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"] = principal.upn
        claims["name"] = principal.name
        claims["http://schemas.microsoft.com/claims/authnmethodsreferences"] = "pwd,mfa" if mfa else "pwd"
    data_id = chance.guid()
    ticks = int((at - datetime(1, 1, 1, tzinfo=at.tzinfo)).total_seconds() * 10_000_000)
    document: Document = {
        "eventDataId": data_id,
        "id": f"{resource_id}/events/{data_id}/ticks/{ticks}",
        "authorization": {"action": operation, "role": role, "scope": resource_id},
        "caller": caller,
        "channels": "Operation",
        "claims": claims,
        "correlationId": correlation_id,
        "operationId": correlation_id,
        "description": "",
        "level": level or ("Error" if status == "Failed" else "Informational"),
        "category": {"value": category, "localizedValue": category},
        "eventName": {
            "value": "BeginRequest" if status == "Started" else "EndRequest",
            "localizedValue": "Begin request" if status == "Started" else "End request",
        },
        "operationName": {
            "value": operation,
            "localizedValue": operation.rsplit("/", 2)[-2] + " " + operation.rsplit("/", 1)[-1]
            if operation.count("/") > 1
            else operation,
        },
        "status": {"value": status, "localizedValue": status},
        "subStatus": {"value": sub_status, "localizedValue": sub_status},
        "resourceGroupName": parts[4] if len(parts) > 4 and low[3] == "resourcegroups" else "",
        "resourceProviderName": {"value": provider, "localizedValue": provider},
        "resourceType": {"value": kind, "localizedValue": kind},
        "resourceId": resource_id,
        "eventTimestamp": stamp(at),
        "submissionTimestamp": stamp(at + timedelta(seconds=60 + chance.randrange(120))),
        "subscriptionId": subscription_id,
        "tenantId": tenant_id,
        "properties": {
            "eventCategory": category,
            "entity": resource_id,
            "message": operation,
            "hierarchy": subscription_id,
            **(properties or {}),
        },
    }
    if status == "Started":
        document["httpRequest"] = {"clientRequestId": chance.guid(), "clientIpAddress": address, "method": method}
    return document


def token_id(*parts: str) -> str:
    """The id of an access token, in the shape of the claim `uti`: the same parts give the same id."""
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
