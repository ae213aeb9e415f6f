"""Directory objects as Graph shows them, made from the world's principals. A principal belongs to one tenant."""

from __future__ import annotations

from azure_simulator.clock import stamp
from azure_simulator.http import Request
from azure_simulator.services.graph.envelope import tenant_of
from azure_simulator.services.graph.exceptions import GraphNotFoundError
from azure_simulator.world import Document, Principal, World

TYPES = {
    "User": "#microsoft.graph.user",
    "ServicePrincipal": "#microsoft.graph.servicePrincipal",
    "Group": "#microsoft.graph.group",
    "ForeignGroup": "#microsoft.graph.group",
}


def principals(world: World, request: Request, kind: str = "") -> list[Principal]:
    """The principals of the token's tenant; `kind` narrows them. Foreign groups live in the partner's tenant."""
    tenant = tenant_of(world, request)
    return [
        p
        for p in world.principals.values()
        if (p.tenant_id or world.tenant_id).lower() == tenant and (not kind or p.kind == kind)
    ]


def find(world: World, request: Request, kind: str, name: str) -> Principal:
    """A principal by object id; a user also by UPN.

    Raises:
        GraphNotFoundError: not in this tenant.
    """
    wanted = name.lower()
    for found in principals(world, request, kind):
        if wanted in (found.object_id.lower(), found.upn.lower() if kind == "User" and found.upn else ""):
            return found
    raise GraphNotFoundError(name)


def shown(world: World, principal: Principal) -> Document:
    """The object with the properties that a responder reads. Secrets are never among them, only their key ids."""
    base: Document = {"id": principal.object_id, "displayName": principal.name}
    if principal.kind == "User":
        return base | _user(world, principal)
    if principal.kind == "ServicePrincipal":
        return base | {
            "appId": principal.app_id,
            "appDisplayName": principal.name,
            "appOwnerOrganizationId": principal.tenant_id or world.tenant_id,
            "servicePrincipalType": "Application",
            "accountEnabled": principal.enabled,
            "servicePrincipalNames": [principal.app_id],
            "passwordCredentials": [
                {
                    "keyId": key_id(world, principal, number),
                    "displayName": f"secret {number + 1}",
                    "hint": "",
                    "secretText": None,
                }
                for number in range(len(principal.secrets))
            ],
        }
    return base | {"mailEnabled": False, "securityEnabled": True, "groupTypes": [], "mail": None}


def key_id(world: World, principal: Principal, number: int) -> str:
    """The key id of a principal's secret: made from the secret, so that it stays the same when others are removed."""
    return world.chance.child(f"key/{principal.object_id}/{principal.secrets[number]}").guid()


def typed(world: World, principal: Principal) -> Document:
    """The object with its `@odata.type`, as mixed collections hold it."""
    return {"@odata.type": TYPES[principal.kind]} | shown(world, principal)


def _user(world: World, principal: Principal) -> Document:
    revoked = principal.sessions_revoked_at
    return {
        "userPrincipalName": principal.upn,
        "mail": principal.upn or None,
        "accountEnabled": principal.enabled,
        "userType": "Guest" if "#ext#" in principal.upn.lower() else "Member",
        "givenName": principal.name.split(" ")[0],
        "surname": principal.name.split(" ")[-1],
        "jobTitle": None,
        "mobilePhone": None,
        "businessPhones": [],
        "otherMails": [],
        "onPremisesSyncEnabled": None,
        "signInSessionsValidFromDateTime": stamp(revoked) if revoked else None,
        "usageLocation": world.partner.get("usageLocation", "NL"),
    }
