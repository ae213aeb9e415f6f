"""How findings about identities are put: their ids, their places in words, degrees up and down. Names of strangers are made plain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from firebreak.analysis.conduct import ORDER
from firebreak.model.canonical import digest_of
from firebreak.model.finding import Finding, Severity

_MOST_IDS = 200
_MINUTE = timedelta(minutes=1)


def told(
    step: str,
    rule: str,
    title: str,
    severity: Severity,
    reasons: Iterable[str],
    *,
    about: Iterable[str],
    actor: str = "",
    address: str = "",
    ids: Iterable[str] = (),
    techniques: tuple[str, ...] = (),
) -> Finding:
    """A finding whose id is the rule and what it is `about`, so that it stays the same from round to round."""
    return Finding(
        id=f"{rule}:{digest_of([rule, *about])[:10]}",
        step=step,
        title=title,
        severity=severity,
        reasons=tuple(reason for reason in reasons if reason),
        event_ids=tuple(dict.fromkeys(ids))[:_MOST_IDS],
        actor=actor,
        address=address,
        techniques=techniques,
    )


def raised(severity: Severity, by: int = 1, most: Severity = Severity.HIGH) -> Severity:
    """The severity some degrees up, at most `most`; or down for a negative number, never below informational."""
    at = ORDER.index(severity)
    return ORDER[max(0, at + by) if by < 0 else max(at, min(at + by, ORDER.index(most)))]


def when(first: datetime, last: datetime) -> str:
    if last - first < _MINUTE:
        return f"at {first:%Y-%m-%d %H:%M}Z"
    return f"from {first:%Y-%m-%d %H:%M}Z to {last:%Y-%m-%d %H:%M}Z"
