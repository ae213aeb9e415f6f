"""The workloads of the tenant: their groups, machines, storage, sites and databases, and the disks that are left over from them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from azure_simulator.scenarios import compute_parts, documents, ids
from azure_simulator.scenarios.estate import Builder, Place

COST_CENTRES = ("CC-1010", "CC-1120", "CC-2040", "CC-2210", "CC-3300", "CC-4100")
OWNERS = {
    "shop": "developer-1",
    "portal": "developer-2",
    "erp": "developer-4",
    "analytics": "data-engineer",
    "datascience": "data-science",
    "hub": "platform-lead",
    "devtools": "platform-1",
    "sandbox": "developer-3",
}


def workloads(builder: Builder) -> None:
    """Build every workload in each of its environments."""
    chance, company = builder.chance, builder.company
    for row in builder.material["workloads"]:
        cost_centre = chance.choice(COST_CENTRES)
        owner = builder.staff[OWNERS[row["key"]]].principal.upn
        for env, region_index in row["envs"].items():
            region = company.regions[min(region_index, len(company.regions) - 1)]
            tags = {"owner": owner, "env": env, "cost-center": cost_centre, "app": row["key"]}
            group = builder.group(row["key"], env, region, tags)
            place = Place(
                row["key"],
                env,
                group,
                region,
                tags,
                subnets=builder.subnet(group, region, f"{row['key']}-{env}", ("snet-front", "snet-back"), tags),
                nightly=env in row.get("nightly", ()),
                locked=env in row.get("locked", ()),
            )
            builder.estate.places.append(place)
            for tier in row["tiers"]:
                if env in tier["count"]:
                    _tier(builder, place, tier)
            _platform(builder, place, row)


def _tier(builder: Builder, place: Place, tier: dict[str, Any]) -> None:
    chance = builder.chance
    low, high = tier["count"][place.env]
    size = chance.choice(tier["sizes"])
    made = builder.lately(within=85, at_least=30) if chance.random() < 0.15 else builder.long_ago(at_most=700)
    for number in range(1, chance.randint(low, high) * builder.scale + 1):
        created = made + timedelta(minutes=7 * number)
        if chance.random() < 0.1:
            created = builder.lately()
        tags = dict(place.tags)
        if place.nightly:
            tags["schedule"] = "office-hours"
        power = "deallocated" if place.nightly and _night(builder) else "running"
        parts = compute_parts.machine(
            chance,
            place.group,
            builder.machine_name(place.workload, tier["name"], place.env, number),
            place.region,
            created,
            size=size,
            subnet=place.subnets[number % len(place.subnets)],
            os=tier.get("os", "Linux"),
            image=tier.get("image", ""),
            power=power,
            data_gb=tuple(tier["data"]),
            disk_sku="Premium_LRS" if place.env == "prod" else "StandardSSD_LRS",
            public_address=f"192.0.2.{250 + number}" if tier.get("public") and number < 5 else "",
            private_address=builder.host(),
            delete_option="Delete" if place.env == "dev" else "Detach",
            admin="svcadmin" if tier.get("os") == "Windows" else "opsadmin",
            tags=tags,
        )
        for document in parts.all():
            builder.put(document, _maker(place))
        builder.estate.machines.append(parts.machine)
        if place.nightly:
            builder.estate.nightly.append(parts.machine)
        if place.env == "prod":
            builder.estate.backed_up.extend([parts.os_disk, *parts.data_disks])


def _night(builder: Builder) -> bool:
    """Whether the schedule has the nightly machines deallocated now."""
    local = builder.now + timedelta(hours=builder.company.utc_offset)
    return local.weekday() > 4 or not 7 <= local.hour < 19


def _maker(place: Place) -> str:
    if place.workload in ("shop", "portal"):
        return "pipeline-shop"
    if place.workload in ("datascience", "analytics"):
        return "pipeline-data"
    return "pipeline-platform"


def _platform(builder: Builder, place: Place, row: dict[str, Any]) -> None:
    chance, short = builder.chance, builder.company.short
    for number in range(row.get("storage", {}).get(place.env, 0) * builder.scale):
        name = f"st{short}{place.workload}{place.env}{number + 1:02}"[:24]
        account = builder.put(
            documents.storage_account(chance, place.group, name, place.region, builder.long_ago(), tags=place.tags),
            _maker(place),
        )
        builder.estate.storage.append(account)
    if place.env in row.get("vaults", ()):
        vault = documents.resource(
            place.group,
            "Microsoft.KeyVault/vaults",
            f"kv-{short}-{place.workload}-{place.env}"[:24],
            place.region,
            builder.long_ago(),
            {
                "tenantId": ids.CUSTOMER_TENANT,
                "sku": {"family": "A", "name": "standard"},
                "enableRbacAuthorization": True,
                "enableSoftDelete": True,
                "enablePurgeProtection": place.env == "prod",
                "vaultUri": f"https://kv-{short}-{place.workload}-{place.env}.vault.azure.net/",
            },
            tags=place.tags,
        )
        builder.estate.vaults.append(builder.put(vault, _maker(place)))
    sites = row.get("sites", {}).get(place.env, 0)
    if sites:
        plan = builder.put(
            documents.resource(
                place.group,
                "Microsoft.Web/serverfarms",
                f"asp-{place.workload}-{place.env}",
                place.region,
                builder.long_ago(),
                {"numberOfWorkers": 2, "status": "Ready"},
                tags=place.tags,
                sku={"name": "P1v3", "tier": "PremiumV3", "capacity": 2},
                kind="linux",
            )
        )
        for number in range(1, sites + 1):
            site = documents.resource(
                place.group,
                "Microsoft.Web/sites",
                f"app-{short}-{place.workload}-{place.env}-{number}",
                place.region,
                builder.long_ago(),
                {
                    "state": "Running",
                    "enabled": True,
                    "httpsOnly": True,
                    "serverFarmId": plan["id"],
                    "defaultHostName": f"app-{short}-{place.workload}-{place.env}-{number}.azurewebsites.net",
                },
                tags=place.tags,
                kind="app,linux",
            )
            builder.estate.sites.append(builder.put(site))
    databases = row.get("databases", {}).get(place.env, 0)
    if databases:
        server = f"sql-{short}-{place.workload}-{place.env}"
        builder.put(
            documents.resource(
                place.group,
                "Microsoft.Sql/servers",
                server,
                place.region,
                builder.long_ago(),
                {"version": "12.0", "state": "Ready", "fullyQualifiedDomainName": f"{server}.database.windows.net"},
                tags=place.tags,
                kind="v12.0",
            )
        )
        for number in range(1, databases + 1):
            builder.put(
                documents.resource(
                    place.group,
                    "Microsoft.Sql/servers/databases",
                    f"{server}/{place.workload}{number}",
                    place.region,
                    builder.long_ago(),
                    {"status": "Online", "maxSizeBytes": 268435456000, "currentServiceObjectiveName": "GP_Gen5_4"},
                    tags=place.tags,
                    sku={"name": "GP_Gen5", "tier": "GeneralPurpose", "family": "Gen5", "capacity": 4},
                    kind="v12.0,user,vcore",
                )
            )


def orphans(builder: Builder) -> None:
    """Disks that look like waste and are not the attacker's: old ones, migration left-overs, a replica, one being exported."""
    chance, put = builder.chance, builder.put
    erp, shop = builder.estate.place("erp"), builder.estate.place("shop", "test")
    science = builder.estate.place("datascience")
    stem = builder.machine_name("erp", "app", "prod", 9)
    for number in range(1, 3 + chance.randrange(3) * builder.scale):
        builder.estate.orphans.append(
            put(
                compute_parts.disk(
                    chance,
                    erp.group,
                    f"{stem}_DataDisk_{number}",
                    erp.region,
                    builder.long_ago(at_least=200),
                    size_gb=chance.choice((128, 256, 512)),
                    detached=builder.long_ago(at_least=96, at_most=190),
                    tags=erp.tags,
                )
            )
        )
    for number in range(1, 4):
        builder.estate.orphans.append(
            put(
                compute_parts.disk(
                    chance,
                    shop.group,
                    f"disk-loadtest-{number:02}",
                    shop.region,
                    builder.lately(within=70, at_least=20),
                    size_gb=64,
                    sku="StandardSSD_LRS",
                    tags=shop.tags,
                ),
                "developer-1",
            )
        )
    builder.estate.orphans.append(
        put(
            compute_parts.disk(
                chance,
                science.group,
                "dataset-cache-01",
                science.region,
                builder.lately(within=60, at_least=10),
                size_gb=1024,
                detached=builder.now - timedelta(days=3, hours=2),
                tags=science.tags | {"note": "keep until paper is out"},
            ),
            "data-science",
        )
    )
    replica = compute_parts.disk(
        chance,
        erp.group,
        f"{builder.machine_name('erp', 'sql', 'prod', 1)}_OsDisk_1-ASRReplica",
        builder.company.regions[-1],
        builder.long_ago(),
        size_gb=127,
        os="Windows",
        tags={"AzHydration-ManagedDisk-CreatedBy": "Azure Site Recovery"},
    )
    exported = compute_parts.disk(
        chance,
        erp.group,
        f"{builder.machine_name('erp', 'app', 'prod', 8)}_OsDisk_export",
        erp.region,
        builder.lately(within=12, at_least=5),
        size_gb=127,
        os="Windows",
        state="ActiveSAS",
        tags=erp.tags,
    )
    builder.estate.orphans.extend([put(replica), put(exported, "dba")])
