"""The quick way through a large log: only the fields that count are decoded, straight into typed values.

`Seen` is an event as the REST API and its archives have it. A page that holds an event in any other form is read the slow way, by
`events.py`; both ways give the same `Event`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from firebreak.analysis.documents import region_name
from firebreak.analysis.events import Event, address_of, multi_factor, request_facts, status_of
from firebreak.analysis.ruleset import RuleSet


class Named(msgspec.Struct, gc=False):
    """`{value, localizedValue}`."""

    value: str | None = None


class HttpRequest(msgspec.Struct, gc=False):
    client: str | None = msgspec.field(name="clientIpAddress", default=None)


class Claims(msgspec.Struct, gc=False):
    ipaddr: str | None = None
    appid: str | None = None
    uti: str | None = None
    object_id: str | None = msgspec.field(
        name="http://schemas.microsoft.com/identity/claims/objectidentifier", default=None
    )
    upn: str | None = msgspec.field(name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", default=None)
    methods: str | None = msgspec.field(name="http://schemas.microsoft.com/claims/authnmethodsreferences", default=None)


class Properties(msgspec.Struct, gc=False):
    """The parts of `properties` that say what was asked for; a body is JSON in a string."""

    requestbody: str | None = None
    response_body: str | None = msgspec.field(name="responseBody", default=None)
    status_code: str | None = msgspec.field(name="statusCode", default=None)


class Seen(msgspec.Struct, gc=False, rename="camel"):
    """One event. What is required here is what the quick way cannot do without."""

    event_timestamp: datetime
    operation_name: Named
    event_data_id: str
    resource_id: str
    correlation_id: str | None = None
    caller: str | None = None
    category: str | Named | None = None
    level: str | None = None
    status: str | Named | None = None
    sub_status: str | Named | None = None
    event_name: str | Named | None = None
    http_request: HttpRequest | None = None
    claims: Claims | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")


class Sku(msgspec.Struct, gc=False):
    name: str | None = None
    capacity: int | None = None


class Hardware(msgspec.Struct, gc=False, rename="camel"):
    vm_size: str | None = None


class Profile(msgspec.Struct, gc=False):
    priority: str | None = None


class Asked(msgspec.Struct, gc=False, rename="camel"):
    """The `properties` of a body."""

    hardware_profile: Hardware | None = None
    vm_size: str | None = None
    priority: str | None = None
    virtual_machine_profile: Profile | None = None
    type: str | None = None


class Body(msgspec.Struct, gc=False):
    """The parts of a request's or reply's body that detections use, where a machine or another resource is made."""

    location: str | None = None
    sku: Sku | None = None
    properties: Asked | None = None
    tags: dict[str, str] | None = None


class Skimmer:
    """Turns `Seen`s into `Event`s; what repeats from event to event is worked out once."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._texts: dict[str, str] = {}
        self._statuses: dict[tuple[str, str, str, str, str], tuple[str, bool | None]] = {}
        self._methods: dict[str, bool | None] = {}
        self._names: dict[str, tuple[str, bool]] = {}
        self._properties = msgspec.json.Decoder(Properties)

    def event(self, seen: Seen) -> Event | None:
        """The event; None when it has to go the slow way."""
        name = seen.operation_name.value
        at = seen.event_timestamp
        if not name or not seen.event_data_id or not seen.resource_id:
            return None
        if at.tzinfo is not UTC:
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = (name, bool(self._rules.candidates(name).open))
        name, is_open = known
        claims = seen.claims or _NO_CLAIMS
        share = self._shared
        try:
            properties = self._properties.decode(seen.properties)
        except msgspec.MsgspecError:
            return None
        sub_status = _text(seen.sub_status) or properties.status_code or ""
        body: dict[str, Any] = {}
        if properties.requestbody or properties.response_body:
            body = {**_facts(properties.response_body, name), **_facts(properties.requestbody, name)}
        key = (_text(seen.status), sub_status, seen.level or "", _text(seen.category), _text(seen.event_name))
        told = self._statuses.get(key)
        if told is None:
            told = status_of(*key)
            if len(self._statuses) < _MOST:
                self._statuses[key] = told
        methods = claims.methods or ""
        if methods not in self._methods:
            self._methods[methods] = multi_factor(methods)
        principal = (claims.object_id or "").lower()
        caller = seen.caller or claims.upn or principal
        address = (seen.http_request and seen.http_request.client) or claims.ipaddr or ""
        event = Event(
            id=seen.event_data_id,
            at=at,
            name=name,
            resource_id=share(seen.resource_id.rstrip("/")),
            status=told[0],
            caller=share(caller),
            principal_id=share(principal),
            app_id=share((claims.appid or "").lower()),
            address=share(address_of(address)),
            token=share(claims.uti or ""),
            correlation_id=share((seen.correlation_id or "").lower()),
            category=share(_text(seen.category).lower()),
            mfa=self._methods[methods],
            created=told[1],
            body=body,
        )
        if is_open:
            try:
                raw = {"properties": msgspec.json.decode(seen.properties), "resourceId": event.resource_id}
            except msgspec.DecodeError:
                return None
            event = msgspec.structs.replace(event, detail=self._rules.document(raw, name, known_of(event)))
        return event

    def _shared(self, text: str) -> str:
        """The one copy of a text that comes again and again."""
        found = self._texts.get(text)
        if found is None:
            if len(self._texts) >= _MOST:
                self._texts.clear()
            self._texts[text] = found = text
        return found


_MOST = 50_000
_NO_CLAIMS = Claims()


def known_of(event: Event) -> dict[str, str]:
    """What the reader of events has found, under the normal event's names."""
    return {
        "caller": event.caller,
        "address": event.address,
        "resourceid": event.resource_id,
        "status": event.status,
        "category": event.category,
        "appid": event.app_id,
    }


def _text(value: str | Named | None) -> str:
    if isinstance(value, Named):
        return value.value or ""
    return value or ""


def _facts(body: str | None, name: str) -> dict[str, Any]:
    if not body or body[:1] != "{":
        return {}
    if name[:12].lower() in _MADE:
        try:
            made = _body.decode(body)
        except msgspec.MsgspecError:
            made = Body()
        if made.location is not None or made.properties is not None:
            return _made(made)
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return request_facts(found) if isinstance(found, dict) else {}


_body = msgspec.json.Decoder(Body)
_MADE = frozenset({"microsoft.co", "microsoft.ne", "microsoft.st", "microsoft.re", "microsoft.we"})
_regions: dict[str, str] = {}


def _made(body: Body) -> dict[str, Any]:
    """As `request_facts` would say it."""
    asked = body.properties or Asked()
    location = body.location or ""
    region = _regions.get(location)
    if region is None:
        region = region_name(location)
        if len(_regions) < _MOST:
            _regions[location] = region
    sku = body.sku or Sku()
    profile = asked.virtual_machine_profile
    found = {
        "region": region,
        "size": (asked.hardware_profile and asked.hardware_profile.vm_size) or sku.name or asked.vm_size,
        "capacity": sku.capacity,
        "priority": asked.priority or (profile and profile.priority),
        "extension": asked.type,
        "tags": body.tags,
    }
    return {key: value for key, value in found.items() if value}
