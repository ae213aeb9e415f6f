"""Who may ask Graph for what: the consents of an app, and for a signed-in person also the directory roles.

An app without a person is asked for its app roles, an app with one for the scopes that were consented to for that person, and the
person for a directory role: their own, one by a group, or, for a partner's people, one by a delegated admin relationship.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.graph import licences, throttling
from azure_simulator.services.graph.envelope import tenant_of
from azure_simulator.services.graph.exceptions import (
    DeniedError,
    MethodsDeniedError,
    ReportDeniedError,
    ReportLicenceError,
    ReportRoleError,
    ScheduleDeniedError,
    ScheduleLicenceError,
    ScopeMissingError,
    UnlicensedError,
)
from azure_simulator.services.graph.store import rows, table
from azure_simulator.world import Principal, World

GRAPH_APP = "00000003-0000-0000-c000-000000000000"
# What Microsoft's own tools may always ask for; nobody consents to them.
FIRST_PARTY = {
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46": "AuditLog.Read.All Directory.AccessAsUser.All Group.ReadWrite.All User.ReadWrite.All",
    "c44b4083-3bb0-49c1-b47d-974e53cbdf3c": "Directory.AccessAsUser.All Policy.Read.All AuditLog.Read.All User.ReadWrite.All",
}

_READERS = ("Global Administrator", "Global Reader", "Security Administrator", "Security Operator", "Security Reader")
_REPORTS = (*_READERS, "Reports Reader")
_PRIVILEGED = (*_READERS, "Privileged Role Administrator")
_METHODS = (
    "Global Administrator",
    "Global Reader",
    "Authentication Administrator",
    "Privileged Authentication Administrator",
)


@dataclass(frozen=True)
class Gate:
    """What one call needs: one of `scopes`, of a signed-in person one of `roles` (none: any person may), a licence, a place under a limit.

    `style` says which service answers, and so how it refuses: directory, reports, protection, policies, methods, schedules.
    """

    scopes: tuple[str, ...]
    roles: tuple[str, ...] = ()
    style: str = "directory"
    licence: str = ""
    limit: str = ""

    def check(self, world: World, request: Request) -> None:
        """Let the request pass or refuse it.

        Raises:
            ArmError: 403, 400 without the licence for schedules, or 429.
        """
        throttling.charge(world, request, self.limit)
        if not world.directory_rules or request.principal is None:
            return
        tenant = tenant_of(world, request)
        person = request.principal.kind == "User"
        held = granted(world, request.principal, tenant, str(request.claims.get("appid") or ""))
        if not held & set(self.scopes):
            self._refuse()
        if person and self.roles and not roles_of(world, tenant, request.principal) & set(self.roles):
            if self.style == "reports":
                raise ReportRoleError
            self._refuse()
        if self.licence and not licences.has(world, tenant, self.licence):
            if self.style == "reports":
                raise ReportLicenceError
            raise ScheduleLicenceError if self.style == "schedules" else UnlicensedError

    def _refuse(self) -> None:
        if self.style == "reports":
            raise ReportDeniedError(self.scopes[0])
        if self.style == "schedules":
            raise ScheduleDeniedError(",".join(self.scopes))
        if self.style == "methods":
            raise MethodsDeniedError
        if self.style == "protection":
            raise ScopeMissingError("Forbidden")
        if self.style == "policies":
            raise ScopeMissingError("AccessDenied")
        raise DeniedError


def gated(handler: Handler, gate: Gate) -> Handler:
    """The handler behind the gate."""

    def respond(world: World, request: Request) -> Response:
        gate.check(world, request)
        return handler(world, request)

    return respond


_DIRECTORY = ("Directory.Read.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All")

READ_ALERTS = Gate(("PartnerSecurity.Read.All", "PartnerSecurity.ReadWrite.All"))
WRITE_ALERTS = Gate(("PartnerSecurity.ReadWrite.All",))
READ_DIRECTORY = Gate(_DIRECTORY)
READ_USERS = Gate(("User.Read.All", "User.ReadWrite.All", *_DIRECTORY))
WRITE_USERS = Gate(
    ("User.ReadWrite.All", "User.EnableDisableAccount.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All")
)
REVOKE_SESSIONS = Gate(
    ("User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All")
)
READ_GROUPS = Gate(("GroupMember.Read.All", "Group.Read.All", "Group.ReadWrite.All", *_DIRECTORY))
READ_APPLICATIONS = Gate(("Application.Read.All", "Application.ReadWrite.All", *_DIRECTORY))
WRITE_APPLICATIONS = Gate(("Application.ReadWrite.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All"))
READ_CONSENTS = Gate(("DelegatedPermissionGrant.ReadWrite.All", *_DIRECTORY))
READ_ORGANIZATION = Gate(("Organization.Read.All", "Domain.Read.All", *_DIRECTORY))
READ_LICENCES = Gate(("LicenseAssignment.Read.All", "Organization.Read.All", *_DIRECTORY))
READ_CONTRACTS = Gate(_DIRECTORY)
READ_ROLES = Gate(
    ("RoleManagement.Read.Directory", "RoleManagement.Read.All", "RoleManagement.ReadWrite.Directory", *_DIRECTORY)
)
READ_ASSIGNMENT_SCHEDULES = Gate(
    (
        "RoleAssignmentSchedule.Read.Directory",
        "RoleManagement.Read.Directory",
        "RoleManagement.Read.All",
        "RoleManagement.ReadWrite.Directory",
    ),
    roles=_PRIVILEGED,
    style="schedules",
    licence="privileged",
)
READ_ELIGIBILITY_SCHEDULES = Gate(
    (
        "RoleEligibilitySchedule.Read.Directory",
        "RoleManagement.Read.Directory",
        "RoleManagement.Read.All",
        "RoleManagement.ReadWrite.Directory",
    ),
    roles=_PRIVILEGED,
    style="schedules",
    licence="privileged",
)
READ_POLICIES = Gate(("Policy.Read.All",), roles=(*_READERS, "Conditional Access Administrator"), style="policies")
READ_CONDITIONAL_ACCESS = Gate(
    ("Policy.Read.All", "Policy.Read.ConditionalAccess", "Policy.ReadWrite.ConditionalAccess"),
    roles=(*_READERS, "Conditional Access Administrator"),
    style="policies",
    limit=throttling.PROTECTION,
)
READ_METHODS = Gate(
    ("UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"), roles=_METHODS, style="methods"
)
WRITE_METHODS = Gate(
    ("UserAuthenticationMethod.ReadWrite.All",),
    roles=("Global Administrator", "Authentication Administrator", "Privileged Authentication Administrator"),
    style="methods",
)
WRITE_CONSENTS = Gate(("DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All"))
WRITE_APP_ROLES = Gate(("AppRoleAssignment.ReadWrite.All", "Directory.ReadWrite.All"))
WRITE_ROLES = Gate(
    ("RoleManagement.ReadWrite.Directory",), roles=("Global Administrator", "Privileged Role Administrator")
)
WRITE_ELIGIBILITY = Gate(
    ("RoleEligibilitySchedule.ReadWrite.Directory", "RoleManagement.ReadWrite.Directory"),
    roles=("Global Administrator", "Privileged Role Administrator"),
    style="schedules",
    licence="privileged",
)
WRITE_CONDITIONAL_ACCESS = Gate(
    ("Policy.ReadWrite.ConditionalAccess",),
    roles=("Global Administrator", "Security Administrator", "Conditional Access Administrator"),
    style="policies",
    limit=throttling.PROTECTION,
)
WRITE_POLICIES = Gate(
    ("Policy.ReadWrite.SecurityDefaults", "Policy.ReadWrite.ConditionalAccess"),
    roles=("Global Administrator", "Security Administrator", "Conditional Access Administrator"),
    style="policies",
)
WRITE_RISKY_USERS = Gate(
    ("IdentityRiskyUser.ReadWrite.All",),
    roles=("Global Administrator", "Security Administrator", "Security Operator"),
    style="protection",
    licence="protection",
    limit=throttling.PROTECTION,
)
WRITE_RISKY_APPLICATIONS = Gate(
    ("IdentityRiskyServicePrincipal.ReadWrite.All",),
    roles=("Global Administrator", "Security Administrator", "Security Operator"),
    style="protection",
    licence="workload",
    limit=throttling.PROTECTION,
)
READ_SIGN_INS = READ_REGISTRATION = Gate(
    ("AuditLog.Read.All",), roles=_REPORTS, style="reports", licence="reports", limit=throttling.REPORTS
)
READ_ACTIVITY = Gate(("AuditLog.Read.All",), style="reports", licence="reports")
READ_AUDITS = Gate(("AuditLog.Read.All",), roles=_REPORTS, style="reports", limit=throttling.REPORTS)
READ_RISKY_USERS = Gate(
    ("IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All"),
    roles=_READERS,
    style="protection",
    licence="protection",
    limit=throttling.PROTECTION,
)
READ_DETECTIONS = Gate(
    ("IdentityRiskEvent.Read.All", "IdentityRiskEvent.ReadWrite.All"),
    roles=_READERS,
    style="protection",
    licence="reports",
    limit=throttling.PROTECTION,
)
READ_RISKY_APPLICATIONS = Gate(
    ("IdentityRiskyServicePrincipal.Read.All", "IdentityRiskyServicePrincipal.ReadWrite.All"),
    roles=_READERS,
    style="protection",
    licence="workload",
    limit=throttling.PROTECTION,
)
READ_RELATIONSHIPS = Gate(("DelegatedAdminRelationship.Read.All", "DelegatedAdminRelationship.ReadWrite.All"))
WRITE_RELATIONSHIPS = Gate(("DelegatedAdminRelationship.ReadWrite.All",))


def granted(world: World, principal: Principal, tenant: str, app_id: str) -> set[str]:
    """The Graph permissions that the caller has in the tenant: app roles of an app, consented scopes of a person's app."""
    if principal.kind != "User":
        return _app_roles(world, principal, tenant)
    if app_id.lower() in FIRST_PARTY:
        return set(FIRST_PARTY[app_id.lower()].split())
    graph = service_principals(world, tenant, GRAPH_APP)
    clients = {client.object_id for client in service_principals(world, tenant, app_id)}
    resources = {resource.object_id for resource in graph}
    held: set[str] = set()
    for consent in rows(world, "oauth2PermissionGrants", tenant):
        theirs = consent["consentType"] == "AllPrincipals" or consent["principalId"] == principal.object_id
        if theirs and consent["clientId"] in clients and consent["resourceId"] in resources:
            held |= set(consent["scope"].split())
    return held


