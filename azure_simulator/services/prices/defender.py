"""List prices of the plans of Defender for Cloud: by region, some once for all, with the trial's rows beside them. The same in every world."""

from __future__ import annotations

from azure_simulator.world import Document

REGIONS = (
    "westeurope", "northeurope", "germanywestcentral", "francecentral", "swedencentral", "uksouth", "ukwest", "eastus", "eastus2", "centralus",
    "southcentralus", "westus2", "westus3", "canadacentral", "brazilsouth", "japaneast", "koreacentral", "southeastasia", "australiaeast",
    "centralindia",
)  # fmt: skip
# product, meter, unit, price in dollars, whether it is listed for all regions at once as well
_METERS = (
    ("Servers", "Standard P1 Node", "1 Hour", 0.0067, True),
    ("Servers", "Standard P2 Node", "1 Hour", 0.02, True),
    ("Storage", "Standard Node", "1 Hour", 0.0137, True),
    ("App Service", "Standard Node", "1 Hour", 0.02, True),
    ("Key Vault", "Per node Std Node", "1 Hour", 0.000342, False),
    ("Resource Manager", "Per node Std Node", "1 Hour", 0.0069, False),
    ("Containers", "Standard vCore vCore Pack", "1 Hour", 0.0095, True),
    ("SQL", "Standard Node", "1/Month", 15.0, True),
    ("SQL", "Standard vCore", "1 Hour", 0.015, True),
    ("PostgreSQL", "Standard Node", "1/Month", 15.0, True),
    ("MySQL", "Standard Node", "1/Month", 15.0, True),
)


def _row(product: str, meter: str, unit: str, price: float, region: str) -> Document:
    return {
        "currencyCode": "USD",
        "retailPrice": price,
        "unitPrice": price,
        "armRegionName": region,
        "location": region,
        "meterName": meter,
        "productName": f"Microsoft Defender for {product}",
        "skuName": meter.rpartition(" ")[0],
        "serviceName": "Microsoft Defender for Cloud",
        "serviceFamily": "Security",
        "unitOfMeasure": unit,
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": "",
    }


def rows() -> list[Document]:
    """Every row of the list."""
    found = []
    for product, meter, unit, price, everywhere in _METERS:
        for region in (*REGIONS, *(("Global",) if everywhere else ())):
            found.append(_row(product, meter, unit, price, region))
            found.append(_row(product, f"Trial {meter}", unit, 0.0, region))
    return found
