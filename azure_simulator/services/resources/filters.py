"""The `$filter` of resource and group lists: comparisons joined by `and` or `or`, as ARM documents them."""

from __future__ import annotations

import re
from collections.abc import Callable

from azure_simulator import arm
from azure_simulator.services.resources.exceptions import InvalidFilterError
from azure_simulator.world import Document

Fits = Callable[[Document], bool]

_COMPARISON = re.compile(r"^(\w+)\s+(eq|ne)\s+'((?:[^']|'')*)'$", re.IGNORECASE)
_SUBSTRING = re.compile(r"^substringof\(\s*'((?:[^']|'')*)'\s*,\s*(\w+)\s*\)$", re.IGNORECASE)
_STARTS = re.compile(r"^startswith\(\s*tagName\s*,\s*'((?:[^']|'')*)'\s*\)$", re.IGNORECASE)
_JOINT = re.compile(r"\s+(and|or)\s+(?=(?:[^']*'[^']*')*[^']*$)", re.IGNORECASE)


def parse(text: str) -> Fits:
    """The test that a filter describes; an empty filter fits everything. `and` binds before `or`.

    Raises:
        InvalidFilterError: naming the filter.
    """
    stripped = text.strip()
    if not stripped:
        return lambda _: True
    pieces = _JOINT.split(stripped)
    alternatives: list[list[str]] = [[pieces[0]]]
    for joint, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if joint.lower() == "or":
            alternatives.append([piece])
        else:
            alternatives[-1].append(piece)
    tests = [_all(terms, text) for terms in alternatives]
    return lambda row: any(test(row) for test in tests)


def _all(terms: list[str], text: str) -> Fits:
    terms = [
        term.strip().removeprefix("(").removesuffix(")")
        if not term.strip().lower().startswith(("sub", "starts"))
        else term.strip()
        for term in terms
    ]
    wanted_name = next(
        (m.group(3) for t in terms if (m := _COMPARISON.match(t)) and m.group(1).lower() == "tagname"), None
    )
    tests: list[Fits] = []
    for term in terms:
        if match := _COMPARISON.match(term):
            tests.append(_comparison(match, wanted_name, text))
        elif match := _SUBSTRING.match(term):
            tests.append(_substring(match.group(1).replace("''", "'").lower(), match.group(2).lower(), text))
        elif match := _STARTS.match(term):
            prefix = match.group(1).lower()
            tests.append(lambda row, prefix=prefix: any(k.lower().startswith(prefix) for k in row.get("tags") or {}))  # type: ignore[misc]
        else:
            raise InvalidFilterError(text)
    return lambda row: all(test(row) for test in tests)


def _comparison(match: re.Match[str], tag_name: str | None, text: str) -> Fits:
    name, operator, value = match.group(1).lower(), match.group(2).lower(), match.group(3).replace("''", "'")
    low = value.lower()

    def holds(row: Document) -> bool:
        if name == "tagname":
            return any(key.lower() == low for key in row.get("tags") or {})
        if name == "tagvalue":
            return any(
                str(held) == value and (tag_name is None or key.lower() == tag_name.lower())
                for key, held in (row.get("tags") or {}).items()
            )
        return (_value(row, name) == (low.replace(" ", "") if name == "location" else low)) == (operator == "eq")

    if name not in ("tagname", "tagvalue", *_READ):
        raise InvalidFilterError(text)
    return holds


def _substring(part: str, name: str, text: str) -> Fits:
    if name not in _READ:
        raise InvalidFilterError(text)
    return lambda row: part in _value(row, name)


_READ: dict[str, Callable[[Document], str]] = {
    "name": lambda row: str(row.get("name", "")),
    "location": lambda row: str(row.get("location", "")).replace(" ", ""),
    "resourcetype": lambda row: str(row.get("type", "")),
    "resourcegroup": lambda row: arm.target(row["id"]).group,
    "id": lambda row: str(row["id"]),
    "kind": lambda row: str(row.get("kind", "")),
    "managedby": lambda row: str(row.get("managedBy", "")),
    "identity": lambda row: str((row.get("identity") or {}).get("type", "")),
}


def _value(row: Document, name: str) -> str:
    return _READ[name](row).lower()
