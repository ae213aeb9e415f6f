"""The log as it is kept while it is read: in columns of numbers, so that a million events fit into some tens of megabytes.

An event goes into its columns as it comes, and its number waits for others of the operation: those with the same bond (the correlation,
else the event's own id), name and resource. What nothing was heard of for a while is written down as an operation; when more of it comes
later, `settle` puts the parts together, so the order of events and pages does not matter.

    ledger = Ledger(rules)
    ledger.take(Columns(bonds=[correlation], ...))
    ledger.settle()
    ledger.events, len(ledger)
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain, count
from operator import eq
from typing import Any, NamedTuple

from firebreak.analysis.interned import MOST, Deed, Kind, Numbered, Sayings, Who, first_said, known_of
from firebreak.analysis.normal import Document
from firebreak.analysis.packed import PackedIds, PackedPaths
from firebreak.analysis.ruleset import RuleSet

ALONE = "\0"  # begins the bond of an event that belongs to no correlation

_RANK = {"": 0, "started": 1, "accepted": 2, "succeeded": 3, "failed": 4}
_OF_WHO = frozenset({"caller", "address", "appid"})
_ENDS = frozenset({"succeeded", "failed"})
_WAITING = 1024  # bonds of a generation that may still get events
_MOST_WAITING = 5  # events for each of them
_AT_ONCE = 125_000  # hashes that are compared at once
_GONE = 0  # the deed of what was put together with another


class Columns(NamedTuple):
    """Some events: of each its bond, seconds since 1970, id, the numbers of its kind, who and saying, and its resource."""

    bonds: Sequence[str]
    times: Sequence[float]
    ids: Sequence[str]
    kinds: Sequence[int]
    whos: Sequence[int]
    sayings: Sequence[int]
    resources: Sequence[str]


# What waits under a bond: the first event's resource and number of name, and the numbers of the events that have both.
Waiting = tuple[str, int, list[int]]


class Ledger:
    """All events of a log by operation. Operations are told by their number; one that was put together with another is `gone`."""

    def __init__(self, rules: RuleSet, *, waiting: int = _WAITING) -> None:
        self.kinds: Numbered[Kind] = Numbered()
        self.whos: Numbered[Who] = Numbered(Who())
        self.deeds: Numbered[Deed] = Numbered(Deed())
        self.sayings = Sayings()
        self.events = 0  # different ones; right after `settle`
        self._rules = rules
        self._waiting = waiting
        self._young: dict[str, Waiting] = {}
        self._old: dict[str, Waiting] = {}
        self._others: dict[
            str, list[tuple[str, int]]
        ] = {}  # by bond: events of another resource or name than its first, by resource
        self._taken = 0  # since the generations changed
        self._names: Numbered[str] = Numbered()
        self._name_of = array("I")  # by the number of a kind
        self._rank_of = array("I")
        # One entry for each event, as they came.
        self.ids = PackedIds()
        self._at = array("d")
        self._kind = array("I")
        self._who = array("I")
        self._saying = array("I")
        # The numbers of the events, those of an operation side by side and in order.
        self._order = array("I")
        # One entry for each operation.
        self._start = array("I", [0])
        self.deed_of = array("I")
        self.actors = array("I")
        self.correlations = PackedIds()
        self.resources = PackedPaths()
        # What repeats is worked out once.
        self._came_of: dict[tuple[int, ...], int] = {}
        self._judged_as: dict[tuple[Any, ...], int] = {}
        self._who_of: dict[tuple[int, ...], int] = {}
        self._matched_by: dict[tuple[str, frozenset[tuple[str, tuple[str, ...]]]], tuple[str, ...]] = {}

    def kind(self, kind: Kind) -> int:
        """The number of a kind of event."""
        number = self.kinds.add(kind)
        if number == len(self._name_of):
            self._name_of.append(self._names.add(kind.lowered))
            self._rank_of.append(_RANK[kind.status])
        return number

    def take(self, page: Columns) -> None:
        """Take in events; one that is known already by its id changes nothing."""
        numbers = count(len(self._at))
        self._at.extend(page.times)
        self._kind.extend(page.kinds)
        self._who.extend(page.whos)
        self._saying.extend(page.sayings)
        self.ids.extend(page.ids)
        young, old, name_of = self._young, self._old, self._name_of
        for bond, kind, resource, number in zip(page.bonds, page.kinds, page.resources, numbers, strict=False):
            found = young.get(bond) or old.get(bond)
            if found is None:
                young[bond] = resource, name_of[kind], [number]
            elif found[0] == resource and found[1] == name_of[kind]:
                found[2].append(number)
            else:
                self._others.setdefault(bond, []).append((resource, number))
        self._taken += len(page.times)
        if len(young) >= self._waiting or self._taken >= self._waiting * _MOST_WAITING:
            self._write(old)
            self._young, self._old, self._taken = {}, young, 0

    def settle(self) -> None:
        """Write what still waits, and put together the parts of operations that came far apart."""
        self._write(self._old)
        self._write(self._young)
        self._young, self._old = {}, {}
        torn = self._torn()
        if torn:
            self._put_together(torn)

    def __len__(self) -> int:
        """How many operations there are, those that are gone included."""
        return len(self.deed_of)

    def bytes_kept(self) -> int:
        """How much room the columns take, without what is told by number."""
        of_events = (self._at, self._kind, self._who, self._saying, self._order)
        columns = (*of_events, self._start, self.deed_of, self.actors)
        packed = self.ids.bytes_kept() + self.correlations.bytes_kept() + self.resources.bytes_kept()
        return packed + sum(len(column) * column.itemsize for column in columns)

    def gone(self) -> frozenset[int]:
        """The operations that were put together with others."""
        if _GONE not in self.deed_of:
            return frozenset()
        return frozenset(number for number, deed in enumerate(self.deed_of) if deed == _GONE)

    def beginnings(self) -> array[float]:
        """When each operation began, by number, in seconds since 1970; a microsecond is told from the next until the year 2242."""
        return array("d", [self._at[self._order[start]] for start in self._start[:-1]])

    def deed(self, operation: int) -> Deed:
        return self.deeds.all[self.deed_of[operation]]

    def region(self, operation: int) -> str:
        """The first region that its bodies name."""
        sayings, saying = self.sayings, self._saying
        for number in self._order[self._start[operation] : self._start[operation + 1]]:
            if (said := saying[number]) and (region := sayings.region(said)):
                return region
        return ""

    def properties(self, operation: int) -> dict[str, Any]:
        """The facts of its bodies, those of earlier events first."""
        found: dict[str, Any] = {}
        for number in reversed(self.events_of(operation)):
            if said := self._saying[number]:
                found.update(self.sayings[said].facts)
        found.pop("region", None)
        return found

    def said_of(self, operation: int) -> tuple[int, ...]:
        """Its deed and what its events asked for, by number: operations for which this is the same differ in nothing but who, when and on what."""
        return (self.deed_of[operation], *map(self._saying.__getitem__, self.events_of(operation)))

    def events_of(self, operation: int) -> array[int]:
        """The numbers of an operation's events, in order."""
        return self._order[self._start[operation] : self._start[operation + 1]]

    def _write(self, waiting: Mapping[str, Waiting]) -> None:
        """Write down the operations of some bonds. Column by column, since a loop would cost as much as reading the events did."""
        if not waiting:
            return
        bonds, resources, operations = self._operations(waiting)
        order = list(chain.from_iterable(operations))
        kinds = tuple(map(self._kind.__getitem__, order))
        whos = tuple(map(self._who.__getitem__, order))
        written = len(self._order)
        self._order.extend(order)
        self.events += len(order)
        self.resources.extend(resources)
        self.correlations.extend(["" if bond[0] == ALONE else bond for bond in bonds])
        ends = list(accumulate(map(len, operations)))
        begins = [0, *ends[:-1]]
        self._start.extend([written + end for end in ends])
        came_of = self._came_of
        deeds = [came_of.get(kinds[begin:end], 0) for begin, end in zip(begins, ends, strict=True)]
        for place, deed in enumerate(deeds):
            if not deed:
                mine = slice(begins[place], ends[place])
                said = tuple([self._saying[number] for number in operations[place]])
                deeds[place] = self._judged(kinds[mine], whos[mine], said, resources[place])
        self.deed_of.extend(deeds)
        self.actors.extend(
            [
                whos[begin] if end == begin + 1 else self._one_of(whos[begin:end])
                for begin, end in zip(begins, ends, strict=True)
            ]
        )

    def _operations(self, waiting: Mapping[str, Waiting]) -> tuple[list[str], list[str], list[list[int]]]:
        """Of each operation the bond, the resource and the numbers of its events, in order and each once."""
        bonds, resources, operations = [], [], []
        at = self._at.__getitem__
        for bond, (resource, _, numbers) in waiting.items():
            if bond in self._others:
                both = [*((resource, number) for number in numbers), *self._others.pop(bond)]
                for resource, mine in self._apart_by_operation(both):
                    bonds.append(bond)
                    resources.append(resource)
                    operations.append(mine)
                continue
            if len(numbers) > 1:
                numbers.sort(key=at)
            bonds.append(bond)
            resources.append(resource)
            operations.append(numbers)
        if self._is_in_doubt(list(chain.from_iterable(operations))):
            for place, numbers in enumerate(operations):
                if len(numbers) > 1:
                    [(_, operations[place])] = self._apart_by_operation(
                        (resources[place], number) for number in numbers
                    )
        return bonds, resources, operations

    def _is_in_doubt(self, order: Sequence[int]) -> bool:
        """Whether events in order of time may still be out of order, or the same one be among them twice."""
        times = list(map(self._at.__getitem__, order))
        return any(map(eq, times, times[1:])) or not self.ids.differ(order)

    def _apart_by_operation(self, events: Iterable[tuple[str, int]]) -> list[tuple[str, list[int]]]:
        """The operations of events that are told by resource and number: the resource as the first event has it, and the numbers."""
        found: dict[tuple[int, str], tuple[str, dict[str, int]]] = {}
        kind, rank_of, at, ids = self._kind, self._rank_of, self._at, self.ids
        ordered = sorted(
            (at[number], rank_of[kind[number]], ids[number], number, resource) for resource, number in events
        )
        for _, _, identifier, number, resource in ordered:
            key = (self._name_of[kind[number]], resource.lower())
            found.setdefault(key, (resource, {}))[1].setdefault(identifier, number)
        return [(resource, list(mine.values())) for resource, mine in found.values()]

    def _judged(self, kinds: tuple[int, ...], whos: tuple[int, ...], said: tuple[int, ...], resource: str) -> int:
        """The number of the deed of an operation. It is remembered by what it follows from: its kinds, and what rules look at beside them."""
        name = self.kinds.all[kinds[0]].name
        wanted = self._rules.candidates(name).wanted
        if not wanted:
            deed = self._came_of[kinds] = self._came_to(kinds, self._matched(name, {}))
            return deed
        by = whos if "" in wanted or not _OF_WHO.isdisjoint(wanted) else ()
        on = resource if "" in wanted or "resourceid" in wanted else ""
        key = (kinds, said, by, on)
        found = self._judged_as.get(key)
        if found is None:
            if len(self._judged_as) >= MOST:
                self._judged_as.clear()
            matched = self._matched(name, self._document(wanted, kinds, whos, said, resource))
            found = self._judged_as[key] = self._came_to(kinds, matched)
        return found

    def _came_to(self, kinds: tuple[int, ...], matched: tuple[str, ...]) -> int:
        parts = [self.kinds.all[number] for number in kinds]
        # An end outranks a beginning whatever the clocks say; among ends the last word counts, and at the same moment failure does.
        ends = [part.status for part in parts if part.status in _ENDS]
        return self.deeds.add(
            Deed(
                name=parts[0].name,
                status=ends[-1] if ends else "started",
                created=_created(parts),
                category=next((part.category for part in parts if part.category), ""),
                matched=matched,
            )
        )

    def _matched(self, name: str, document: Document) -> tuple[str, ...]:
        """The rules that a document falls under; many operations come down to the same one."""
        key = (name, frozenset(document.items()))
        found = self._matched_by.get(key)
        if found is None:
            if len(self._matched_by) >= MOST:
                self._matched_by.clear()
            found = self._matched_by[key] = self._rules.matches(name, document)
        return found

    def _document(
        self,
        wanted: frozenset[str],
        kinds: Sequence[int],
        whos: Sequence[int],
        said: Sequence[int],
        resource: str,
    ) -> Document:
        """What rules look at, over all events of an operation."""
        found: dict[str, tuple[str, ...]] = {}
        for kind, by, saying in zip(kinds, whos, said, strict=True):
            known = known_of(self.kinds.all[kind], self.whos.all[by], resource)
            detail = self.sayings[saying].detail
            for field, values in (*detail.items(), *((field, (text,)) for field, text in known.items() if text)):
                if field in wanted or "" in wanted:
                    found[field] = (*found.get(field, ()), *values)
        return found

    def _one_of(self, whos: tuple[int, ...]) -> int:
        """Who is behind several events: of each detail what is said first."""
        if whos.count(whos[0]) == len(whos):
            return whos[0]
        number = self._who_of.get(whos)
        if number is None:
            if len(self._who_of) >= MOST:
                self._who_of.clear()
            parts = [self.whos.all[one] for one in whos]
            number = self._who_of[whos] = self.whos.add(first_said(parts))
        return number

    def _torn(self) -> list[int]:
        """The operations of which another has the same bond, name and resource, and perhaps some more."""
        firsts = self.correlations.halves()
        if self.correlations.some_odd:
            halves = self.ids.halves()
            for operation in range(len(firsts)):
                if not self.correlations.says(operation):
                    firsts[operation] = halves[self._order[self._start[operation]]]
        often = _repeated(firsts)
        mine = [number for number, first in enumerate(firsts) if first in often and self.deed_of[number] != _GONE]
        hashes = array("q", (hash((*self._bond_and_name(number), self.resources[number].lower())) for number in mine))
        often = _repeated(hashes)
        return [number for number, one in zip(mine, hashes, strict=True) if one in often]

    def _bond_and_name(self, operation: int) -> tuple[str, int]:
        first = self._order[self._start[operation]]
        return self.correlations[operation] or ALONE + self.ids[first], self._name_of[self._kind[first]]

    def _put_together(self, operations: Iterable[int]) -> None:
        waiting: dict[str, Waiting] = {}
        for operation in operations:
            numbers = list(self.events_of(operation))
            resource = self.resources[operation]
            bond, name = self._bond_and_name(operation)
            if bond not in waiting:
                waiting[bond] = resource, name, numbers
            else:
                self._others.setdefault(bond, []).extend((resource, number) for number in numbers)
            self.deed_of[operation] = _GONE
            self.events -= len(numbers)
        self._write(waiting)


def _created(parts: Sequence[Kind]) -> bool | None:
    """Whether an operation made its resource: True where an event says 201, False where the request was answered 200, None where nothing tells.

    Where Azure accepted the request, that answer tells, not the end: the creation of a disk is answered 202 and ends with 200, an update
    of a machine is answered 200 at once. https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
    """
    if any(part.created for part in parts):
        return True
    answers = [part for part in parts if part.status == "accepted"] or parts
    return False if any(part.created is False for part in answers) else None


def _repeated(hashes: Sequence[int]) -> set[int]:
    """Those that come more than once."""
    found: set[int] = set()
    for part in in_parts(hashes):
        if len(set(part)) < len(part):
            found.update(one for one, times in Counter(part).items() if times > 1)
    return found


def in_parts(hashes: Sequence[int]) -> list[array[int]]:
    """The same numbers in parts, equal ones in one part: to compare those of a part takes little room, a set of all takes much."""
    count = 1 + len(hashes) // _AT_ONCE
    parts: list[array[int]] = [
        array("q" if isinstance(hashes, array) and hashes.typecode == "q" else "Q") for _ in range(count)
    ]
    add = [part.append for part in parts]
    for one in hashes:
        add[one % count](one)
    return parts
