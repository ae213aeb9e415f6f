"""Graph's limits by service: https://learn.microsoft.com/graph/throttling-limits

Identity Protection and Conditional Access take one request a second of a tenant, whoever asks, and do not say when to come back. The
reports take five in ten seconds of an app in a tenant. Counted only while the world throttles.
"""

from __future__ import annotations

import math

from azure_simulator.http import Request
from azure_simulator.services.graph.envelope import tenant_of
from azure_simulator.services.graph.exceptions import TooManyRequestsError
from azure_simulator.throttle import Bucket
from azure_simulator.world import World

PROTECTION, REPORTS = "protection", "reports"
_LIMITS = {PROTECTION: (1.0, 1.0), REPORTS: (5.0, 0.5)}


def charge(world: World, request: Request, limit: str) -> None:
    """Take one token of the limit.

    Raises:
        TooManyRequestsError
    """
    if not world.throttling or not limit:
        return
    capacity, per_second = _LIMITS[limit]
    who = "" if limit == PROTECTION else str(request.claims.get("appid") or "")
    now = world.clock.now()
    key = f"graph/{limit}/{tenant_of(world, request)}/{who}"
    bucket: Bucket = world.memory.setdefault(key, Bucket(capacity, per_second, capacity, now))
    if not bucket.take(now):
        raise TooManyRequestsError(0 if limit == PROTECTION else max(1, math.ceil(bucket.wait())))
