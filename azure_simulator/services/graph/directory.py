"""Directory objects as Graph shows them, made from the world's principals and what the directory keeps beside them. A principal
belongs to one tenant."""

from __future__ import annotations

from azure_simulator.clock import stamp
from azure_simulator.http import Request
from azure_simulator.services.graph import credentials
from azure_simulator.services.graph.envelope import tenant_of
from azure_simulator.services.graph.exceptions import GraphNotFoundError
from azure_simulator.services.graph.store import table
from azure_simulator.world import Document, Principal, World, public

TYPES = {
    "User": "#microsoft.graph.user",
    "ServicePrincipal": "#microsoft.graph.servicePrincipal",
    "Group": "#microsoft.graph.group",
    "ForeignGroup": "#microsoft.graph.group",
}
LONG_AGO = "2021-05-04T08:00:00Z"


def principals(world: World, request: Request, kind: str = "") -> list[Principal]:
    """The principals of the token's tenant; `kind` narrows them. Foreign groups live in the partner's tenant."""
    tenant = tenant_of(world, request)
    return [
        p
        for p in world.principals.values()
        if (p.tenant_id or world.tenant_id).lower() == tenant and (not kind or p.kind == kind)
    ]


def groups(world: World, request: Request) -> list[Principal]:
    """The groups of the token's tenant, the partner's own that others call foreign among them."""
    return [p for p in principals(world, request) if p.kind in ("Group", "ForeignGroup")]


def find(world: World, request: Request, kind: str, name: str) -> Principal:
    """A principal by object id; a user also by UPN, a service principal also as `appId=...`.

    Raises:
        GraphNotFoundError: not in this tenant.
    """
    wanted = name.lower()
    for found in groups(world, request) if kind == "Group" else principals(world, request, kind):
        if wanted in (found.object_id.lower(), found.upn.lower() if kind == "User" and found.upn else ""):
            return found
    raise GraphNotFoundError(name)


def shown(world: World, principal: Principal) -> Document:
    """The object with the properties that a responder reads. Secrets are never among them, only their key ids."""
    base: Document = {"id": principal.object_id, "displayName": principal.name}
    if principal.kind == "User":
        return base | _user(world, principal)
    if principal.kind == "ServicePrincipal":
        return base | _service_principal(world, principal)
    return base | _group(world, principal)


def typed(world: World, principal: Principal) -> Document:
    """The object with its `@odata.type`, as mixed collections hold it."""
    return {"@odata.type": TYPES[principal.kind]} | shown(world, principal)


def _user(world: World, principal: Principal) -> Document:
    revoked = principal.sessions_revoked_at
    profile = public(table(world, "users").get(principal.object_id) or {})
    guest = "#ext#" in principal.upn.lower()
    document: Document = {
        "userPrincipalName": principal.upn,
        "mail": principal.upn or None,
        "mailNickname": principal.upn.partition("@")[0],
        "userType": "Guest" if guest else "Member",
        "creationType": "Invitation" if guest else None,
        "externalUserState": "Accepted" if guest else None,
        "externalUserStateChangeDateTime": None,
        "givenName": principal.name.split(" ")[0],
        "surname": principal.name.split(" ")[-1],
        "jobTitle": None,
        "department": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "mobilePhone": None,
        "businessPhones": [],
        "otherMails": [],
        "proxyAddresses": [],
        "createdDateTime": LONG_AGO,
        "lastPasswordChangeDateTime": LONG_AGO,
        "passwordPolicies": None,
        "onPremisesSyncEnabled": None,
        "onPremisesLastSyncDateTime": None,
        "assignedLicenses": [],
        "usageLocation": world.partner.get("usageLocation", "NL"),
        "city": None,
        "country": None,
    }
    return (
        document
        | profile
        | {
            "accountEnabled": principal.enabled,
            "signInSessionsValidFromDateTime": stamp(revoked) if revoked else document["createdDateTime"],
        }
    )


def _service_principal(world: World, principal: Principal) -> Document:
    profile = public(table(world, "servicePrincipals").get(principal.object_id) or {})
    return (
        {
            "appId": principal.app_id,
            "appDisplayName": principal.name,
            "appOwnerOrganizationId": principal.tenant_id or world.tenant_id,
            "appRoleAssignmentRequired": False,
            "appRoles": [],
            "oauth2PermissionScopes": [],
            "createdDateTime": LONG_AGO,
            "description": None,
            "homepage": None,
            "notes": None,
            "replyUrls": [],
            "servicePrincipalType": "Application",
            "signInAudience": "AzureADMyOrg",
            "servicePrincipalNames": [principal.app_id],
            "tags": [],
            "verifiedPublisher": {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None},
        }
        | profile
        | {"accountEnabled": principal.enabled}
        | credentials.shown(world, principal.object_id, principal)
    )


def _group(world: World, principal: Principal) -> Document:
    profile = public(table(world, "groups").get(principal.object_id) or {})
    return {
        "createdDateTime": LONG_AGO,
        "description": None,
        "groupTypes": [],
        "isAssignableToRole": None,
        "mail": None,
        "mailEnabled": False,
        "membershipRule": None,
        "onPremisesSyncEnabled": None,
        "securityEnabled": True,
        "visibility": None,
    } | profile
