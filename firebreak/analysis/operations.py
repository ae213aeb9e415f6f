"""From events to operations, callers, sessions and creators: the review of an activity log.

One operation shows as two to four events (Started, Accepted, Succeeded or Failed) in any order, spread over pages. `LogReview` takes
pages as they come and keeps only what is needed; `facts` does the rest. The order of pages and events does not matter.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from firebreak.analysis.events import Event, name_of, read_event
from firebreak.analysis.ruleset import RuleSet, shipped_rules
from firebreak.analysis.skim import Seen, Skimmer, known_of
from firebreak.model.facts import ActivityFacts, Caller, Operation, Session
from firebreak.model.finding import NotLookedAt

_RANK = {"": 0, "started": 1, "accepted": 2, "succeeded": 3, "failed": 4}
_NOT_DONE_BY_SOMEBODY = frozenset({"servicehealth", "resourcehealth", "alert", "autoscale", "recommendation"})
HOUR = timedelta(hours=1)
_NAMES = 500  # different operations remembered of a session
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class LogReview:
    """Collects the pages of one log. `events` counts different events; `unreadable` those without time or operation.

    Rules look at each event as it comes, and only what they ask for is kept of it. `strict` reviews a subscription's own log: an event
    without a time is unreadable, and those that nobody did (service health and the like) are left out. Otherwise everything counts.
    """

    def __init__(self, rules: RuleSet | None = None, *, strict: bool = True) -> None:
        self.rules = rules or shipped_rules()
        self._strict = strict
        self._by_operation: dict[tuple[str, str, str], dict[str, Event]] = defaultdict(dict)
        self._unreadable: set[str] = set()
        self.events = 0
        self._seen = 0
        self._skimmer = Skimmer(self.rules)
        self._made: tuple[int, list[Operation]] | None = None  # worked out for that many events

    @property
    def unreadable(self) -> int:
        return len(self._unreadable)

    def add(self, page: Iterable[Any]) -> None:
        """Take in a page of events; an event that was seen before changes nothing."""
        for document in page:
            self._seen += 1
            if self._strict:
                event = read_event(document)
            else:
                event = read_event(document, timeless=NO_TIME, nameless_id=f"#{self._seen}")
            if event is None:
                self._unreadable.add(name_of(document) if self._strict else f"#{self._seen}")
                continue
            if self._strict and event.category in _NOT_DONE_BY_SOMEBODY:
                continue
            if self.rules.candidates(event.name).open:
                event = msgspec.structs.replace(
                    event, detail=self.rules.document(document, event.name, known_of(event))
                )
            self.take(event)

    def skim(self, page: Sequence[Seen]) -> bool:
        """Take in a page the quick way; False, and nothing taken, when one of its events has to go the slow way."""
        events = [self._skimmer.event(seen) for seen in page]
        if not all(events):
            return False
        self._seen += len(events)
        for event in events:
            if event is not None:
                self.take(event)
        return True

    def take(self, event: Event) -> None:
        """Take in one event that has been read already, with what the rules ask for in its `detail`."""
        together = self._by_operation[event.correlation_id or event.id, event.name.lower(), event.resource_id.lower()]
        if event.id not in together:
            together[event.id] = event
            self.events += 1

    def operations(self) -> list[Operation]:
        """All operations, oldest first. Caller and address missing in all of an operation's events are taken from its correlation."""
        if self._made is not None and self._made[0] == self.events:
            return self._made[1]
        made = [_operation(key, list(events.values()), self.rules) for key, events in self._by_operation.items()]
        made.sort(key=lambda operation: (operation.at, operation.id))
        filled = _filled_from_correlation(made)
        self._made = (self.events, filled)
        return filled

    def facts(
        self,
        *,
        window_start: datetime,
        from_time: datetime | None = None,
        to_time: datetime | None = None,
        not_looked_at: tuple[NotLookedAt, ...] = (),
    ) -> ActivityFacts:
        """Return the review; operations before `window_start` only count in callers, sessions and creators."""
        operations = self.operations()
        first = from_time or (operations[0].at if operations else window_start)
        last = to_time or (operations[-1].at if operations else window_start)
        if self.unreadable:
            why = "they carry no time or no operation name"
            not_looked_at = (*not_looked_at, NotLookedAt(f"{self.unreadable} events of the activity log", why))
        return ActivityFacts(
            events=self.events,
            from_time=first,
            to_time=last,
            window_start=window_start,
            operations=tuple(operation for operation in operations if operation.at >= window_start),
            callers=_callers(operations),
            sessions=_sessions(operations, window_start),
            creators=_creators(operations),
            not_looked_at=not_looked_at,
        )


def is_write(name: str) -> bool:
    return name.lower().endswith("/write")


def is_creation(operation: Operation) -> bool:
    """Whether the operation may have made its resource: a write that did not fail and was not answered as an update.

    Role assignments, locks and policies are left out: they cost nothing and are judged by their own rules.
    """
    name = operation.name.lower()
    return (
        name.endswith("/write")
        and operation.status != "failed"
        and operation.created is not False
        and not name.startswith(("microsoft.authorization/", "microsoft.insights/", "microsoft.quota/"))
        and not name.startswith("microsoft.resources/")
    )


def session_key(operation: Operation) -> tuple[str, str, str]:
    return operation.caller.lower(), operation.address, operation.app_id


