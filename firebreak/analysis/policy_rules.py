"""How the rule of an Azure Policy definition is read: met by a resource, not met, or nobody can tell. Pure.

Understood: allOf, anyOf, not; a field (type, name, location, tags) or value with equals, in, like, contains, exists and their opposites;
`parameters()` and the usual ways to name a tag. Anything else, and what is `UNKNOWN` of the resource, makes the answer None, and a person is
told so. https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-policy-rule
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any

from firebreak.analysis import documents as doc

_PARAMETER = re.compile(r"\[\s*parameters\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)
_TAG = re.compile(r"tags(?:\.([\w:-]+)|\[\s*'?([^'\]]+)'?\s*\])", re.IGNORECASE)
_TAG_PARAMETER = re.compile(
    r"\[\s*concat\(\s*'tags\['+\s*,\s*parameters\(\s*'([^']+)'\s*\)\s*,\s*'+\]'\s*\)\s*\]", re.IGNORECASE
)
UNKNOWN: Any = object()  # what is not known, which is not the same as what is not there


def holds(rule: Any, resource: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool | None:
    """Whether a resource meets the `if` of a rule; None wherever something that decides is not understood or not known."""
    if not isinstance(rule, Mapping):
        return None
    keys = {str(key).lower(): value for key, value in rule.items()}
    if "allof" in keys:
        return _every([holds(one, resource, parameters) for one in _list(keys["allof"])])
    if "anyof" in keys:
        some = _every([_opposite(holds(one, resource, parameters)) for one in _list(keys["anyof"])])
        return _opposite(some)
    if "not" in keys:
        return _opposite(holds(keys["not"], resource, parameters))
    if "field" in keys:
        left = _field(str(keys.pop("field")), resource, parameters)
    elif "value" in keys:
        left = resolved(keys.pop("value"), parameters)
    else:
        return None
    return _condition(left, keys, parameters)


def _condition(left: Any, keys: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool | None:
    if left is UNKNOWN or len(keys) != 1:
        return None
    ((name, raw),) = keys.items()
    right = _fold(resolved(raw, parameters))
    if right is UNKNOWN:
        return None
    if name == "exists":
        return (left is not None) == (str(right) == "true")
    opposite = name.startswith("not")
    value = _fold(left)
    plain = name.removeprefix("not")
    if plain == "equals":
        met = str(value or "") == str(right)
    elif plain == "in" and isinstance(right, list):
        met = value in right
    elif plain == "like":
        met = fnmatch.fnmatchcase(str(value or ""), str(right).replace("[", "[[]"))
    elif plain == "contains":
        met = str(right) in str(value or "")
    else:
        return None
    return met != opposite


def _field(name: str, resource: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    if match := _TAG_PARAMETER.fullmatch(name):
        if resource.get("tags") is UNKNOWN:
            return UNKNOWN
        wanted = parameters.get(match[1].lower(), UNKNOWN)
        return UNKNOWN if wanted is UNKNOWN else _tag(resource, str(wanted))
    if name.startswith("["):
        return UNKNOWN
    lowered = name.lower()
    if lowered in ("type", "name", "id", "kind"):
        return resource.get(lowered)
    if resource.get(lowered) is UNKNOWN or (lowered.startswith("tags") and resource.get("tags") is UNKNOWN):
        return UNKNOWN
    if lowered == "location":
        return str(resource.get("location") or "").replace(" ", "").lower() or None
    if lowered == "tags":
        return resource.get("tags")
    if match := _TAG.fullmatch(name):
        return _tag(resource, match[1] or match[2])
    if lowered.count("/") >= 2 and not lowered.startswith(str(resource.get("type", "")).lower() + "/"):
        return None  # an alias of another resource type: this one has no such field
    return UNKNOWN


def _tag(resource: Mapping[str, Any], name: str) -> Any:
    return next((v for k, v in doc.tags(resource).items() if k.lower() == name.lower()), None)


def resolved(value: Any, parameters: Mapping[str, Any]) -> Any:
    """A literal, or what a parameter is set to; `UNKNOWN` for any other expression."""
    if isinstance(value, str) and (match := _PARAMETER.fullmatch(value)):
        return parameters.get(match[1].lower(), UNKNOWN)
    if isinstance(value, str) and value.startswith("[") and not value.startswith("[["):
        return UNKNOWN
    return value


def _fold(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value.lower()
    return [_fold(one) for one in value] if isinstance(value, list) else value


def _every(values: Sequence[bool | None]) -> bool | None:
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def _opposite(value: bool | None) -> bool | None:
    return None if value is None else not value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
