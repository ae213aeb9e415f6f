"""Applications: Microsoft's own, the tenant's, those bought elsewhere; their credentials, owners and consents."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from azure_simulator.clock import stamp
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.identity.directory import Directory
from azure_simulator.services.graph import store
from azure_simulator.services.graph.permissions import GRAPH_APP
from azure_simulator.world import Document, Principal

MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"  # the tenant that owns Microsoft's applications
DEFAULT_ROLE = "00000000-0000-0000-0000-000000000000"  # the use of an application
SECRET, CERTIFICATE = "passwordCredentials", "keyCredentials"
GITHUB = "https://token.actions.githubusercontent.com"


class Own(NamedTuple):
    """A service of the tenant as an application: how it signs in, who owns it, which app roles it was given."""

    kind: str  # Application or ManagedIdentity
    credential: str = ""
    owners: tuple[str, ...] = ()
    app_roles: tuple[str, ...] = ()


_OWN = {
    "pipeline-shop": Own("Application", SECRET, ("lead-developer", "developer-1")),
    "pipeline-platform": Own(
        "Application", SECRET, ("platform-lead", "platform-1"), ("Application.ReadWrite.OwnedBy",)
    ),
    "pipeline-data": Own("Application", CERTIFICATE, ("data-engineer",)),
    "automation": Own("ManagedIdentity"),
    "monitoring": Own("Application", CERTIFICATE, ("platform-2",), ("AuditLog.Read.All",)),
    "cluster": Own("ManagedIdentity"),
}


def register(directory: Directory) -> None:
    """Fill applications and service principals of both tenants."""
    for tenant in (ids.CUSTOMER_TENANT, ids.PARTNER_TENANT):
        for name, app_id in directory.material["first_party"].items():
            principal = directory.add("ServicePrincipal", name, app_id=app_id, tenant=tenant)
            _profile(directory, principal, MICROSOFT, directory.ago(1400, 100), tenant=tenant)
            if tenant == ids.CUSTOMER_TENANT:
                directory.apps[name] = principal
        _publish_permissions(directory, tenant)
    for key, own in _OWN.items():
        _own(directory, key, own)
    backup = directory.staff["backup"].principal
    _profile(directory, backup, MICROSOFT, directory.ago(900, 100))
    for row in directory.material["bought"]:
        _bought(directory, row)
    _responder(directory)


def graph_of(directory: Directory, tenant: str = ids.CUSTOMER_TENANT) -> Principal:
    """The service principal of Microsoft Graph in a tenant."""
    return next(p for p in directory.world.principals.values() if p.app_id == GRAPH_APP and p.tenant_id == tenant)


def _publish_permissions(directory: Directory, tenant: str) -> None:
    graph = graph_of(directory, tenant)
    profile = store.table(directory.world, "servicePrincipals")[graph.object_id]
    profile["appRoles"] = [
        {
            "allowedMemberTypes": ["Application"],
            "description": value,
            "displayName": value,
            "id": directory.permission(value),
            "isEnabled": True,
            "origin": "Application",
            "value": value,
        }
        for value in directory.material["permissions"]
    ]


def _profile(
    directory: Directory,
    principal: Principal,
    owner_tenant: str,
    created: datetime,
    *,
    tenant: str = ids.CUSTOMER_TENANT,
    **more: Any,
) -> Document:
    """What the directory keeps of a service principal."""
    document: Document = {
        "appOwnerOrganizationId": owner_tenant,
        "createdDateTime": stamp(created),
        "servicePrincipalType": "Application",
        "signInAudience": "AzureADMyOrg" if owner_tenant == tenant else "AzureADMultipleOrgs",
        "tags": [],
        "_owners": [],
        **more,
    }
    return directory.put("servicePrincipals", principal.object_id, document, tenant=tenant)


def profile(directory: Directory, principal: Principal, created: datetime, *, owners: list[str]) -> Document:
    """What the directory keeps of a service principal that somebody of the tenant registered."""
    return _profile(directory, principal, ids.CUSTOMER_TENANT, created, _owners=owners)


def sign_in_with(application: Document, key_id: str, since: datetime) -> None:
    """Let an application sign in with another credential from some moment on."""
    application.setdefault("_signed_in_with", []).append([stamp(since), application["_signs_in_with"]])
    application["_signs_in_with"] = key_id


def _own(directory: Directory, key: str, own: Own) -> None:
    """A service of the tenant: a managed identity has no application and no credential that anybody could see."""
    principal = directory.staff[key].principal
    created = directory.ago(300, 500)
    owners = [directory.staff[each].principal.object_id for each in own.owners]
    _profile(
        directory,
        principal,
        ids.CUSTOMER_TENANT,
        created,
        servicePrincipalType=own.kind,
        tags=["WindowsAzureActiveDirectoryIntegratedApp"] if own.kind == "Application" else [],
        _owners=owners,
    )
    if own.kind != "Application":
        return
    application = add_application(directory, principal, created, owners)
    directory.applications[key] = application
    if own.credential == SECRET:
        start = directory.ago(60, 60)
        row = directory.credential(
            application["id"], SECRET, start, start + timedelta(days=365), "deployment", secret=principal.secrets[0]
        )
        old = start - timedelta(days=340)
        directory.credential(application["id"], SECRET, old, old + timedelta(days=365), "deployment (old)", secret="")
    else:
        start = directory.ago(60, 200)
        row = directory.credential(
            application["id"], CERTIFICATE, start, start + timedelta(days=730), f"CN={principal.name}"
        )
    application["_signs_in_with"] = row["keyId"]
    if key == "pipeline-shop":
        _trust(
            directory,
            application,
            "deploy-production",
            f"repo:{directory.staff.company.short}/shop:ref:refs/heads/main",
        )
    graph = directory.apps["Microsoft Graph"]
    for value in own.app_roles:
        directory.give_app_role(principal, graph, directory.permission(value), created + timedelta(hours=2))


def add_application(
    directory: Directory,
    principal: Principal,
    created: datetime,
    owners: list[str],
    *,
    tenant: str = ids.CUSTOMER_TENANT,
) -> Document:
    """The registration behind a service principal of the tenant."""
    identity = directory.chance.guid()
    domain = directory.staff.company.domain if tenant == ids.CUSTOMER_TENANT else directory.staff.company.partner_domain
    document: Document = {
        "id": identity,
        "appId": principal.app_id,
        "displayName": principal.name,
        "createdDateTime": stamp(created),
        "deletedDateTime": None,
        "description": None,
        "identifierUris": [],
        "isFallbackPublicClient": None,
        "notes": None,
        "publisherDomain": domain,
        "requiredResourceAccess": [],
        "signInAudience": "AzureADMyOrg",
        "tags": [],
        "web": {"homePageUrl": None, "redirectUris": []},
        "_owners": owners,
    }
    return directory.put("applications", identity, document, tenant=tenant)


def _trust(directory: Directory, application: Document, name: str, subject: str, issuer: str = GITHUB) -> Document:
    """A federated credential: whoever signs in at the issuer under the subject is the application."""
    guid = directory.chance.guid()
    document: Document = {
        "id": guid,
        "name": name,
        "issuer": issuer,
        "subject": subject,
        "audiences": ["api://AzureADTokenExchange"],
        "description": None,
        "_application": application["id"],
    }
    return directory.put("federatedIdentityCredentials", guid, document)


def trust(directory: Directory, application: Document, name: str, subject: str, issuer: str) -> Document:
    """Let an issuer's identity sign in as the application."""
    return _trust(directory, application, name, subject, issuer)


