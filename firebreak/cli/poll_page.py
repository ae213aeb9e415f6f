"""What `firebreak intake poll` prints for people: per source what it lists, what was opened, and what nobody could look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from firebreak.cli.output import safe, stdout

if TYPE_CHECKING:
    from flows.polling import PollReport


def show_poll(reports: Sequence[PollReport]) -> None:
    """Print one paragraph per source."""
    for report in reports:
        for line in _lines(report):
            stdout.print(safe(line, 600))


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
