"""Azure's built-in roles that the simulator knows, with their real ids and actions."""

from __future__ import annotations

from azure_simulator.world import Document, World

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
USER_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
SUPPORT_REQUEST_CONTRIBUTOR = "cfd33db0-3dd1-45e3-aa9d-cdbdf3b6f24e"
QUOTA_REQUEST_OPERATOR = "0e5f05e5-9ab9-446b-b98d-1e2157c94125"
VIRTUAL_MACHINE_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
SECURITY_READER = "39bc4728-0917-49c7-9d2c-d95423bc2eb4"
SECURITY_ADMIN = "fb1c8493-542b-48eb-b624-b4c8fea62acd"
COST_MANAGEMENT_READER = "72fafb9e-0641-4937-9268-a91bfd8191a3"
MONITORING_READER = "43d0d8ad-25c7-4714-9337-8ba259a9fe05"
STORAGE_ACCOUNT_CONTRIBUTOR = "17d1049b-9a84-46fb-8f53-869881c3d3ab"

_SUPPORT = [
    "Microsoft.Authorization/*/read",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
]
_ROLES: dict[str, tuple[str, str, list[str], list[str]]] = {
    OWNER: ("Owner", "Grants full access to manage all resources, including the ability to assign roles.", ["*"], []),
    CONTRIBUTOR: (
        "Contributor",
        "Grants full access to manage all resources, but does not allow you to assign roles.",
        ["*"],
        [
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
        ],
    ),
    READER: ("Reader", "View all resources, but does not allow you to make any changes.", ["*/read"], []),
    USER_ACCESS_ADMINISTRATOR: (
        "User Access Administrator",
        "Lets you manage user access to Azure resources.",
        ["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
        [],
    ),
    SUPPORT_REQUEST_CONTRIBUTOR: (
        "Support Request Contributor",
        "Lets you create and manage Support requests",
        _SUPPORT,
        [],
    ),
    QUOTA_REQUEST_OPERATOR: (
        "Quota Request Operator",
        "Read and create quota requests, get quota request status, and create support tickets.",
        [
            "Microsoft.Capacity/resourceProviders/locations/serviceLimits/read",
            "Microsoft.Capacity/resourceProviders/locations/serviceLimits/write",
            "Microsoft.Capacity/resourceProviders/locations/serviceLimitsRequests/read",
            "Microsoft.Capacity/register/action",
            "Microsoft.Quota/usages/read",
            "Microsoft.Quota/quotas/read",
            "Microsoft.Quota/quotas/write",
            "Microsoft.Quota/quotaRequests/read",
            "Microsoft.Quota/register/action",
            *_SUPPORT,
        ],
        [],
    ),
    VIRTUAL_MACHINE_CONTRIBUTOR: (
        "Virtual Machine Contributor",
        "Create and manage virtual machines and their disks, not the network or storage account they are connected to.",
        [
            "Microsoft.Compute/availabilitySets/*",
            "Microsoft.Compute/locations/*",
            "Microsoft.Compute/virtualMachines/*",
            "Microsoft.Compute/virtualMachineScaleSets/*",
            "Microsoft.Compute/disks/write",
            "Microsoft.Compute/disks/read",
            "Microsoft.Compute/disks/delete",
            "Microsoft.Network/networkInterfaces/*",
            "Microsoft.Network/publicIPAddresses/join/action",
            "Microsoft.Network/publicIPAddresses/read",
            "Microsoft.Network/virtualNetworks/read",
            "Microsoft.Network/virtualNetworks/subnets/join/action",
            "Microsoft.Resources/deployments/*",
            *_SUPPORT,
        ],
        [],
    ),
    SECURITY_READER: (
        "Security Reader",
        "View permissions for security: recommendations, alerts, policies and states, without changes.",
        [
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/read",
            "Microsoft.Security/*/read",
            "Microsoft.Support/*/read",
        ],
        [],
    ),
    SECURITY_ADMIN: (
        "Security Admin",
        "View and update permissions for security, and dismiss alerts.",
        [
            "Microsoft.Authorization/*/read",
            "Microsoft.Authorization/policyAssignments/*",
            "Microsoft.Authorization/policyDefinitions/*",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Management/managementGroups/read",
            "Microsoft.Security/*",
            "Microsoft.Support/*",
        ],
        [],
    ),
    COST_MANAGEMENT_READER: (
        "Cost Management Reader",
        "Can view cost data and configuration.",
        [
            "Microsoft.Consumption/*/read",
            "Microsoft.CostManagement/*/read",
            "Microsoft.CostManagement/query/action",
            *_SUPPORT,
        ],
        [],
    ),
    MONITORING_READER: ("Monitoring Reader", "Can read all monitoring data.", ["*/read", "Microsoft.Support/*"], []),
    STORAGE_ACCOUNT_CONTRIBUTOR: (
        "Storage Account Contributor",
        "Lets you manage storage accounts, including accessing storage account keys.",
        ["Microsoft.Storage/storageAccounts/*", "Microsoft.Insights/diagnosticSettings/*", *_SUPPORT],
        [],
    ),
}


def role_id(guid: str, subscription_id: str = "") -> str:
    """The id of a role definition, as assignments name it when a subscription is given."""
    scope = f"/subscriptions/{subscription_id}" if subscription_id else ""
    return f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{guid}"


def install(world: World) -> None:
    """Put the built-in roles into a world that has none of that id."""
    for guid, (name, text, actions, excluded) in _ROLES.items():
        key = role_id(guid)
        if key in world.role_definitions:
            continue
        document: Document = {
            "id": key,
            "name": guid,
            "type": "Microsoft.Authorization/roleDefinitions",
            "properties": {
                "roleName": name,
                "type": "BuiltInRole",
                "description": text,
                "assignableScopes": ["/"],
                "permissions": [{"actions": actions, "notActions": excluded, "dataActions": [], "notDataActions": []}],
                "createdOn": "2015-02-02T21:55:09.8806423Z",
                "updatedOn": "2023-12-14T18:27:54.7127180Z",
                "createdBy": None,
                "updatedBy": None,
            },
        }
        world.role_definitions[key] = document
