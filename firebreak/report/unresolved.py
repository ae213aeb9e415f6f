"""The daily digest of open alerts, for people: a Markdown page for the Prefect UI, and lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from firebreak.report.hostile import markdown

_MOST = 200


class OpenAlert(Protocol):
    """What the page tells of an alert: strangers' text."""

    @property
    def title(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def subscription_id(self) -> str: ...
    @property
    def customer_tenant_id(self) -> str: ...
    @property
    def age_days(self) -> int | None: ...
    @property
    def answer_before(self) -> datetime | None: ...
    @property
    def is_test(self) -> bool: ...
    @property
    def incident(self) -> str: ...


def digest_page(alerts: Iterable[OpenAlert], *, at: datetime, due: int, late: int, problems: Iterable[str]) -> str:
    """The page; every text of Microsoft's is escaped."""
    rows, missed = list(alerts), list(problems)
    lines = [f"# Open alerts of Microsoft's, {at:%Y-%m-%d}", ""]
    lines += [f"**NOT LOOKED AT, or not to the end:** {markdown(one, 600)}" for one in missed]
    lines += ["There may be more than are listed here.", ""] if missed else []
    lines.append(headline(len(rows), due=due, late=late, complete=not missed))
    if rows:
        lines += [
            "",
            "| Age | Answer before | Alert | Severity | Status | Subscription | Customer | Incident |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [_row(one) for one in rows[:_MOST]]
    if len(rows) > _MOST:
        lines += ["", f"… and {len(rows) - _MOST} more: firebreak intake unresolved"]
    lines += ["", "Answer each at the closing gate of its incident. What has none yet: firebreak intake poll --backlog"]
    return "\n".join(lines)


def headline(number: int, *, due: int, late: int, complete: bool) -> str:
    """One sentence: how many are open, how many have to be answered soon."""
    if not number:
        return "No alert is open." if complete else "Nothing was read: nobody knows whether an alert is open."
    said = f"{number} {'alert is' if number == 1 else 'alerts are'} open{'' if complete else ', or more'}"
    said += f"; {due} must be answered before day sixty" if due else ""
    return f"{said}{f'; {late} are sixty days old or older' if late else ''}."


def _row(one: OpenAlert) -> str:
    age = "unknown" if one.age_days is None else f"{one.age_days} d"
    before = f"{one.answer_before:%Y-%m-%d}" if one.answer_before else ""
    name = markdown(one.title or one.type or "(no title)", 80) + (" (test)" if one.is_test else "")
    cells = (
        age,
        before,
        name,
        markdown(one.severity, 20),
        markdown(one.status, 20),
        markdown(one.subscription_id, 60),
        markdown(one.customer_tenant_id, 60),
        markdown(one.incident, 40) or "none",
    )
    return f"| {' | '.join(cells)} |"
