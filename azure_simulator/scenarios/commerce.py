"""What the partner and billing sides know about the tenant: subscription, partner relationship, quota, budgets, providers."""

from __future__ import annotations

from datetime import datetime

from azure_simulator.scenarios import ids
from azure_simulator.scenarios.people import Company
from azure_simulator.services.compute.sizes import SIZES
from azure_simulator.world import Document, World

REGIONAL = {"cores": "Total Regional vCPUs", "lowPriorityCores": "Total Regional Spot vCPUs"}
PROVIDERS = (
    "microsoft.authorization",
    "microsoft.automation",
    "microsoft.compute",
    "microsoft.consumption",
    "microsoft.containerregistry",
    "microsoft.containerservice",
    "microsoft.costmanagement",
    "microsoft.insights",
    "microsoft.keyvault",
    "microsoft.managedidentity",
    "microsoft.network",
    "microsoft.operationalinsights",
    "microsoft.policyinsights",
    "microsoft.portal",
    "microsoft.recoveryservices",
    "microsoft.resourcehealth",
    "microsoft.resources",
    "microsoft.security",
    "microsoft.sql",
    "microsoft.storage",
    "microsoft.support",
    "microsoft.web",
)


def subscribe(world: World, company: Company) -> None:
    """The one Azure subscription, sold under an Azure plan."""
    world.subscriptions[ids.SUBSCRIPTION] = {
        "id": ids.SUBSCRIPTION,
        "subscriptionId": ids.SUBSCRIPTION_GUID,
        "tenantId": ids.CUSTOMER_TENANT,
        "displayName": f"{company.name} production",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "managedByTenants": [{"tenantId": ids.PARTNER_TENANT}],
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "AzurePlan_2018-01-01",
            "spendingLimit": "Off",
        },
    }
    world.registered_providers[ids.SUBSCRIPTION_GUID] = set(PROVIDERS)


def partner_with(world: World, company: Company) -> None:
    """Partner Center's view: the partner, the customer, the Azure plan and the subscription as its entitlement."""
    world.partner = {
        "organization": {
            "id": ids.PARTNER_TENANT,
            "companyName": company.partner_name,
            "tenantId": ids.PARTNER_TENANT,
            "domain": company.partner_domain,
            "email": f"security@{company.partner_domain}",
            "language": "en",
            "culture": "en-US",
            "defaultAddress": {"country": company.country, "city": "", "addressLine1": ""},
        },
        "customers": {
            ids.CUSTOMER_TENANT: {
                "profile": {
                    "id": ids.CUSTOMER_TENANT,
                    "commerceId": "55555555-5555-4555-8555-555555555555",
                    "companyProfile": {
                        "tenantId": ids.CUSTOMER_TENANT,
                        "domain": company.domain,
                        "companyName": company.name,
                    },
                    "relationshipToPartner": "reseller",
                    "allowDelegatedAccess": False,
                },
                "relationships": [],
                "subscriptions": {
                    ids.AZURE_PLAN: {
                        "document": {
                            "id": ids.AZURE_PLAN,
                            "friendlyName": "Azure plan",
                            "offerId": "DZH318Z0BPS6:0001:DZH318Z0BMTX",
                            "offerName": "Azure plan",
                            "status": "active",
                            "billingType": "usage",
                            "billingCycle": "monthly",
                            "orderId": "c3d4a5b6-0000-4000-8000-000000000044",
                            "quantity": 1,
                            "unitType": "Usage-based",
                            "autoRenewEnabled": True,
                            "attributes": {"etag": "eyJpZCI6IjQ0NDQ0NDQ0In0=", "objectType": "Subscription"},
                        },
                        "entitlements": {
                            ids.SUBSCRIPTION_GUID: {
                                "id": ids.SUBSCRIPTION_GUID,
                                "friendlyName": f"{company.name} production",
                                "status": "active",
                                "subscriptionId": ids.AZURE_PLAN,
                            }
                        },
                    }
                },
            }
        },
    }


def limit_quotas(world: World, company: Company) -> None:
    """vCPU limits of every family in every region: generous at home for what is used, small elsewhere, nothing for GPUs."""
    used = _used(world)
    titles = {size.family: size.title for size in SIZES.values()}
    titles |= REGIONAL
    gpu = {size.family for size in SIZES.values() if size.gpus}
    for region in ids.REGIONS:
        for family, title in titles.items():
            taken = used.get((region, family), 0)
            floor = 0 if family in gpu else 100 if region in company.regions else 10
            if family == "cores":
                floor = 350 if region in company.regions else 20
            limit = max(floor, -(-taken * 2 // 50) * 50)
            put_quota(world, region, family, title, limit)


def put_quota(world: World, region: str, family: str, title: str, limit: int) -> Document:
    """Set one limit."""
    row: Document = {
        "subscription": ids.SUBSCRIPTION_GUID,
        "region": region,
        "family": family,
        "title": title,
        "limit": limit,
    }
    world.quotas[f"{ids.SUBSCRIPTION_GUID}/{region}/{family}"] = row
    return row


def _used(world: World) -> dict[tuple[str, str], int]:
    used: dict[tuple[str, str], int] = {}
    counted = [
        (row, row["properties"]["hardwareProfile"]["vmSize"], 1) for row in world.resources.of_type(ids.VIRTUAL_MACHINE)
    ] + [(row, row["sku"]["name"], row["sku"]["capacity"]) for row in world.resources.of_type(ids.SCALE_SET)]
    for row, size_name, count in counted:
        size = SIZES[size_name]
        for family in (size.family, "cores"):
            place = (row["location"], family)
            used[place] = used.get(place, 0) + size.vcpus * count
    return used


def budget(world: World, company: Company, monthly: float, now: datetime) -> None:
    """A monthly budget for the subscription, about what it costs, and one for data science."""
    for name, amount, share in (
        ("monthly-total", monthly * 1.15, "actual"),
        ("finance-forecast", monthly * 1.3, "forecasted"),
    ):
        identity = f"{ids.SUBSCRIPTION}/providers/Microsoft.Consumption/budgets/{name}"
        world.budgets[identity] = {
            "id": identity,
            "name": name,
            "type": "Microsoft.Consumption/budgets",
            "eTag": '"1d8b0c5f7a2e4d1"',
            "properties": {
                "category": "Cost",
                "amount": float(round(amount, -2)),
                "timeGrain": "Monthly",
                "timePeriod": {
                    "startDate": f"{now.year - 1}-01-01T00:00:00Z",
                    "endDate": f"{now.year + 2}-01-01T00:00:00Z",
                },
                "notifications": {
                    f"{share}_90": {
                        "enabled": True,
                        "operator": "GreaterThan",
                        "threshold": 90,
                        "thresholdType": share.capitalize(),
                        "contactEmails": [f"finance@{company.domain}"],
                        "contactRoles": ["Owner"],
                        "contactGroups": [],
                    }
                },
            },
        }
