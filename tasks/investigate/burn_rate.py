"""What it costs: everything that runs, priced per hour; the attacker's part; what was lost since it began."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from firebreak.analysis.operations import is_creation
from firebreak.analysis.rates import ZERO, SizeInUse, billed_units, per_hour, platform_per_hour, price_key, use_of
from firebreak.analysis.running import keeper_read
from firebreak.model.case import Case
from firebreak.model.facts import (
    ActivityFacts,
    Attribution,
    BurnRate,
    Class,
    Inventory,
    Machine,
    Operation,
    PriceFacts,
    ScaleSet,
    SpendFacts,
)
from firebreak.model.finding import Finding, Severity
from firebreak.model.platform import Compute, Kind, PlatformCompute
from firebreak.model.step import Effect, Step
from tasks.platform import CALLED

STEP = Step(
    id="investigate.burn_rate",
    title="Price what is running",
    effect=Effect.READ,
    description=(
        "Multiplies running machines, scale sets and the nodes of platform services by list prices: cost per hour now, the attacker's part of "
        "it, and what the attacker's resources have cost so far."
    ),
    guidance=("S01", "S28", "S53"),
    produces=BurnRate,
    needs=(Inventory, PriceFacts, Attribution),
)

_CENT = Decimal("0.01")
_RATE = Decimal("0.0001")
_STOPS = ("/deallocate/action", "/delete")


def conclude(case: Case) -> BurnRate:
    """Price the inventory. Flexible scale sets are priced by their machines, deallocated machines cost nothing here, and the nodes of a
    Kubernetes cluster are told as the cluster, where they can be stopped.

    Raises:
        NotCollectedError: inventory, prices or attribution are missing.
    """
    inventory, prices, attribution = case[Inventory], case[PriceFacts], case[Attribution]
    activity, spend = case.get(ActivityFacts), case.get(SpendFacts)
    platform = case.get(PlatformCompute)
    rogue = {judgement.id.lower() for judgement in attribution.resources if judgement.cls is Class.ATTACKER}
    items: list[Machine | ScaleSet] = [*inventory.machines, *inventory.scale_sets]
    rates: dict[str, Decimal] = {}
    unpriced: set[str] = set()
    lost = ZERO
    for item in items:
        rate = per_hour(item, prices)
        if rate is None:
            unpriced.add(f"{item.size} in {item.region}")
        elif rate:
            told_as = keeper_read(item, platform) or item.id.lower()
            rates[told_as] = rates.get(told_as, ZERO) + rate
        if item.id.lower() in rogue and not keeper_read(item, platform):
            lost += _lost_on(item, rate, case, activity, prices, spend)
    for one in platform.items if platform else ():
        rate = rates.get(one.id.lower()) if one.kind is Kind.CLUSTER else platform_per_hour(one, prices)
        if rate is None and one.is_billed:
            unpriced.add(f"{CALLED[one.kind]} of {one.size or 'unknown size'} in {one.region}")
        elif rate and one.kind is not Kind.CLUSTER:
            rates[one.id.lower()] = rate
        if one.id.lower() in rogue:
            lost += _lost_on_platform(one, rate or ZERO, case, activity, spend, prices)
    lost += _lost_on_gone(case, activity, attribution, prices, {item.id.lower() for item in items})
    return BurnRate(
        currency=prices.currency,
        per_hour=sum(rates.values(), ZERO).quantize(_RATE),
        rogue_per_hour=sum((rate for key, rate in rates.items() if key in rogue), ZERO).quantize(_RATE),
        lost=lost.quantize(_CENT),
        per_resource=dict(sorted(rates.items())),
        unpriced=tuple(sorted(unpriced)),
        not_looked_at=prices.not_looked_at,
    )


def assess(facts: BurnRate, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """Say what waiting costs."""
    if not facts.rogue_per_hour:
        return []
    waiting = (facts.rogue_per_hour / 6).quantize(_CENT)
    reasons = [
        f"The attacker's machines cost {facts.rogue_per_hour:.2f} {facts.currency} per hour; ten minutes cost {waiting}.",
        f"Lost so far: about {facts.lost:.2f} {facts.currency} at list prices.",
    ]
    if facts.unpriced:
        reasons.append(f"Without a known price, and not counted: {', '.join(facts.unpriced[:5])}.")
    return [
        Finding(
            id="burning",
            step=STEP.id,
            title="The attacker's machines cost money now",
            severity=Severity.HIGH,
            reasons=tuple(reasons),
            techniques=("T1496",),
        )
    ]


def _lost_on(
    item: Machine | ScaleSet,
    rate: Decimal | None,
    case: Case,
    activity: ActivityFacts | None,
    prices: PriceFacts,
    spend: SpendFacts | None,
) -> Decimal:
    """Hours since creation at the item's price, up to its last stop when it runs no more; what was billed already is the least."""
    in_same_money = spend is not None and spend.currency == prices.currency
    billed = spend.by_resource.get(item.id.lower(), ZERO) if spend is not None and in_same_money else ZERO
    began = item.created_at
    if began is None and activity is not None:
        creator = activity.creators.get(item.id.lower())
        began = creator.at if creator else None
    if began is None or rate is None:
        return billed
    ended = case.now
    if billed_units(item) == 0:
        stop = _last_stop(activity, item.id)
        if stop is None:
            return billed
        ended = stop
        units = len(item.power) or 1 if isinstance(item, ScaleSet) else 1
        price = prices.per_hour.get(price_key(use_of(item)), ZERO)
        rate = price * units
    return max(billed, rate * _hours(ended - began))


