"""The regions of the public cloud: name, display name, geography group, and the pair where one is fixed."""

from __future__ import annotations

from dataclasses import dataclass

from azure_simulator.services.authorization import models as authorization
from azure_simulator.world import Document, World


@dataclass(frozen=True)
class Region:
    """One region. `name` is what resources carry, `display_name` what people read."""

    name: str
    display_name: str
    group: str
    geography: str


_TABLE = """
eastus|East US|US|United States
eastus2|East US 2|US|United States
centralus|Central US|US|United States
northcentralus|North Central US|US|United States
southcentralus|South Central US|US|United States
westcentralus|West Central US|US|United States
westus|West US|US|United States
westus2|West US 2|US|United States
westus3|West US 3|US|United States
canadacentral|Canada Central|Canada|Canada
canadaeast|Canada East|Canada|Canada
mexicocentral|Mexico Central|Mexico|Mexico
brazilsouth|Brazil South|South America|Brazil
brazilsoutheast|Brazil Southeast|South America|Brazil
chilecentral|Chile Central|South America|Chile
northeurope|North Europe|Europe|Europe
westeurope|West Europe|Europe|Europe
austriaeast|Austria East|Europe|Austria
belgiumcentral|Belgium Central|Europe|Belgium
denmarkeast|Denmark East|Europe|Denmark
finlandcentral|Finland Central|Europe|Finland
francecentral|France Central|Europe|France
francesouth|France South|Europe|France
germanynorth|Germany North|Europe|Germany
germanywestcentral|Germany West Central|Europe|Germany
greececentral|Greece Central|Europe|Greece
italynorth|Italy North|Europe|Italy
norwayeast|Norway East|Europe|Norway
norwaywest|Norway West|Europe|Norway
polandcentral|Poland Central|Europe|Poland
spaincentral|Spain Central|Europe|Spain
swedencentral|Sweden Central|Europe|Sweden
swedensouth|Sweden South|Europe|Sweden
switzerlandnorth|Switzerland North|Europe|Switzerland
switzerlandwest|Switzerland West|Europe|Switzerland
uksouth|UK South|UK|United Kingdom
ukwest|UK West|UK|United Kingdom
eastasia|East Asia|Asia Pacific|Asia Pacific
southeastasia|Southeast Asia|Asia Pacific|Asia Pacific
australiacentral|Australia Central|Asia Pacific|Australia
australiacentral2|Australia Central 2|Asia Pacific|Australia
australiaeast|Australia East|Asia Pacific|Australia
australiasoutheast|Australia Southeast|Asia Pacific|Australia
centralindia|Central India|Asia Pacific|India
southindia|South India|Asia Pacific|India
westindia|West India|Asia Pacific|India
jioindiacentral|Jio India Central|Asia Pacific|India
jioindiawest|Jio India West|Asia Pacific|India
indonesiacentral|Indonesia Central|Asia Pacific|Indonesia
japaneast|Japan East|Asia Pacific|Japan
japanwest|Japan West|Asia Pacific|Japan
koreacentral|Korea Central|Asia Pacific|Korea
koreasouth|Korea South|Asia Pacific|Korea
malaysiawest|Malaysia West|Asia Pacific|Malaysia
newzealandnorth|New Zealand North|Asia Pacific|New Zealand
taiwannorth|Taiwan North|Asia Pacific|Taiwan
israelcentral|Israel Central|Middle East|Israel
qatarcentral|Qatar Central|Middle East|Qatar
uaecentral|UAE Central|Middle East|UAE
uaenorth|UAE North|Middle East|UAE
southafricanorth|South Africa North|Africa|South Africa
southafricawest|South Africa West|Africa|South Africa
"""

REGIONS: tuple[Region, ...] = tuple(Region(*line.split("|")) for line in _TABLE.strip().splitlines())

# Groups of regions stand in the same list; nothing can be made there.
LOGICAL: tuple[Region, ...] = tuple(
    Region(*line.split("|"))
    for line in (
        "asia|Asia||",
        "asiapacific|Asia Pacific||",
        "australia|Australia||",
        "europe|Europe||",
        "global|Global||",
        "unitedstates|United States||",
    )
)
_NAMES = frozenset(region.name for region in REGIONS)


def is_physical(name: str) -> bool:
    """Whether machines can stand in a place of that name."""
    return name.lower() in _NAMES


def location(region: Region, subscription_id: str) -> Document:
    """A region, or a group of regions, as the locations list answers it."""
    if region in LOGICAL:
        return {
            "id": f"/subscriptions/{subscription_id}/locations/{region.name}",
            "name": region.name,
            "type": "Region",
            "displayName": region.display_name,
            "regionalDisplayName": region.display_name,
            "metadata": {"regionType": "Logical", "regionCategory": "Other"},
        }
    return {
        "id": f"/subscriptions/{subscription_id}/locations/{region.name}",
        "name": region.name,
        "type": "Region",
        "displayName": region.display_name,
        "regionalDisplayName": f"({region.group}) {region.display_name}",
        "metadata": {
            "regionType": "Physical",
            "regionCategory": "Recommended",
            "geography": region.geography,
            "geographyGroup": region.group,
            "pairedRegion": [],
        },
    }


def visible(world: World, object_id: str, tenant_id: str) -> list[Document]:
    """The subscriptions of the tenant in which the principal has any role."""
    return [
        row
        for key, row in world.subscriptions.items()
        if _in_tenant(row, world, tenant_id) and authorization.reaches(world, object_id, key)
    ]


def _in_tenant(row: Document, world: World, tenant_id: str) -> bool:
    return not tenant_id or str(row.get("tenantId") or world.tenant_id).lower() == tenant_id.lower()
