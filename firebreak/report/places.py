"""Where things stand: one row for each region, the attacker's beside the customer's, and where on a sketch of the world a region lies. Pure.

Positions are those of the city or state that Microsoft names, to about a degree: https://learn.microsoft.com/azure/reliability/regions-list
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from firebreak.analysis.deeds import Deed
from firebreak.analysis.quota import open_quota
from firebreak.model.facts import Class
from firebreak.report.dossier import Dossier
from firebreak.report.hostile import plain

# name: as people read it | degrees east | degrees north
_TABLE = """
eastus|East US|-79|37
eastus2|East US 2|-77|36
centralus|Central US|-94|42
northcentralus|North Central US|-88|42
southcentralus|South Central US|-98|29
westcentralus|West Central US|-105|41
westus|West US|-122|37
westus2|West US 2|-120|47
westus3|West US 3|-112|33
canadacentral|Canada Central|-79|44
canadaeast|Canada East|-71|47
mexicocentral|Mexico Central|-100|21
brazilsouth|Brazil South|-47|-24
brazilsoutheast|Brazil Southeast|-43|-23
chilecentral|Chile Central|-71|-33
northeurope|North Europe|-6|53
westeurope|West Europe|5|52
austriaeast|Austria East|16|48
belgiumcentral|Belgium Central|4|51
denmarkeast|Denmark East|12|56
finlandcentral|Finland Central|25|60
francecentral|France Central|2|49
francesouth|France South|5|43
germanynorth|Germany North|13|53
germanywestcentral|Germany West Central|9|50
greececentral|Greece Central|24|38
italynorth|Italy North|9|45
norwayeast|Norway East|11|60
norwaywest|Norway West|6|59
polandcentral|Poland Central|21|52
spaincentral|Spain Central|-4|40
swedencentral|Sweden Central|17|61
swedensouth|Sweden South|13|56
switzerlandnorth|Switzerland North|9|47
switzerlandwest|Switzerland West|6|46
uksouth|UK South|0|51
ukwest|UK West|-3|52
eastasia|East Asia|114|22
southeastasia|Southeast Asia|104|1
australiacentral|Australia Central|149|-35
australiacentral2|Australia Central 2|149|-35
australiaeast|Australia East|151|-34
australiasoutheast|Australia Southeast|145|-38
centralindia|Central India|74|19
southindia|South India|80|13
westindia|West India|73|19
jioindiacentral|Jio India Central|79|21
jioindiawest|Jio India West|70|22
indonesiacentral|Indonesia Central|107|-6
japaneast|Japan East|140|36
japanwest|Japan West|136|35
koreacentral|Korea Central|127|38
koreasouth|Korea South|129|35
malaysiawest|Malaysia West|102|3
newzealandnorth|New Zealand North|175|-37
taiwannorth|Taiwan North|121|25
israelcentral|Israel Central|35|32
qatarcentral|Qatar Central|51|25
uaecentral|UAE Central|54|24
uaenorth|UAE North|55|25
southafricanorth|South Africa North|28|-26
southafricawest|South Africa West|18|-34
usgovvirginia|US Gov Virginia|-78|38
usgovarizona|US Gov Arizona|-112|33
usgovtexas|US Gov Texas|-98|29
usdodcentral|US DoD Central|-94|42
usdodeast|US DoD East|-78|37
chinaeast|China East|121|31
chinaeast2|China East 2|121|31
chinaeast3|China East 3|121|31
chinanorth|China North|116|40
chinanorth2|China North 2|116|40
chinanorth3|China North 3|116|40
"""


class Place(msgspec.Struct, frozen=True):
    """A region's name for people, and where it lies in degrees east and north."""

    title: str
    east: float
    north: float


PLACES: Final[dict[str, Place]] = {
    name: Place(title, float(east), float(north))
    for name, title, east, north in (line.split("|") for line in _TABLE.strip().splitlines())
}


class RegionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One region. Counts are of resources; `tried` are operations of the attacker there; `free` vCPUs could still be started, Spot included.

    `per_hour` is what the attacker's compute costs there, None when nobody looked. `was_empty`: the customer has nothing there.
    """

    region: str
    title: str
    attackers: int = 0
    customers: int = 0
    unknown: int = 0
    per_hour: Decimal | None = None
    tried: int = 0
    free: int = 0

    @property
    def was_empty(self) -> bool:
        return not self.customers

    @property
    def is_attacked(self) -> bool:
        return bool(self.attackers or self.tried)


def region_title(name: str) -> str:
    """`eastus` as East US; a name that is no region's we know is shown as it is, made plain."""
    place = PLACES.get(name.lower())
    return place.title if place else plain(name, 40)


def region_rows(dossier: Dossier, deeds: Iterable[Deed] = ()) -> tuple[RegionRow, ...]:
    """Every region where anything stands, was tried or could be started: the attacker's first by cost and count, then the customer's.

    Empty when no inventory was taken: then nothing is known of any region.
    """
    inventory, found, burn = dossier.inventory, dossier.attribution, dossier.burn_before
    if inventory is None:
        return ()
    cls = {j.id.lower(): j.cls for j in found.resources} if found else {}
    counts: dict[str, dict[str, int]] = {}
    money: dict[str, Decimal] = {}
    standing = {item.id.lower(): item.region.lower() for item in inventory.resources}
    standing |= {machine.id.lower(): machine.region.lower() for machine in inventory.machines}
    standing |= {one.id.lower(): one.region.lower() for one in inventory.scale_sets}
    for name, region in standing.items():
        if not region or region == "global":
            continue
        row = counts.setdefault(region, {"attackers": 0, "customers": 0, "unknown": 0})
        judged = cls.get(name, Class.LEGITIMATE)
        row[{Class.ATTACKER: "attackers", Class.UNKNOWN: "unknown"}.get(judged, "customers")] += 1
        if judged is Class.ATTACKER and burn is not None:
            money[region] = money.get(region, Decimal(0)) + (burn.per_resource.get(name) or Decimal(0))
    tried: dict[str, int] = {}
    for deed in deeds:
        for region, times in deed.regions:
            tried[region] = tried.get(region, 0) + times
    usages = dossier.quota.usages if dossier.quota else ()
    free = {row.region: row.vcpus + row.spot for row in open_quota(usages, ())}
    rows = [
        RegionRow(
            region=region,
            title=region_title(region),
            **counts.get(region, {}),
            per_hour=money.get(region, Decimal(0)) if burn is not None else None,
            tried=tried.get(region, 0),
            free=free.get(region, 0),
        )
        for region in {*counts, *tried, *free} - {"", "global"}
    ]
    return tuple(
        sorted(rows, key=lambda r: (-(r.per_hour or 0), -r.attackers, -r.tried, -r.customers, -r.free, r.region))
    )
