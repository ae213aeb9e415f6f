"""One event of the activity log, read tolerantly from the REST reply's form or the exported form.

Nothing is taken for granted: `$select`, redaction and follow-up events leave out caller, address, claims or status. Event in, `Event` out.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from firebreak.analysis import documents as doc

_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_METHODS = "http://schemas.microsoft.com/claims/authnmethodsreferences"
_UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
_ADDRESS_AND_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+):\d+")
_NO_LETTERS = re.compile(r"[^a-z]+")
_HTTP_STATUS = re.compile(r"\b([1-5]\d\d)\b")
_FAILED_WORDS = frozenset(
    {
        "badrequest",
        "conflict",
        "forbidden",
        "gatewaytimeout",
        "internalservererror",
        "notfound",
        "preconditionfailed",
        "serviceunavailable",
        "toomanyrequests",
        "unauthorized",
    }
)
_WORDS = {
    "start": "started",
    "started": "started",
    "begin": "started",
    "accept": "accepted",
    "accepted": "accepted",
    "in progress": "accepted",
    "inprogress": "accepted",
    "succeeded": "succeeded",
    "success": "succeeded",
    "resolved": "succeeded",
    "completed": "succeeded",
    "failed": "failed",
    "failure": "failed",
    "canceled": "failed",
    "cancelled": "failed",
}


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one event says. Empty strings and None stand for what it does not say. `status` is started, accepted, succeeded, failed or ""."""

    id: str
    at: datetime
    name: str
    resource_id: str
    status: str
    caller: str = ""
    principal_id: str = ""
    app_id: str = ""
    address: str = ""
    correlation_id: str = ""
    category: str = ""
    mfa: bool | None = None
    created: bool | None = None
    body: dict[str, Any] = {}


def read_event(document: Any) -> Event | None:
    """Read one event; None when it has no time or no operation and so proves nothing about an operation."""
    at = doc.moment(doc.field(document, "eventTimestamp") or doc.field(document, "time"))
    name = doc.text(document, "operationName") or doc.text(document, "authorization", "action")
    if at is None or not name:
        return None
    claims = doc.mapping(document, "claims") or doc.mapping(document, "identity", "claims")
    resource_id = doc.path(document, "resourceId") or doc.path(document, "authorization", "scope")
    identifier = _identifier(document)
    caller = doc.text(document, "caller") or doc.text(claims, _UPN) or doc.text(claims, "upn")
    principal_id = doc.text(claims, _OBJECT_ID) or doc.text(claims, "oid")
    properties = doc.field(document, "properties")
    request = doc.mapping(properties, "requestbody")
    response = doc.mapping(properties, "responseBody")
    sub_status = doc.text(document, "subStatus") or doc.text(properties, "statusCode")
    return Event(
        id=identifier or f"{at.isoformat()}|{name}|{resource_id}".lower(),
        at=at,
        name=name,
        resource_id=resource_id.rstrip("/"),
        status=_status(document, sub_status),
        caller=caller or principal_id,
        principal_id=principal_id.lower(),
        app_id=(doc.text(claims, "appid") or doc.text(claims, "azp")).lower(),
        address=_address(document, claims),
        correlation_id=(doc.text(document, "correlationId") or doc.text(document, "operationId")).lower(),
        category=doc.text(document, "category").lower(),
        mfa=_mfa(claims),
        created=_created(sub_status),
        body={**request_facts(response), **request_facts(request), **_message(properties, name)},
    )


def name_of(document: Any) -> str:
    """What tells an event apart that cannot be read: its id, or else all of it."""
    return _identifier(document) or repr(document)


def _identifier(document: Any) -> str:
    return doc.text(document, "eventDataId") or doc.text(document, "id")


def request_facts(body: dict[str, Any]) -> dict[str, Any]:
    """Return the few fields of a request or reply body that detections use, under names of our own."""
    if not body:
        return {}
    properties = doc.mapping(body, "properties")
    profile = doc.mapping(properties, "virtualMachineProfile")
    found: dict[str, Any] = {
        "region": doc.region_name(doc.text(body, "location")),
        "size": doc.text(properties, "hardwareProfile", "vmSize")
        or doc.text(body, "sku", "name")
        or doc.text(properties, "vmSize"),
        "capacity": doc.whole(body, "sku", "capacity"),
        "priority": doc.text(properties, "priority") or doc.text(profile, "priority"),
        "granted_to": doc.text(properties, "principalId").lower(),
        "granted_type": doc.text(properties, "principalType"),
        "role": doc.text(properties, "roleDefinitionId").rsplit("/", 1)[-1].lower(),
        "extension": doc.text(properties, "type"),
        "level": doc.text(properties, "level"),
        "limit": doc.whole(properties, "limit", "value") or doc.whole(properties, "limit"),
        "enforcement": doc.text(properties, "enforcementMode"),
        "tags": doc.tags(body),
    }
    return {key: value for key, value in found.items() if value}


def _message(properties: Any, name: str) -> dict[str, Any]:
    message = doc.text(properties, "message")
    return {"message": message} if message and message.lower() != name.lower() else {}


def _status(document: Any, sub_status: str) -> str:
    word = (doc.text(document, "status") or doc.text(document, "resultType")).lower()
    known = _WORDS.get(word, "")
    if known in {"started", "accepted", "failed"}:
        return known
    if _refused(sub_status) or doc.text(document, "level").lower() in {"error", "critical"}:
        return "failed"
    if known:
        return known
    event_name = doc.text(document, "eventName").lower().replace(" ", "")
    return "started" if event_name == "beginrequest" else ""


def _refused(sub_status: str) -> bool:
    if not sub_status:
        return False
    folded = sub_status.lower().replace(" ", "")
    match = _HTTP_STATUS.search(sub_status)
    return folded.split("(")[0] in _FAILED_WORDS or bool(match and int(match[1]) >= 400)


def _created(sub_status: str) -> bool | None:
    sub = sub_status.lower()
    if sub.startswith("created") or "201" in sub:
        return True
    return False if sub == "ok" or sub.startswith("ok ") or "200" in sub else None


def _address(document: Any, claims: dict[str, Any]) -> str:
    found = (
        doc.text(document, "httpRequest", "clientIpAddress")
        or doc.text(document, "callerIpAddress")
        or doc.text(claims, "ipaddr")
    )
    address = found.strip().lower()
    # Some exports write "address:port" for IPv4.
    with_port = _ADDRESS_AND_PORT.fullmatch(address)
    return with_port[1] if with_port else address


def _mfa(claims: dict[str, Any]) -> bool | None:
    found = doc.field(claims, _METHODS) or doc.field(claims, "amr")
    if isinstance(found, list):
        found = ",".join(str(method) for method in found)
    if not isinstance(found, str) or not found:
        return None
    return "mfa" in _NO_LETTERS.split(found.lower())
