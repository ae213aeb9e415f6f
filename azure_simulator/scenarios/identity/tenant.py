"""The tenant itself: organization, domains, licences, role definitions."""

from __future__ import annotations

from datetime import timedelta

from azure_simulator.clock import stamp
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.identity.directory import Directory
from azure_simulator.world import Document

_PLAN_IDS = {
    "AAD_PREMIUM": "41781fb2-bc02-4b7c-bd55-b576c07bb09d",
    "AAD_PREMIUM_P2": "eec0eb4f-6444-4f95-aba0-50c24d67f998",
    "MFA_PREMIUM": "8a256a2b-b617-496d-b51b-e76466e88db0",
    "EXCHANGE_S_ENTERPRISE": "efb87545-963c-4e0d-99df-69c6916d9eb0",
    "EXCHANGE_S_STANDARD": "9aaf7827-d63c-4b61-89c3-182f06f82e5c",
    "AAD_WRKLDID_P1": "84c289f0-efcb-486f-8581-07f44fc9efad",
    "AAD_WRKLDID_P2": "7dc0e92d-bf15-401d-907e-0884efe7c760",
}
_SKUS = {
    "SPE_E5": (
        "06ebc4ee-1bb5-47dd-8120-11324bc54e06",
        ("AAD_PREMIUM", "AAD_PREMIUM_P2", "MFA_PREMIUM", "EXCHANGE_S_ENTERPRISE"),
    ),
    "SPB": ("cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46", ("AAD_PREMIUM", "MFA_PREMIUM", "EXCHANGE_S_STANDARD")),
    "WORKLOAD_IDENTITIES_PREMIUM": ("52cdf00e-8303-4c43-a3f7-5bc41b2d16d7", ("AAD_WRKLDID_P1", "AAD_WRKLDID_P2")),
}
_LICENCES = {"p1": ("SPB",), "p2": ("SPE_E5", "WORKLOAD_IDENTITIES_PREMIUM")}


def establish(directory: Directory) -> None:
    """Put the customer's and the partner's tenant, their licences and the role definitions into the world."""
    company = directory.staff.company
    _tenant(directory, ids.CUSTOMER_TENANT, company.name, company.domain, _LICENCES[directory.licence])
    _tenant(directory, ids.PARTNER_TENANT, company.partner_name, company.partner_domain, _LICENCES["p2"])
    for tenant in (ids.CUSTOMER_TENANT, ids.PARTNER_TENANT):
        for name, identity in directory.roles.items():
            directory.put("roleDefinitions", f"{tenant}/{identity}", _role(directory, name, identity), tenant=tenant)


def main_sku(directory: Directory) -> str:
    """The id of the licence that people have."""
    return _SKUS[_LICENCES[directory.licence][0]][0]


def sku_id(part: str) -> str:
    """The id of a licence by its part number, as an account's `assignedLicenses` names it."""
    return _SKUS[part][0]


def _tenant(directory: Directory, tenant: str, name: str, domain: str, skus: tuple[str, ...]) -> None:
    country = directory.staff.company.country
    since = directory.now - timedelta(days=1500 + directory.chance.randrange(900))
    initial = f"{domain.partition('.')[0]}.onmicrosoft.example"
    plans = [plan for sku in skus for plan in _SKUS[sku][1]]
    verified = [
        {
            "capabilities": "Email, OfficeCommunicationsOnline",
            "isDefault": True,
            "isInitial": False,
            "name": domain,
            "type": "Managed",
        },
        {"capabilities": "Email", "isDefault": False, "isInitial": True, "name": initial, "type": "Managed"},
    ]
    document: Document = {
        "id": tenant,
        "displayName": name,
        "tenantType": "AAD",
        "countryLetterCode": country,
        "createdDateTime": stamp(since),
        "onPremisesSyncEnabled": None,
        "onPremisesLastSyncDateTime": None,
        "technicalNotificationMails": [f"it@{domain}"],
        "securityComplianceNotificationMails": [],
        "verifiedDomains": verified,
        "assignedPlans": [
            {
                "assignedDateTime": stamp(since),
                "capabilityStatus": "Enabled",
                "service": "AADPremiumService" if plan.startswith("AAD") else "exchange",
                "servicePlanId": _PLAN_IDS[plan],
            }
            for plan in plans
        ],
    }
    directory.put("organization", tenant, document, tenant=tenant)
    for number, row in enumerate(verified):
        directory.put("domains", f"{tenant}/{row['name']}", _domain(row, number), tenant=tenant)
    for sku in skus:
        directory.put("subscribedSkus", f"{tenant}/{sku}", _sku(tenant, sku), tenant=tenant)


def _domain(row: Document, number: int) -> Document:
    return {
        "id": row["name"],
        "authenticationType": "Managed",
        "availabilityStatus": None,
        "isAdminManaged": True,
        "isDefault": row["isDefault"],
        "isInitial": row["isInitial"],
        "isRoot": True,
        "isVerified": True,
        "passwordNotificationWindowInDays": None if number else 14,
        "passwordValidityPeriodInDays": 2147483647,
        "supportedServices": ["Email"],
        "state": None,
    }


def _sku(tenant: str, part: str) -> Document:
    identity, plans = _SKUS[part]
    return {
        "id": f"{tenant}_{identity}",
        "accountId": tenant,
        "accountName": "",
        "appliesTo": "User",
        "capabilityStatus": "Enabled",
        "consumedUnits": 30 if part != "WORKLOAD_IDENTITIES_PREMIUM" else 0,
        "prepaidUnits": {"enabled": 50, "suspended": 0, "warning": 0, "lockedOut": 0},
        "skuId": identity,
        "skuPartNumber": part,
        "subscriptionIds": [],
        "servicePlans": [
            {
                "appliesTo": "User",
                "provisioningStatus": "Success",
                "servicePlanId": _PLAN_IDS[plan],
                "servicePlanName": plan,
            }
            for plan in plans
        ],
    }


def _role(directory: Directory, name: str, identity: str) -> Document:
    return {
        "id": identity,
        "description": f"Built-in role {name}.",
        "displayName": name,
        "isBuiltIn": True,
        "isEnabled": True,
        "resourceScopes": ["/"],
        "templateId": identity,
        "version": "1",
        "rolePermissions": [],
        "_instance": directory.chance.guid(),
    }
