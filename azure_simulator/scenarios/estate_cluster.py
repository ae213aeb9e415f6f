"""The Kubernetes cluster of the tenant: its node resource group, node sets, volumes and registry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from azure_simulator.scenarios import compute_parts, documents, ids
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
        nodes = compute_parts.scale_set(
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
        (ids.LOAD_BALANCER, "kubernetes", {}),
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities",
            f"{name}-agentpool",
            {"clientId": chance.guid(), "principalId": chance.guid()},
        ),
    ):
        put(documents.resource(node_group, kind, suffix, region, created, dict(properties)), "cluster")
    _before_the_nodes(builder, node_group)
    for number in range(1, 5 * builder.scale):
        claim = f"pvc-{chance.guid()}"
        attached = number % 2 == 0
        volume = compute_parts.disk(
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


def _before_the_nodes(builder: Builder, node_group: str) -> None:
    """The cluster's load balancer: the public address in front, all nodes behind, in the pools that AKS makes.

    https://learn.microsoft.com/azure/aks/load-balancer-standard
    """
    resources = builder.world.resources
    address = resources[ids.resource_id(node_group, ids.PUBLIC_ADDRESS, "kubernetes-ip")]
    balancer = resources[ids.resource_id(node_group, ids.LOAD_BALANCER, "kubernetes")]
    front = f"{balancer['id']}/frontendIPConfigurations/kubernetes-ip"
    pools = [f"{balancer['id']}/backendAddressPools/{name}" for name in ("aksOutboundBackendPool", "kubernetes")]
    probe = f"{balancer['id']}/probes/ingress-tcp-443"
    members = []
    for nodes in builder.estate.node_sets:
        slot = nodes["properties"]["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"][0]
        slot["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] = [
            {"id": pool} for pool in pools
        ]
        members += [
            f"{nodes['id']}/virtualMachines/{instance}/networkInterfaces/{slot['name']}/ipConfigurations/ipconfig1"
            for instance in nodes["_instances"]
        ]
    address["sku"] = {"name": "Standard", "tier": "Regional"}
    address["properties"]["ipConfiguration"] = {"id": front}
    balancer["sku"] = {"name": "Standard", "tier": "Regional"}
    parts: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "frontendIPConfigurations": [
            (front, {"privateIPAllocationMethod": "Dynamic", "publicIPAddress": {"id": address["id"]}})
        ],
        "backendAddressPools": [
            (pool, {"backendIPConfigurations": [{"id": one} for one in members]}) for pool in pools
        ],
        "loadBalancingRules": [
            (
                f"{balancer['id']}/loadBalancingRules/ingress-tcp-443",
                {
                    "frontendIPConfiguration": {"id": front},
                    "backendAddressPool": {"id": pools[1]},
                    "probe": {"id": probe},
                    "protocol": "Tcp",
                    "frontendPort": 443,
                    "backendPort": 443,
                    "enableFloatingIP": True,
                    "idleTimeoutInMinutes": 4,
                    "disableOutboundSnat": True,
                },
            )
        ],
        "probes": [(probe, {"protocol": "Tcp", "port": 31443, "intervalInSeconds": 5, "numberOfProbes": 2})],
        "inboundNatRules": [],
        "outboundRules": [
            (
                f"{balancer['id']}/outboundRules/aksOutboundRule",
                {
                    "frontendIPConfigurations": [{"id": front}],
                    "backendAddressPool": {"id": pools[0]},
                    "protocol": "All",
                    "idleTimeoutInMinutes": 30,
                },
            )
        ],
    }
    balancer["properties"] |= {
        part: [
            {
                "id": one,
                "name": one.rsplit("/", 1)[-1],
                "type": f"{ids.LOAD_BALANCER}/{part}",
                "properties": {"provisioningState": "Succeeded", **properties},
            }
            for one, properties in rows
        ]
        for part, rows in parts.items()
    }
