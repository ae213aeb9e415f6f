"""Retail prices of what stands in the subscription and of what was created in the window: sizes by region, priority and system; disks."""

from __future__ import annotations

from decimal import Decimal

from firebreak.analysis import documents as doc
from firebreak.analysis.rates import SizeInUse, disks_in_use, price_key, sizes_in_use
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import ActivityFacts, DiskFacts, Inventory, PriceFacts
from firebreak.model.platform import PlatformCompute
from firebreak.model.step import Effect, Step
from tasks.reading import Notes, each

STEP = Step(
    id="investigate.prices",
    title="Look up retail prices",
    effect=Effect.READ,
    description=(
        "Asks the public retail price list for the machine sizes and disks found, so that the responder sees what waiting costs. List "
        "prices: discounts and reservations of the customer are not known."
    ),
    guidance=("S01", "S28"),
    produces=PriceFacts,
    needs=(Inventory,),
)


async def collect(eyes: Eyes, case: Case) -> PriceFacts:
    """Look up each combination once; a price list that cannot be reached is noted."""
    notes = Notes()
    nothing: Decimal | None = None

    async def machine(use: SizeInUse) -> tuple[str, Decimal | None]:
        what = f"price of {doc.shown(use.size)} in {use.region}"
        asked = eyes.prices.machine_per_hour(use.region, use.size, spot=use.is_spot, windows=use.is_windows)
        return price_key(use), await notes.attempt(what, asked, nothing)

    async def disk(kind: tuple[str, str, int]) -> tuple[str, Decimal | None]:
        region, sku, size_gb = kind
        what = f"price of {doc.shown(sku)} {size_gb} GB in {region}"
        return f"{region}/{sku}/{size_gb}".lower(), await notes.attempt(
            what, eyes.prices.disk_per_month(region, sku, size_gb), nothing
        )

    machines = await each(
        machine, sizes_in_use(case[Inventory], case.get(ActivityFacts), case.get(PlatformCompute)), at_once=6
    )
    stored = case.get(DiskFacts)
    disks = await each(disk, disks_in_use(stored) if stored else [], at_once=6)
    return PriceFacts(
        currency=eyes.prices.currency,
        per_hour={key: price for key, price in machines if price is not None},
        disk_per_month={key: price for key, price in disks if price is not None},
        not_looked_at=notes.all,
    )
