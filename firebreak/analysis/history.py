"""What was usual before the incident's window: who worked from where, in which regions, with which sizes. Facts in, answers out."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from firebreak.analysis.operations import ActivityLike, OperationLike, group_of, is_creation
from firebreak.analysis.sizes import parse_size
from firebreak.model.facts import Inventory, Machine, Resource, ScaleSet, Session

USUAL_OPERATIONS = 4
USUAL_DAYS = 2
LEAST_HISTORY = timedelta(days=3)
# A log that names somebody on fewer days leaves out too much of them: what it does not show may well have been there.
DENSE_DAYS = 10
# Half of those who come back must be named on so many days before a stranger means something.
DENSE_HERE = 12


class Familiarity(StrEnum):
    """How well a caller is known at an address, from before the window."""

    USUAL = "usual"
    SEEN = "seen"
    NEIGHBOUR = "same network"
    NEW_ADDRESS = "new address"
    NEW_CALLER = "new caller"
    IN_CHARACTER = "in character"  # ever new addresses, and nothing but this identity's usual work
    OUT_OF_CHARACTER = "out of character"  # an address that says nothing, and what this identity never did before
    UNKNOWN = "unknown"  # no address in the log, or no history at all


class History:
    """The time before the window. `has_any` is False when the log does not reach back far enough to call anything new.

    A past can also be thin: a young tenant, a log of which most is missing. Then what is new to the log need not be new, and only
    `knows_well` and `is_dense` say where it means something.
    """

    def __init__(self, activity: ActivityLike, inventory: Inventory | None = None) -> None:
        self._before: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._callers: dict[str, int] = defaultdict(int)
        self._days: dict[str, int] = defaultdict(int)
        self._dates: dict[str, set[int]] = defaultdict(set)
        self._names: dict[str, set[str]] = defaultdict(set)
        self._peaks: dict[str, int] = defaultdict(int)
        self._groups: dict[str, set[str]] = defaultdict(set)
        self._regions_of: dict[str, set[str]] = defaultdict(set)
        self._mfa: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._at: dict[str, set[str]] = defaultdict(set)
        self.window_start: datetime = activity.window_start
        for session in activity.sessions:
            if not session.operations_before:
                continue
            caller = session.caller.lower()
            seen = self._before[caller, session.address]
            seen[0] += session.operations_before
            seen[1] = max(seen[1], session.days_before)
            self._callers[caller] += session.operations_before
            self._at[session.address].add(caller)
            self._days[caller] = max(self._days[caller], session.days_before)
            self._dates[caller].update(session.dates_before)
            self._mfa[caller][0] += session.mfa_before
            self._mfa[caller][1] += session.no_mfa_before
            self._names[caller].update(session.names_before)
            self._peaks[caller] = max(self._peaks[caller], session.peak_before)
            self._groups[caller].update(session.groups_before)
            self._regions_of[caller].update(session.regions_before)
        starts = [session.first_seen for session in activity.sessions if session.operations_before]
        self.has_any = bool(starts) and activity.window_start - min(starts) >= LEAST_HISTORY
        self.active_days = max((len(set().union(*self._dates.values())), *self._days.values()), default=0)
        again = [days for days in map(self.days_of, self._callers) if days > 1]
        self.is_dense = self.has_any and bool(again) and median(again) >= DENSE_HERE
        made = list(activity.made_before())
        self.regions, self.sizes = _places(made, activity.window_start, inventory)
        self.standing_regions = frozenset(_older_regions(inventory, activity.window_start)) - {"", "global"}
        self.kinds = frozenset(kind_of(operation.name) for operation in made)

    def operations_of(self, caller: str) -> int:
        """Operations of a caller before the window."""
        return self._callers.get(caller.lower(), 0)

    def days_of(self, caller: str) -> int:
        """On how many days before the window the log names a caller."""
        name = caller.lower()
        return max(len(self._dates.get(name, ())), self._days.get(name, 0))

    def knows_well(self, caller: str) -> bool:
        """Whether the caller's own past is dense enough that what it does not hold is new. Of a stranger, the subscription's is asked."""
        return self.days_of(caller) >= DENSE_DAYS if self.operations_of(caller) else self.is_dense

    def how_thin(self, caller: str = "") -> str:
        """What the log knows of a caller, or without one of the subscription, for people to read."""
        if caller and self.operations_of(caller):
            return f"the log has {self.operations_of(caller)} operations of this caller, on {self.days_of(caller)} days before the window"
        people = f"{len(self._callers)} caller{'s' if len(self._callers) != 1 else ''}"
        return f"the log has {sum(self._callers.values())} operations on {self.active_days} days before the window, by {people}"

    def not_seen_doing(self, caller: str, name: str) -> bool:
        """Whether the log shows other things of an established caller before the window, but never this operation."""
        known = self._names.get(caller.lower(), set())
        return self.is_established(caller) and bool(known) and name.lower() not in known

    def never_did(self, caller: str, name: str) -> bool:
        """The same of a caller whose past is dense enough for it to mean something."""
        return self.knows_well(caller) and self.not_seen_doing(caller, name)

    def knows_group(self, caller: str, group: str) -> bool:
        """Whether the caller worked in a resource group before, in lower case; what is outside of groups is known to all."""
        return not group or group in self._groups.get(caller.lower(), set())

    def peak_of(self, caller: str) -> int:
        """The most resources that a caller made within one hour before, in any of its sessions."""
        return self._peaks.get(caller.lower(), 0)

    def in_character(self, caller: str, operations: Iterable[OperationLike]) -> bool:
        """Whether an established caller did nothing but operations that it did before, in groups and regions where it worked before."""
        names = self._names.get(caller.lower(), set())
        regions = self._regions_of.get(caller.lower(), set()) | {"", "global"}
        return self.is_established(caller) and all(
            operation.name.lower() in names
            and self.knows_group(caller, group_of(operation.resource_id))
            and operation.region in regions
            for operation in operations
        )

    def is_established(self, caller: str) -> bool:
        """Whether the caller worked here before the window, more than once or twice."""
        return self.operations_of(caller) >= USUAL_OPERATIONS

    def usual_addresses(self, caller: str) -> tuple[str, ...]:
        return tuple(
            sorted(
                (
                    address
                    for (who, address), (operations, days) in self._before.items()
                    if who == caller.lower() and address and operations >= USUAL_OPERATIONS and days >= USUAL_DAYS
                ),
                key=_address_order,
            )
        )

    def users_of(self, address: str) -> int:
        """How many established callers usually worked from an address: several make it an office, a VPN, a build farm."""
        return sum(address in self.usual_addresses(caller) for caller in self._at.get(address, ()))

    def roams(self, caller: str) -> bool:
        """Whether the caller came from ever new addresses before, as hosted build agents and travellers do."""
        addresses = [key for key in self._before if key[0] == caller.lower() and key[1]]
        return len(addresses) >= 5 and len(addresses) * 2 > self._callers[caller.lower()] // USUAL_OPERATIONS

    def is_roaming_service(self, caller: str) -> bool:
        """Whether it is no person and roams: each of its sessions is a run of its own, and its address says nothing."""
        return "@" not in caller and self.roams(caller)

    def usually_mfa(self, caller: str) -> bool:
        """Whether nearly all of the caller's earlier tokens said multi-factor authentication."""
        done, missing = self._mfa.get(caller.lower(), [0, 0])
        return done >= 3 and missing * 20 <= done

    def familiarity(self, session: Session) -> Familiarity:
        """How well the session's caller is known at its address."""
        caller = session.caller.lower()
        if not self.has_any or not caller:
            return Familiarity.UNKNOWN
        if not self.operations_of(caller):
            return Familiarity.NEW_CALLER
        if not session.address:
            return Familiarity.UNKNOWN
        operations, days = self._before.get((caller, session.address), [0, 0])
        if operations >= USUAL_OPERATIONS and days >= USUAL_DAYS:
            return Familiarity.USUAL
        if operations:
            return Familiarity.SEEN
        if any(same_network(session.address, other) for other in self.usual_addresses(caller)):
            return Familiarity.NEIGHBOUR
        return Familiarity.NEW_ADDRESS


