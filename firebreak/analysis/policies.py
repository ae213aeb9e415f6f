"""Whether an Azure Policy would deny a write, as far as its rule can be read here: yes, no, or nobody can tell. Pure.

Understood: allOf, anyOf, not; a field (type, name, location, tags) or value with equals, in, like, contains, exists and their opposites;
`parameters()` and the usual ways to name a tag. Anything else makes the answer None, and a person is told so.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.rights import is_at_or_below
from firebreak.model.facts import PolicyAssignment

_PARAMETER = re.compile(r"\[\s*parameters\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)
_TAG = re.compile(r"tags(?:\.([\w:-]+)|\[\s*'?([^'\]]+)'?\s*\])", re.IGNORECASE)
_TAG_PARAMETER = re.compile(
    r"\[\s*concat\(\s*'tags\['+\s*,\s*parameters\(\s*'([^']+)'\s*\)\s*,\s*'+\]'\s*\)\s*\]", re.IGNORECASE
)
_UNKNOWN: Any = object()


def denies(
    assignment: PolicyAssignment, definition: Mapping[str, Any] | None, target: str, document: Mapping[str, Any]
) -> bool | None:
    """Whether the assignment would deny writing `document` (with `type`) at `target`; None when that cannot be told."""
    excluded = [str(scope) for scope in doc.items(assignment.document, "properties", "notScopes")]
    elsewhere = not is_at_or_below(target, assignment.scope) or any(is_at_or_below(target, e) for e in excluded)
    if assignment.enforcement.lower() != "default" or elsewhere:
        return False
    if definition is None:
        return None
    properties = doc.mapping(definition, "properties")
    parameters = _parameters(assignment, properties)
    rule = doc.mapping(properties, "policyRule")
    effect = _resolved(doc.field(rule, "then", "effect"), parameters)
    if isinstance(effect, str) and effect.lower() != "deny":
        return False
    if doc.text(properties, "mode").lower() == "indexed" and not document.get("location"):
        return False
    met = _holds(doc.field(rule, "if"), {**document, "id": target}, parameters)
    return None if met is True and effect is _UNKNOWN else met


def _parameters(assignment: PolicyAssignment, definition: Mapping[str, Any]) -> dict[str, Any]:
    declared = doc.mapping(definition, "parameters")
    found = {
        k.lower(): v["defaultValue"] for k, v in declared.items() if isinstance(v, Mapping) and "defaultValue" in v
    }
    given = doc.mapping(assignment.document, "properties", "parameters")
    return found | {k.lower(): v["value"] for k, v in given.items() if isinstance(v, Mapping) and "value" in v}


def _holds(rule: Any, resource: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool | None:
    """Three-valued: None wherever something in the rule is not understood and decides."""
    if not isinstance(rule, Mapping):
        return None
    keys = {str(key).lower(): value for key, value in rule.items()}
    if "allof" in keys:
        return _every([_holds(one, resource, parameters) for one in _list(keys["allof"])])
    if "anyof" in keys:
        some = _every([_opposite(_holds(one, resource, parameters)) for one in _list(keys["anyof"])])
        return _opposite(some)
    if "not" in keys:
        return _opposite(_holds(keys["not"], resource, parameters))
    if "field" in keys:
        left = _field(str(keys.pop("field")), resource, parameters)
    elif "value" in keys:
        left = _resolved(keys.pop("value"), parameters)
    else:
        return None
    return _condition(left, keys, parameters)


def _condition(left: Any, keys: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool | None:
    if left is _UNKNOWN or len(keys) != 1:
        return None
    ((name, raw),) = keys.items()
    right = _fold(_resolved(raw, parameters))
    if right is _UNKNOWN:
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
        wanted = parameters.get(match[1].lower(), _UNKNOWN)
        return _UNKNOWN if wanted is _UNKNOWN else _tag(resource, str(wanted))
    if name.startswith("["):
        return _UNKNOWN
    lowered = name.lower()
    if lowered in ("type", "name", "id", "kind"):
        return resource.get(lowered)
    if lowered == "location":
        return str(resource.get("location") or "").replace(" ", "").lower() or None
    if lowered == "tags":
        return resource.get("tags")
    if match := _TAG.fullmatch(name):
        return _tag(resource, match[1] or match[2])
    if lowered.count("/") >= 2 and not lowered.startswith(str(resource.get("type", "")).lower() + "/"):
        return None  # an alias of another resource type: this one has no such field
    return _UNKNOWN


def _tag(resource: Mapping[str, Any], name: str) -> Any:
    return next((v for k, v in doc.tags(resource).items() if k.lower() == name.lower()), None)


def _resolved(value: Any, parameters: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and (match := _PARAMETER.fullmatch(value)):
        return parameters.get(match[1].lower(), _UNKNOWN)
    if isinstance(value, str) and value.startswith("[") and not value.startswith("[["):
        return _UNKNOWN
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
