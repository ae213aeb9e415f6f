"""What the platform team runs for everybody: monitoring, backup, and the groups that Azure makes by itself."""

from __future__ import annotations

from datetime import timedelta

from azure_simulator.clock import stamp
from azure_simulator.scenarios import compute_parts, documents, ids
from azure_simulator.scenarios.estate import Builder, Place


def monitoring(builder: Builder) -> None:
    """Workspace, action group, alert rules, dashboards, and an autoscale setting on a legitimate scale set."""
    chance, company, put = builder.chance, builder.company, builder.put
    region = company.regions[0]
    tags = {
        "owner": builder.staff["platform-2"].principal.upn,
        "env": "shared",
        "cost-center": "CC-1010",
        "app": "monitoring",
    }
    group = builder.group("monitoring", "shared", region, tags)
    builder.estate.places.append(Place("monitoring", "shared", group, region, tags))
    workspace = put(
        documents.resource(
            group,
            "Microsoft.OperationalInsights/workspaces",
            f"log-{company.short}-shared",
            region,
            builder.long_ago(),
            {"sku": {"name": "PerGB2018"}, "retentionInDays": 90, "customerId": chance.guid()},
            tags=tags,
        )
    )
    put(
        documents.resource(
            group,
            "Microsoft.Insights/components",
            f"appi-{company.short}",
            region,
            builder.long_ago(),
            {"Application_Type": "web", "WorkspaceResourceId": workspace["id"]},
            tags=tags,
            kind="web",
        )
    )
    action_group = put(
        documents.resource(
            group,
            "Microsoft.Insights/actionGroups",
            "ag-oncall",
            "Global",
            builder.long_ago(),
            {
                "groupShortName": "oncall",
                "enabled": True,
                "emailReceivers": [
                    {"name": "on call", "emailAddress": f"oncall@{company.domain}", "useCommonAlertSchema": True}
                ],
            },
            tags=tags,
        )
    )
    for title, metric in (
        ("cpu", "Percentage CPU"),
        ("memory", "Available Memory Bytes"),
        ("disk", "OS Disk Queue Depth"),
        ("http5xx", "Http5xx"),
    ):
        put(
            documents.resource(
                group,
                "Microsoft.Insights/metricAlerts",
                f"alert-{title}-prod",
                "global",
                builder.long_ago(),
                {
                    "severity": 2,
                    "enabled": True,
                    "scopes": [ids.SUBSCRIPTION],
                    "evaluationFrequency": "PT5M",
                    "windowSize": "PT15M",
                    "criteria": {
                        "allOf": [{"name": title, "metricName": metric, "operator": "GreaterThan", "threshold": 90}]
                    },
                    "actions": [{"actionGroupId": action_group["id"]}],
                },
                tags=tags,
            )
        )
    shop = builder.estate.place("shop", "prod")
    fleet = put(
        compute_parts.scale_set(
            chance,
            shop.group,
            f"vmss-{company.short}-render",
            shop.region,
            builder.long_ago(),
            size="Standard_F4s_v2",
            capacity=2 * builder.scale,
            subnet=shop.subnets[1],
            tags=shop.tags | {"role": "image-rendering"},
        ),
        "pipeline-shop",
    )
    put(
        compute_parts.autoscale(shop.group, f"autoscale-{fleet['name']}", fleet, builder.long_ago(), 2, 6, shop.tags),
        "pipeline-shop",
    )
    for number, place in enumerate(builder.estate.places[:4], 1):
        put(
            documents.resource(
                group,
                "Microsoft.Portal/dashboards",
                f"{chance.guid()}",
                region,
                builder.long_ago(),
                {"lenses": []},
                tags=tags | {"hidden-title": f"{place.workload} {number}"},
            )
        )


