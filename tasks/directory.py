"""How the identity review reads Graph: which permission and which licence each read needs, and what to do when it is refused.

A refusal is never "nothing there": it becomes a `NotLookedAt` that tells a missing permission from a missing licence.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from firebreak.errors import (
    AccessError,
    CredentialError,
    MissingPermissionError,
    RejectedError,
    RemoteError,
    ResponseError,
    ScopeError,
    SecondFactorError,
    SettingsError,
    ThrottledError,
)
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import ActivityFacts
from firebreak.model.texts import cut
from tasks.reading import Notes, why

T = TypeVar("T")

# How far back the logs are read to know what is usual: what a tenant with Entra ID P1 keeps. https://learn.microsoft.com/entra/identity/monitoring-health/reference-reports-data-retention
HISTORY = timedelta(days=30)
_DEFAULT_DAYS_BEFORE = 7
_ADDRESS = re.compile(r"^\S+ https?://\S+ was (refused|rejected|throttled)( for want of a second factor)? with ")
_LICENCE = re.compile(r"licen[cs]e|premium|nonpremium", re.IGNORECASE)


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is read of Graph: what it is called, where it is, and what it takes.

    `permissions` are Graph permissions (all of them), `role` an Entra role that a signed-in person needs beside them, `licence` in words.
    """

    what: str
    path: str
    permissions: tuple[str, ...]
    role: str = "Global Reader"
    licence: str = ""


# The one table of reads: the steps read by it, and the doctor tries each.
LICENCES = Read(
    what="the licences of the tenant",
    path="/v1.0/subscribedSkus",
    permissions=("LicenseAssignment.Read.All",),
    role="Directory Readers",
)
ACCESS_POLICIES = Read(
    what="conditional access policies",
    path="/v1.0/identity/conditionalAccess/policies",
    permissions=("Policy.Read.All",),
)
LOCATIONS = Read(
    what="named locations", path="/v1.0/identity/conditionalAccess/namedLocations", permissions=("Policy.Read.All",)
)
SECURITY_DEFAULTS = Read(
    what="security defaults",
    path="/v1.0/policies/identitySecurityDefaultsEnforcementPolicy",
    permissions=("Policy.Read.All",),
)
AUDITS = Read(
    what="changes of the directory",
    path="/v1.0/auditLogs/directoryAudits",
    permissions=("AuditLog.Read.All", "Directory.Read.All"),
    role="Reports Reader",
)
SIGN_INS = Read(
    what="sign-ins",
    path="/auditLogs/signIns",
    permissions=("AuditLog.Read.All", "Directory.Read.All"),
    role="Reports Reader",
    licence="Entra ID P1",
)
ROLES = Read(
    what="directory roles",
    path="/v1.0/roleManagement/directory/roleDefinitions",
    permissions=("RoleManagement.Read.Directory",),
)
ASSIGNMENTS = Read(
    what="holders of directory roles",
    path="/v1.0/roleManagement/directory/roleAssignments",
    permissions=("RoleManagement.Read.Directory",),
)
ACTIVE = Read(
    what="since when directory roles are held",
    path="/v1.0/roleManagement/directory/roleAssignmentScheduleInstances",
    permissions=("RoleManagement.Read.Directory",),
    licence="Entra ID P2",
)
ELIGIBLE = Read(
    what="who may take up directory roles",
    path="/v1.0/roleManagement/directory/roleEligibilityScheduleInstances",
    permissions=("RoleManagement.Read.Directory",),
    licence="Entra ID P2",
)
MEMBERS = Read(what="members of groups with roles", path="", permissions=("GroupMember.Read.All",))
USERS = Read(what="accounts of administrators", path="/v1.0/users", permissions=("User.Read.All",))
METHODS = Read(
    what="sign-in methods of administrators",
    path="",
    permissions=("UserAuthenticationMethod.Read.All",),
)
REGISTRATIONS = Read(
    what="registration of second factors",
    path="/v1.0/reports/authenticationMethods/userRegistrationDetails",
    permissions=("AuditLog.Read.All",),
    role="Reports Reader",
    licence="Entra ID P1",
)
APPLICATIONS = Read(
    what="applications and their credentials", path="/v1.0/applications", permissions=("Application.Read.All",)
)
PRINCIPALS = Read(
    what="service principals and their credentials",
    path="/v1.0/servicePrincipals",
    permissions=("Application.Read.All",),
)
RIGHTS = Read(what="rights of applications on Microsoft Graph", path="", permissions=("Application.Read.All",))
CONSENTS = Read(
    what="rights of applications on behalf of people",
    path="/v1.0/oauth2PermissionGrants",
    permissions=("Directory.Read.All",),
)
ISSUERS = Read(what="outside issuers of applications", path="", permissions=("Application.Read.All",))
RISKY_USERS = Read(
    what="people at risk",
    path="/v1.0/identityProtection/riskyUsers",
    permissions=("IdentityRiskyUser.Read.All",),
    licence="Entra ID P2",
)
RISK_SIGNS = Read(
    what="risk detections of people",
    path="/v1.0/identityProtection/riskDetections",
    permissions=("IdentityRiskEvent.Read.All",),
    licence="Entra ID P2",
)
RISKY_APPLICATIONS = Read(
    what="applications at risk",
    path="/v1.0/identityProtection/riskyServicePrincipals",
    permissions=("IdentityRiskyServicePrincipal.Read.All",),
    licence="Workload Identities Premium",
)
APPLICATION_SIGNS = Read(
    what="risk detections of applications",
    path="/v1.0/identityProtection/servicePrincipalRiskDetections",
    permissions=("IdentityRiskEvent.Read.All",),
    licence="Workload Identities Premium",
)
RELATIONSHIPS = Read(
    what="delegated relationships",
    path="/v1.0/tenantRelationships/delegatedAdminRelationships",
    permissions=("DelegatedAdminRelationship.Read.All",),
    role="of the group of admin agents",
)

