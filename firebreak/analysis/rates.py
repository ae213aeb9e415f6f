"""What runs and what it costs per hour: sizes in use, the price of each, and which power states are billed."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis.operations import is_creation
from firebreak.model.facts import ActivityFacts, DiskFacts, Inventory, Machine, PriceFacts, ScaleSet
from firebreak.model.platform import Compute, Kind, PlatformCompute

# Only `deallocated` stops the bill of a machine; `stopped` goes on costing. Unknown is counted: rather too much than too little.
_NOT_BILLED = frozenset({"deallocated"})
ZERO = Decimal(0)
# Their nodes are machines of a size and cost as much; clusters are priced by their node scale sets.
_BY_MACHINE_SIZE = frozenset({Kind.BATCH_POOL, Kind.ML_CLUSTER, Kind.ML_INSTANCE})


class SizeInUse(msgspec.Struct, frozen=True, order=True):
    """One combination that has a price of its own. `size` keeps Azure's spelling, the price list is particular about it."""

    region: str
    size: str
    priority: str
    system: str

    @property
    def is_spot(self) -> bool:
        return self.priority in {"spot", "low"}

    @property
    def is_windows(self) -> bool:
        return self.system == "windows"


def use_of(item: Machine | ScaleSet | Compute) -> SizeInUse:
    system = item.os.lower() if isinstance(item, Machine) else "linux"
    return SizeInUse(item.region.lower(), item.size, item.priority.lower(), system)


def price_key(use: SizeInUse) -> str:
    """The key of `PriceFacts.per_hour`."""
    return f"{use.region}/{use.size.lower()}/{use.priority}" + ("/windows" if use.is_windows else "")


def sizes_in_use(
    inventory: Inventory, activity: ActivityFacts | None = None, platform: PlatformCompute | None = None
) -> list[SizeInUse]:
    """Every combination that stands in the subscription or was created in the window, each once, sorted."""
    items: list[Machine | ScaleSet] = [*inventory.machines, *inventory.scale_sets]
    uses = {use_of(item) for item in items}
    uses |= {use_of(one) for one in (platform.items if platform else ()) if one.kind in _BY_MACHINE_SIZE}
    for operation in activity.operations if activity else ():
        size = str(operation.properties.get("size", ""))
        if size and is_creation(operation) and "microsoft.compute/virtualmachine" in operation.name.lower():
            priority = str(operation.properties.get("priority", "")).lower() or "regular"
            uses.add(SizeInUse(doc.region_name(operation.region), size, priority, "linux"))
    # Of two spellings the one with capitals, as in Azure's own list, comes first in the order and stays.
    unique = {price_key(use): use for use in sorted(uses, reverse=True) if use.region and use.size}
    return [use for _, use in sorted(unique.items())]


def disks_in_use(disks: DiskFacts) -> list[tuple[str, str, int]]:
    """Region, SKU and size of every kind of disk, each once, sorted."""
    return sorted({(disk.region, disk.sku, disk.size_gb) for disk in disks.disks if disk.region and disk.sku})


def billed_units(item: Machine | ScaleSet) -> int:
    """How many machines of the item are billed now; those of a Flexible scale set are machines of their own."""
    if isinstance(item, Machine):
        return 0 if item.power.lower() in _NOT_BILLED else 1
    if item.flexible:
        return 0
    if not item.power:
        return item.capacity
    return sum(power.lower() not in _NOT_BILLED for power in item.power.values())


def per_hour(item: Machine | ScaleSet, prices: PriceFacts) -> Decimal | None:
    """What the item costs per hour now; None when its size has no price."""
    units = billed_units(item)
    if units == 0:
        return ZERO
    price = prices.per_hour.get(price_key(use_of(item)))
    return None if price is None else price * units


def platform_per_hour(one: Compute, prices: PriceFacts) -> Decimal | None:
    """What platform compute costs per hour now; None when it is billed and its price is not in the list that was read."""
    if not one.is_billed or one.kind is Kind.SITE:
        return ZERO
    price = prices.per_hour.get(price_key(use_of(one))) if one.kind in _BY_MACHINE_SIZE else None
    return None if price is None else price * one.nodes
