"""The log as it is kept while it is read: in columns of numbers, so that a million events fit into some tens of megabytes.

Events wait for others of their operation: those with the same bond (the correlation, else the event's own id), name and resource. What
nothing was heard of for a while is written into the columns; when more of it comes later, `settle` puts the parts together, so the order
of events and pages does not matter.

    ledger = Ledger(rules)
    ledger.take([correlation], [row])
    ledger.settle()
    ledger.events, len(ledger)
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any

from firebreak.analysis.interned import MOST, Deed, Kind, Numbered, Sayings, Who, first_said, known_of
from firebreak.analysis.normal import Document
from firebreak.analysis.packed import PackedIds, PackedPaths
from firebreak.analysis.ruleset import RuleSet

# An event: seconds since 1970, rank, id, numbers of kind, who and saying, resource. Rows of an operation sort into their order.
Row = tuple[float, int, str, int, int, int, str]

ALONE = "\0"  # begins the bond of an event that belongs to no correlation
RANK = {"": 0, "started": 1, "accepted": 2, "succeeded": 3, "failed": 4}

_OF_WHO = frozenset({"caller", "address", "appid"})
_ENDS = frozenset({"succeeded", "failed"})
_WAITING = 1024  # bonds of a generation that may still get events
_MOST_WAITING = 5  # events for each of them
_AT_ONCE = 125_000  # hashes that are compared at once
_GONE = 0  # the deed of what was put together with another


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
        self._young: dict[str, list[Row]] = {}
        self._old: dict[str, list[Row]] = {}
        self._taken = 0  # since the generations changed
        self._names: Numbered[str] = Numbered()
        self._name_of = array("I")  # by the number of a kind
        # One entry for each event, those of an operation side by side and in order.
        self.ids = PackedIds()
        self._at = array("d")
        self._kind = array("I")
        self._who = array("I")
        self._saying = array("I")
        # One entry for each operation.
        self._start = array("I", [0])
        self._hash = array("q")
        self.deed_of = array("I")
        self.actors = array("I")
        self.correlations = PackedIds()
        self.resources = PackedPaths()
        # Memories of what was worked out before.
        self._came_of: dict[tuple[int, ...], int] = {}
        self._alike: dict[tuple[int, ...], bool] = {}
        self._judged_as: dict[tuple[Any, ...], int] = {}
        self._who_of: dict[tuple[int, ...], int] = {}
        self._matched_by: dict[tuple[str, frozenset[tuple[str, tuple[str, ...]]]], tuple[str, ...]] = {}

    def kind(self, kind: Kind) -> int:
        """The number of a kind of event."""
        number = self.kinds.add(kind)
        if number == len(self._name_of):
            self._name_of.append(self._names.add(kind.lowered))
        return number

    def take(self, bonds: Iterable[str], rows: Sequence[Row]) -> None:
        """Take in events, each with its bond; one that is known already by its id changes nothing."""
        young, old = self._young, self._old
        for bond, row in zip(bonds, rows, strict=True):
            found = young.get(bond)
            if found is None:
                found = old.get(bond)
                if found is None:
                    young[bond] = [row]
                    continue
            found.append(row)
        self._taken += len(rows)
        if len(young) >= self._waiting or self._taken >= self._waiting * _MOST_WAITING:
            self._write(old)
            self._young, self._old, self._taken = {}, young, 0

    def settle(self) -> None:
        """Write what still waits, and put together the parts of operations that came far apart."""
        self._write(self._old)
        self._write(self._young)
        self._young, self._old = {}, {}
        apart = self._apart()
        if apart:
            self._put_together(apart)

    def __len__(self) -> int:
        """How many operations there are, those that are gone included."""
        return len(self.deed_of)

    def bytes_kept(self) -> int:
        """How much room the columns take, without what is told by number."""
        columns = (self._at, self._kind, self._who, self._saying, self._start, self._hash, self.deed_of, self.actors)
        packed = self.ids.bytes_kept() + self.correlations.bytes_kept() + self.resources.bytes_kept()
        return packed + sum(len(column) * column.itemsize for column in columns)

    def gone(self) -> frozenset[int]:
        """The operations that were put together with others."""
        if _GONE not in self.deed_of:
            return frozenset()
        return frozenset(number for number, deed in enumerate(self.deed_of) if deed == _GONE)

    def beginnings(self) -> array[float]:
        """When each operation began, by number, in seconds since 1970; a microsecond is told from the next until the year 2242."""
        return array("d", map(self._at.__getitem__, self._start[:-1]))

    def deed(self, operation: int) -> Deed:
        return self.deeds.all[self.deed_of[operation]]

    def region(self, operation: int) -> str:
        """The first region that its bodies name."""
        for number in self.rows_of(operation):
            if (saying := self._saying[number]) and (region := self.sayings.region(saying)):
                return region
        return ""

    def properties(self, operation: int) -> dict[str, Any]:
        """The facts of its bodies, those of earlier events first."""
        found: dict[str, Any] = {}
        for number in reversed(self.rows_of(operation)):
            found.update(self.sayings[self._saying[number]].facts)
        found.pop("region", None)
        return found

    def said_of(self, operation: int) -> tuple[int, ...]:
        """Its deed and what its events asked for, by number: operations for which this is the same differ in nothing but who, when and on what."""
        return (self.deed_of[operation], *self._saying[self._start[operation] : self._start[operation + 1]])

    def rows_of(self, operation: int) -> range:
        """The numbers of an operation's events, in order."""
        return range(self._start[operation], self._start[operation + 1])

    def _write(self, waiting: Mapping[str, list[Row]]) -> None:
        """Write the events of some bonds into the columns. Column by column, since a loop would cost as much as reading the events did."""
        if not waiting:
            return
        bonds, operations = self._operations(waiting)
        ats, _, ids, kinds, whos, sayings, _ = zip(*chain.from_iterable(operations), strict=True)
        self._at.extend(ats)
        self._kind.extend(kinds)
        self._who.extend(whos)
        self._saying.extend(sayings)
        self.ids.extend(ids)
        self.events += len(ids)
        resources = [rows[0][6] for rows in operations]
        self.resources.extend(resources)
        self.correlations.extend(["" if bond[0] == ALONE else bond for bond in bonds])
        ends = list(accumulate(map(len, operations)))
        begins = [0, *ends[:-1]]
        written = self._start[-1]
        self._start.extend([written + end for end in ends])
        name_of, came_of = self._name_of, self._came_of
        names = [name_of[kinds[begin]] for begin in begins]
        self._hash.extend(map(hash, zip(bonds, names, [resource.lower() for resource in resources], strict=True)))
        deeds = [came_of.get(kinds[begin:end], 0) for begin, end in zip(begins, ends, strict=True)]
        for place, deed in enumerate(deeds):
            if not deed:
                mine = slice(begins[place], ends[place])
                deeds[place] = self._judged(kinds[mine], whos[mine], sayings[mine], resources[place])
        self.deed_of.extend(deeds)
        self.actors.extend(
            [
                whos[begin] if end == begin + 1 else self._one_of(whos[begin:end])
                for begin, end in zip(begins, ends, strict=True)
            ]
        )

    def _operations(self, waiting: Mapping[str, list[Row]]) -> tuple[list[str], list[list[Row]]]:
        """The events of each operation in order, each once, and beside them their bonds."""
        alike = self._alike
        bonds, operations = [], []
        for bond, rows in waiting.items():
            if len(rows) > 1:
                rows.sort()
                kinds = tuple([row[3] for row in rows])
                of_one = alike.get(kinds)
                if of_one is None:
                    of_one = self._of_one(kinds)
                if not of_one or len({row[2] for row in rows}) < len(rows) or len({row[6] for row in rows}) > 1:
                    apart = self._apart_by_operation(rows)
                    operations += apart
                    bonds += [bond] * len(apart)
                    continue
            operations.append(rows)
            bonds.append(bond)
        return bonds, operations

    def _of_one(self, kinds: tuple[int, ...]) -> bool:
        """Whether kinds of event have one name, so that they may be of one operation."""
        if len(self._alike) >= MOST:
            self._alike.clear()
        found = self._alike[kinds] = len({self._name_of[kind] for kind in kinds}) == 1
        return found

    def _apart_by_operation(self, rows: Iterable[Row]) -> list[list[Row]]:
        found: dict[tuple[int, str], dict[str, Row]] = {}
        for row in rows:
            found.setdefault((self._name_of[row[3]], row[6].lower()), {}).setdefault(row[2], row)
        return [list(mine.values()) for mine in found.values()]

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

    def _apart(self) -> set[int]:
        """The hashes that more than one operation has. They are compared in parts, since a set of all takes much room."""
        found: set[int] = set()
        parts = 1 + len(self._hash) // _AT_ONCE
        for part in range(parts):
            mine = self._hash if parts == 1 else [one for one in self._hash if one % parts == part]
            if len(set(mine)) < len(mine):
                found.update(one for one, times in Counter(mine).items() if times > 1)
        return found

    def _put_together(self, hashes: set[int]) -> None:
        waiting: dict[str, list[Row]] = {}
        for operation, one in enumerate(self._hash):
            if one in hashes:
                rows = self._read(operation)
                waiting.setdefault(self.correlations[operation] or ALONE + rows[0][2], []).extend(rows)
                self.deed_of[operation] = _GONE
                self._hash[operation] = hash((ALONE, operation))
                self.events -= len(rows)
        self._write(waiting)

    def _read(self, operation: int) -> list[Row]:
        """An operation's events as they were taken in."""
        resource = self.resources[operation]
        return [
            (
                self._at[number],
                RANK[self.kinds.all[self._kind[number]].status],
                self.ids[number],
                self._kind[number],
                self._who[number],
                self._saying[number],
                resource,
            )
            for number in self.rows_of(operation)
        ]


def _created(parts: Sequence[Kind]) -> bool | None:
    """Whether an operation made its resource: True where an event says 201, False where the request was answered 200, None where nothing tells.

    Where Azure accepted the request, that answer tells, not the end: the creation of a disk is answered 202 and ends with 200, an update
    of a machine is answered 200 at once. https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
    """
    if any(part.created for part in parts):
        return True
    answers = [part for part in parts if part.status == "accepted"] or parts
    return False if any(part.created is False for part in answers) else None
