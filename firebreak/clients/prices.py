"""Retail prices: the public list, without sign-in. An estimate for people, not the customer's own price.

Each (region, size) is asked for once per process and kept; "not listed" is kept too.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from firebreak.clients.addresses import address, following
from firebreak.clients.channel import Channel
from firebreak.clients.failures import object_of, unreadable
from firebreak.clients.policies.exchange import Call

# Provisioned size in GiB -> number of the tier; the letter comes from the kind of disk.
_TIERS = (
    (4, 1), (8, 2), (16, 3), (32, 4), (64, 6), (128, 10), (256, 15), (512, 20), (1024, 30), (2048, 40), (4096, 50), (8192, 60), (16384, 70), (32767, 80),
)  # fmt: skip
_LETTERS = {"premium": "P", "standardssd": "E", "standard": "S"}
_PRODUCTS = {"P": "Premium SSD Managed Disks", "E": "Standard SSD Managed Disks", "S": "Standard HDD Managed Disks"}
_MAX_PAGES = 20
_MONTHLY = {"1/hour": 730, "1/month": 1}  # a month has 730 hours in Microsoft's own estimates


class PriceCache:
    """Price rows by (service address, currency, question); safe between threads. One per process, or one per test."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str, str]) -> list[dict[str, Any]] | None:
        with self._lock:
            return self._rows.get(key)

    def put(self, key: tuple[str, str, str], rows: list[dict[str, Any]]) -> None:
        with self._lock:
            self._rows[key] = rows


class Prices:
    """`PriceReader` over the retail prices API."""

    def __init__(self, channel: Channel, base: str, *, currency: str, cache: PriceCache) -> None:
        self.currency = currency
        self._channel = channel
        self._base = base
        self._cache = cache

    async def machine_per_hour(self, region: str, size: str, *, spot: bool, windows: bool) -> Decimal | None:
        """Return the pay-as-you-go price of one machine-hour, None when it is not listed."""
        rows = await self._rows(
            f"serviceName eq 'Virtual Machines' and armRegionName eq '{_text(region).lower()}' "
            f"and armSkuName eq '{_text(size)}' and priceType eq 'Consumption'"
        )
        return _lowest(row for row in rows if _is_machine(row, spot=spot, windows=windows))

    async def disk_per_month(self, region: str, sku: str, size_gb: int) -> Decimal | None:
        """Return the price of one managed disk for a month; None for kinds billed by use (Ultra, Premium v2) or not listed."""
        kind, _, redundancy = sku.lower().partition("_")
        letter = _LETTERS.get(kind)
        number = next((n for most, n in _TIERS if size_gb <= most), None)
        if letter is None or number is None or redundancy not in ("lrs", "zrs"):
            return None
        # Standard HDD begins at S4.
        tier = f"{letter}{max(number, 4) if letter == 'S' else number} {redundancy.upper()}"
        rows = await self._rows(
            f"serviceName eq 'Storage' and armRegionName eq '{_text(region).lower()}' "
            f"and skuName eq '{tier}' and priceType eq 'Consumption'"
        )
        return _lowest(row for row in rows if _is_disk(row, tier, _PRODUCTS[letter]))

    async def defender_per_month(self, product: str, meter: str, regions: Collection[str]) -> Decimal | None:
        """Return what one unit of a plan of Defender for Cloud costs a month, in the dearest of these regions.

        Some meters are listed by region and some once for all ("Global"); a meter that is listed in neither way, or by another unit than hours or
        months, has no price here.
        """
        rows = await self._rows(
            f"serviceName eq 'Microsoft Defender for Cloud' and productName eq '{_text(product)}' and priceType eq 'Consumption'"
        )
        wanted = {region.lower() for region in regions}
        listed = [row for row in rows if row.get("meterName") == meter]
        here = [row for row in listed if str(row.get("armRegionName", "")).lower() in wanted]
        everywhere = [row for row in listed if str(row.get("armRegionName", "")).lower() in ("", "global")]
        prices = (_per_month(row) for row in here or everywhere)
        return max((price for price in prices if price is not None), default=None)

    async def _rows(self, question: str) -> list[dict[str, Any]]:
        key = (self._base, self.currency, question)
        kept = self._cache.get(key)
        if kept is None:
            kept = await self._read(question)
            self._cache.put(key, kept)
        return kept

    async def _read(self, question: str) -> list[dict[str, Any]]:
        url = address(
            self._base,
            "/api/retail/prices",
            {"api-version": "2023-01-01-preview", "currencyCode": f"'{self.currency}'", "$filter": question},
        )
        rows: list[dict[str, Any]] = []
        for _ in range(_MAX_PAGES):
            call = Call("GET", url, {"Accept": "application/json"}, is_read=True)
            document = object_of(call, await self._channel.send(call))
            if not isinstance(document.get("Items"), list):
                raise unreadable(call, 'a price list without "Items"')
            rows += [row for row in document["Items"] if isinstance(row, dict)]
            link = document.get("NextPageLink")
            if not link:
                return rows
            url = following(self._base, str(link))
        raise unreadable(call, "pages that never end")


def _is_machine(row: Mapping[str, Any], *, spot: bool, windows: bool) -> bool:
    names = f"{row.get('skuName', '')} {row.get('meterName', '')}".lower()
    return (
        row.get("unitOfMeasure") == "1 Hour"
        and row.get("type", "Consumption") == "Consumption"
        and "low priority" not in names
        and ("spot" in names) is spot
        and ("windows" in str(row.get("productName", "")).lower()) is windows
    )


def _is_disk(row: Mapping[str, Any], tier: str, product: str) -> bool:
    return (
        str(row.get("unitOfMeasure", "")).startswith("1/Month")
        and str(row.get("productName", product)) == product
        and str(row.get("meterName", "")) in (f"{tier} Disk", f"{tier} Disks", tier, f"{tier.split()[0]} Disks")
    )


def _per_month(row: Mapping[str, Any]) -> Decimal | None:
    """The price of a row for a month, None when it is free (a trial) or its unit is neither an hour nor a month."""
    times = _MONTHLY.get(str(row.get("unitOfMeasure", "")).lower().replace(" ", "/"))
    price = row.get("retailPrice")
    if times is None or isinstance(price, bool) or not isinstance(price, int | float | Decimal) or price <= 0:
        return None
    return (Decimal(str(price)) * times).quantize(Decimal("0.01"))


def _lowest(rows: Any) -> Decimal | None:
    """The lowest price above zero: regions list primary and secondary meters of the same thing."""
    prices = [
        Decimal(str(row.get("retailPrice")))
        for row in rows
        if isinstance(row.get("retailPrice"), int | float | Decimal)
    ]
    return min((price for price in prices if price > 0), default=None)


def _text(value: str) -> str:
    """A value inside a filter's quotes: sizes and regions come from the attacked tenant."""
    return value.replace("'", "''")