def _app_roles(world: World, principal: Principal, tenant: str) -> set[str]:
    values: dict[str, str] = {}
    for resource in service_principals(world, tenant, GRAPH_APP):
        profile = table(world, "servicePrincipals").get(resource.object_id) or {}
        values |= {role["id"]: role["value"] for role in profile.get("appRoles", ())}
    own = {principal.object_id, *(each.object_id for each in service_principals(world, tenant, principal.app_id))}
    return {
        values[given["appRoleId"]]
        for given in rows(world, "appRoleAssignments", tenant)
        if given["principalId"] in own and given["appRoleId"] in values
    }


def service_principals(world: World, tenant: str, app_id: str) -> list[Principal]:
    """The service principals of an app in a tenant."""
    return [
        found
        for found in world.principals.values()
        if found.kind == "ServicePrincipal"
        and found.app_id.lower() == app_id.lower()
        and (found.tenant_id or world.tenant_id).lower() == tenant.lower()
    ]


def roles_of(world: World, tenant: str, person: Principal) -> set[str]:
    """The names of the directory roles that a person has in a tenant now."""
    names = {row["id"]: row["displayName"] for row in rows(world, "roleDefinitions", tenant)}
    if (person.tenant_id or world.tenant_id).lower() == tenant:
        holders = {person.object_id, *groups_of(world, person.object_id)}
        held = [row for row in rows(world, "roleAssignments", tenant) if row["principalId"] in holders]
        return {names.get(row["roleDefinitionId"], "") for row in held}
    return {names.get(role, "") for role in _delegated(world, tenant, person)}


def groups_of(world: World, object_id: str) -> list[str]:
    """The ids of the groups that somebody is in, by other groups too."""
    found: list[str] = []
    pending = [object_id]
    while pending:
        member = pending.pop(0)
        for group in world.principals.values():
            if member in group.members and group.object_id not in found:
                found.append(group.object_id)
                pending.append(group.object_id)
    return found


def _delegated(world: World, tenant: str, person: Principal) -> Iterable[str]:
    """The role ids that active relationships of the person's tenant with this one give to the person's groups."""
    groups = set(groups_of(world, person.object_id))
    for relationship in rows(world, "delegatedAdminRelationships", person.tenant_id):
        if relationship["status"] != "active" or relationship["customer"]["tenantId"].lower() != tenant:
            continue
        for access in relationship["_accessAssignments"]:
            if access["status"] == "active" and access["accessContainer"]["accessContainerId"] in groups:
                yield from (role["roleDefinitionId"] for role in access["accessDetails"]["unifiedRoles"])
