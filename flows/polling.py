"""What a poll found, into the inbox and through it: the same path as a webhook's, so that one alert is in one incident with one run.

for report in await poll_once(room): ...     # told per source; a source that could not be read says so and is tried again from there
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import msgspec

from firebreak.engine import EngineRoom
from firebreak.engine.polls import Poll, poll_sources
from firebreak.intake.channels import POLL
from firebreak.intake.inbox import KEPT, WAITING
from firebreak.intake.poll_log import PollLog
from flows.deliveries import Deliveries, Result, plain
from flows.readings import read

_MOST_SAID = 5


class PollReport(msgspec.Struct, frozen=True, kw_only=True):
    """One source: what it listed, and what became of what was found. `opened` are new incidents, `joined` those that took an alert in,
    `waiting` what is kept in the inbox and will be processed (Prefect is away), `left` what a limit left for the next poll.
    """

    poll: Poll
    opened: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    left: int = 0

    def as_json(self) -> dict[str, Any]:
        """For machines, with stable keys."""
        poll = self.poll
        return {
            "source": poll.source,
            "looked": poll.looked,
            "not_looked_at": list(poll.problems),
            "warnings": list(poll.warnings),
            "since": poll.since.isoformat() if poll.since else None,
            "listed": poll.listed,
            "unresolved": poll.unresolved,
            "in_an_incident": poll.known,
            "backlog": poll.older,
            "missed_webhooks": list(poll.missed),
            "opened": list(self.opened),
            "joined": list(self.joined),
            "waiting": list(self.waiting),
            "kept": list(self.kept),
            "left": self.left,
        }


async def poll_once(
    room: EngineRoom, *, backlog: bool = False, whole: bool = False, limit: int = 0
) -> list[PollReport]:
    """Ask every source, keep what was found, and start its runs, the oldest first.

    Args:
        whole: read everything that is open, not only what is new.
        backlog: also what is older than what opens incidents by itself.
        limit: at most so many alerts are taken in; 0: all.
    """
    polls = await poll_sources(room, backlog=backlog, whole=whole)
    chosen = sorted(((found.at, found.raw, poll.source) for poll in polls for found in poll.found), key=lambda one: one)
    taken = {(source, raw) for _, raw, source in (chosen[:limit] if limit else chosen)}
    deliveries, log = Deliveries(room, read), PollLog(room.store)
    reports = []
    for poll in polls:
        mine = [found for found in poll.found if (poll.source, found.raw) in taken]
        kept = await asyncio.to_thread(deliveries.inbox.take, [(found.channel, found.raw) for found in mine])
        if poll.problems:
            await asyncio.to_thread(log.failed, poll.source, " ".join(poll.problems))
        elif len(mine) == len(poll.found):
            # What was found is on the disk: the next poll may begin here.
            await asyncio.to_thread(log.looked, poll.source, until=poll.at, opens_from=poll.opens_from)
        fresh = {one.id for one in kept if one.is_new}
        results = [
            await deliveries.process(one.id) for one in kept if one.id in fresh or await _waits(deliveries, one.id)
        ]
        reports.append(_report(poll, results, left=len(poll.found) - len(mine)))
    await _process_what_waits(room, deliveries)
    return reports


def is_blind(reports: list[PollReport]) -> bool:
    """Whether something could not be looked at that no other source stands in for."""
    looked = {report.poll.source for report in reports if report.poll.looked}
    blind = {report.poll.source for report in reports} - looked
    return bool(blind - {"graph"}) or ("graph" in blind and "fraud-events" not in looked)


def summary(reports: list[PollReport]) -> str:
    """One line for a log: what was opened, and what was not looked at."""
    counts = Counter(
        opened=sum(len(one.opened) for one in reports), missed=sum(len(one.poll.missed) for one in reports)
    )
    said = [f"{counts['opened']} incidents opened, {counts['missed']} webhooks missed"]
    said += [
        f"not looked at: {one.poll.source} ({plain(one.poll.problems[0])})" for one in reports if not one.poll.looked
    ]
    return "; ".join(said)


async def _waits(deliveries: Deliveries, identity: str) -> bool:
    found = await asyncio.to_thread(deliveries.inbox.get, identity)
    return found is not None and found.state == WAITING


async def _process_what_waits(room: EngineRoom, deliveries: Deliveries) -> None:
    """What an earlier poll kept and could not start; an intake that runs does so as well."""
    for identity in await asyncio.to_thread(deliveries.inbox.due, room.store.clock()):
        found = await asyncio.to_thread(deliveries.inbox.get, identity)
        if found is not None and found.channel.startswith(POLL):
            await deliveries.process(identity)


def _report(poll: Poll, results: list[Result], *, left: int) -> PollReport:
    opened = [one.incident for one in results if one.incident and one.is_new]
    joined = [one.incident for one in results if one.incident and not one.is_new]
    return PollReport(
        poll=poll,
        opened=tuple(dict.fromkeys(opened)),
        joined=tuple(one for one in dict.fromkeys(joined) if one not in opened),
        waiting=tuple(one.reason for one in results if one.state == WAITING)[:_MOST_SAID],
        kept=tuple(one.reason for one in results if one.state == KEPT)[:_MOST_SAID],
        left=left,
    )
