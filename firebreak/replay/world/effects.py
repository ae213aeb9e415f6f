"""What changed in the world, and what hangs on what was stopped or deleted: found in the documents themselves. Pure.

`before` and `after` are what the embedded Azure shows of itself. What is held by name alone has no properties, so nothing can be seen to hang on it:
`record` said so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

_INTERFACE = "microsoft.network/networkinterfaces"
_DEEP = 12  # no document of Azure is nested deeper
_OFF = ("deallocated", "deallocating", "stopped")


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that runs no more or is gone. `what`: stopped or deleted. `whose` is what the replay takes it for."""

    id: str
    type: str
    what: str
    whose: str


class Dependent(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that is left standing and refers to what was stopped or deleted, or is referred to by it. `how` is the place in the document."""

    id: str
    type: str
    of: str
    how: str
    whose: str


class Effects(msgspec.Struct, frozen=True, kw_only=True):
    """`access` are role assignments, locks and policies that came or went, as (id, what)."""

    stopped: tuple[Stopped, ...]
    dependents: tuple[Dependent, ...]
    access: tuple[tuple[str, str], ...]


def effects_of(before: Mapping[str, Any], after: Mapping[str, Any], whose: Callable[[str], str]) -> Effects:
    """Compare two states of the world."""
    was, now = _by_id(before["resources"]), _by_id(after["resources"])
    ran, runs = _running(before), _running(after)
    stopped = [
        Stopped(id=str(was[key]["id"]), type=_type(was[key]), what="stopped", whose=whose(key))
        for key in was
        if key in now and ran.get(key, 0) > runs.get(key, 0)
    ]
    stopped += [
        Stopped(id=str(row["id"]), type=_type(row), what="deleted", whose=whose(key))
        for key, row in was.items()
        if key not in now
    ]
    access = []
    for name in ("role_assignments", "locks", "policy_assignments"):
        old, new = _by_id(before[name]), _by_id(after[name])
        access += [(str(old[key]["id"]), "gone") for key in old if key not in new]
        access += [(str(new[key]["id"]), "new") for key in new if key not in old]
    touched = {one.id.lower() for one in stopped}
    left = [one for one in _dependents(was, touched, whose) if one.id.lower() in now]
    order = {"legitimate": 0, "unknown": 1}
    return Effects(
        stopped=tuple(sorted(stopped, key=lambda one: (one.what, one.type, one.id))),
        dependents=tuple(sorted(left, key=lambda one: (order.get(one.whose, 2), one.type, one.id, one.of))),
        access=tuple(access),
    )


def _dependents(was: Mapping[str, Any], touched: set[str], whose: Callable[[str], str]) -> Iterator[Dependent]:
    """Each left thing once for each stopped one: directly, or through the stopped one's network interface, which has no life of its own."""
    seen: set[tuple[str, str]] = set()
    links = [(key, to, how) for key, row in was.items() for to, how in _links(row, was) if to != key]
    through = {a: b for a, b, _ in links if b in touched and _type(was[a]).lower() == _INTERFACE}
    through |= {b: a for a, b, _ in links if a in touched and _type(was[b]).lower() == _INTERFACE}
    for one, other, how in links:
        for thing, of, words in ((one, other, how), (other, one, f"held as {how}")):
            end = of if of in touched else through.get(of)
            if thing in touched or end is None or end == thing or (thing, end) in seen:
                continue
            seen.add((thing, end))
            place = words if of in touched else f"{words}, through {of.rsplit('/', 1)[-1]}"
            yield Dependent(
                id=str(was[thing]["id"]), type=_type(was[thing]), of=str(was[end]["id"]), how=place, whose=whose(thing)
            )


def _links(row: Any, was: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The resources that a document names, each with the place in it."""
    found: dict[str, str] = {}
    for text, place in _texts(row, "", 0):
        low = text.lower().rstrip("/")
        while low.count("/") > 4:
            if low in was:
                found.setdefault(low, place)
                break
            low = low.rpartition("/")[0]
    yield from found.items()


def _texts(value: Any, place: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if value.lower().startswith("/subscriptions/"):
            yield value, place
    elif isinstance(value, Mapping) and depth < _DEEP:
        for key, each in value.items():
            if key != "id" or depth > 0:
                yield from _texts(each, f"{place}.{key}".lstrip("."), depth + 1)
    elif isinstance(value, list) and depth < _DEEP:
        for each in value:
            yield from _texts(each, place, depth + 1)


def _by_id(rows: Iterable[Any]) -> dict[str, Any]:
    return {str(row["id"]).lower(): row for row in rows}


def _type(row: Mapping[str, Any]) -> str:
    return str(row.get("type", ""))


def _running(state: Mapping[str, Any]) -> dict[str, int]:
    """How much runs: 1 for a machine that is billed, the number of instances for a scale set."""
    found = {
        str(row["id"]).lower(): int(str(row.get("powerState", "")).lower() not in _OFF) for row in state["machines"]
    }
    for row in state["scale_sets"]:
        on = [one for one in row.get("instances", ()) if str(one.get("powerState", "")).lower() not in _OFF]
        found[str(row["id"]).lower()] = len(on)
    return found
