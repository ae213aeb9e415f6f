"""Policies of the tenant: conditional access, named locations, security defaults, authorization, access from other tenants."""

from __future__ import annotations

from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.identity.directory import Directory
from azure_simulator.world import Document

AZURE_MANAGEMENT = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
_ADMIN_ROLES = (
    "Application Administrator",
    "Authentication Administrator",
    "Billing Administrator",
    "Cloud Application Administrator",
    "Conditional Access Administrator",
    "Exchange Administrator",
    "Global Administrator",
    "Helpdesk Administrator",
    "Privileged Authentication Administrator",
    "Privileged Role Administrator",
    "Security Administrator",
    "User Administrator",
)
ENABLED, REPORT_ONLY = "enabled", "enabledForReportingButNotEnforced"


def govern(directory: Directory) -> None:
    """Fill the policies of the customer's tenant, and the little that matters of the partner's."""
    _locations(directory)
    emergency = [directory.groups["emergency"].object_id]
    exceptions = [*emergency, directory.groups["mfa-exceptions"].object_id]
    roles = [directory.roles[name] for name in _ADMIN_ROLES]
    mfa = {"operator": "OR", "builtInControls": ["mfa"]}
    block = {"operator": "OR", "builtInControls": ["block"]}
    everybody: Document = {"includeUsers": ["All"]}
    members = everybody | {"guests": {"guestOrExternalUserTypes": "b2bCollaborationGuest", "externalTenants": None}}
    _policy(
        directory,
        "admins",
        "CA001: Second factor for administrators",
        ENABLED,
        {"includeRoles": roles, "excludeGroups": emergency},
        mfa,
    )
    _policy(
        directory,
        "azure",
        "CA002: Second factor for Azure management",
        ENABLED,
        members | {"excludeGroups": exceptions},
        mfa,
        applications=[AZURE_MANAGEMENT],
    )
    _policy(
        directory,
        "legacy",
        "CA003: Block legacy protocols",
        ENABLED,
        everybody | {"excludeGroups": emergency, "excludeUsers": [directory.accounts["printer"].object_id]},
        block,
        clients=["exchangeActiveSync", "other"],
    )
    _policy(
        directory,
        "everybody",
        "CA004: Second factor for everybody",
        REPORT_ONLY,
        members | {"excludeGroups": exceptions},
        mfa,
    )
    if directory.licence == "p2":
        _policy(
            directory,
            "risk",
            "CA005: Second factor at medium and high sign-in risk",
            REPORT_ONLY,
            everybody | {"excludeGroups": emergency},
            mfa,
            risk=["high", "medium"],
        )
    for tenant in (ids.CUSTOMER_TENANT, ids.PARTNER_TENANT):
        _single(directory, tenant, "identitySecurityDefaultsEnforcementPolicy", _defaults(tenant))
        _single(directory, tenant, "authorizationPolicy", _authorization())
        _single(
            directory,
            tenant,
            "crossTenantAccessPolicy",
            {"displayName": "CrossTenantAccessPolicy", "allowedCloudEndpoints": []},
        )
    _partners(directory)


def _locations(directory: Directory) -> None:
    company = directory.staff.company
    since = stamp(directory.ago(500, 100))
    rows: list[Document] = [
        {
            "@odata.type": "#microsoft.graph.ipNamedLocation",
            "displayName": "Offices",
            "isTrusted": True,
            "ipRanges": [
                {"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": f"{address}/32"}
                for address in (company.office, company.vpn)
            ],
        },
        {
            "@odata.type": "#microsoft.graph.countryNamedLocation",
            "displayName": "Countries we work in",
            "countriesAndRegions": [company.country],
            "countryLookupMethod": "clientIpAddress",
            "includeUnknownCountriesAndRegions": False,
        },
    ]
    for row in rows:
        guid = directory.chance.guid()
        directory.put("namedLocations", guid, {"id": guid, "createdDateTime": since, "modifiedDateTime": since, **row})


