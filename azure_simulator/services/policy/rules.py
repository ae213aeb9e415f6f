"""Policy rules: `if` conditions over the fields of a resource that is about to be written. A subset that covers deny policies:
allOf, anyOf, not; field or value with equals, notEquals, in, notIn, like, notLike, contains, exists; parameters() and field().
"""

from __future__ import annotations

import fnmatch
import re
from typing import Any

from azure_simulator.world import Document

_PARAMETER = re.compile(r"^\[parameters\('([^']+)'\)\]$", re.IGNORECASE)
_FIELD = re.compile(r"^\[field\('([^']+)'\)\]$", re.IGNORECASE)
_TAG_OF_PARAMETER = re.compile(r"^\[concat\('tags\['+, *parameters\('([^']+)'\), *'+\]'\)\]$", re.IGNORECASE)
_TAG = re.compile(r"^tags(?:\.([\w-]+)|\['([^']+)'\])$", re.IGNORECASE)
_ALIASES = {
    "microsoft.compute/virtualmachines/sku.name": ("properties", "hardwareProfile", "vmSize"),
    "microsoft.compute/virtualmachinescalesets/sku.name": ("sku", "name"),
}


def holds(rule: Document, resource: Document, parameters: Document) -> bool:
    """True when the condition is met by the resource."""
    if "allOf" in rule:
        return all(holds(inner, resource, parameters) for inner in rule["allOf"])
    if "anyOf" in rule:
        return any(holds(inner, resource, parameters) for inner in rule["anyOf"])
    if "not" in rule:
        return not holds(rule["not"], resource, parameters)
    named = _TAG_OF_PARAMETER.sub(lambda m: f"tags['{parameters.get(m[1].lower())}']", str(rule.get("field", "")))
    left = field(named, resource) if "field" in rule else resolve(rule.get("value"), resource, parameters)
    found = _fold(left)
    for name, right in rule.items():
        wanted = _fold(resolve(right, resource, parameters))
        match name.lower():
            case "equals":
                return bool(found == wanted)
            case "notequals":
                return bool(found != wanted)
            case "in":
                return found in (wanted or [])
            case "notin":
                return found not in (wanted or [])
            case "like":
                return fnmatch.fnmatchcase(str(found or ""), str(wanted))
            case "notlike":
                return not fnmatch.fnmatchcase(str(found or ""), str(wanted))
            case "contains":
                return str(wanted) in str(found or "")
            case "exists":
                return (left is not None) == (str(wanted).lower() == "true")
    return False


def resolve(value: Any, resource: Document, parameters: Document) -> Any:
    """A literal, `[parameters('x')]` or `[field('x')]`."""
    if isinstance(value, str):
        if match := _PARAMETER.match(value):
            return parameters.get(match.group(1).lower())
        if match := _FIELD.match(value):
            return field(match.group(1), resource)
    return value


def field(name: str, resource: Document) -> Any:
    """The value of a field or alias; None when the resource has none."""
    low = name.lower()
    if low in ("type", "name", "kind", "id"):
        return resource.get(low)
    if low == "location":
        place = resource.get("location")
        return place.replace(" ", "").lower() if isinstance(place, str) else place
    if low == "tags":
        return resource.get("tags")
    if match := _TAG.match(name):
        wanted = (match.group(1) or match.group(2)).lower()
        return next((v for k, v in (resource.get("tags") or {}).items() if k.lower() == wanted), None)
    path = _ALIASES.get(low)
    if path is None and low.startswith(str(resource.get("type", "")).lower() + "/"):
        path = ("properties", *name[len(str(resource["type"])) + 1 :].split("."))
    value: Any = resource
    for step in path or ():
        value = (
            next((v for k, v in value.items() if k.lower() == step.lower()), None) if isinstance(value, dict) else None
        )
    return value if path else None


def _fold(value: Any) -> Any:
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, list):
        return [_fold(item) for item in value]
    return value
