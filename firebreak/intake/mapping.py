"""Other people's JSON to an alert, by a mapping in YAML: names and places, no expressions. Pure, but for reading the file.

# <home>/intake/siem.yaml, for POST /hooks/json/siem
version: 1
when: {rule.level: "15"}             # optional: anything else opens no incident
fields:                              # places: keys joined by dots, a number for an element of a list, * for each
  id: event.id
  subscription: event.azure.subscription
  title: rule.description
  resources: event.targets.*.resource_id
fixed: {type: SiemAlert}             # the same for every alert
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from firebreak.errors import AlertError, ContentError
from firebreak.intake.fields import alerts_of, by_subscription, moment
from firebreak.model.alert import Alert

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_PLACE: Final = re.compile(r"[^.\s]+(\.[^.\s]+){0,15}")
_FIELDS: Final = ("id", "subscription", "type", "title", "severity", "detected_at", "tenant", "resources")
_LONGEST: Final = 2000


class AlertMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one sender's JSON is read."""

    version: int
    fields: dict[str, str]
    fixed: dict[str, str] = {}
    when: dict[str, str] = {}


def read_mapping(path: Path) -> AlertMapping:
    """Read one mapping.

    Raises:
        ContentError: the file is not there, not YAML, or has keys or places that are not known; named with the file.
    """
    try:
        mapping = msgspec.convert(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")), AlertMapping)
    except (OSError, UnicodeDecodeError, YAMLError, msgspec.ValidationError) as error:
        raise ContentError(
            f"The mapping {path} cannot be used: {error}.", hint="See the guide on the intake."
        ) from error
    if mapping.version != 1:
        raise ContentError(f"The mapping {path} has version {mapping.version}.", hint="This version knows version 1.")
    if odd := sorted((set(mapping.fields) | set(mapping.fixed)) - set(_FIELDS)):
        raise ContentError(
            f"The mapping {path} names unknown fields: {', '.join(odd)}.", hint=f"There are {', '.join(_FIELDS)}."
        )
    if odd := sorted(one for one in (*mapping.fields.values(), *mapping.when) if not _PLACE.fullmatch(one)):
        raise ContentError(f"The mapping {path} has no place {odd[0]!r}.", hint="A place is keys joined by dots.")
    if not {"subscription", "resources"} & (set(mapping.fields) | set(mapping.fixed)):
        raise ContentError(
            f"The mapping {path} says nowhere which subscription.", hint="Name subscription or resources."
        )
    return mapping


def apply(mapping: AlertMapping, document: Any, raw: bytes, *, place: str, now: datetime, tenant: str) -> list[Alert]:
    """Return the alerts of a delivery, one for each subscription that it names.

    Raises:
        AlertError: the mapping does not take it, or it names no subscription.
    """
    for where, wanted in mapping.when.items():
        if wanted not in list(_values(document, where.split("."))):
            raise AlertError(f"{place}: {where} is not {wanted!r}, so the mapping takes it for no alert.")

    def all_of(name: str) -> list[str]:
        if name in mapping.fields:
            return [one[:_LONGEST] for one in _values(document, mapping.fields[name].split(".")) if one]
        return [mapping.fixed[name]] if name in mapping.fixed else []

    def one_of(name: str) -> str:
        return next(iter(all_of(name)), "")

    kind = one_of("type") or "unknown"
    template = {
        "id": one_of("id"),
        "source": place[:64],
        "type": kind,
        "title": one_of("title") or kind,
        "severity": one_of("severity").lower() or "unknown",
        "detected_at": moment(one_of("detected_at"), place) or now,
        "details": {},
    }
    subjects = by_subscription([*all_of("resources"), *all_of("subscription")], place=place)
    return alerts_of(subjects, raw, tenant=one_of("tenant") or tenant, place=place, template=template)


def _values(value: Any, path: list[str]) -> Iterator[str]:
    """The texts and numbers at a place."""
    if not path:
        if isinstance(value, str | int | float):
            yield str(value).lower() if isinstance(value, bool) else str(value)
        return
    head, rest = path[0], path[1:]
    if head == "*" and isinstance(value, list):
        for one in value:
            yield from _values(one, rest)
    elif isinstance(value, list) and head.isascii() and head.isdigit() and int(head[:6]) < len(value):
        yield from _values(value[int(head[:6])], rest)
    elif isinstance(value, Mapping) and head in value:
        yield from _values(value[head], rest)