def _policy(
    directory: Directory,
    key: str,
    title: str,
    state: str,
    users: Document,
    grant: Document,
    *,
    applications: list[str] | None = None,
    clients: list[str] | None = None,
    risk: list[str] | None = None,
) -> None:
    guid = directory.chance.guid()
    created = directory.ago(250, 200)
    names: tuple[str, ...] = ("Users", "Groups", "Roles")
    conditions: dict[str, Any] = {
        "userRiskLevels": [],
        "signInRiskLevels": risk or [],
        "clientAppTypes": clients or ["all"],
        "servicePrincipalRiskLevels": [],
        "platforms": None,
        "locations": None,
        "devices": None,
        "clientApplications": None,
        "applications": {
            "includeApplications": applications or ["All"],
            "excludeApplications": [],
            "includeUserActions": [],
            "includeAuthenticationContextClassReferences": [],
            "applicationFilter": None,
        },
        "users": {f"{side}{name}": users.get(f"{side}{name}", []) for side in ("include", "exclude") for name in names}
        | {"includeGuestsOrExternalUsers": None, "excludeGuestsOrExternalUsers": users.get("guests")},
    }
    controls: Document = {"customAuthenticationFactors": [], "termsOfUse": [], "authenticationStrength": None, **grant}
    document: Document = {
        "id": guid,
        "templateId": None,
        "displayName": title,
        "createdDateTime": stamp(created),
        "modifiedDateTime": stamp(directory.ago(90, 100)),
        "state": state,
        "conditions": conditions,
        "grantControls": controls,
        "sessionControls": None,
    }
    directory.policies[key] = directory.put("conditionalAccessPolicies", guid, document)


def _single(directory: Directory, tenant: str, name: str, document: Document) -> None:
    directory.put("policies", f"{tenant}/{name}", document | {"_name": name}, tenant=tenant)


def _defaults(tenant: str) -> Document:
    return {
        "id": "00000000-0000-0000-0000-000000000005",
        "displayName": "Security Defaults",
        "description": "Security defaults is a set of basic identity security mechanisms recommended by Microsoft.",
        "isEnabled": tenant == ids.PARTNER_TENANT,
    }


def _authorization() -> Document:
    return {
        "id": "authorizationPolicy",
        "displayName": "Authorization Policy",
        "description": "Used to manage authorization related settings across the company.",
        "allowInvitesFrom": "everyone",
        "allowedToSignUpEmailBasedSubscriptions": True,
        "allowedToUseSSPR": True,
        "allowEmailVerifiedUsersToJoinOrganization": False,
        "allowUserConsentForRiskyApps": False,
        "blockMsolPowerShell": False,
        "guestUserRoleId": "10dae51f-b6af-4016-8d66-8c2a99b929b3",
        "defaultUserRolePermissions": {
            "allowedToCreateApps": True,
            "allowedToCreateSecurityGroups": True,
            "allowedToCreateTenants": True,
            "allowedToReadBitlockerKeysForOwnedDevice": True,
            "allowedToReadOtherUsers": True,
            "permissionGrantPoliciesAssigned": ["ManagePermissionGrantsForSelf.microsoft-user-default-low"],
        },
    }


def _partners(directory: Directory) -> None:
    """The partner as a service provider, and the consultants' tenant with whom people work together."""
    rows = (
        (ids.PARTNER_TENANT, True, None),
        (
            directory.chance.guid(),
            None,
            {"isMfaAccepted": True, "isCompliantDeviceAccepted": False, "isHybridAzureADJoinedDeviceAccepted": False},
        ),
    )
    for tenant, provider, trust in rows:
        directory.put(
            "crossTenantPartners",
            tenant,
            {
                "tenantId": tenant,
                "isServiceProvider": provider,
                "isInMultiTenantOrganization": False,
                "inboundTrust": trust,
                "b2bCollaborationInbound": None,
                "b2bCollaborationOutbound": None,
                "b2bDirectConnectInbound": None,
                "b2bDirectConnectOutbound": None,
                "tenantRestrictions": None,
                "automaticUserConsentSettings": {"inboundAllowed": None, "outboundAllowed": None},
            },
        )
