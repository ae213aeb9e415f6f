"""One sign-in as the log keeps it: of a person or of an application, successful or not.

The id of a sign-in and the id of the token that it issued (`uniqueTokenIdentifier`, the claim `uti` of the activity log) are the same
sixteen bytes, written once as a GUID and once in base64.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from azure_simulator.clock import stamp
from azure_simulator.services.graph import conditional_access
from azure_simulator.services.graph.store import table
from azure_simulator.world import Document, Principal, World

INTERACTIVE, REFRESHED = "interactiveUser", "nonInteractiveUser"
APPLICATION, MANAGED = "servicePrincipal", "managedIdentity"
BROWSER, DESKTOP = "Browser", "Mobile Apps and Desktop clients"
AZURE = "797f4846-ba00-4fd7-ba43-dac1f8f63013"  # Windows Azure Service Management API

# Entra's numbers: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
FAILURES = {
    50034: "The user account does not exist in the directory.",
    50053: "The account is locked because the user tried to sign in too many times with an incorrect user ID or password.",
    50057: "The user account is disabled.",
    50074: "Strong Authentication is required.",
    50076: "Due to a configuration change made by the administrator, the user must use multi-factor authentication.",
    50126: "Error validating credentials due to invalid username or password.",
    50140: "This error occurred due to 'Keep me signed in' interrupt when the user was signing-in.",
    50173: "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
    53003: "Access has been blocked by Conditional Access policies.",
    500121: "Authentication failed during strong authentication request.",
    7000112: "Application is disabled.",
    7000215: "Invalid client secret is provided.",
}
_INTERRUPTS = (50074, 50076, 50140)
_CARRIED = "MFA requirement satisfied by claim in the token"


@dataclass(frozen=True)
class SignIn:
    """What is known of one sign-in. `token` is the id of the access token; `methods` are the steps that were taken, by default those
    that fit; `device` None is the person's own, {} an unknown one; `agent` the browser's own words; `more` is laid over the row."""

    principal: Principal
    at: datetime
    address: str
    app_id: str
    token: str
    kind: str = INTERACTIVE
    resource_id: str = AZURE
    client: str = BROWSER
    mfa: bool = True
    error: int = 0
    tenant: str = ""
    device: Document | None = None
    protocol: str = "none"
    key_id: str = ""
    agent: str = ""
    more: Document = field(default_factory=dict)


def identity(token: str) -> str:
    """The id of the sign-in that issued a token."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raw = b""
    return str(UUID(bytes_le=raw if len(raw) == 16 else hashlib.sha256(token.encode()).digest()[:16]))


def correlation(guid: str) -> str:
    """The correlation id of a sign-in."""
    return str(UUID(bytes=hashlib.sha256(f"c{guid}".encode()).digest()[:16], version=4))