def buy(directory: Directory, name: str, created: datetime, publisher: str = "") -> Principal:
    """An application of another company as the tenant knows it."""
    chance = directory.chance
    principal = directory.add("ServicePrincipal", name, app_id=chance.guid())
    verified = {
        "displayName": publisher or None,
        "verifiedPublisherId": str(chance.randrange(10**6, 10**7)) if publisher else None,
    }
    _profile(
        directory,
        principal,
        chance.guid(),
        created,
        tags=["WindowsAzureActiveDirectoryIntegratedApp"],
        verifiedPublisher=verified | {"addedDateTime": stamp(created) if publisher else None},
    )
    return principal


def _bought(directory: Directory, row: dict[str, Any]) -> None:
    since = directory.ago(120, 600)
    principal = buy(directory, row["name"], since, row["publisher"])
    directory.apps[row["key"]] = principal
    graph = directory.apps["Microsoft Graph"]
    if "scopes" in row:
        directory.consent(principal, graph, row["scopes"])
        for group in ("licences",):
            directory.give_app_role(directory.groups[group], principal, DEFAULT_ROLE, since)
    if "user_scopes" in row:
        person = directory.accounts["staff-4"]
        directory.consent(principal, graph, row["user_scopes"], person=person)
        directory.give_app_role(person, principal, DEFAULT_ROLE, since)
    for value in row.get("app_roles", ()):
        directory.give_app_role(principal, graph, directory.permission(value), since)


def _responder(directory: Directory) -> None:
    """The responder's application is the partner's; the customer has a service principal of it, and both tenants consented."""
    own = directory.staff.responder
    twin = next(
        p for p in directory.world.principals.values() if p.app_id == own.app_id and p.tenant_id == ids.PARTNER_TENANT
    )
    created = directory.ago(240, 30)
    application = add_application(directory, twin, created, [], tenant=ids.PARTNER_TENANT)
    application["signInAudience"] = "AzureADMultipleOrgs"
    start = directory.ago(30, 60)
    row = directory.credential(
        application["id"],
        SECRET,
        start,
        start + timedelta(days=180),
        "responder",
        secret=own.secrets[0],
        tenant=ids.PARTNER_TENANT,
    )
    application["_signs_in_with"] = row["keyId"]
    for principal, tenant, part in ((own, ids.CUSTOMER_TENANT, "customer"), (twin, ids.PARTNER_TENANT, "partner")):
        _profile(directory, principal, ids.PARTNER_TENANT, created, tenant=tenant)
        values = directory.material["responder"][part]
        graph = graph_of(directory, tenant)
        for value in values:
            directory.give_app_role(principal, graph, directory.permission(value), created, tenant=tenant)
        directory.consent(principal, graph, " ".join(values), tenant=tenant)
