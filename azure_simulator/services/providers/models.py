"""The provider catalogue: namespaces, their types, and the api-versions that clients may be told of."""

from __future__ import annotations

from azure_simulator.services.subscriptions.models import REGIONS
from azure_simulator.world import Document, World

VERSIONS = (
    "2026-06-01",
    "2026-04-01",
    "2026-03-02",
    "2025-11-01",
    "2025-04-01",
    "2024-11-01",
    "2024-03-02",
    "2023-09-01",
    "2022-12-01",
    "2021-04-01",
    "2020-06-01",
    "2019-07-01",
)

ALWAYS_REGISTERED = {
    f"microsoft.{name}"
    for name in (
        "authorization",
        "billing",
        "capacity",
        "commerce",
        "consumption",
        "costmanagement",
        "features",
        "management",
        "marketplaceordering",
        "portal",
        "resourcegraph",
        "resources",
        "subscription",
        "support",
    )
}

_TYPES: dict[str, tuple[str, ...]] = {
    "Microsoft.AlertsManagement": ("alerts", "smartDetectorAlertRules"),
    "Microsoft.Authorization": (
        "locks",
        "policyAssignments",
        "policyDefinitions",
        "policyExemptions",
        "policySetDefinitions",
        "roleAssignments",
        "roleDefinitions",
    ),
    "Microsoft.Automation": ("automationAccounts", "automationAccounts/runbooks", "automationAccounts/schedules"),
    "Microsoft.Batch": ("batchAccounts", "batchAccounts/pools"),
    "Microsoft.Compute": (
        "availabilitySets",
        "capacityReservationGroups",
        "capacityReservationGroups/capacityReservations",
        "disks",
        "galleries",
        "images",
        "locations",
        "locations/operations",
        "locations/usages",
        "locations/vmSizes",
        "proximityPlacementGroups",
        "restorePointCollections",
        "skus",
        "snapshots",
        "sshPublicKeys",
        "virtualMachineScaleSets",
        "virtualMachineScaleSets/virtualMachines",
        "virtualMachines",
        "virtualMachines/extensions",
    ),
    "Microsoft.Consumption": ("budgets", "usageDetails"),
    "Microsoft.ContainerInstance": ("containerGroups",),
    "Microsoft.ContainerRegistry": ("registries",),
    "Microsoft.ContainerService": ("managedClusters", "managedClusters/agentPools"),
    "Microsoft.CostManagement": ("alerts", "query", "scheduledActions", "views"),
    "Microsoft.DBforPostgreSQL": ("flexibleServers",),
    "Microsoft.DocumentDB": ("databaseAccounts",),
    "Microsoft.EventGrid": ("eventSubscriptions",),
    "Microsoft.Insights": (
        "actionGroups",
        "activityLogAlerts",
        "autoscaleSettings",
        "components",
        "diagnosticSettings",
        "eventtypes",
        "metricAlerts",
    ),
    "Microsoft.KeyVault": ("deletedVaults", "locations", "locations/deletedVaults", "vaults", "vaults/accessPolicies"),
    "Microsoft.MachineLearningServices": ("workspaces", "workspaces/computes"),
    "Microsoft.Logic": ("workflows",),
    "Microsoft.ManagedIdentity": ("userAssignedIdentities", "userAssignedIdentities/federatedIdentityCredentials"),
    "Microsoft.ManagedServices": ("registrationAssignments", "registrationDefinitions"),
    "Microsoft.Network": (
        "bastionHosts",
        "loadBalancers",
        "natGateways",
        "networkInterfaces",
        "networkSecurityGroups",
        "networkWatchers",
        "privateEndpoints",
        "publicIPAddresses",
        "routeTables",
        "virtualNetworks",
        "virtualNetworks/subnets",
    ),
    "Microsoft.OperationalInsights": ("workspaces",),
    "Microsoft.Quota": ("quotaRequests", "quotas", "usages"),
    "Microsoft.RecoveryServices": ("vaults",),
    "Microsoft.ResourceGraph": ("resources",),
    "Microsoft.ResourceHealth": ("events",),
    "Microsoft.Resources": ("deployments", "resourceGroups", "resources", "subscriptions", "tags"),
    "Microsoft.Security": ("alerts", "pricings", "secureScoreControls", "secureScores", "securityContacts"),
    "Microsoft.Sql": ("servers", "servers/databases"),
    "Microsoft.Storage": ("storageAccounts", "storageAccounts/blobServices"),
    "Microsoft.Subscription": ("cancel", "enable", "rename"),
    "Microsoft.Support": ("services", "supportTickets"),
    "Microsoft.Web": ("serverfarms", "sites"),
}


def namespaces(world: World, subscription_id: str) -> list[str]:
    """Every namespace: the catalogue's and those of resources that stand in the subscription."""
    known = {name.lower(): name for name in _TYPES}
    for row in world.resources.below(f"/subscriptions/{subscription_id}"):
        name = str(row.get("type", "")).split("/")[0]
        known.setdefault(name.lower(), name)
    return sorted(known.values())


def document(world: World, subscription_id: str, namespace: str) -> Document | None:
    """A provider as ARM answers it; None when there is no such namespace."""
    name = next((one for one in namespaces(world, subscription_id) if one.lower() == namespace.lower()), None)
    if name is None:
        return None
    types = {kind.lower(): kind for kind in _TYPES.get(name, ())}
    for row in world.resources.below(f"/subscriptions/{subscription_id}"):
        space, _, kind = str(row.get("type", "")).partition("/")
        if space.lower() == namespace.lower():
            types.setdefault(kind.lower(), kind)
    places = [region.display_name for region in REGIONS]
    return {
        "id": f"/subscriptions/{subscription_id}/providers/{name}",
        "namespace": name,
        "registrationState": "Registered" if is_registered(world, subscription_id, name) else "NotRegistered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [
            {
                "resourceType": kind,
                "locations": places,
                "apiVersions": list(VERSIONS),
                "defaultApiVersion": VERSIONS[0],
                "capabilities": "CrossResourceGroupResourceMove, SupportsTags, SupportsLocation",
            }
            for kind in sorted(types.values())
        ],
    }


def registered(world: World, subscription_id: str) -> set[str] | None:
    """The registered namespaces, lower-case; None when the world does not keep them (then all are)."""
    return world.registered_providers.get(subscription_id.lower(), world.registered_providers.get(subscription_id))


def is_registered(world: World, subscription_id: str, namespace: str) -> bool:
    """True when the subscription may use the namespace; some are always registered."""
    held = registered(world, subscription_id)
    return held is None or namespace.lower() in held or namespace.lower() in ALWAYS_REGISTERED