def document(world: World, sign_in: SignIn) -> Document:
    """The row of a sign-in with every property that beta answers."""
    tenant = (sign_in.tenant or world.tenant_id).lower()
    guid = identity(sign_in.token)
    home = (sign_in.principal.tenant_id or world.tenant_id).lower()
    row: Document = {
        "id": guid,
        "createdDateTime": stamp(sign_in.at)[:19] + "Z",
        "appId": sign_in.app_id,
        "appDisplayName": app_name(world, sign_in.app_id),
        "ipAddress": sign_in.address,
        "correlationId": correlation(guid),
        "originalRequestId": guid,
        "uniqueTokenIdentifier": sign_in.token,
        "signInEventTypes": [sign_in.kind],
        "isInteractive": sign_in.kind == INTERACTIVE,
        "authenticationProtocol": sign_in.protocol,
        "resourceId": sign_in.resource_id,
        "resourceDisplayName": app_name(world, sign_in.resource_id),
        "resourceServicePrincipalId": _service_principal(world, tenant, sign_in.resource_id),
        "resourceTenantId": tenant,
        "homeTenantId": home,
        "homeTenantName": "",
        "crossTenantAccessType": "none",
        "tokenIssuerName": "",
        "tokenIssuerType": "AzureAD",
        "processingTimeInMilliseconds": 80 + int(guid[:2], 16),
        "flaggedForReview": False,
        "isTenantRestricted": False,
        "autonomousSystemNumber": place(world, sign_in.address).get("_asn", 0),
        "location": location(world, sign_in.address),
        "riskDetail": "none",
        "riskLevelAggregated": "none",
        "riskLevelDuringSignIn": "none",
        "riskState": "none",
        "riskEventTypes": [],
        "riskEventTypes_v2": [],
        "status": status(sign_in.error, carried=sign_in.mfa and sign_in.kind == REFRESHED),
        "conditionalAccessStatus": "notApplied",
        "appliedConditionalAccessPolicies": [],
        "authenticationProcessingDetails": [],
        "networkLocationDetails": [],
        "sessionLifetimePolicies": [],
        "authenticationRequirementPolicies": [],
    }
    row |= _person(world, sign_in, tenant) if sign_in.principal.kind == "User" else _application(world, sign_in)
    return row | sign_in.more | {"_tenant": tenant}


def _person(world: World, sign_in: SignIn, tenant: str) -> Document:
    principal = sign_in.principal
    profile = table(world, "users").get(principal.object_id) or {}
    device: Document = (profile.get("_device") or {}) if sign_in.device is None else sign_in.device
    found: Document = {
        "userId": principal.object_id,
        "userPrincipalName": principal.upn.lower(),
        "userDisplayName": principal.name,
        "userType": "guest" if "#ext#" in principal.upn.lower() else "member",
        "signInIdentifier": principal.upn.lower(),
        "clientAppUsed": sign_in.client,
        "userAgent": sign_in.agent or _agent(sign_in.client, device),
        "deviceDetail": {
            "deviceId": device.get("deviceId", ""),
            "displayName": device.get("displayName", ""),
            "operatingSystem": device.get("operatingSystem", ""),
            "browser": device.get("browser", "") if sign_in.client == BROWSER else "",
            "isCompliant": device.get("isCompliant", False),
            "isManaged": device.get("isManaged", False),
            "trustType": device.get("trustType", ""),
        },
        "incomingTokenType": "refreshToken" if sign_in.kind == REFRESHED else "none",
        "authenticationRequirement": "multiFactorAuthentication" if sign_in.mfa else "singleFactorAuthentication",
        "authenticationMethodsUsed": [],
        "authenticationDetails": _steps(sign_in),
        "clientCredentialType": "none",
        "servicePrincipalId": "",
        "servicePrincipalName": None,
    }
    if not sign_in.error:
        state, policies = conditional_access.applied(
            world, tenant, principal, sign_in.resource_id, sign_in.client, stamp(sign_in.at), mfa=sign_in.mfa
        )
        found |= {"conditionalAccessStatus": state, "appliedConditionalAccessPolicies": policies}
    return found


def _application(world: World, sign_in: SignIn) -> Document:
    principal = sign_in.principal
    credential = table(world, "credentials").get(sign_in.key_id) if sign_in.key_id else None
    kind = "none"
    if sign_in.kind == MANAGED:
        kind = "managedIdentity"
    elif credential is not None:
        kind = "clientSecret" if credential["_kind"] == "passwordCredentials" else "certificate"
    return {
        "userId": "",
        "userPrincipalName": None,
        "userDisplayName": None,
        "userType": None,
        "clientAppUsed": "",
        "userAgent": sign_in.agent or None,
        "deviceDetail": None,
        "incomingTokenType": "none",
        "authenticationRequirement": None,
        "authenticationMethodsUsed": [],
        "authenticationDetails": [],
        "clientCredentialType": kind,
        "servicePrincipalId": principal.object_id,
        "servicePrincipalName": principal.name,
        "servicePrincipalCredentialKeyId": sign_in.key_id or None,
        "servicePrincipalCredentialThumbprint": (credential or {}).get("customKeyIdentifier"),
    }


