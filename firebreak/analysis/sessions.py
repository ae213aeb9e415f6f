"""Who worked how in a log: callers, sessions and creators over all of its operations. A read log in, facts out."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from firebreak.analysis.logged import LoggedOperations
from firebreak.analysis.operations import densest, group_of, is_creation, is_write
from firebreak.model.facts import Caller, Session

K = TypeVar("K")

_DAY = 86_400
_HOUR = (
    3600.0000005  # seconds; half a microsecond more, since times come in whole ones and a difference of them is rounded
)
_NAMES = 500  # different operations remembered of a session


def sessions(log: LoggedOperations, window_start: datetime) -> tuple[Session, ...]:
    """All sessions of the log by caller, address and client app; what is named `..._before` is of the time before the window."""
    ledger, whos, deeds = log.ledger, log.ledger.whos.all, log.ledger.deeds.all
    begin = window_start.timestamp()
    makes = [is_creation(deed) for deed in deeds]
    grouped = _grouped(log, [(who.caller.lower(), who.address, who.app_id) for who in whos])
    found = []
    for (_, address, app_id), numbers in sorted(grouped.items()):
        times = list(map(log.at.__getitem__, numbers))
        split = bisect_left(times, begin)
        before = numbers[:split]
        dates = sorted({int(at // _DAY) for at in times[:split]})
        by = Counter(map(log.actors.__getitem__, numbers))
        by_before = Counter(map(log.actors.__getitem__, before))
        did_before = list(map(ledger.deed_of.__getitem__, before))
        made = [at for at, deed in zip(times, did_before, strict=False) if makes[deed]]
        # Where it worked is asked of services alone: a person's address says more.
        placed = before if "@" not in whos[log.actors[numbers[0]]].caller else before[:0]
        found.append(
            Session(
                caller=whos[log.actors[numbers[0]]].caller,
                principal_id=next((whos[one].principal_id for one in by if whos[one].principal_id), ""),
                address=address,
                app_id=app_id,
                first_seen=moment(times[0]),
                last_seen=moment(times[-1]),
                operations=len(numbers),
                operations_before=split,
                days_before=len(dates),
                dates_before=tuple(dates),
                mfa=sum(times for one, times in by.items() if whos[one].mfa is True),
                no_mfa=sum(times for one, times in by.items() if whos[one].mfa is False),
                mfa_before=sum(times for one, times in by_before.items() if whos[one].mfa is True),
                no_mfa_before=sum(times for one, times in by_before.items() if whos[one].mfa is False),
                peak_before=densest(made, _HOUR),
                names_before=tuple(sorted({deeds[one].name.lower() for one in set(did_before)})[:_NAMES]),
                groups_before=tuple(sorted(_groups(log, placed) - {""})[:_NAMES]),
                regions_before=tuple(sorted(set(map(ledger.region, placed)) - {""})),
            )
        )
    return tuple(found)


def _groups(log: LoggedOperations, numbers: Sequence[int]) -> set[str]:
    """The resource groups that some operations were in, lower case."""
    resources = log.ledger.resources
    found = set()
    for parent in set(map(resources.parent_of.__getitem__, numbers)):
        text = resources.parents[parent]
        if text.lower().endswith("/resourcegroups/"):  # the groups themselves
            mine = (number for number in numbers if resources.parent_of[number] == parent)
            found |= {resources.leaf(number).lower() for number in mine}
        else:
            found.add(group_of(text))
    return found


def callers(log: LoggedOperations) -> tuple[Caller, ...]:
    ledger, whos = log.ledger, log.ledger.whos.all
    found = []
    for caller, numbers in sorted(_grouped(log, [who.caller.lower() for who in whos]).items()):
        if not caller:
            continue
        by = Counter(map(log.actors.__getitem__, numbers))
        addresses: Counter[str] = Counter()
        for one, times in by.items():
            addresses[whos[one].address] += times
        found.append(
            Caller(
                caller=whos[log.actors[numbers[0]]].caller,
                principal_id=next((whos[one].principal_id for one in by if whos[one].principal_id), ""),
                first_seen=moment(log.at[numbers[0]]),
                last_seen=moment(log.at[numbers[-1]]),
                operations=len(numbers),
                addresses=_counts(addresses),
                regions=_counts(Counter(map(ledger.region, numbers))),
            )
        )
    return tuple(found)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _grouped(log: LoggedOperations, key_of: Sequence[K]) -> dict[K, array[int]]:
    """The numbers of operations by a key of who did them, in order."""
    found: dict[K, array[int]] = {}
    mine: dict[int, array[int]] = {}
    for number in log.order:
        one = log.actors[number]
        numbers = mine.get(one)
        if numbers is None:
            numbers = mine[one] = found.setdefault(key_of[one], array("I"))
        numbers.append(number)
    return found


def _counts(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted((text, times) for text, times in counter.items() if text))


def creators(log: LoggedOperations) -> list[int]:
    """The numbers of the operations that made the resources which stand, as far as the log tells.

    A later write counts only when Azure answered 201 or the resource had been deleted in between; otherwise it is an update.
    """
    resources, deeds = log.ledger.resources, log.ledger.deeds.all
    parents = _folded(resources.parents)
    deletes = [deed.status == "succeeded" and deed.name.lower().endswith("/delete") for deed in deeds]
    writes = [is_write(deed.name) and deed.status != "failed" and deed.created is not False for deed in deeds]
    surely = [deed.created is True for deed in deeds]
    counts = [write or delete for write, delete in zip(writes, deletes, strict=True)]
    deed_of, parent_of, leaf_of = log.ledger.deed_of, resources.parent_of, resources.folded_leaf
    by_parent: dict[int, array[int]] = {}
    for number in log.order:
        if counts[deed_of[number]]:
            parent = parents[parent_of[number]]
            numbers = by_parent.get(parent)
            if numbers is None:
                numbers = by_parent[parent] = array("I")
            numbers.append(number)
    found: list[int] = []
    # Resources of one parent at a time: the ids of all together would take much room.
    for numbers in by_parent.values():
        made: dict[str | bytes, int] = {}
        for number in numbers:
            deed, leaf = deed_of[number], leaf_of(number)
            if not leaf:
                continue  # nothing is said of what it was
            if deletes[deed]:
                made.pop(leaf, None)
            elif leaf not in made or surely[deed]:
                made[leaf] = number
        found += made.values()
    return found


def _folded(texts: Sequence[str]) -> list[int]:
    """For each text a number that those share which differ in case alone."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(text.lower(), len(numbers)) for text in texts]
