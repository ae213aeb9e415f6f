"""Reserved capacity, and quota that an intruder could start machines with while nobody uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from firebreak.analysis import documents as doc
from firebreak.analysis import quota as quotas
from firebreak.analysis.hardening.checks import check, why
from firebreak.model.check import Check
from firebreak.model.facts import QuotaFacts
from firebreak.model.finding import NotLookedAt
from firebreak.model.hardening import Reservation

STEP: Final = "investigate.capacity"


def reservation_of(document: Any) -> Reservation:
    """One capacity reservation. https://learn.microsoft.com/azure/virtual-machines/capacity-reservation-overview"""
    sku = doc.mapping(document, "sku")
    count = doc.field(sku, "capacity")
    return Reservation(
        id=doc.path(document, "id"),
        region=doc.text(document, "location").lower(),
        size=doc.text(sku, "name"),
        count=count if isinstance(count, int) else 0,
    )


def checks_of(
    reservations: Sequence[Reservation] | None,
    quota: QuotaFacts | None,
    *,
    most_unused: int,
    notes: Sequence[NotLookedAt],
) -> tuple[Check, ...]:
    """The checks of rows S72 and S73."""
    wide = [
        one
        for one in (quota.usages if quota else ())
        if quotas.kind_of_family(one.name) and not one.used and one.limit >= most_unused > 0
    ]
    total = sum(quotas.free(one) for one in wide)
    return (
        check(
            STEP,
            "S73",
            "unused-quota",
            "No large limit on GPU or high-performance machines lies unused",
            holds=None if quota is None or (not quota.usages and quota.not_looked_at) else not wide,
            reason=why(quota.not_looked_at if quota else notes, "")
            if quota is None or (not quota.usages and quota.not_looked_at)
            else f"An intruder could start {total} vCPUs of {len(wide)} families that nobody uses."
            if wide
            else f"No such family with {most_unused} vCPUs or more lies unused.",
            evidence=[f"{one.name} in {one.region}: 0 of {one.limit} vCPUs used" for one in wide],
            advice="This run proposes lower limits for approval. Raising one again takes a request to Microsoft and some days.",
        ),
        check(
            STEP,
            "S72",
            "reserved-capacity",
            "Reserved capacity is known before limits are lowered",
            holds=None if reservations is None else True,
            reason=why(notes, "capacity reservations")
            if reservations is None
            else f"{len(reservations)} reservations; their families are left as they are.",
            evidence=[f"{one.count} {one.size} in {one.region} ({one.id})" for one in reservations or ()],
            advice="Read them by hand before a limit is lowered: what is reserved counts against the limit.",
        ),
    )
