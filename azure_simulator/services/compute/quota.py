"""vCPU quota by region and family: what is in use is computed from what is allocated, never stored."""

from __future__ import annotations

from collections import Counter

from azure_simulator.services.compute.exceptions import OperationNotAllowedError
from azure_simulator.services.compute.sizes import SIZES, Size, size_of
from azure_simulator.world import Document, World

MACHINE = "Microsoft.Compute/virtualMachines"
SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"
CORES, SPOT_CORES = "cores", "lowPriorityCores"
DEFAULT_FAMILY_LIMIT = (
    100  # of a family without a row; GPU and high-performance families start at nothing, as in reality
)
DEFAULT_TOTAL_LIMIT = 350
_TITLES = {CORES: "Total Regional vCPUs", SPOT_CORES: "Total Regional Spot vCPUs"} | {
    s.family: s.title for s in SIZES.values()
}
_STARTS_AT_NOTHING = ("standardn", "standard n", "standardhb", "standardhc")


def is_spot(profile: Document) -> bool:
    """Whether a machine or a scale set's profile has Spot (formerly Low) priority."""
    return str(profile.get("priority", "Regular")).lower() in ("spot", "low")


def is_billed(power: str) -> bool:
    """Whether compute is charged and counted in that power state: everything but deallocated, `stopped` included."""
    return power != "deallocated"


def usage(world: World, subscription: str) -> dict[tuple[str, str], int]:
    """vCPUs in use by (region, family); also under `cores` and `lowPriorityCores`, machines under `virtualMachines`."""
    used: Counter[tuple[str, str]] = Counter()
    below = f"/subscriptions/{subscription}"
    for machine in world.resources.of_type(MACHINE, below):
        size = size_of(str(machine["properties"].get("hardwareProfile", {}).get("vmSize", "")))
        place = str(machine.get("location", "")).lower()
        used[place, "virtualMachines"] += 1
        if size and is_billed(machine.get("_power", "running")):
            _count(used, place, size, is_spot(machine["properties"]), 1)
    for scale_set in world.resources.of_type(SCALE_SET, below):
        place = str(scale_set.get("location", "")).lower()
        used[place, "virtualMachineScaleSets"] += 1
        size = size_of(str(scale_set.get("sku", {}).get("name", "")))
        if size and scale_set["properties"].get("orchestrationMode", "Uniform") != "Flexible":
            billed = sum(is_billed(i.get("_power", "running")) for i in scale_set.get("_instances", {}).values())
            _count(used, place, size, is_spot(scale_set["properties"].get("virtualMachineProfile", {})), billed)
    return used


def _count(used: Counter[tuple[str, str]], place: str, size: Size, spot: bool, machines: int) -> None:
    cores = size.vcpus * machines
    if spot:
        used[place, SPOT_CORES] += cores
    else:
        used[place, CORES] += cores
        used[place, size.family] += cores


def limit(world: World, subscription: str, region: str, family: str) -> int | None:
    """The limit of a family in a region; None for a regional total that nobody set: it is then not enforced."""
    row = world.quotas.get(f"{subscription}/{region}/{family}")
    if row is not None:
        return int(row["limit"])
    if family in (CORES, SPOT_CORES):
        return None
    return 0 if family.lower().startswith(_STARTS_AT_NOTHING) else DEFAULT_FAMILY_LIMIT


def check(world: World, subscription: str, region: str, size: Size, machines: int, *, spot: bool) -> None:
    """Refuse what would exceed a quota.

    Raises:
        OperationNotAllowedError: 409 with the limit, the usage and what would be needed.
    """
    needed = size.vcpus * machines
    if needed <= 0:
        return
    used = usage(world, subscription)
    for family in (SPOT_CORES,) if spot else (CORES, size.family):
        allowed = limit(world, subscription, region, family)
        current = used.get((region.lower(), family), 0)
        if allowed is not None and current + needed > allowed:
            name = (
                "LowPriorityCores"
                if family == SPOT_CORES
                else "Total Regional Cores"
                if family == CORES
                else f"{family} Cores"
            )
            raise OperationNotAllowedError(
                f"Operation could not be completed as it results in exceeding approved {name} quota. Additional details - "
                f"Deployment Model: Resource Manager, Location: {region}, Current Limit: {allowed}, Current Usage: {current}, "
                f"Additional Required: {needed}, (Minimum) New Limit Required: {current + needed}. Submit a request for Quota "
                "increase by specifying parameters listed in the 'Details' section for deployment to succeed."
            )


def usages(world: World, subscription: str, region: str) -> list[Document]:
    """The rows of `locations/{region}/usages`: totals first, then every family."""
    used = usage(world, subscription)
    titles = dict(_TITLES)
    for row in world.quotas.values():
        if row["subscription"].lower() == subscription.lower() and row["region"].lower() == region.lower():
            titles.setdefault(row["family"], row.get("title") or row["family"])
    rows = [
        ("virtualMachines", "Virtual Machines", 25_000),
        ("virtualMachineScaleSets", "Virtual Machine Scale Sets", 2_500),
    ]
    for family, title in titles.items():
        allowed = limit(world, subscription, region, family)
        rows.append(
            (
                family,
                title,
                max(DEFAULT_TOTAL_LIMIT, used.get((region.lower(), family), 0)) if allowed is None else allowed,
            )
        )
    return [
        {
            "unit": "Count",
            "currentValue": used.get((region.lower(), name), 0),
            "limit": allowed,
            "name": {"value": name, "localizedValue": title},
        }
        for name, title, allowed in rows
    ]
