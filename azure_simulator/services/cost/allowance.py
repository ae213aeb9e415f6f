"""Query processing units: what Cost Management lets one tenant ask in ten seconds, a minute and an hour.

One unit per month of data asked; a continued page costs one. Counted only when the world throttles.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from azure_simulator.services.cost.exceptions import TooManyQueriesError
from azure_simulator.world import World

WINDOWS = ((10, 12, "QueriesPer10Sec"), (60, 60, "QueriesPerMin"), (3600, 600, "QueriesPerHour"))


def spend(world: World, tenant: str, units: int) -> dict[str, str]:
    """Take `units` from the tenant's allowance and return the headers that tell what is left.

    Raises:
        TooManyQueriesError: a window is full; nothing was taken.
    """
    prefix = "x-ms-ratelimit-microsoft.costmanagement-qpu"
    if not world.throttling:
        return {f"{prefix}-consumed": str(units), f"{prefix}-remaining": _left([], world.clock.now())}
    now = world.clock.now()
    ledger: dict[str, list[tuple[datetime, int]]] = world.memory.setdefault("costmanagement.units", {})
    spent = [s for s in ledger.get(tenant, []) if s[0] > now - timedelta(seconds=WINDOWS[-1][0])]
    wait = 0.0
    for seconds, limit, _ in WINDOWS:
        inside = [s for s in spent if s[0] > now - timedelta(seconds=seconds)]
        over = sum(n for _, n in inside) + min(units, limit) - limit
        for at, number in inside:
            if over <= 0:
                break
            over -= number
            wait = max(wait, (at + timedelta(seconds=seconds) - now).total_seconds())
    if wait > 0:
        raise TooManyQueriesError(max(1, math.ceil(wait)), _left(spent, now))
    spent.append((now, units))
    ledger[tenant] = spent
    return {f"{prefix}-consumed": str(units), f"{prefix}-remaining": _left(spent, now)}


def _left(spent: list[tuple[datetime, int]], now: datetime) -> str:
    parts = []
    for seconds, limit, name in WINDOWS:
        used = sum(n for at, n in spent if at > now - timedelta(seconds=seconds))
        parts.append(f"{name}:{max(0, limit - used)}")
    return ",".join(parts)
