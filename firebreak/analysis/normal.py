"""The normal event: what rules look at, whatever form the event came in.

A document maps lower-case field names to the texts that stand there. Nested names are joined with dots, list positions are left out,
JSON in strings is read, and `properties.x` is also found as `x`. On top come `body.*`, the request's body (else the reply's) without its
`properties` level, and the facts of `properties.py`. Event in, `Document` out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from firebreak.analysis.documents import field

Document = Mapping[str, tuple[str, ...]]

_MOST_VALUES = 4000
_DEEPEST = 14
_LONGEST = 8192
_META = frozenset(
    {
        "requestbody",
        "responsebody",
        "message",
        "eventcategory",
        "entity",
        "hierarchy",
        "statuscode",
        "servicerequestid",
        "eventname",
        "operationname",
    }
)
# What names a resource in a body, and what else belongs to any: no fact of `properties.py` is told from it.
NAMING = frozenset({"id", "name", "etag"})
COMMON = NAMING | {"location", "tags"}

_SAME = {
    "operationname": (
        "operationname",
        "operationnamevalue",
        "operation",
        "operation_name",
        "azure.activitylogs.operation_name",
        "azure.auditlogs.operation_name",
        "azure.signinlogs.operation_name",
        "event.action",
        "evt.name",
        "activitydisplayname",
        "properties.activitydisplayname",
        "azure.auditlogs.properties.activity_display_name",
        "authorization.action",
        "properties.operationname",
    ),
    "category": ("category", "categoryvalue", "properties.eventcategory", "eventcategory", "evt.category"),
    "resourceprovider": ("resourceprovider", "resourceprovidervalue", "resourceprovidername"),
    "resourceid": ("resourceid", "_resourceid", "azure.resource.id", "properties.entity", "entity"),
    "caller": ("caller", "properties.caller", "azure.activitylogs.identity.claims_initiated_by_user.name"),
    "address": (
        "address",
        "calleripaddress",
        "clientipaddress",
        "httprequest.clientipaddress",
        "claims.ipaddr",
        "ipaddress",
        "properties.ipaddress",
        "source.ip",
    ),
    "status": (
        "status",
        "activitystatus",
        "activitystatusvalue",
        "resulttype",
        "event.outcome",
        "evt.outcome",
        "result",
        "properties.result",
        "azure.activitylogs.result_type",
    ),
    "message": ("message", "properties.message", "properties_message"),
}
_ALIASES = {alias: name for name, aliases in _SAME.items() for alias in aliases}
_SPACES = re.compile(r"\s+")


def normal_field(name: str) -> str:
    """The document's name for a field as rules of different makers write it."""
    folded = _SPACES.sub("", name).lower()
    folded = folded.removesuffix(".value") if folded.count(".") == 1 and folded != "body.value" else folded
    return _ALIASES.get(folded, folded)


def read_json(value: Any) -> Any:
    """A string that holds a JSON object or list, read; anything else as it is."""
    if isinstance(value, str) and value[:64].lstrip()[:1] in {"{", "["}:
        try:
            return msgspec.json.decode(value)
        except (ValueError, RecursionError):
            pass
        try:
            return json.loads(value)  # it knows NaN and the like as well
        except (ValueError, RecursionError):
            return value
    return value


def document_of(
    event: Mapping[Any, Any], known: Mapping[str, str], *, whole: bool = True
) -> dict[str, tuple[str, ...]]:
    """The normal form of one raw event; `known` are the fields that the reader of events has already found, under their normal names.

    Without `whole` there are only these, the body and what was changed: most rules ask for no more, and it costs half.
    """
    values: dict[str, list[str]] = {}
    properties = properties_of(event)
    for name, text in _leaves("", event, 0) if whole else ():
        values.setdefault(normal_field(name), []).append(text)
        if name.startswith("properties."):
            values.setdefault(normal_field(name[11:]), []).append(text)
    for name, text in _leaves("", body_of(properties), 0) if properties else ():
        values.setdefault("body." + name.replace("properties.", ""), []).append(text)
    for holder in (event, properties):
        for name, text in _changes(holder):
            values.setdefault(name, []).append(text)
    for name, text in known.items():
        if text:
            values.setdefault(name, []).append(text)
    return {name: (found[0],) if len(found) == 1 else tuple(dict.fromkeys(found)) for name, found in values.items()}


def properties_of(event: Mapping[Any, Any]) -> Mapping[str, Any]:
    """An event's `properties` under their names in lower case."""
    properties = read_json(field(event, "properties"))
    if not isinstance(properties, Mapping):
        return {}
    folded: dict[str, Any] = {}
    for key, value in properties.items():
        folded.setdefault(str(key).lower(), value)
    return folded


def body_of(properties: Mapping[str, Any]) -> Any:
    """The request's body, else the reply's, else what stands in `properties_of` an event itself."""
    for name in ("requestbody", "responsebody"):
        body = read_json(properties.get(name))
        if isinstance(body, (dict, list)):
            return body
    return {key: value for key, value in properties.items() if key not in _META}


def says_nothing(properties: Mapping[Any, Any]) -> bool:
    """Whether `properties` that hold no body hold nothing else either that rules could look at."""
    return _META.issuperset([str(key).lower() for key in properties])


def _changes(holder: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """What a directory's audit record says was changed (`modified.NAME.old`, `.new`) and adds as details (`detail.KEY`)."""
    targets = read_json(field(holder, "targetresources"))
    for target in targets if isinstance(targets, list) else [targets]:
        changed = read_json(field(target, "modifiedproperties"))
        for change in changed if isinstance(changed, list) else []:
            name = _SPACES.sub("", str(field(change, "displayname") or field(change, "name") or "")).lower()
            for key, when in (("oldvalue", "old"), ("newvalue", "new")):
                value = field(change, key)
                if value not in (None, "") and name:
                    text = value if isinstance(value, str) else json.dumps(value)
                    yield f"modified.{name}.{when}", text[:_LONGEST]
    details = read_json(field(holder, "additionaldetails"))
    for detail in details if isinstance(details, list) else []:
        if isinstance(field(detail, "value"), str):
            yield f"detail.{_SPACES.sub('', str(field(detail, 'key') or '')).lower()}", field(detail, "value")


def _leaves(prefix: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Every text below a value with its name. What is nested too deep or too wide is cut: a rule must not cost a stranger's wish."""
    stack = [(prefix, value, depth)]
    count = 0
    while stack and count < _MOST_VALUES:
        name, value, depth = stack.pop()
        if type(value) is str:
            first = value[:1]
            if first not in "{[" and not first.isspace():
                count += 1
                yield name, value[:_LONGEST]
                continue
            value = read_json(value)
        if isinstance(value, (dict, Mapping)):
            if depth < _DEEPEST:
                stack += [
                    (f"{name}.{str(key).lower()}" if name else str(key).lower(), inner, depth + 1)
                    for key, inner in value.items()
                ]
        elif isinstance(value, list):
            if depth < _DEEPEST:
                stack += [(name, inner, depth + 1) for inner in value]
        elif value is not None:
            count += 1
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield name, text[:_LONGEST]
