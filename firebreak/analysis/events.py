"""One event of the activity log, read tolerantly from the REST reply's form or any of the exported forms; audit and sign-in records too.

Nothing is taken for granted: `$select`, redaction and follow-up events leave out caller, address, claims or status; Log Analytics, event
hubs and SIEMs rename the columns. Event in, `Event` out.
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
    "fail": "failed",
    "error": "failed",
    "timeout": "failed",
    "denied": "failed",
    "clienterror": "failed",
    "servererror": "failed",
    "ok": "succeeded",
    "0": "succeeded",
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
    token: str = ""  # the id of the access token (claim `uti`)
    correlation_id: str = ""
    category: str = ""
    mfa: bool | None = None
    created: bool | None = None
    body: dict[str, Any] = {}


def read_event(document: Any, *, timeless: datetime | None = None, nameless_id: str = "") -> Event | None:
    """Read one event; None when it has no operation and so proves nothing.

    An event without a time is None as well unless `timeless` says which to take; one without an id gets `nameless_id`, else one made
    of its time, name and resource.
    """
    found = _first(document, _TIMES)
    at = doc.moment(found) or timeless
    name = operation_name(document)
    if at is None or not name:
        return None
    properties = doc.field(document, "properties")
    if isinstance(properties, str):
        properties = doc.mapping(document, "properties")
    claims = (
        doc.mapping(document, "claims")
        or doc.mapping(document, "identity", "claims")
        or doc.mapping(doc.mapping(document, "identity"), "claims")
        or doc.mapping(document, "claims_d")
    )
    resource_id = resource_of(document, properties)
    identifier = _identifier(document)
    caller, principal_id = _caller(document, properties, claims)
    request = doc.mapping(properties, "requestbody")
    response = doc.mapping(properties, "responseBody")
    sub_status = (
        doc.text(document, "subStatus")
        or doc.text(document, "ActivitySubstatusValue")
        or doc.text(document, "resultSignature")
        or doc.text(properties, "statusCode")
    )
    return Event(
        id=identifier or nameless_id or f"{at.isoformat()}|{name}|{resource_id}".lower(),
        at=at,
        name=name,
        resource_id=resource_id.rstrip("/"),
        status=_status(document, properties, sub_status),
        caller=caller or principal_id,
        principal_id=principal_id.lower(),
        app_id=(doc.text(claims, "appid") or doc.text(claims, "azp") or doc.text(properties, "appId")).lower(),
        address=_address(document, properties, claims),
        token=doc.text(claims, "uti"),
        correlation_id=(doc.text(document, "correlationId") or doc.text(document, "operationId")).lower(),
        category=(
            doc.text(document, "CategoryValue")
            or doc.text(document, "category")
            or doc.text(document, "evt", "category")
            or doc.text(properties, "eventCategory")
        ).lower(),
        mfa=_mfa(claims),
        created=_created(sub_status),
        body={**request_facts(response), **request_facts(request)},
    )


_TIMES = (
    "eventTimestamp",
    "time",
    "TimeGenerated",
    "timestamp",
    "@timestamp",
    "activityDateTime",
    "createdDateTime",
    "detectedDateTime",
    "p_event_time",
)


def operation_name(document: Any) -> str:
    """The operation's name: a resource provider's one before a readable one, an audit record's activity before nothing."""
    return (
        doc.text(document, "OperationNameValue")
        or doc.text(document, "operationName")
        or doc.text(document, "authorization", "action")
        or doc.text(document, "evt", "name")
        or doc.text(document, "activityDisplayName")
        or doc.text(document, "properties", "activityDisplayName")
        or doc.text(document, "properties", "operationName")
        or doc.text(document, "event", "action")
        or doc.text(document, "operation")
        or ("Sign-in activity" if _looks_like_sign_in(document) else "")
        or ("Risky sign-in or user" if doc.text(document, "riskEventType") else "")
    )


def resource_of(document: Any, properties: Any) -> str:
    return (
        doc.path(document, "resourceId")
        or doc.path(document, "_ResourceId")
        or doc.path(document, "resourceUri")
        or doc.path(document, "authorization", "scope")
        or doc.path(properties, "entity")
        or doc.path(doc.mapping(document, "identity"), "authorization", "scope")
    )


def _looks_like_sign_in(document: Any) -> bool:
    return any(doc.field(document, key) is not None for key in ("clientAppUsed", "authenticationProtocol", "userAgent"))


def _first(document: Any, names: tuple[str, ...]) -> Any:
    for holder in (document, doc.field(document, "properties")):
        for name in names:
            found = doc.field(holder, name)
            if found:
                return found
    return None


