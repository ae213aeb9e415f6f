"""Retail prices of the simulated cloud, and what a resource costs a day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from azure_simulator.chance import Chance
from azure_simulator.scenarios import ids
from azure_simulator.services.compute.sizes import SIZES, Size
from azure_simulator.world import Document, World

HOURS_PER_MONTH = 730
_EFFECTIVE = "2025-01-01T00:00:00Z"


@cache
def read_yaml(name: str) -> Any:
    """The content of a data file beside this module. Treat it as read-only: it is shared."""
    return YAML(typ="safe", pure=True).load((Path(__file__).parent / name).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Prices:
    """The price table. All amounts are US dollars."""

    table: dict[str, Any]

    @classmethod
    def load(cls) -> Prices:
        return cls(read_yaml("prices.yaml"))

    def machine_hour(self, size_name: str, region: str, *, os: str = "Linux", spot: bool = False) -> float:
        """What an hour of a machine costs; 0.0 for a size that is not in the size table."""
        size = SIZES.get(size_name)
        if size is None:
            return 0.0
        table = self.table
        price = float(table["sizes"].get(size.name, self._formula(size))) * float(table["regions"].get(region, 1.0))
        if os == "Windows":
            price += size.vcpus * float(table["windows_per_vcpu"])
        return round(price * (float(table["spot_share"]) if spot else 1.0), 4)

    def _formula(self, size: Size) -> float:
        table = self.table
        return float(size.vcpus * table["per_vcpu"] + size.memory_gb * table["per_gb"] + size.gpus * table["per_gpu"])

    def disk_month(self, sku: str, size_gb: int, region: str) -> float:
        """What a month of a managed disk costs: the price of the next larger tier."""
        tiers = self.table["disks"][sku]["tiers"]
        tier = min((size for size in tiers if size >= size_gb), default=max(tiers))
        return round(float(tiers[tier][1]) * float(self.table["regions"].get(region, 1.0)), 4)

    def other_day(self, kind: str) -> tuple[str, float]:
        """Service name and cost of a day of any other resource type; ("", 0.0) for what is free."""
        row = self.table["daily"].get(kind)
        return (str(row[0]), float(row[1])) if row else ("", 0.0)


def fill(world: World, chance: Chance, prices: Prices, regions: list[str]) -> None:
    """Put the price items of every size and disk tier in those regions into the world."""
    for region in regions:
        for size in SIZES.values():
            for os in ("Linux", "Windows"):
                for spot in (False, True):
                    world.prices.append(_machine_item(chance, prices, region, size, os, spot))
        for sku, row in prices.table["disks"].items():
            for size_gb, (number, _) in row["tiers"].items():
                world.prices.append(
                    _disk_item(chance, row, f"{row['letter']}{number}", prices.disk_month(sku, size_gb, region), region)
                )


def _machine_item(chance: Chance, prices: Prices, region: str, size: Size, os: str, spot: bool) -> Document:
    short = size.name.removeprefix("Standard_").replace("_", " ")
    series = size.title.removesuffix(" Family vCPUs").removeprefix("Standard ")
    suffix = " Spot" if spot else ""
    return _item(
        chance,
        region,
        prices.machine_hour(size.name, region, os=os, spot=spot),
        meterName=f"{short}{suffix}",
        productName=f"Virtual Machines {series} Series{' Windows' if os == 'Windows' else ''}",
        skuName=f"{short}{suffix}",
        armSkuName=size.name,
        serviceName="Virtual Machines",
        serviceId="DZH313Z7MMC8",
        serviceFamily="Compute",
        unitOfMeasure="1 Hour",
    )


def _disk_item(chance: Chance, row: dict[str, Any], tier: str, price: float, region: str) -> Document:
    return _item(
        chance,
        region,
        price,
        meterName=f"{tier} LRS Disk",
        productName=row["product"],
        skuName=f"{tier} LRS",
        armSkuName=f"{row['product'].removesuffix(' Managed Disks').replace(' ', '_')}_Managed_Disk_{tier}",
        serviceName="Storage",
        serviceId="DZH317F1HKN0",
        serviceFamily="Storage",
        unitOfMeasure="1/Month",
    )


def _item(chance: Chance, region: str, price: float, **fields: str) -> Document:
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": price,
        "unitPrice": price,
        "armRegionName": region,
        "location": ids.REGIONS[region][0],
        "effectiveStartDate": _EFFECTIVE,
        "meterId": chance.guid(),
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        **fields,
    }
