"""Tolerant reading of other people's JSON: what is missing or of the wrong type reads as empty, never as an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from firebreak.model.texts import cut

_LONGEST = 512
_MISSING = object()
_FEW_KEYS = 64


def field(document: Any, *names: str) -> Any:
    """Walk down `names` without regard to case; None as soon as one is missing."""
    for name in names:
        # The first tests are for speed: asking an abstract class costs more than all the rest.
        if type(document) is not dict and (document is None or not isinstance(document, Mapping)):
            return None
        found = document.get(name, _MISSING)
        if found is _MISSING:
            spelled = _spelled(document, name.lower())
            found = None if spelled is None else document[spelled]
        document = found
    return document


def _spelled(document: Mapping[Any, Any], lowered: str) -> str | None:
    """The first key that reads `lowered` without regard to case. Thousands of documents share a few shapes, so each is folded once."""
    keys = tuple(document)
    return (_folded(keys) if len(keys) <= _FEW_KEYS else _folded.__wrapped__(keys)).get(lowered)


@lru_cache(maxsize=512)
def _folded(keys: tuple[Any, ...]) -> dict[str, str]:
    return {key.lower(): key for key in reversed(keys) if isinstance(key, str)}


def text(document: Any, *names: str) -> str:
    """A string below `names`, "" when absent. `{value, localizedValue}` reads as its value; overlong text is cut."""
    found = field(document, *names)
    if type(found) is str:
        return found[:_LONGEST]
    if found is None:
        return ""
    if isinstance(found, Mapping):
        found = field(found, "value")
    if isinstance(found, bool) or found is None or isinstance(found, (Mapping, list)):
        return ""
    return str(found)[:_LONGEST]


def path(document: Any, *names: str) -> str:
    """An id below `names`, never cut: a shortened id would be another id."""
    found = field(document, *names)
    return found if isinstance(found, str) else ""


def mapping(document: Any, *names: str) -> dict[str, Any]:
    """An object below `names`, {} when absent. A string that holds a JSON object reads as that object."""
    found = field(document, *names)
    if found is None:
        return {}
    if isinstance(found, str) and found.lstrip().startswith("{"):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return {}
    return dict(found) if isinstance(found, (dict, Mapping)) else {}


def items(document: Any, *names: str) -> list[Any]:
    """A list below `names`, [] when absent."""
    found = field(document, *names)
    return list(found) if isinstance(found, list) else []


def whole(document: Any, *names: str, default: int = 0) -> int:
    """A whole number below `names`; `default` when absent or not one."""
    found = field(document, *names)
    try:
        return int(found)
    except (TypeError, ValueError, OverflowError):
        return default


def amount(value: Any) -> Decimal | None:
    """A finite number as Decimal, None when it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def moment(value: Any) -> datetime | None:
    """A time as aware UTC, None when it is none. Seven fractional digits are cut to six; a time without zone is UTC."""
    if not isinstance(value, str) or len(value) < 10:
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if found.tzinfo is UTC:
        return found
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def tags(document: Any) -> dict[str, str]:
    """The tags of a resource, as strings."""
    return {str(k): "" if v is None else str(v) for k, v in mapping(document, "tags").items()}


def region_name(value: str) -> str:
    """A region in ARM's spelling (`eastus`); "" for text that cannot be one, so that no URL is ever built from it."""
    folded = value.strip().lower().replace(" ", "")
    return folded if re.fullmatch(r"[a-z0-9]{3,40}", folded) else ""


def shown(value: str, longest: int = 120) -> str:
    """Text of a stranger's as it may stand in a sentence: one line, no control or direction characters, not overlong."""
    plain = "".join(
        c if c.isprintable() and not ("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069") else " " for c in value
    )
    return cut(plain, longest)


def listed(names: Iterable[str], most: int = 5, width: int = 80) -> str:
    """Names of strangers in a sentence, the first few and how many more."""
    plain = [shown(name, width) for name in dict.fromkeys(names)]
    more = f" and {len(plain) - most} more" if len(plain) > most else ""
    return ", ".join(plain[:most]) + more
