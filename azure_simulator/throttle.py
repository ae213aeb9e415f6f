"""Azure Resource Manager's published token buckets: per subscription (or tenant), principal and class of operation.

Reads 250 refilled by 25 a second, writes and deletes 200 refilled by 10 a second, on the world's clock. POST counts as a write.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from azure_simulator.http import ArmError
from azure_simulator.world import World

LIMITS = {"reads": (250.0, 25.0), "writes": (200.0, 10.0), "deletes": (200.0, 10.0)}
_CLASSES = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}


@dataclass
class Bucket:
    """Tokens that refill with time. `take` is False when empty, and then `wait` tells for how many seconds."""

    capacity: float
    per_second: float
    tokens: float
    at: datetime

    def take(self, now: datetime) -> bool:
        self.tokens = min(self.capacity, self.tokens + (now - self.at).total_seconds() * self.per_second)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def wait(self) -> float:
        return max(0.0, (1 - self.tokens) / self.per_second)


def charge(world: World, subscription: str, principal: str, method: str) -> dict[str, str]:
    """Take one token and return the headers that tell what is left.

    Raises:
        ArmError: 429 SubscriptionRequestsThrottled with Retry-After, while `world.throttling` is on and the bucket is empty.
    """
    kind = _CLASSES.get(method, "writes")
    capacity, per_second = LIMITS[kind]
    level = "subscription" if subscription else "tenant"
    key = f"bucket/{subscription.lower()}/{principal}/{kind}"
    now = world.clock.now()
    bucket: Bucket = world.memory.setdefault(key, Bucket(capacity, per_second, capacity, now))
    if not world.throttling:
        return {f"x-ms-ratelimit-remaining-{level}-{kind}": str(int(capacity) - 1)}
    if not bucket.take(now):
        raise ArmError(
            429,
            "SubscriptionRequestsThrottled" if subscription else "TenantRequestsThrottled",
            f"Number of '{kind}' requests for {level} '{subscription or world.tenant_id}' actor '{principal}' exceeded. "
            f"Please try again after '{math.ceil(bucket.wait())}' seconds after additional tokens are available.",
            headers={
                "Retry-After": str(max(1, math.ceil(bucket.wait()))),
                f"x-ms-ratelimit-remaining-{level}-{kind}": "0",
            },
        )
    return {f"x-ms-ratelimit-remaining-{level}-{kind}": str(int(bucket.tokens))}
