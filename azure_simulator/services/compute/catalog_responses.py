"""What compute offers and what of it is used: resource SKUs, sizes of a region, usages."""

from __future__ import annotations

import re

from azure_simulator.http import Request, Response, page
from azure_simulator.services.compute import quota
from azure_simulator.services.compute.documents import region
from azure_simulator.services.compute.exceptions import NoComputeInRegionError
from azure_simulator.services.compute.sizes import SIZES, Size
from azure_simulator.services.subscriptions.models import is_physical
from azure_simulator.world import Document, World


def list_usages(world: World, request: Request) -> Response:
    """vCPUs in use and their limits in one region; a group of regions has none."""
    place = region(request.params["l"])
    if not is_physical(place):
        raise NoComputeInRegionError(place, "locations/usages", request.q("api-version"))
    return page(world, request, quota.usages(world, request.params["s"], place))


def list_sizes(world: World, request: Request) -> Response:
    """The machine sizes of one region: here all of them everywhere."""
    rows = [
        {
            "name": size.name,
            "numberOfCores": size.vcpus,
            "osDiskSizeInMB": 1047552,
            "resourceDiskSizeInMB": 0,
            "memoryInMB": int(size.memory_gb * 1024),
            "maxDataDiskCount": max(2, min(64, size.vcpus * 2)),
        }
        for size in SIZES.values()
    ]
    return page(world, request, rows)


def list_skus(world: World, request: Request) -> Response:
    """Resource SKUs; `$filter=location eq 'x'` narrows to one region."""
    match = re.fullmatch(r"\s*location\s+eq\s+'([^']*)'\s*", request.q("$filter"), re.IGNORECASE)
    used = {str(r.get("location", "")).lower() for r in world.resources.values()} | {
        str(q["region"]).lower() for q in world.quotas.values()
    }
    places = [region(match[1])] if match else sorted(used - {"", "global"})
    return page(world, request, [_sku(size, place) for size in SIZES.values() for place in places])


def _sku(size: Size, place: str) -> Document:
    capabilities = {"vCPUs": size.vcpus, "MemoryGB": size.memory_gb, "GPUs": size.gpus, "LowPriorityCapable": "True"}
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": "Standard",
        "size": size.name.removeprefix("Standard_"),
        "family": size.family,
        "locations": [place],
        "locationInfo": [{"location": place, "zones": ["1", "2", "3"], "zoneDetails": []}],
        "capabilities": [{"name": k, "value": str(v)} for k, v in capabilities.items() if v],
        "restrictions": [],
    }
