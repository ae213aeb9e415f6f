"""The compute provider's own throttling: published token buckets per resource and per subscription and region, by policy.

Numbers are (refill a minute, capacity). They apply beside Resource Manager's and only while `world.throttling` is on.
https://learn.microsoft.com/azure/virtual-machines/compute-throttling-limits
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.compute.exceptions import ThrottledError
from azure_simulator.throttle import Bucket
from azure_simulator.world import World


@dataclass(frozen=True)
class Policy:
    """One published policy. `per_resource` is None for lists."""

    name: str
    per_resource: tuple[int, int] | None
    per_subscription: tuple[int, int]


PUT_MACHINE = Policy("PutVM", (4, 12), (500, 1_500))
UPDATE_MACHINE = Policy("UpdateVM", (4, 12), (500, 1_500))
DELETE_MACHINE = Policy("DeleteVM", (4, 12), (500, 1_500))
LOW_COST_GET = Policy("LowCostGet", (12, 36), (8_000, 24_000))
HIGH_COST_GET = Policy("HighCostGet", None, (300, 900))
UPDATE_SCALE_SET = Policy("UpdateVMScaleSet", (4, 12), (500, 1_500))
DELETE_SCALE_SET = Policy("DeleteVMScaleSet", (4, 12), (175, 525))
LOW_COST_GET_SCALE_SET = Policy("LowCostGetVMScaleSet", (12, 36), (800, 2_400))
HIGH_COST_GET_SCALE_SET = Policy("HighCostGetVMScaleSet", (10, 30), (360, 1_080))
DELETE_INSTANCE = Policy("DeleteVMScaleSetVM", (4, 12), (500, 1_500))


def throttled(policy: Policy, handler: Handler) -> Handler:
    """The handler behind a policy: 429 OperationNotAllowed with Retry-After when a bucket is empty, else the answer says what is left."""

    @functools.wraps(handler)
    def guarded(world: World, request: Request) -> Response:
        if not world.throttling:
            return handler(world, request)
        left = _take(world, request, policy)
        response = handler(world, request)
        refill = policy.per_subscription[0]
        response.headers.setdefault(
            "x-ms-ratelimit-remaining-resource",
            f"Microsoft.Compute/{policy.name}3Min;{left},Microsoft.Compute/{policy.name}30Min;{left + 27 * refill}",
        )
        return response

    return guarded


def _take(world: World, request: Request, policy: Policy) -> int:
    subscription = request.params.get("s", "").lower()
    limits = [(f"subscription/{subscription}/{_region(world, request)}", policy.per_subscription)]
    if policy.per_resource and "name" in request.params:
        # An action's own segment (`/deallocate`) does not make another resource of it.
        one = f"{subscription}/{request.params.get('g', '')}/{request.params['name']}/{request.params.get('child', '')}".lower()
        limits.insert(0, (f"resource/{one}", policy.per_resource))
    now, left = world.clock.now(), 0
    for place, (refill, capacity) in limits:
        key = f"compute-bucket/{policy.name}/{place}"
        bucket: Bucket = world.memory.setdefault(key, Bucket(float(capacity), refill / 60, float(capacity), now))
        if not bucket.take(now):
            raise ThrottledError(policy.name, max(1, math.ceil(bucket.wait())))
        left = int(bucket.tokens)
    return left


def _region(world: World, request: Request) -> str:
    if "l" in request.params:
        return request.params["l"].lower()
    path = request.path.lower()
    at = path.find("/providers/microsoft.compute/")
    identity = "/".join(request.path[at:].split("/")[:5])
    found = world.resources.get(request.path[:at] + identity)
    return str(found.get("location", "")).lower() if found else "global"
