"""The page of `inspect activity-log`: for a person at night, worst first, and the same as JSON for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape

from firebreak.analysis.log_review import LoggedActivity, LogReview
from firebreak.analysis.operations import NO_TIME, OperationLike
from firebreak.analysis.suspects import Suspect
from firebreak.cli.output import safe
from firebreak.model.facts import Class
from firebreak.model.finding import Finding, Severity

_COLOUR = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "bold yellow",
    Severity.LOW: "cyan",
    Severity.INFORMATIONAL: "dim",
}
_TIMELINE = 60
_LOW_SHOWN = 10


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page tells."""

    name: str
    log: LogReview
    activity: LoggedActivity
    operations: Sequence[OperationLike]
    findings: Sequence[Finding]
    suspects: Sequence[Suspect]


def as_json(seen: Reviewed) -> dict[str, Any]:
    """The document of `--json`, with its longest lists as iterators.

    Event ids are the events' `eventDataId`, else their `id`, else `#n` for the n-th event of the file.
    """
    told = {event for finding in seen.findings for event in finding.event_ids}
    of_event = {event: one.id for one in seen.activity.operations for event in one.event_ids if event in told}
    return {
        "findings": [
            {
                "id": finding.id,
                "title": finding.title,
                "severity": str(finding.severity),
                "event_ids": finding.event_ids,
                "operations": list(dict.fromkeys(of_event[e] for e in finding.event_ids if e in of_event)),
                "actor": finding.actor,
                "address": finding.address,
                "techniques": finding.techniques,
                "reasons": finding.reasons,
                "resources": finding.resources,
            }
            for finding in seen.findings
        ],
        "actors": (
            {
                "id": one.id,
                "class": str(one.cls),
                "score": one.score,
                "reasons": [reason.text for reason in one.reasons],
                "event_ids": one.event_ids,
                "address": one.address,
                "addresses": one.addresses,
            }
            for one in seen.suspects
        ),
        "operations": (
            {"id": one.id, "event_ids": one.event_ids, "name": one.name, "status": one.status}
            for one in seen.operations
        ),
        "events": seen.log.events,
        "from": None if seen.activity.from_time == NO_TIME else seen.activity.from_time,
        "to": None if seen.activity.to_time == NO_TIME else seen.activity.to_time,
        "window_start": None if seen.activity.window_start == NO_TIME else seen.activity.window_start,
        "not_looked_at": [{"what": one.what, "why": one.why} for one in seen.activity.not_looked_at],
        "coverage": seen.log.rules.coverage(),
    }


def show(seen: Reviewed, console: Console) -> None:
    """Print the page."""
    for line in _lines(seen):
        console.print(line, soft_wrap=True)


def _lines(seen: Reviewed) -> Iterator[str]:
    activity = seen.activity
    span = "at times the log does not say"
    if activity.to_time != NO_TIME:
        span = f"from {activity.from_time:%Y-%m-%d %H:%M}Z to {activity.to_time:%Y-%m-%d %H:%M}Z"
    yield f"[bold]{safe(seen.name)}[/]: {seen.log.events} events, {len(seen.operations)} operations, {span}."
    if activity.window_start not in {NO_TIME, activity.from_time}:
        yield f"Looked at from {activity.window_start:%Y-%m-%d %H:%M}Z on; what was before it counts as the past."
    else:
        yield "The log has no past to compare with: everything is judged by what it does, nothing is called new."
    yield ""
    yield from _verdict(seen)
    yield from _findings(seen.findings)
    yield from _timeline(seen)
    yield from _coverage(seen)


def _verdict(seen: Reviewed) -> Iterator[str]:
    attackers = [one for one in seen.suspects if one.cls is Class.ATTACKER]
    if not attackers:
        worrying = sum(one.severity not in {Severity.LOW, Severity.INFORMATIONAL} for one in seen.findings)
        tail = f"{worrying} findings are worth a look all the same." if worrying else "Nothing grave was found."
        yield f"[bold]Nobody in it is taken for an attacker.[/] {tail}"
    for one in attackers:
        where = ", ".join(safe(address) for address in one.addresses[:4]) or "an address the log does not name"
        yield f"[bold red]Attacker:[/] [bold]{safe(one.id) or 'an unnamed caller'}[/] from {where} ({one.score} points, {len(one.operations)} operations)"
        for reason in one.reasons[:4]:
            yield f"    {reason.points:+d}  {safe(reason.text, 300)}"
    yield ""


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    quiet = [one for one in findings if one.severity is Severity.INFORMATIONAL]
    low = [one for one in findings if one.severity is Severity.LOW]
    for one in [*(one for one in findings if one not in quiet and one not in low), *low[:_LOW_SHOWN]]:
        yield f"[{_COLOUR[one.severity]}]{one.severity.upper():9}[/] [bold]{safe(one.title)}[/]  [dim]{safe(' '.join(one.techniques))}[/]"
        for reason in one.reasons:
            yield f"          {safe(reason, 400)}"
        for resource in one.resources[:3]:
            yield f"          [dim]{safe(resource, 200)}[/]"
        if len(one.resources) > 3:
            yield f"          [dim]and {len(one.resources) - 3} more[/]"
    if len(low) > _LOW_SHOWN:
        yield f"[cyan]LOW[/]       and {len(low) - _LOW_SHOWN} more; --json has them all"
    if quiet:
        yield f"[dim]{len(quiet)} informational: {safe('; '.join(sorted({one.title for one in quiet})), 400)}. --json has them.[/]"
    if not findings:
        yield "No findings."
    yield ""


def _timeline(seen: Reviewed) -> Iterator[str]:
    done = [one for suspect in seen.suspects if suspect.cls is Class.ATTACKER for one in suspect.operations]
    if not done:
        return
    done.sort(key=lambda one: (one.at, one.id))
    yield "[bold]What the attacker did, in order[/]"
    for one in done[:_TIMELINE]:
        at = "at no known time " if one.at == NO_TIME else f"{one.at:%m-%d %H:%M:%S}Z"
        target = safe(one.resource_id.rsplit("/", 1)[-1], 60)
        status = f"[red]{one.status}[/]" if one.status == "failed" else escape(one.status)
        yield f"  {at}  {status:9}  {safe(one.name, 120)}  [dim]{target}[/]"
    if len(done) > _TIMELINE:
        yield f"  and {len(done) - _TIMELINE} more; --json has them all"
    yield ""


def _coverage(seen: Reviewed) -> Iterator[str]:
    for missed in seen.activity.not_looked_at:
        yield f"[yellow]Not looked at:[/] {safe(missed.what)}: {safe(missed.why)}"
    coverage = seen.log.rules.coverage()
    for problem in coverage["problems"]:
        yield f"[yellow]Detection left out:[/] {safe(problem, 400)}"
    elsewhere = len(coverage["not_in_activity_log"])
    yield f"[dim]{coverage['rules']} detections; {elsewhere} of them speak of sign-in and directory logs, which an activity log never holds.[/]"
