"""The activity log's `$filter`: a time range, and conditions on a few fields, all joined by `and`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from azure_simulator.services.activity_log.exceptions import BadLogQueryError

_TERM = re.compile(
    r"(?P<name>\w+)\s+(?P<operator>eq|ge|le|gt|lt)\s+(?:'(?P<quoted>(?:[^']|'')*)'|(?P<bare>[^\s']+))", re.IGNORECASE
)
_FIELDS = {
    "resourcegroupname",
    "resourceuri",
    "resourceid",
    "resourceprovider",
    "resourcetype",
    "correlationid",
    "caller",
    "status",
    "eventchannels",
    "levels",
    "operations",
    "category",
}


@dataclass(frozen=True)
class Query:
    """A parsed filter: aware times and equality conditions by lower-case field name."""

    start: datetime
    end: datetime | None
    equals: dict[str, str]


def parse(text: str) -> Query:
    """Read a filter; times may be quoted or not, with `Z`, an offset or neither (UTC), with up to seven fractional digits.

    Raises:
        BadLogQueryError: no start time, or something that is not in the grammar.
    """
    start: datetime | None = None
    end: datetime | None = None
    equals: dict[str, str] = {}
    rest = _TERM.sub("", text)
    if re.sub(r"\s*\band\b\s*", "", rest, flags=re.IGNORECASE).strip():
        raise BadLogQueryError(f"The filter string '{text}' could not be parsed.")
    for match in _TERM.finditer(text):
        name, operator = match["name"].lower(), match["operator"].lower()
        value = match["quoted"].replace("''", "'") if match["quoted"] is not None else match["bare"]
        if name == "eventtimestamp" and operator in ("ge", "gt"):
            start = _time(value)
        elif name == "eventtimestamp" and operator in ("le", "lt"):
            end = _time(value)
        elif operator == "eq" and name in _FIELDS:
            equals[name] = value
        else:
            raise BadLogQueryError(f"The filter on '{match['name']} {match['operator']}' is not supported.")
    if start is None:
        raise BadLogQueryError("The filter must have a start time: \"eventTimestamp ge '<time>'\".")
    return Query(start, end, equals)


def _time(text: str) -> datetime:
    trimmed = re.sub(r"(\.\d{6})\d+", r"\1", text.replace(" ", "+"))
    try:
        moment = datetime.fromisoformat(trimmed)
    except ValueError as exc:
        raise BadLogQueryError(f"The time '{text}' is not valid.") from exc
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
