"""Retail price items: selection, and the fixed exchange rates of the simulated cloud."""

from __future__ import annotations

from decimal import Decimal

from azure_simulator import odata
from azure_simulator.services.prices import defender
from azure_simulator.world import Document, World

PER_USD = {
    "USD": Decimal(1),
    "EUR": Decimal("0.92"),
    "GBP": Decimal("0.79"),
    "CHF": Decimal("0.88"),
    "AUD": Decimal("1.52"),
    "CAD": Decimal("1.37"),
    "JPY": Decimal("150"),
}
FIELDS = {
    "armRegionName",
    "armSkuName",
    "currencyCode",
    "effectiveStartDate",
    "isPrimaryMeterRegion",
    "location",
    "meterId",
    "meterName",
    "priceType",
    "productId",
    "productName",
    "serviceFamily",
    "serviceId",
    "serviceName",
    "skuId",
    "skuName",
    "type",
    "unitOfMeasure",
    "reservationTerm",
}


def to_usd(amount: Decimal, currency: str) -> Decimal:
    """The amount in US dollars; an unknown currency counts as dollars."""
    return amount / PER_USD.get(currency.upper(), Decimal(1))


def items(world: World, filter_text: str, currency: str) -> list[Document]:
    """Price items that fit, in `currency`: as the scenario gave them, else converted from dollars.

    Raises:
        ValueError: the filter cannot be read.
    """
    fits = odata.parse(filter_text, known=FIELDS, fold_case=False) if filter_text.strip() else None
    found = []
    for item in (*world.prices, *defender.rows()):
        if str(item.get("currencyCode", "USD")).upper() not in ("USD", currency):
            continue
        if fits is None or fits(item | {"priceType": item.get("type")}):
            found.append(item)
    given = {_place(item) for item in found if str(item.get("currencyCode", "USD")).upper() == currency}
    return [
        item if str(item.get("currencyCode", "USD")).upper() == currency else _converted(item, currency)
        for item in found
        if str(item.get("currencyCode", "USD")).upper() == currency or _place(item) not in given
    ]


def _place(item: Document) -> tuple[str, ...]:
    return tuple(str(item.get(k)) for k in ("armRegionName", "armSkuName", "serviceName", "skuName", "meterName"))


def _converted(item: Document, currency: str) -> Document:
    def convert(price: object) -> float:
        return float(round(Decimal(str(price)) * PER_USD[currency], 6))

    return item | {"currencyCode": currency} | {k: convert(item[k]) for k in ("retailPrice", "unitPrice") if k in item}