def _lost_on_platform(
    one: Compute,
    rate: Decimal,
    case: Case,
    activity: ActivityFacts | None,
    spend: SpendFacts | None,
    prices: PriceFacts,
) -> Decimal:
    """Hours since creation at the present rate, a guess for what was resized since; what was billed already is the least."""
    in_same_money = spend is not None and spend.currency == prices.currency
    billed = spend.by_resource.get(one.id.lower(), ZERO) if spend is not None and in_same_money else ZERO
    creator = activity.creators.get(one.id.lower()) if activity else None
    began = one.created_at or (creator.at if creator else None)
    return max(billed, rate * _hours(case.now - began)) if began else billed


def _lost_on_gone(
    case: Case, activity: ActivityFacts | None, attribution: Attribution, prices: PriceFacts, present: set[str]
) -> Decimal:
    """Machines that an attacker's session made in the window and that are gone again."""
    if activity is None:
        return ZERO
    attackers = {
        (actor.id.lower(), actor.address, actor.app_id, actor.token)
        for actor in attribution.actors
        if actor.cls is Class.ATTACKER
    }
    lost = ZERO
    for operation in activity.operations:
        is_machine = operation.name.lower() == "microsoft.compute/virtualmachines/write"
        session = (operation.caller.lower(), operation.address, operation.app_id)
        by_attacker = bool({(*session, operation.token), (*session, "")} & attackers)
        gone = operation.resource_id.lower() not in present
        if not (is_machine and by_attacker and gone and is_creation(operation)):
            continue
        end = _last_stop(activity, operation.resource_id)
        price = prices.per_hour.get(price_key(_use_of(operation)))
        if end and price and end > operation.at:
            lost += price * _hours(min(end, case.now) - operation.at)
    return lost


def _use_of(operation: Operation) -> SizeInUse:
    size = str(operation.properties.get("size", ""))
    priority = str(operation.properties.get("priority", "")).lower() or "regular"
    return SizeInUse(operation.region.lower(), size, priority, "linux")


def _last_stop(activity: ActivityFacts | None, resource_id: str) -> datetime | None:
    wanted = resource_id.lower()
    stops = [
        operation.at
        for operation in (activity.operations if activity else ())
        if operation.resource_id.lower() == wanted
        and operation.name.lower().endswith(_STOPS)
        and operation.status == "succeeded"
    ]
    return max(stops, default=None)


def _hours(span: timedelta) -> Decimal:
    return Decimal(max(0, int(span.total_seconds()))) / 3600
