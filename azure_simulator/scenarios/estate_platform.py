"""What the platform team runs for everybody: Kubernetes, monitoring, backup, and the groups that Azure makes by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from azure_simulator.scenarios import documents, ids
from azure_simulator.scenarios.estate import Builder, Place


def cluster(builder: Builder) -> None:
    """A Kubernetes cluster with its node resource group, node sets, load balancer and volumes."""
    chance, company, put = builder.chance, builder.company, builder.put
    region = company.regions[0]
    tags = {
        "owner": builder.staff["platform-1"].principal.upn,
        "env": "prod",
        "cost-center": "CC-1010",
        "app": "platform",
    }
    group = builder.group("platform", "prod", region, tags)
    name = f"aks-{company.short}-prod"
    node_group = f"MC_{group}_{name}_{region}"
    builder.group("", "", region, {"aks-managed-cluster-name": name, "aks-managed-cluster-rg": group}, name=node_group)
    builder.estate.places.append(Place("platform", "prod", group, region, tags, locked=True))
    created = builder.long_ago(at_least=200, at_most=600)
    managed = put(
        documents.resource(
            group,
            "Microsoft.ContainerService/managedClusters",
            name,
            region,
            created,
            {
                "kubernetesVersion": "1.33.3",
                "dnsPrefix": name,
                "fqdn": f"{name}-k8s.hcp.{region}.azmk8s.io",
                "nodeResourceGroup": node_group,
                "powerState": {"code": "Running"},
                "agentPoolProfiles": [
                    {
                        "name": "system",
                        "count": 3,
                        "vmSize": "Standard_D4s_v5",
                        "mode": "System",
                        "powerState": {"code": "Running"},
                    },
                    {
                        "name": "apps",
                        "count": 4,
                        "vmSize": "Standard_D8s_v5",
                        "mode": "User",
                        "powerState": {"code": "Running"},
                    },
                ],
            },
            tags=tags,
            sku={"name": "Base", "tier": "Standard"},
            identity={
                "type": "SystemAssigned",
                "principalId": builder.staff["cluster"].principal.object_id,
                "tenantId": ids.CUSTOMER_TENANT,
            },
        )
    )
    builder.estate.cluster = managed
    builder.world.groups[ids.group_id(node_group)]["managedBy"] = managed["id"]
    subnets = builder.subnet(node_group, region, "aks", ("aks-subnet",), {"aks-managed-cluster-name": name})
    builder.estate.places.append(Place("cluster-nodes", "prod", node_group, region, {}, subnets=subnets))
    for pool, count, size in (("system", 3, "Standard_D4s_v5"), ("apps", 4, "Standard_D8s_v5")):
        number = chance.randrange(10**7, 10**8)
        nodes = documents.scale_set(
            chance,
            node_group,
            f"aks-{pool}-{number}-vmss",
            region,
            created + timedelta(minutes=6),
            size=size,
            capacity=count * builder.scale,
            subnet=subnets[0],
            admin="azureuser",
            tags={
                "aks-managed-poolName": pool,
                "aks-managed-createOperationID": chance.guid(),
                "aks-managed-resourceNameSuffix": str(number),
            },
            managedBy=managed["id"],
        )
        builder.estate.node_sets.append(put(nodes, "cluster"))
    for kind, suffix, properties in (
        (ids.PUBLIC_ADDRESS, "kubernetes-ip", {"publicIPAllocationMethod": "Static", "ipAddress": "198.51.100.252"}),
        ("Microsoft.Network/loadBalancers", "kubernetes", {}),
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities",
            f"{name}-agentpool",
            {"clientId": chance.guid(), "principalId": chance.guid()},
        ),
    ):
        put(documents.resource(node_group, kind, suffix, region, created, dict(properties)), "cluster")
    for number in range(1, 5 * builder.scale):
        claim = f"pvc-{chance.guid()}"
        attached = number % 2 == 0
        volume = documents.disk(
            chance,
            node_group,
            claim,
            region,
            builder.lately(within=75, at_least=2) if number > 1 else builder.long_ago(),
            size_gb=chance.choice((8, 32, 128)),
            sku="StandardSSD_LRS",
            owner=f"{builder.estate.node_sets[1]['id']}/virtualMachines/{builder.estate.node_sets[1]['name']}_0"
            if attached
            else "",
            tags={
                "k8s-azure-created-by": "kubernetes-azure-dd",
                "kubernetes.io-created-for-pv-name": claim,
                "kubernetes.io-created-for-pvc-name": f"data-{chance.choice(('kafka', 'redis', 'postgres', 'grafana'))}-{number}",
                "kubernetes.io-created-for-pvc-namespace": chance.choice(("shop", "monitoring", "portal")),
            },
        )
        put(volume, "cluster")
        if not attached:
            builder.estate.orphans.append(volume)
    put(
        documents.resource(
            group,
            "Microsoft.ContainerRegistry/registries",
            f"acr{company.short}prod",
            region,
            created - timedelta(days=3),
            {"loginServer": f"acr{company.short}prod.azurecr.io", "adminUserEnabled": False},
            tags=tags,
            sku={"name": "Premium", "tier": "Premium"},
        )
    )


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
        documents.scale_set(
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
        autoscale(shop.group, f"autoscale-{fleet['name']}", fleet, builder.long_ago(), 2, 6, shop.tags), "pipeline-shop"
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


def autoscale(
    group: str, name: str, target: dict[str, Any], created: Any, minimum: int, maximum: int, tags: dict[str, str] | None
) -> dict[str, Any]:
    """An autoscale setting that keeps `target` at `minimum` instances or more."""
    return documents.resource(
        group,
        ids.AUTOSCALE,
        name,
        target["location"],
        created,
        {
            "enabled": True,
            "name": name,
            "targetResourceUri": target["id"],
            "profiles": [
                {
                    "name": "default",
                    "capacity": {"minimum": str(minimum), "maximum": str(maximum), "default": str(minimum)},
                    "rules": [
                        {
                            "metricTrigger": {
                                "metricName": "Percentage CPU",
                                "metricResourceUri": target["id"],
                                "timeGrain": "PT1M",
                                "statistic": "Average",
                                "timeWindow": "PT10M",
                                "timeAggregation": "Average",
                                "operator": "GreaterThan",
                                "threshold": 70,
                            },
                            "scaleAction": {
                                "direction": "Increase",
                                "type": "ChangeCount",
                                "value": "1",
                                "cooldown": "PT5M",
                            },
                        }
                    ],
                }
            ],
        },
        tags=tags,
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
                f"AzureBackup_{disk['name'][:40]}_{made:%Y%m%d}",
                disk["location"],
                made,
                {
                    "diskSizeGB": disk["properties"]["diskSizeGB"],
                    "incremental": True,
                    "diskState": "Unattached",
                    "timeCreated": made.isoformat(),
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