def densest(times: Iterable[datetime], span: timedelta = HOUR) -> int:
    """The most times that fall within any stretch of length `span`."""
    ordered = sorted(times)
    best = start = 0
    for end, moment in enumerate(ordered):
        while moment - ordered[start] > span:
            start += 1
        best = max(best, end - start + 1)
    return best


def _operation(key: tuple[str, str, str], events: list[Event], rules: RuleSet) -> Operation:
    events.sort(key=lambda event: (event.at, _RANK[event.status], event.id))
    first = events[0]
    said = [event for event in events if event.status]
    # An end outranks a beginning whatever the clocks say; among ends the last word counts, and at the same moment failure does.
    ends = [event for event in said if event.status in {"succeeded", "failed"}]
    status = ends[-1].status if ends else "started"
    body: dict[str, Any] = {}
    for event in reversed(events):
        body.update(event.body)
    region = str(body.pop("region", ""))
    detail: dict[str, tuple[str, ...]] = {}
    for event in events:
        for field, values in event.detail.items():
            detail[field] = (*detail[field], *values) if field in detail else values
    return Operation(
        id=_id(key),
        name=first.name,
        status=status,
        at=first.at,
        caller=_first(event.caller for event in events),
        principal_id=_first(event.principal_id for event in events),
        app_id=_first(event.app_id for event in events),
        address=_first(event.address for event in events),
        token=_first(event.token for event in events),
        resource_id=first.resource_id,
        region=region,
        correlation_id=first.correlation_id,
        event_ids=tuple(event.id for event in events),
        properties=body,
        mfa=next((event.mfa for event in events if event.mfa is not None), None),
        created=next((event.created for event in reversed(events) if event.created is not None), None),
        category=_first(event.category for event in events),
        matched=rules.matches(first.name, detail),
    )


def _id(key: tuple[str, str, str]) -> str:
    # A list of texts is canonical JSON as it is; with tens of thousands of operations the general way takes half a second.
    return hashlib.sha256(msgspec.json.encode(key)).hexdigest()[:16]


def _first(values: Iterable[str]) -> str:
    for value in values:
        if value:
            return value
    return ""


def _filled_from_correlation(operations: list[Operation]) -> list[Operation]:
    """Give an operation without caller or address those of its correlation, when all the others there agree."""
    together: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        if operation.correlation_id:
            together[operation.correlation_id].append(operation)
    filled = []
    for operation in operations:
        if operation.caller and operation.address:
            filled.append(operation)
            continue
        siblings = [
            other
            for other in together.get(operation.correlation_id, [])
            if other.caller and (not operation.caller or other.caller.lower() == operation.caller.lower())
        ]
        callers = {other.caller.lower() for other in siblings}
        addresses = {other.address for other in siblings if other.address}
        changes: dict[str, Any] = {}
        if len(callers) == 1:
            sibling = siblings[0]
            changes = {
                "caller": operation.caller or sibling.caller,
                "principal_id": operation.principal_id or sibling.principal_id,
                "app_id": operation.app_id or sibling.app_id,
                "token": operation.token or sibling.token,
            }
            if not operation.address and len(addresses) == 1:
                changes["address"] = addresses.pop()
        filled.append(msgspec.structs.replace(operation, **changes))
    return filled


def _callers(operations: list[Operation]) -> tuple[Caller, ...]:
    grouped: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        if operation.caller:
            grouped[operation.caller.lower()].append(operation)
    return tuple(
        Caller(
            caller=done[0].caller,
            principal_id=_first(operation.principal_id for operation in done),
            first_seen=done[0].at,
            last_seen=done[-1].at,
            operations=len(done),
            addresses=_counts(operation.address for operation in done),
            regions=_counts(operation.region for operation in done),
        )
        for _, done in sorted(grouped.items())
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(value for value in values if value).items()))


def _sessions(operations: list[Operation], window_start: datetime) -> tuple[Session, ...]:
    grouped: dict[tuple[str, str, str], list[Operation]] = defaultdict(list)
    for operation in operations:
        grouped[session_key(operation)].append(operation)
    sessions = []
    for (_, address, app_id), done in sorted(grouped.items()):
        before = [operation for operation in done if operation.at < window_start]
        sessions.append(
            Session(
                caller=done[0].caller,
                principal_id=_first(operation.principal_id for operation in done),
                address=address,
                app_id=app_id,
                first_seen=done[0].at,
                last_seen=done[-1].at,
                operations=len(done),
                operations_before=len(before),
                days_before=len({operation.at.date() for operation in before}),
                mfa=sum(operation.mfa is True for operation in done),
                no_mfa=sum(operation.mfa is False for operation in done),
                mfa_before=sum(operation.mfa is True for operation in before),
                no_mfa_before=sum(operation.mfa is False for operation in before),
                peak_before=densest(operation.at for operation in before if is_creation(operation)),
                names_before=tuple(sorted({operation.name.lower() for operation in before})[:_NAMES]),
            )
        )
    return tuple(sessions)


def _creators(operations: list[Operation]) -> dict[str, Operation]:
    """Lower-case resource id -> the operation that made it, as far as the log tells.

    A later write counts only when Azure answered 201 or the resource had been deleted in between; otherwise it is an update.
    """
    creators: dict[str, Operation] = {}
    for operation in operations:
        name, resource = operation.name.lower(), operation.resource_id.lower()
        if operation.status == "failed" or not resource:
            continue
        if name.endswith("/delete"):
            if operation.status == "succeeded":
                creators.pop(resource, None)
        elif is_write(name) and operation.created is not False and (resource not in creators or operation.created):
            creators[resource] = operation
    return creators
