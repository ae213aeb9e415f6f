"""Answers of the retail prices API: 100 items a page, `NextPageLink` to go on."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from azure_simulator.http import Request, Response
from azure_simulator.services.prices import models
from azure_simulator.services.prices.exceptions import BadPriceQueryError
from azure_simulator.world import Document, World, public

PAGE_SIZE = 100


def list_prices(world: World, request: Request) -> Response:
    currency = (request.q("currencyCode").strip("'\" ") or "USD").upper()
    if currency not in models.PER_USD:
        raise BadPriceQueryError(f"Currency code '{currency}' is not supported.")
    skipped = request.q("$skip") or "0"
    if not skipped.isdigit():
        raise BadPriceQueryError("Invalid OData parameters supplied: $skip must be a number.")
    try:
        found = models.items(world, request.q("$filter"), currency)
    except ValueError as exc:
        raise BadPriceQueryError(f"Invalid OData parameters supplied: {exc}") from exc
    start = int(skipped)
    shown = [public(item) for item in found[start : start + PAGE_SIZE]]
    body: Document = {
        "BillingCurrency": currency,
        "CustomerEntityId": "Default",
        "CustomerEntityType": "Retail",
        "Items": shown,
        "NextPageLink": None,
        "Count": len(shown),
    }
    if start + PAGE_SIZE < len(found):
        kept = {k: v for k, v in request.query.items() if k.lower() != "$skip"} | {"$skip": str(start + PAGE_SIZE)}
        body["NextPageLink"] = f"{world.base_url}{quote(request.path)}?{urlencode(kept)}"
    return Response(200, body)