def kind_of(name: str) -> str:
    """The kind of resource that an operation makes: `microsoft.compute/disks` of `Microsoft.Compute/disks/write`."""
    return name.lower().rpartition("/")[0]


def _places(
    made: Iterable[OperationLike], window_start: datetime, inventory: Inventory | None
) -> tuple[frozenset[str], frozenset[str]]:
    """Regions and size families in use before the window; `made` are the operations from before it that made what stands."""
    regions, sizes = set(), set()
    for operation in made:
        regions.add(operation.region)
        if is_creation(operation):
            sizes.add(parse_size(str(operation.properties.get("size", ""))).family)
    regions.update(_older_regions(inventory, window_start))
    if inventory:
        running: tuple[Machine | ScaleSet, ...] = (*inventory.machines, *inventory.scale_sets)
        for machine in running:
            if machine.created_at and machine.created_at < window_start:
                sizes.add(parse_size(machine.size).family)
    return frozenset(regions - {"", "global"}), frozenset(sizes - {""})


def _older_regions(inventory: Inventory | None, before: datetime) -> Iterable[str]:
    if inventory is None:
        return ()
    everything: tuple[Machine | ScaleSet | Resource, ...] = (
        *inventory.machines,
        *inventory.scale_sets,
        *inventory.resources,
    )
    return {item.region.lower() for item in everything if item.created_at and item.created_at < before}


def same_network(one: str, other: str) -> bool:
    """Whether two addresses share a /24 (IPv4) or /48 (IPv6): the same office or provider line, more often than not."""
    try:
        first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    except ValueError:
        return False
    if first.version != second.version or first.is_private != second.is_private:
        return False
    length = 24 if first.version == 4 else 48
    return second in ipaddress.ip_network(f"{first}/{length}", strict=False)


def _address_order(text: str) -> tuple[int, int, str]:
    """Addresses in the order of their numbers; what is none comes first."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return (0, 0, text)
    return (address.version, int(address), text)