# What the doctor tries, in this order; a path that needs an id is not tried.
PROBED = (
    LICENCES,
    SECURITY_DEFAULTS,
    ACCESS_POLICIES,
    AUDITS,
    SIGN_INS,
    ROLES,
    ASSIGNMENTS,
    ELIGIBLE,
    USERS,
    REGISTRATIONS,
    APPLICATIONS,
    CONSENTS,
    RISKY_USERS,
    RISK_SIGNS,
    RISKY_APPLICATIONS,
)


# Those that take `$top`: one row is enough to know.
LIMITED = (AUDITS, SIGN_INS, USERS, APPLICATIONS, CONSENTS, RISKY_USERS, RISK_SIGNS)


def permissions_of(*reads: Read) -> tuple[str, ...]:
    """The Graph permissions that some reads need together, sorted."""
    return tuple(sorted({permission for read in reads for permission in read.permissions}))


async def attempt(notes: Notes, read: Read, reading: Awaitable[T], default: T, *, what: str = "") -> T:
    """Await one read; when it is refused or fails, note what was not looked at, why, and what to do, and return `default`."""
    try:
        return await reading
    except (AccessError, RemoteError, ScopeError, SettingsError) as error:
        notes.add(what or read.what, refusal(read, error))
        return default


def refusal(read: Read, error: ResponseError) -> str:
    """Why a read failed and what to do about it, the advice first: a page may cut what follows."""
    said = _said(error)
    if lacks_licence(error):
        return f"the tenant lacks a licence for it: needs {read.licence or 'an Entra ID licence'} ({said})"
    if isinstance(error, SecondFactorError):
        return f"a second factor is asked for: a person consents anew (firebreak credentials consent) and signs in with one ({said})"
    if isinstance(error, CredentialError):
        return f"signing in to Graph failed: consent to the application in the customer's tenant, then run 'firebreak doctor' ({said})"
    if isinstance(error, MissingPermissionError):
        needed = " and ".join(read.permissions)
        return f"not permitted: needs {needed} with an administrator's consent; a person also the role {read.role} ({said})"
    if isinstance(error, ThrottledError):
        return f"Graph let no request through: run the review again later ({said})"
    return why(error).rstrip(". ")


def lacks_licence(error: ResponseError) -> bool:
    """Whether a refusal is about a licence rather than a permission. Graph says so in code or message, in several spellings."""
    code = getattr(error, "remote_code", "")
    return isinstance(error, (AccessError, RemoteError)) and bool(_LICENCE.search(f"{code} {_said(error)}"))


def _said(error: ResponseError) -> str:
    """What the service said, without the address that was asked."""
    told = _ADDRESS.sub("", why(error).partition(": ")[2])
    return cut(told.rstrip(". "), 160)


async def everything(
    eyes: Eyes, read: Read, params: Mapping[str, str] | None = None, *, path: str = "", eventual: bool = False
) -> list[dict[str, Any]]:
    """All rows of one list. `path` replaces the table's where it holds an id."""
    pages = eyes.graph.pages(path or read.path, params, eventual=eventual)
    return [row async for page in pages for row in page]


async def is_deleted(principal: str, eyes: Eyes) -> bool:
    """Whether the directory says that there is no such principal; one that may not be read is left to Azure to judge."""
    try:
        return await eyes.graph.get(f"/v1.0/directoryObjects/{principal}") is None
    except (AccessError, RejectedError):
        return False


def window_of(eyes: Eyes, case: Case) -> datetime:
    """Where the review begins: where the activity log's window does, else a week before the alert's first observation."""
    activity = case.get(ActivityFacts)
    if activity is not None:
        return activity.window_start
    alert = case.incident.alert
    return min(alert.first_observed_at or alert.detected_at, alert.detected_at, eyes.now()) - timedelta(
        days=_DEFAULT_DAYS_BEFORE
    )


def span(name: str, start: datetime, end: datetime | None = None) -> str:
    """A filter on a time property, as Graph writes it."""
    later = f" and {name} le {end:%Y-%m-%dT%H:%M:%SZ}" if end else ""
    return f"{name} ge {start:%Y-%m-%dT%H:%M:%SZ}{later}"
