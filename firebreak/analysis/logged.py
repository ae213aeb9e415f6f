"""The operations of a log that has been read, oldest first, as they are told from the columns of a `Ledger`: nothing is kept twice.

`Logged` reads like the `Operation` of the facts, and `Logged.whole()` is one.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, overload

import msgspec

from firebreak.analysis.interned import Deed, Who, first_said
from firebreak.analysis.ledger import Ledger, in_parts
from firebreak.model.facts import Operation

_DAY = 86_400


class Logged(msgspec.Struct, frozen=True, gc=False):
    """One operation of a log. Its texts are made when they are asked for."""

    log: LoggedOperations
    number: int
    deed: Deed
    who: Who

    @property
    def id(self) -> str:
        return self.log.id_of(self.number)

    @property
    def name(self) -> str:
        return self.deed.name

    @property
    def status(self) -> str:
        return self.deed.status

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.log.at[self.number], UTC)

    @property
    def caller(self) -> str:
        return self.who.caller

    @property
    def principal_id(self) -> str:
        return self.who.principal_id

    @property
    def app_id(self) -> str:
        return self.who.app_id

    @property
    def address(self) -> str:
        return self.who.address

    @property
    def token(self) -> str:
        return self.who.token

    @property
    def resource_id(self) -> str:
        return self.log.ledger.resources[self.number]

    @property
    def region(self) -> str:
        return self.log.ledger.region(self.number)

    @property
    def correlation_id(self) -> str:
        return self.log.ledger.correlations[self.number]

    @property
    def event_ids(self) -> tuple[str, ...]:
        ids = self.log.ledger.ids
        return tuple(ids[number] for number in self.log.ledger.events_of(self.number))

    @property
    def properties(self) -> dict[str, Any]:
        return self.log.ledger.properties(self.number)

    @property
    def mfa(self) -> bool | None:
        return self.who.mfa

    @property
    def created(self) -> bool | None:
        return self.deed.created

    @property
    def category(self) -> str:
        return self.deed.category

    @property
    def matched(self) -> tuple[str, ...]:
        return self.deed.matched

    def whole(self) -> Operation:
        """The same with everything in it, to be kept beyond the log."""
        return Operation(
            id=self.id,
            name=self.name,
            status=self.status,
            at=self.at,
            caller=self.caller,
            principal_id=self.principal_id,
            app_id=self.app_id,
            address=self.address,
            token=self.token,
            resource_id=self.resource_id,
            region=self.region,
            correlation_id=self.correlation_id,
            event_ids=self.event_ids,
            properties=self.properties,
            mfa=self.mfa,
            created=self.created,
            category=self.category,
            matched=self.matched,
        )


class LoggedOperations(Sequence[Logged]):
    """The operations of a settled ledger, oldest first. Caller and address that none of an operation's events names are taken from its correlation."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.at = ledger.beginnings()
        self.order = self._by_time()
        self.actors = self._filled()

    def __len__(self) -> int:
        return len(self.order)

    @overload
    def __getitem__(self, place: int) -> Logged: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Logged]: ...
    def __getitem__(self, place: int | slice) -> Logged | Sequence[Logged]:
        if isinstance(place, slice):
            return [self.operation(number) for number in self.order[place]]
        return self.operation(self.order[place])

    def __iter__(self) -> Iterator[Logged]:
        return map(self.operation, self.order)

    def operation(self, number: int) -> Logged:
        ledger = self.ledger
        return Logged(self, number, ledger.deed(number), ledger.whos.all[self.actors[number]])

    def since(self, moment: datetime) -> tuple[Logged, ...]:
        """The operations at that time or later."""
        first = bisect_left(self.order, moment.timestamp(), key=self.at.__getitem__)
        return tuple(map(self.operation, self.order[first:]))

    def id_of(self, number: int) -> str:
        ledger = self.ledger
        correlation = ledger.correlations[number] or ledger.ids[ledger.events_of(number)[0]]
        key = (correlation, ledger.deed(number).name.lower(), ledger.resources[number].lower())
        return hashlib.sha256(msgspec.json.encode(key)).hexdigest()[:16]

    def _by_time(self) -> array[int]:
        """The numbers of all operations by time, at the same time by id; day by day, since a list of all costs too much room."""
        days: dict[float, array[int]] = {}
        at = self.at.__getitem__
        for number, moment in enumerate(self.at):
            day = moment // _DAY
            numbers = days.get(day)
            if numbers is None:
                numbers = days[day] = array("I")
            numbers.append(number)
        ordered = array("I")
        gone = self.ledger.gone()
        for day in sorted(days):
            whole = days.pop(day)
            mine = sorted((number for number in whole if number not in gone) if gone else whole, key=at)
            if len(set(map(at, mine))) < len(mine):
                mine.sort(key=lambda number: (at(number), self.id_of(number)))
            ordered.extend(mine)
        return ordered

    def _filled(self) -> array[int]:
        """The number of who did each operation; one without caller or address has those of its correlation, when the others there agree."""
        ledger = self.ledger
        actors = ledger.actors
        bare = {number for number, who in enumerate(ledger.whos.all) if not (who.caller and who.address)}
        says = ledger.correlations.says
        lacking = [number for number in self.order if actors[number] in bare and says(number)]
        if not lacking:
            return actors
        halves = ledger.correlations.halves()
        # Few correlations have more than one operation. They are looked for some at a time: all at once would take much room.
        filled = actors[:]
        for part in in_parts(array("Q", map(halves.__getitem__, self.order))):
            if len(set(part)) < len(part):
                self._fill(filled, lacking, {half for half, times in Counter(part).items() if times > 1}, halves)
        return filled

    def _fill(self, filled: array[int], lacking: Sequence[int], often: Collection[int], halves: Sequence[int]) -> None:
        """Fill in what the correlations of those `halves` tell."""
        key_of, whos, actors = self.ledger.correlations.key, self.ledger.whos, self.ledger.actors
        mine = {number: key_of(number) for number in lacking if halves[number] in often}
        together = {key: _Together() for key in mine.values()}
        for number in self.order:
            if halves[number] in often and (found := together.get(key_of(number))) is not None:
                found.add(whos.all[actors[number]])
        for number, key in mine.items():
            if (other := together[key].beside(whos.all[actors[number]])) is not None:
                filled[number] = whos.add(other)


class _Together:
    """Who worked in one correlation: of each caller the first account, and all addresses."""

    __slots__ = ("_addresses", "_first")

    def __init__(self) -> None:
        self._first: dict[str, Who] = {}
        self._addresses: dict[str, set[str]] = {}

    def add(self, who: Who) -> None:
        caller = who.caller.lower()
        if caller:
            self._first.setdefault(caller, who)
            if who.address:
                self._addresses.setdefault(caller, set()).add(who.address)

    def beside(self, who: Who) -> Who | None:
        """Who it was, with what is missing taken from the others; None when they say nothing or do not agree."""
        caller = who.caller.lower()
        if not caller:
            if len(self._first) != 1:
                return None
            caller = next(iter(self._first))
        first, addresses = self._first[caller], self._addresses.get(caller, set())
        found = first_said((who, first))
        address = who.address or (next(iter(addresses)) if len(addresses) == 1 else "")
        return msgspec.structs.replace(found, address=address, mfa=who.mfa)