def backup(builder: Builder) -> None:
    """A recovery vault, its storage with unmanaged disks of old machines, and last night's snapshots."""
    chance, company, put = builder.chance, builder.company, builder.put
    region = company.regions[0]
    tags = {
        "owner": builder.staff["platform-lead"].principal.upn,
        "env": "shared",
        "cost-center": "CC-1010",
        "app": "backup",
    }
    group = builder.group("backup", "shared", region, tags)
    builder.estate.places.append(Place("backup", "shared", group, region, tags, locked=True))
    builder.estate.recovery_vault = put(
        documents.resource(
            group,
            "Microsoft.RecoveryServices/vaults",
            f"rsv-{company.short}-shared",
            region,
            builder.long_ago(),
            {"publicNetworkAccess": "Enabled", "redundancySettings": {"standardTierStorageRedundancy": "GeoRedundant"}},
            tags=tags,
            sku={"name": "RS0", "tier": "Standard"},
        )
    )
    for disk in builder.estate.backed_up[::3][:8]:
        made = builder.now - timedelta(days=1, hours=chance.randrange(3, 9))
        put(
            documents.resource(
                group,
                ids.SNAPSHOT,
                f"RestorePoint_{disk['name'][:40]}_{made:%Y%m%d%H}",
                disk["location"],
                made,
                {
                    "diskSizeGB": disk["properties"]["diskSizeGB"],
                    "incremental": True,
                    "diskState": "Unattached",
                    "timeCreated": stamp(made),
                    "uniqueId": chance.guid(),
                    "creationData": {"createOption": "Copy", "sourceResourceId": disk["id"]},
                },
                tags={"created-by": "AzureBackup"},
                sku={"name": "Standard_ZRS", "tier": "Standard"},
            ),
            "backup",
        )
    account = put(
        documents.storage_account(
            chance,
            group,
            f"st{company.short}legacyvhds"[:24],
            region,
            builder.long_ago(),
            tags=tags | {"app": "legacy"},
        )
    )
    builder.estate.storage.append(account)
    for number in range(1, 6 + chance.randrange(3)):
        old = builder.long_ago(at_least=300)
        leased = number != 2
        blob = documents.page_blob(
            account["name"],
            "vhds",
            f"{company.short}-legacy{number:02}{old:%Y%m%d}.vhd",
            chance.choice((30, 64, 127)),
            old,
            leased=leased,
            etag=f"0x8D{chance.getrandbits(52):013X}",
        )
        builder.world.blobs[f"{blob['account']}/{blob['container']}/{blob['name']}"] = blob


def registers(builder: Builder) -> None:
    """Groups that appear by themselves in every subscription, and what shares the hub."""
    chance, company, put = builder.chance, builder.company, builder.put
    region = company.regions[0]
    watcher = builder.group("", "", region, {}, name="NetworkWatcherRG")
    for each in company.regions:
        put(
            documents.resource(
                watcher, "Microsoft.Network/networkWatchers", f"NetworkWatcher_{each}", each, builder.long_ago()
            )
        )
    shell = builder.group("", "", region, {}, name=f"cloud-shell-storage-{region}")
    account = documents.storage_account(
        chance,
        shell,
        f"cs{chance.getrandbits(60):015x}",
        region,
        builder.long_ago(),
        tags={"ms-resource-usage": "azure-cloud-shell"},
    )
    builder.estate.storage.append(put(account, "platform-1"))
    hub = builder.estate.place("hub")
    for kind, name, properties in (
        (
            "Microsoft.Network/virtualNetworkGateways",
            f"vgw-{company.short}",
            {"gatewayType": "Vpn", "vpnType": "RouteBased"},
        ),
        ("Microsoft.Network/bastionHosts", f"bas-{company.short}", {"scaleUnits": 2}),
        ("Microsoft.Network/privateDnsZones", f"corp.{company.domain}", {"numberOfRecordSets": 42}),
        ("Microsoft.Network/routeTables", f"rt-{company.short}-spoke", {"routes": []}),
        ("Microsoft.Automation/automationAccounts", f"aa-{company.short}-ops", {"state": "Ok"}),
    ):
        put(
            documents.resource(
                hub.group,
                kind,
                name,
                "global" if "Zones" in kind else region,
                builder.long_ago(),
                dict(properties),
                tags=hub.tags,
            )
        )
