"""Ninety days of cost per resource and day: prices times hours, weekdays, noise, and the lateness of billing data."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from azure_simulator.chance import Chance
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.prices import HOURS_PER_MONTH, Prices
from azure_simulator.world import CostRow, Document, World

DAYS = 90
CHUNKS = 3  # parts in which the newest days arrive


class Tariff(NamedTuple):
    """What a resource costs: USD an hour while it is on, on which hours, and how much it varies from day to day."""

    service: str
    per_hour: float
    office_hours: bool = False
    weekend: float = 1.0
    noise: float = 0.0


def tariff_of(document: Document, prices: Prices) -> Tariff | None:
    """The tariff of a resource, None for what is free."""
    kind, region = document["type"], document["location"]
    properties = document["properties"]
    if kind == ids.VIRTUAL_MACHINE:
        rate = prices.machine_hour(
            properties["hardwareProfile"]["vmSize"],
            region,
            os=properties["storageProfile"]["osDisk"]["osType"],
            spot=properties.get("priority") == "Spot",
        )
        return Tariff("Virtual Machines", rate, office_hours=document.get("tags", {}).get("schedule") == "office-hours")
    if kind == ids.SCALE_SET:
        spot = properties["virtualMachineProfile"].get("priority") == "Spot"
        rate = prices.machine_hour(document["sku"]["name"], region, spot=spot) * len(document["_instances"])
        return Tariff("Virtual Machines", rate, weekend=0.85 if document.get("managedBy") else 1.0, noise=0.03)
    if kind == ids.DISK:
        monthly = prices.disk_month(document["sku"]["name"], properties["diskSizeGB"], region)
        return Tariff("Storage", monthly / HOURS_PER_MONTH)
    service, daily = prices.other_day(kind)
    return Tariff(service, daily / 24, weekend=0.72, noise=0.08) if service else None


def fill(world: World, chance: Chance, prices: Prices, utc_offset: int, now: datetime) -> None:
    """Put the cost rows of all resources into the world. Rows that billing has not processed yet become visible later."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=DAYS)
    days = [first + timedelta(days=index) for index in range(DAYS + 1)]
    mood = {day: chance.gauss(1.0, 0.025) for day in days}  # what all usage-based services share on a day
    for document in world.resources.values():
        tariff = tariff_of(document, prices)
        if tariff is None:
            continue
        created = datetime.fromisoformat(str(document["_created"])[:26] + "+00:00")
        for day in days:
            if created >= day + timedelta(days=1):
                continue
            _add_day(world, chance, document, tariff, day, created, utc_offset, now, mood[day])


def _add_day(
    world: World,
    chance: Chance,
    document: Document,
    tariff: Tariff,
    day: datetime,
    created: datetime,
    utc_offset: int,
    now: datetime,
    mood: float,
) -> None:
    recent = now - day < timedelta(days=CHUNKS)
    factor = mood * max(0.2, chance.gauss(1.0, tariff.noise)) if tariff.noise else 1.0
    if day.weekday() > 4:
        factor *= tariff.weekend
    parts = CHUNKS if recent else 1
    length = timedelta(hours=24 / parts)
    for part in range(parts):
        start, end = day + length * part, day + length * (part + 1)
        hours = _hours_on(tariff, max(start, created), min(end, now), utc_offset)
        if hours <= 0:
            continue
        cost = Decimal(f"{tariff.per_hour * hours * factor:.6f}")
        if cost <= 0:
            continue
        world.costs.append(
            CostRow(
                day=day.date(),
                resource_id=document["id"],
                service=tariff.service,
                region=ids.REGIONS.get(document["location"], ("", ""))[1],
                resource_group=ids.group_of(document["id"]).lower(),
                cost=cost,
                currency=world.currency,
                available_at=end + timedelta(hours=9 + (len(document["name"]) * 7) % 5),
            )
        )


def _hours_on(tariff: Tariff, start: datetime, end: datetime, utc_offset: int) -> float:
    if end <= start:
        return 0.0
    if not tariff.office_hours:
        return (end - start).total_seconds() / 3600
    local_start, local_end = start + timedelta(hours=utc_offset), end + timedelta(hours=utc_offset)
    total, day = 0.0, datetime.combine(local_start.date(), time(0), tzinfo=local_start.tzinfo)
    while day < local_end:
        if day.weekday() < 5:
            opened = max(local_start, day + timedelta(hours=7))
            closed = min(local_end, day + timedelta(hours=19))
            total += max(0.0, (closed - opened).total_seconds() / 3600)
        day += timedelta(days=1)
    return total
