"""What `firebreak intake poll` and `unresolved` print: per source what it lists, what was opened, and what nobody could look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from firebreak.cli.output import safe, stdout
from firebreak.engine.unresolved import Digest
from firebreak.report.unresolved import headline

if TYPE_CHECKING:
    from flows.polling import PollReport


def show_poll(reports: Sequence[PollReport]) -> None:
    """Print one paragraph per source."""
    for report in reports:
        for line in _lines(report):
            stdout.print(safe(line, 600))


def digest_json(digest: Digest) -> dict[str, Any]:
    """The digest for machines, with stable keys."""
    return {
        "looked": not digest.problems,
        "not_looked_at": list(digest.problems),
        "due": len(digest.due),
        "late": len(digest.late),
        "alerts": [
            {
                "id": one.id,
                "type": one.type,
                "title": one.title,
                "severity": one.severity,
                "status": one.status,
                "subscription_id": one.subscription_id,
                "customer_tenant_id": one.customer_tenant_id,
                "detected_at": one.detected_at.isoformat() if one.detected_at else None,
                "age_days": one.age_days,
                "answer_before": f"{one.answer_before:%Y-%m-%d}" if one.answer_before else None,
                "is_test": one.is_test,
                "incident": one.incident,
            }
            for one in digest.alerts
        ],
    }


def show_digest(digest: Digest) -> None:
    """Print one line per open alert, the oldest first."""
    for problem in digest.problems:
        stdout.print(safe(f"NOT LOOKED AT, or not to the end: {problem}", 600))
    for one in digest.alerts:
        age = "age ?" if one.age_days is None else f"{one.age_days:4} d"
        before = f"before {one.answer_before:%Y-%m-%d}" if one.answer_before else ""
        name = f"{one.title or one.type}{' (test)' if one.is_test else ''}"
        stdout.print(
            safe(f"{age}  {before:17}  {one.subscription_id}  {one.incident or 'no incident':16}  {name}", 300)
        )
    stdout.print(headline(len(digest.alerts), due=len(digest.due), late=len(digest.late), complete=not digest.problems))


def _lines(report: PollReport) -> list[str]:
    poll = report.poll
    told = f"{poll.unresolved} of {poll.listed} listed are open, {poll.known} in an incident already"
    lines = [
        f"{poll.source:14} {told}." if poll.looked else f"{poll.source:14} NOT LOOKED AT, or not to the end ({told})."
    ]
    lines += [f"               why: {problem}" for problem in poll.problems]
    lines += [f"               warning: {text}" for text in poll.warnings]
    lines += [f"               missed: {text}" for text in poll.missed]
    lines += [f"               opened {incident}" for incident in report.opened]
    lines += [f"               joined {incident}" for incident in report.joined]
    lines += [f"               waits in the inbox: {reason}" for reason in report.waiting]
    lines += [f"               kept without an incident: {reason}" for reason in report.kept]
    if poll.older:
        lines.append(
            f"               {poll.older} older ones opened nothing. Take them in with: firebreak intake poll --backlog"
        )
    if report.left:
        lines.append(f"               {report.left} were left for the next poll.")
    return lines
