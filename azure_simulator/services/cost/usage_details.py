"""Consumption usage details (`kind` modern): one item per resource and day."""

from __future__ import annotations

import re

from azure_simulator.odata import moment
from azure_simulator.services.cost.exceptions import BadQueryError
from azure_simulator.services.cost.models import rows_of
from azure_simulator.services.prices.models import to_usd
from azure_simulator.world import CostRow, Document, World

_BOUND = re.compile(r"properties/usage(Start|End|Date)\s+(ge|le|eq)\s+'([^']+)'", re.IGNORECASE)


def rows(world: World, scope: str, filter_text: str) -> list[CostRow]:
    """Visible rows between the bounds of the filter; without a filter, those of the current month.

    Raises:
        BadQueryError: the filter holds something else than bounds on usageStart and usageEnd joined by `and`.
    """
    first, last = world.clock.now().date().replace(day=1), world.clock.now().date()
    if filter_text.strip():
        rest = _BOUND.sub("", filter_text)
        if re.sub(r"\band\b|\s", "", rest, flags=re.IGNORECASE):
            raise BadQueryError(f"Invalid $filter: '{filter_text}'.")
        for _, operator, text in _BOUND.findall(filter_text):
            bound = moment(text)
            if bound is None:
                raise BadQueryError(f"Invalid $filter: '{text}' is not a date.")
            if operator.lower() in ("ge", "eq"):
                first = bound.date()
            if operator.lower() in ("le", "eq"):
                last = bound.date()
    return sorted(
        (row for row in rows_of(world, scope) if first <= row.day <= last),
        key=lambda row: (row.day, row.resource_id.lower(), row.service),
    )


def item(world: World, row: CostRow) -> Document:
    """One row as a modern usage detail."""
    parts = row.resource_id.split("/")
    name = world.chance.child(f"usage/{row.day}/{row.resource_id.lower()}/{row.service}").guid()
    subscription = "/".join(parts[:3])
    return {
        "kind": "modern",
        "id": f"{subscription}/providers/Microsoft.Consumption/usageDetails/{name}",
        "name": name,
        "type": "Microsoft.Consumption/usageDetails",
        "tags": (world.resources.get(row.resource_id) or {}).get("tags"),
        "properties": {
            "date": f"{row.day.isoformat()}T00:00:00.0000000Z",
            "subscriptionGuid": parts[2],
            "subscriptionName": str(world.subscriptions.get(subscription, {}).get("displayName", parts[2])),
            "resourceGroup": row.resource_group,
            "resourceLocation": row.region,
            "resourceLocationNormalized": row.region.replace(" ", ""),
            "instanceName": row.resource_id,
            "consumedService": parts[6] if len(parts) > 6 else "",
            "meterCategory": row.service,
            "chargeType": "Usage",
            "publisherType": "Azure",
            "pricingModel": "OnDemand",
            "costInBillingCurrency": float(row.cost),
            "costInUSD": float(to_usd(row.cost, row.currency)),
            "billingCurrencyCode": row.currency,
        },
    }
