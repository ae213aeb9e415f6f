"""Cost rows, grouped and summed as a `Query` asks: only rows that have become available count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from azure_simulator.services.cost.definition import Query
from azure_simulator.services.prices.models import to_usd
from azure_simulator.world import CostRow, World

FAMILIES = {
    "virtual machines": "Compute",
    "azure kubernetes service": "Compute",
    "storage": "Storage",
    "virtual network": "Networking",
    "bandwidth": "Networking",
    "load balancer": "Networking",
    "azure machine learning": "AI + Machine Learning",
}
CONSTANTS = {
    "MeterSubcategory": "",
    "ChargeType": "Usage",
    "PublisherType": "Azure",
    "PricingModel": "OnDemand",
    "Frequency": "UsageBased",
}


@dataclass(frozen=True)
class Answer:
    """Columns in the order Azure gives them (amounts, date, groupings, currency) and the rows, as JSON holds them."""

    columns: list[dict[str, str]]
    rows: list[list[Any]]


def rows_of(world: World, scope: str) -> Iterator[CostRow]:
    """The rows of a subscription or resource group that can be seen now."""
    now = world.clock.now()
    outer = scope.lower().rstrip("/")
    below = outer + "/"
    for row in world.costs:
        place = row.resource_id.lower()
        if row.available_at <= now and (place.startswith(below) or place == outer):
            yield row


def run(world: World, scope: str, query: Query) -> Answer:
    """Group and sum the visible rows of `scope`."""
    read = _reader(world)
    sums: dict[tuple[Any, ...], Decimal] = {}
    for row in rows_of(world, scope):
        if not query.first <= row.day <= query.last:
            continue
        if query.fits is not None and not query.fits(lambda name, row=row: read(row, name)):  # type: ignore[misc]
            continue
        key = (_bucket(row, query.granularity), *_group(row, query, read), row.currency)
        sums[key] = sums.get(key, Decimal(0)) + row.cost
    columns = [{"name": amount, "type": "Number"} for amount in query.amounts]
    if query.granularity != "None":
        daily = query.granularity == "Daily"
        columns.append(
            {"name": "UsageDate" if daily else "BillingMonth", "type": "Number" if daily else "Datetime"},
        )
    for kind, name in query.groupings:
        columns += [{"name": n, "type": "String"} for n in (("TagKey", "TagValue") if kind == "TagKey" else (name,))]
    columns.append({"name": "Currency", "type": "String"})
    rows = []
    for key in sorted(sums):
        amounts = [
            float(to_usd(sums[key], key[-1]) if amount.endswith("USD") else sums[key]) for amount in query.amounts
        ]
        rows.append([*amounts, *(key if query.granularity != "None" else key[1:])])
    names = [column["name"].lower() for column in columns]
    for name, descending in reversed(query.sorting):
        if name.lower() in names:
            at = names.index(name.lower())
            rows.sort(key=lambda row, at=at: row[at], reverse=descending)  # type: ignore[misc]
    return Answer(columns, rows)


def month_to_date(world: World, scope: str, now: datetime) -> Decimal:
    """What `scope` has cost since the first of the month, as far as data has arrived."""
    first = now.date().replace(day=1)
    return sum((row.cost for row in rows_of(world, scope) if first <= row.day), Decimal(0))


def _bucket(row: CostRow, granularity: str) -> Any:
    if granularity == "Daily":
        return row.day.year * 10000 + row.day.month * 100 + row.day.day
    return f"{row.day:%Y-%m}-01T00:00:00" if granularity == "Monthly" else 0


def _group(row: CostRow, query: Query, read: Callable[[CostRow, str], str]) -> list[str]:
    values = []
    for kind, name in query.groupings:
        values += [name, read(row, f"tag:{name}")] if kind == "TagKey" else [read(row, name)]
    return values


def _reader(world: World) -> Callable[[CostRow, str], str]:
    """A function that gives a row's value of a dimension, or of a tag as "tag:name" (tags of deleted resources are unknown)."""

    def read(row: CostRow, name: str) -> str:
        if name in ("ResourceGroup", "ResourceGroupName"):
            return row.resource_group.lower()
        if name == "ResourceId":
            return row.resource_id.lower()
        if name == "ResourceLocation":
            return row.region
        if name in ("ServiceName", "MeterCategory", "Meter"):
            return row.service
        if name == "ServiceFamily":
            return FAMILIES.get(row.service.lower(), "Compute")
        if name == "BillingMonth":
            return f"{row.day:%Y-%m}-01T00:00:00"
        parts = row.resource_id.split("/")
        if name == "SubscriptionId":
            return parts[2]
        if name == "SubscriptionName":
            return str(world.subscriptions.get("/".join(parts[:3]), {}).get("displayName", parts[2]))
        if name == "ConsumedService":
            return parts[6].lower() if len(parts) > 6 else ""
        if name == "ResourceType":
            return "/".join([parts[6], *parts[7::2]]).lower() if len(parts) > 7 else ""
        if name.startswith("tag:"):
            tags = (world.resources.get(row.resource_id) or {}).get("tags") or {}
            return next((str(v) for k, v in tags.items() if k.lower() == name[4:].lower()), "")
        return CONSTANTS[name]

    return read