def _steps(sign_in: SignIn) -> list[Document]:
    """The steps of authentication: a password, and what followed."""
    moment = stamp(sign_in.at)[:19] + "Z"
    if sign_in.kind == REFRESHED:
        detail = _CARRIED if sign_in.mfa else "First factor requirement satisfied by claim in the token"
        return [_step(moment, "Previously satisfied", "", True, detail, "Primary authentication")]
    wrong = sign_in.error in (50126, 50053, 50034)
    detail = "Invalid username or password or Invalid on-premise username or password." if wrong else "Correct password"
    steps = [_step(moment, "Password", "Password in the cloud", not wrong, detail, "Primary authentication")]
    if sign_in.mfa and not wrong:
        passed = sign_in.error == 0
        detail = (
            "MFA completed in Azure AD" if passed else "MFA denied; user did not respond to mobile app notification"
        )
        steps.append(_step(moment, "Mobile app notification", "", passed, detail, "Multifactor authentication"))
    return steps


def _step(moment: str, method: str, detail: str, passed: bool, result: str, requirement: str) -> Document:
    return {
        "authenticationStepDateTime": moment,
        "authenticationMethod": method,
        "authenticationMethodDetail": detail,
        "succeeded": passed,
        "authenticationStepResultDetail": result,
        "authenticationStepRequirement": requirement,
    }


def status(error: int, *, carried: bool = False) -> Document:
    """The outcome: 0 is a success; an interrupt is no failure of the person's."""
    if not error:
        return {"errorCode": 0, "failureReason": "Other.", "additionalDetails": _CARRIED if carried else None}
    note = "This is an expected part of the login flow." if error in _INTERRUPTS else None
    return {"errorCode": error, "failureReason": FAILURES[error], "additionalDetails": note}


def place(world: World, address: str) -> Document:
    return table(world, "places").get(address) or {}


def location(world: World, address: str) -> Document:
    """Where an address is thought to be; empty texts where nobody knows."""
    found = place(world, address)
    return {
        "city": found.get("city", ""),
        "state": found.get("state", ""),
        "countryOrRegion": found.get("countryOrRegion", ""),
        "geoCoordinates": {"altitude": None, "latitude": None, "longitude": None},
    }


def app_name(world: World, app_id: str) -> str:
    """The name of an application, "" for one that no tenant here knows."""
    names: dict[str, Principal | None] = world.memory.setdefault("graph.apps", {})
    if app_id not in names:
        names[app_id] = next((p for p in world.principals.values() if p.app_id == app_id), None)
    known = names[app_id]
    return known.name if known else ""


def _service_principal(world: World, tenant: str, app_id: str) -> str:
    known: dict[tuple[str, str], str] = world.memory.setdefault("graph.resources", {})
    if (tenant, app_id) not in known:
        found = (
            p
            for p in world.principals.values()
            if p.app_id == app_id and (p.tenant_id or world.tenant_id).lower() == tenant
        )
        known[tenant, app_id] = next((p.object_id for p in found if p.kind == "ServicePrincipal"), "")
    return known[tenant, app_id]


def _agent(client: str, device: Document) -> str:
    system = str(device.get("operatingSystem", ""))
    words = {
        "Windows 11": "Windows NT 10.0; Win64; x64",
        "MacOs": "Macintosh; Intel Mac OS X 10_15_7",
        "Linux": "X11; Linux x86_64",
    }
    if client == BROWSER:
        return (
            f"Mozilla/5.0 ({words.get(system, 'Windows NT 10.0; Win64; x64')}) AppleWebKit/537.36 (KHTML, like Gecko)"
        )
    return "" if client not in (DESKTOP,) else f"MSAL.Desktop ({system or 'unknown'})"