def _caller(document: Any, properties: Any, claims: dict[str, Any]) -> tuple[str, str]:
    """Who did it, and the object id: as the activity log, a directory's audit record or a sign-in says it."""
    principal_id = (
        doc.text(claims, _OBJECT_ID)
        or doc.text(claims, "oid")
        or doc.text(doc.mapping(document, "identity"), "authorization", "evidence", "principalId")
    )
    caller = doc.text(document, "caller") or doc.text(claims, _UPN) or doc.text(claims, "upn")
    if caller or principal_id:
        return caller, principal_id
    for holder in (document, properties):
        begun = doc.mapping(holder, "initiatedBy")
        caller = (
            doc.text(begun, "user", "userPrincipalName")
            or doc.text(begun, "app", "displayName")
            or doc.text(holder, "userPrincipalName")
            or doc.text(holder, "servicePrincipalName")
            or doc.text(begun, "user", "displayName")
        )
        principal_id = (
            doc.text(begun, "user", "id")
            or doc.text(begun, "app", "servicePrincipalId")
            or doc.text(holder, "userId")
            or doc.text(holder, "servicePrincipalId")
        )
        if caller or principal_id:
            return caller, principal_id
    return doc.text(document, "identity"), ""


def name_of(document: Any) -> str:
    """What tells an event apart that cannot be read: its id, or else all of it."""
    return _identifier(document) or repr(document)


def _identifier(document: Any) -> str:
    return (
        doc.text(document, "eventDataId")
        or doc.path(document, "id")
        or doc.text(document, "_ItemId")
        or doc.text(document, "properties", "id")
    )


def request_facts(body: dict[str, Any]) -> dict[str, Any]:
    """Return the few fields of a request or reply body that detections use, under names of our own."""
    if not body:
        return {}
    properties = doc.mapping(body, "properties") or body
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


def _status(document: Any, properties: Any, sub_status: str) -> str:
    word = (
        doc.text(document, "ActivityStatusValue")
        or doc.text(document, "status")
        or doc.text(document, "resultType")
        or doc.text(document, "evt", "outcome")
        or doc.text(document, "event", "outcome")
        or doc.text(document, "result")
        or doc.text(document, "ActivityStatus")
        or doc.text(properties, "result")
        or doc.text(document, "resultSignature")
    ).lower()
    known = _WORDS.get(word) or _WORDS.get(word.split(".")[0].strip(), "")
    code = (
        word
        if word.isdigit()
        else doc.text(doc.field(properties, "status") or doc.field(document, "status"), "errorCode")
    )
    if code.isdigit() and len(code) >= 3:
        # A sign-in's result is 0 or the number of an error; a request's is an HTTP status.
        return "succeeded" if len(code) == 3 and code < "400" else "failed"
    if known in {"started", "accepted", "failed"}:
        return known
    if _refused(sub_status) or (
        # An alert is critical without anything having failed.
        doc.text(document, "level").lower() in {"error", "critical"}
        and doc.text(document, "category").lower() in {"", "administrative", "policy"}
    ):
        return "failed"
    if known:
        return known
    if _done(sub_status):
        return "succeeded"
    event_name = doc.text(document, "eventName").lower().replace(" ", "")
    return "started" if event_name == "beginrequest" else ""


def _refused(sub_status: str) -> bool:
    if not sub_status:
        return False
    folded = sub_status.lower().replace(" ", "")
    match = _HTTP_STATUS.search(sub_status)
    return folded.split("(")[0] in _FAILED_WORDS or bool(match and int(match[1]) >= 400)


def status_of(status: str, sub_status: str, level: str, category: str, event_name: str) -> tuple[str, bool | None]:
    """The status of an event of the REST form, and whether its resource was created."""
    document = {"status": status, "level": level, "category": category, "eventName": event_name}
    return _status(document, None, sub_status), _created(sub_status)


def _done(sub_status: str) -> bool:
    """Whether an event without a status names an HTTP success; "Accepted" is a beginning."""
    return sub_status.lower().split(" ")[0] in {"ok", "created", "nocontent"}


def _created(sub_status: str) -> bool | None:
    sub = sub_status.lower()
    if sub.startswith("created") or "201" in sub:
        return True
    return False if sub == "ok" or sub.startswith("ok ") or "200" in sub else None


def _address(document: Any, properties: Any, claims: dict[str, Any]) -> str:
    found = (
        doc.text(doc.mapping(document, "httpRequest"), "clientIpAddress")
        or doc.text(document, "callerIpAddress")
        or doc.text(claims, "ipaddr")
        or doc.text(document, "ipAddress")
        or doc.text(properties, "ipAddress")
        or doc.text(doc.mapping(properties, "initiatedBy"), "user", "ipAddress")
        or doc.text(doc.mapping(document, "initiatedBy"), "user", "ipAddress")
    )
    return address_of(found)


def address_of(found: str) -> str:
    """An address in one spelling. Some exports write "address:port" for IPv4."""
    address = found.strip().lower()
    with_port = _ADDRESS_AND_PORT.fullmatch(address) if ":" in address else None
    return with_port[1] if with_port else address


def _mfa(claims: dict[str, Any]) -> bool | None:
    found = doc.field(claims, _METHODS) or doc.field(claims, "amr")
    if isinstance(found, list):
        found = ",".join(str(method) for method in found)
    return multi_factor(found) if isinstance(found, str) else None


def multi_factor(methods: str) -> bool | None:
    """Whether a token's list of methods names a second factor; None when it says nothing."""
    return "mfa" in _NO_LETTERS.split(methods.lower()) if methods else None
