"""The invented ids that every world shares, and how ARM ids are put together."""

from __future__ import annotations

SUBSCRIPTION_GUID = "33333333-3333-4333-8333-333333333333"
SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_GUID}"
CUSTOMER_TENANT = "22222222-2222-4222-8222-222222222222"
PARTNER_TENANT = "11111111-1111-4111-8111-111111111111"
AZURE_PLAN = "44444444-4444-4444-8444-444444444444"

VIRTUAL_MACHINE = "Microsoft.Compute/virtualMachines"
SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"
DISK = "Microsoft.Compute/disks"
SNAPSHOT = "Microsoft.Compute/snapshots"
NETWORK_INTERFACE = "Microsoft.Network/networkInterfaces"
PUBLIC_ADDRESS = "Microsoft.Network/publicIPAddresses"
VIRTUAL_NETWORK = "Microsoft.Network/virtualNetworks"
SECURITY_GROUP = "Microsoft.Network/networkSecurityGroups"
LOAD_BALANCER = "Microsoft.Network/loadBalancers"
STORAGE_ACCOUNT = "Microsoft.Storage/storageAccounts"
AUTOSCALE = "Microsoft.Insights/autoscaleSettings"

# name -> (as people read it, as billing spells it)
REGIONS: dict[str, tuple[str, str]] = {
    "westeurope": ("West Europe", "eu west"),
    "northeurope": ("North Europe", "eu north"),
    "germanywestcentral": ("Germany West Central", "de west central"),
    "francecentral": ("France Central", "fr central"),
    "swedencentral": ("Sweden Central", "se central"),
    "uksouth": ("UK South", "uk south"),
    "ukwest": ("UK West", "uk west"),
    "eastus": ("East US", "us east"),
    "eastus2": ("East US 2", "us east 2"),
    "centralus": ("Central US", "us central"),
    "southcentralus": ("South Central US", "us south central"),
    "westus2": ("West US 2", "us west 2"),
    "westus3": ("West US 3", "us west 3"),
    "canadacentral": ("Canada Central", "ca central"),
    "brazilsouth": ("Brazil South", "br south"),
    "japaneast": ("Japan East", "ja east"),
    "koreacentral": ("Korea Central", "kr central"),
    "southeastasia": ("Southeast Asia", "ap southeast"),
    "australiaeast": ("Australia East", "au east"),
    "centralindia": ("Central India", "in central"),
}


def group_id(name: str) -> str:
    return f"{SUBSCRIPTION}/resourceGroups/{name}"


def resource_id(group: str, kind: str, name: str) -> str:
    """The id of resource `name` of type `kind` ("Namespace/type" or "Namespace/type/child" with name "parent/child")."""
    namespace, *types = kind.split("/")
    path = "/".join(f"{t}/{n}" for t, n in zip(types, name.split("/"), strict=True))
    return f"{group_id(group)}/providers/{namespace}/{path}"


def group_of(any_id: str) -> str:
    """The name of the resource group in an ARM id, "" when there is none."""
    parts = any_id.split("/")
    return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""
