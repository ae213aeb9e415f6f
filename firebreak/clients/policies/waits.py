"""How long a service asks to wait: the several headers in which Azure says it, read in one place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")
_SECONDS = (
    "x-ms-ratelimit-microsoft.costmanagement-qpu-retry-after",
    "x-ms-ratelimit-microsoft.costmanagement-entity-retry-after",
    "x-ms-ratelimit-microsoft.costmanagement-tenant-retry-after",
    "x-ms-ratelimit-microsoft.consumption-retry-after",
)


def asked_wait(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Return the longest wait in seconds that the headers ask for, 0 when they name none (a zero means "not set" too).

    `now` is for dates in Retry-After; it defaults to the answer's own Date header, so that clocks need not agree.
    """
    waits = [_number(headers.get(name)) / 1000 for name in _MILLISECONDS]
    waits += [_number(headers.get(name)) for name in _SECONDS]
    after = headers.get("Retry-After") or ""
    waits.append(_number(after) or _until(after, now or _date(headers.get("Date") or "")))
    if (headers.get("x-ms-user-quota-remaining") or "") == "0":
        waits.append(_clock_time(headers.get("x-ms-user-quota-resets-after") or ""))
    return max(waits)


def _number(text: str | None) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if 0 <= value < 1e9 else 0.0


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _until(text: str, now: datetime | None) -> float:
    moment = _date(text)
    return max(0.0, (moment - now).total_seconds()) if moment and now else 0.0


def _clock_time(text: str) -> float:
    parts = text.split(":")
    if len(parts) != 3:
        return 0.0
    hours, minutes, seconds = (_number(part) for part in parts)
    return hours * 3600 + minutes * 60 + seconds
