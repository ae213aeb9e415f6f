"""The review of an activity log: pages in as they come, in any order; operations, callers, sessions and creators out.

One operation shows as two to four events (Started, Accepted, Succeeded or Failed) in any order, spread over pages. Nothing of a page is
held: what counts of an event goes into a `Ledger`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from firebreak.analysis.events import Event, name_of, read_event
from firebreak.analysis.interned import Kind, Saying, Who, known_of, unknown_part
from firebreak.analysis.ledger import ALONE, Columns, Ledger
from firebreak.analysis.logged import Logged, LoggedOperations
from firebreak.analysis.operations import NO_TIME
from firebreak.analysis.ruleset import RuleSet, shipped_rules
from firebreak.analysis.sessions import callers, creators, sessions
from firebreak.analysis.skim import Seen, Skimmer
from firebreak.model.facts import ActivityFacts, Session
from firebreak.model.finding import NotLookedAt

NOT_DONE_BY_SOMEBODY = frozenset({"servicehealth", "resourcehealth", "alert", "autoscale", "recommendation"})

_quick = msgspec.json.Decoder(list[Seen]).decode
_apart = msgspec.json.Decoder(list[msgspec.Raw]).decode


class LogReview:
    """Collects the pages of one log. `events` counts different events; `unreadable` those without time or operation.

    Rules look at each event as it comes, and only what they ask for is kept of it. `strict` reviews a subscription's own log: an event
    without a time is unreadable, and those that nobody did (service health and the like) are left out. Otherwise everything counts.
    """

    def __init__(self, rules: RuleSet | None = None, *, strict: bool = True, ledger: Ledger | None = None) -> None:
        self.rules = rules or shipped_rules()
        self._strict = strict
        self._ledger = ledger or Ledger(self.rules)
        self._skimmer = Skimmer(self._ledger, self.rules, without=NOT_DONE_BY_SOMEBODY if strict else frozenset())
        self._unreadable: set[str] = set()
        self._seen = 0
        self._read: LoggedOperations | None = None

    @property
    def unreadable(self) -> int:
        return len(self._unreadable)

    @property
    def events(self) -> int:
        self._ledger.settle()
        return self._ledger.events

    def add_json(self, page: bytes | memoryview) -> None:
        """Take in a page as it came: the JSON text of a list of events.

        Raises:
            msgspec.ValidationError: it holds something else than events of the REST form, and `add` has to take it in; nothing was yet.
            msgspec.DecodeError: it is no JSON.
        """
        seen = _quick(page)
        left = self.skim(seen)
        if left:
            apart = _apart(page)
            self.add_left(len(seen), {place: msgspec.json.decode(apart[place]) for place in left})

    def add(self, page: Iterable[Any]) -> None:
        """Take in a page of events; an event that was seen before changes nothing."""
        for document in page:
            self._seen += 1
            self._add(document, f"#{self._seen}")

    def _add(self, document: Any, name: str) -> None:
        loose: dict[str, Any] = {} if self._strict else {"timeless": NO_TIME, "nameless_id": name}
        event = read_event(document, **loose)
        if event is None:
            self._unreadable.add(name_of(document) if self._strict else name)
        elif not (self._strict and event.category in NOT_DONE_BY_SOMEBODY):
            self._take(event, document)

    def skim(self, page: Sequence[Seen]) -> Sequence[int]:
        """Take in a page the quick way; returns the places of those events that have to go the slow way, by `add_left`."""
        self._read = None
        left = self._skimmer.take(page)
        self._seen += len(page)
        return left

    def add_left(self, size: int, documents: Mapping[int, Any]) -> None:
        """Take in what was left of the page of that many events skimmed last; `documents` by their place in it."""
        before = self._seen - size
        for place, document in documents.items():
            self._add(document, f"#{before + place + 1}")

    def _take(self, event: Event, document: Any) -> None:
        self._read = None
        ledger = self._ledger
        kind = Kind(event.name, event.name.lower(), event.status, event.created, event.category)
        who = Who(event.caller, event.principal_id, event.app_id, event.address, event.token, event.mfa)
        detail: dict[str, tuple[str, ...]] = {}
        if self.rules.candidates(event.name).open:
            known = known_of(kind, who, event.resource_id)
            detail = unknown_part(self.rules.document(document, event.name, known), known)
        ledger.take(
            Columns(
                bonds=[event.correlation_id or ALONE + event.id],
                times=[event.at.timestamp()],
                ids=[event.id],
                kinds=[ledger.kind(kind)],
                whos=[ledger.whos.add(who)],
                sayings=[ledger.sayings.add(Saying(event.body, detail))],
                resources=[event.resource_id],
            )
        )

    def operations(self) -> LoggedOperations:
        """All operations, oldest first."""
        if self._read is None:
            self._ledger.settle()
            self._read = LoggedOperations(self._ledger)
        return self._read

    def activity(
        self,
        *,
        window_start: datetime,
        from_time: datetime | None = None,
        to_time: datetime | None = None,
        not_looked_at: tuple[NotLookedAt, ...] = (),
    ) -> LoggedActivity:
        """The review, told from the log itself; operations before `window_start` only count in callers, sessions and creators."""
        if self.unreadable:
            why = "they carry no time or no operation name"
            not_looked_at = (*not_looked_at, NotLookedAt(f"{self.unreadable} events of the activity log", why))
        return LoggedActivity(
            self.operations(),
            window_start=window_start,
            from_time=from_time,
            to_time=to_time,
            not_looked_at=not_looked_at,
        )

    def facts(
        self,
        *,
        window_start: datetime,
        from_time: datetime | None = None,
        to_time: datetime | None = None,
        not_looked_at: tuple[NotLookedAt, ...] = (),
    ) -> ActivityFacts:
        """The review as facts, which last beyond the log."""
        return self.activity(
            window_start=window_start, from_time=from_time, to_time=to_time, not_looked_at=not_looked_at
        ).facts()


class LoggedActivity:
    """What `ActivityFacts` holds, told from the log as it is asked for."""

    def __init__(
        self,
        log: LoggedOperations,
        *,
        window_start: datetime,
        from_time: datetime | None = None,
        to_time: datetime | None = None,
        not_looked_at: tuple[NotLookedAt, ...] = (),
    ) -> None:
        self.log = log
        self.window_start = window_start
        self.from_time = from_time or (log[0].at if log else window_start)
        self.to_time = to_time or (log[-1].at if log else window_start)
        self.not_looked_at = not_looked_at

    @property
    def events(self) -> int:
        return self.log.ledger.events

    @cached_property
    def operations(self) -> tuple[Logged, ...]:
        return self.log.since(self.window_start)

    @cached_property
    def sessions(self) -> tuple[Session, ...]:
        return sessions(self.log, self.window_start)

    @cached_property
    def _made(self) -> array[int]:
        return array("I", creators(self.log))

    @cached_property
    def _made_before(self) -> tuple[Logged, ...]:
        log, begin = self.log, self.window_start.timestamp()
        alike = {log.ledger.said_of(number): number for number in self._made if log.at[number] < begin}
        return tuple(map(self.log.operation, sorted(alike.values())))

    def made_before(self) -> Iterable[Logged]:
        """Operations from before the window that made what stands; of those that did the same and asked for the same, one."""
        return self._made_before

    def facts(self) -> ActivityFacts:
        made = map(self.log.operation, self._made)
        return ActivityFacts(
            events=self.log.ledger.events,
            from_time=self.from_time,
            to_time=self.to_time,
            window_start=self.window_start,
            operations=tuple(operation.whole() for operation in self.operations),
            callers=callers(self.log),
            sessions=self.sessions,
            creators={operation.resource_id.lower(): operation.whole() for operation in made},
            not_looked_at=self.not_looked_at,
        )
