"""Read capacity reservations, and check how much quota lies unused, before any limit is lowered."""

from __future__ import annotations

from typing import Any

from firebreak.analysis.hardening import capacity
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import QuotaFacts
from firebreak.model.hardening import CapacityFacts
from firebreak.model.step import Effect, Step
from tasks.arm import COMPUTE, text_at
from tasks.quota import UNUSED_FROM
from tasks.reading import Notes, each

STEP = Step(
    id="investigate.capacity",
    title="Read reserved capacity and unused quota",
    effect=Effect.READ,
    description=(
        "Reads on-demand capacity reservations, whose machine families keep their limits, and checks whether large limits on GPU and "
        "high-performance machines lie unused."
    ),
    permissions=(
        "Microsoft.Compute/capacityReservationGroups/read",
        "Microsoft.Compute/capacityReservationGroups/capacityReservations/read",
    ),
    guidance=("S71", "S72"),
    produces=CapacityFacts,
)
_WHAT = "capacity reservations"


async def collect(eyes: Eyes, case: Case) -> CapacityFacts:
    """Read every reservation group and what is in it; one that cannot be read leaves the whole unread."""
    notes = Notes()
    base = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Compute/capacityReservationGroups"
    groups = await notes.attempt(_WHAT, eyes.arm.list(base, COMPUTE), None)

    async def inside(group: dict[str, Any]) -> list[dict[str, Any]] | None:
        path = f"{text_at(group, 'id')}/capacityReservations"
        return await notes.attempt(_WHAT, eyes.arm.list(path, COMPUTE), None)

    found = await each(inside, groups or [])
    whole = groups is not None and all(rows is not None for rows in found)
    reservations = tuple(capacity.reservation_of(row) for rows in found for row in rows or ()) if whole else None
    return CapacityFacts(
        reservations=reservations,
        checks=capacity.checks_of(reservations, case.get(QuotaFacts), most_unused=UNUSED_FROM, notes=notes.all),
        not_looked_at=notes.all,
    )
