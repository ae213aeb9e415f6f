"""See which plans of Defender for Cloud watch what there is, and what its secure score finds wanting."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from firebreak.analysis.hardening import defender
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import Inventory
from firebreak.model.hardening import DefenderFacts
from firebreak.model.step import Effect, Step
from tasks.arm import PRICINGS, SCORES
from tasks.reading import Notes, each

STEP = Step(
    id="investigate.defender",
    title="See what Defender for Cloud watches",
    effect=Effect.READ,
    description=(
        "Reads the plans of Defender for Cloud, compares them with what there is in the subscription, asks the public price list what each plan costs, and reads the secure score "
        "with the groups of recommendations behind it."
    ),
    permissions=(
        "Microsoft.Security/pricings/read",
        "Microsoft.Security/secureScores/read",
        "Microsoft.Security/secureScoreControls/read",
    ),
    guidance=("S76", "S85"),
    produces=DefenderFacts,
)


async def _price(name: str, regions: Sequence[str], eyes: Eyes, notes: Notes) -> tuple[str, Decimal | None]:
    """What a unit of a plan costs a month: of several meters the dearest, None when one of them is not listed."""
    nothing: Decimal | None = None
    offer, found = defender.OFFERS[name], []
    for product, meter in offer.meters:
        asked = eyes.prices.defender_per_month(product, meter, regions)
        found.append(await notes.attempt(f"the price of Defender for {offer.title}", asked, nothing))
    known = [price for price in found if price is not None]
    return name, max(known) if len(known) == len(found) else None


async def collect(eyes: Eyes, case: Case) -> DefenderFacts:
    """Read plans, score and controls, each on its own; what is refused is noted."""
    notes, base = Notes(), f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Security"
    pricings = await notes.attempt("plans of Defender for Cloud", eyes.arm.list(f"{base}/pricings", PRICINGS), None)
    scored = await notes.attempt("the secure score", eyes.arm.get(f"{base}/secureScores/ascScore", SCORES), None)
    listed = await notes.attempt(
        "the secure score's controls", eyes.arm.list(f"{base}/secureScoreControls", SCORES), None
    )
    plans = None if pricings is None else tuple(map(defender.plan_of, pricings))
    controls = None if listed is None else tuple(map(defender.control_of, listed))
    score = defender.score_of(scored)
    inventory = case.get(Inventory)
    used = None if inventory is None else defender.in_use(resource.type for resource in inventory.resources)
    regions = sorted({resource.region.lower() for resource in inventory.resources}) if inventory else []
    found = await each(lambda name: _price(name, regions, eyes, notes), sorted(used or {}), at_once=4)
    prices = {name: price for name, price in found if price is not None}
    return DefenderFacts(
        plans=plans,
        score=score,
        controls=controls,
        in_use=used or {},
        prices=prices,
        currency=eyes.prices.currency,
        checks=defender.checks_of(
            plans, used, score, controls, notes.all, prices=prices, currency=eyes.prices.currency
        ),
        not_looked_at=notes.all,
    )
