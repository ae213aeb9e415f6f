"""How a check of the partner's own tenant reads Graph: the reads beside those of `tasks.directory`, and who is who in the tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.model.clouds import Eyes
from firebreak.model.ids import is_plain_segment
from tasks import directory
from tasks.directory import Read
from tasks.reading import Notes

SCORE = Read(
    what="Microsoft's security score",
    path="/beta/security/partner/securityScore",
    permissions=("PartnerSecurity.Read.All",),
    role="Security Reader, or a member of the admin agents",
)
ACCOUNTS = Read(what="the accounts of the partner's tenant", path="/v1.0/users", permissions=("User.Read.All",))
REGISTRATIONS = directory.REGISTRATIONS
GROUPS = Read(what="the group of admin agents", path="/v1.0/groups", permissions=("GroupMember.Read.All",))
DOMAINS = Read(what="the domains of the partner's tenant", path="/v1.0/domains", permissions=("Domain.Read.All",))
RELATIONSHIPS = directory.RELATIONSHIPS
ACCESS = Read(
    what="the groups that use delegated relationships",
    path="",
    permissions=RELATIONSHIPS.permissions,
    role=RELATIONSHIPS.role,
)
AGENTS = "AdminAgents"  # the name that Partner Center gives the group: https://learn.microsoft.com/partner-center/account-settings/permissions-overview
_LARGEST = "999"


async def agents(eyes: Eyes, notes: Notes) -> list[str] | None:
    """Object ids of the direct members of the admin agents; None when they could not be read."""
    found = await directory.attempt(
        notes,
        GROUPS,
        directory.everything(eyes, GROUPS, {"$filter": f"displayName eq '{AGENTS}'", "$select": "id,displayName"}),
        None,
    )
    if found is None:
        return None
    ids = [doc.text(row, "id") for row in found if is_plain_segment(doc.text(row, "id"))]
    if not ids:
        notes.add(GROUPS.what, f"the tenant has no group {AGENTS}: is it the partner's?")
        return None
    members: list[str] = []
    for group in ids:
        rows = await directory.attempt(
            notes, GROUPS, directory.everything(eyes, GROUPS, path=f"{GROUPS.path}/{group}/members"), None
        )
        if rows is None:
            return None
        members += [doc.text(row, "id").lower() for row in rows]
    return members


async def holders(eyes: Eyes, notes: Notes) -> dict[str, tuple[str, ...]] | None:
    """Template ids of the directory roles that principals hold now, by principal; None when they could not be read."""
    rows = await directory.attempt(
        notes, directory.ASSIGNMENTS, directory.everything(eyes, directory.ASSIGNMENTS), None
    )
    return None if rows is None else by_principal(rows)


def by_principal(rows: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Role assignments as roles by principal, both lower-case."""
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        who, role = doc.text(row, "principalId").lower(), doc.text(row, "roleDefinitionId").lower()
        found[who] = (*found.get(who, ()), role)
    return found


async def users(eyes: Eyes, notes: Notes) -> list[dict[str, Any]] | None:
    """All accounts with their licences; None when they could not be read."""
    chosen = "id,userPrincipalName,displayName,accountEnabled,userType,assignedLicenses"
    params: Mapping[str, str] = {"$select": chosen, "$top": _LARGEST}
    return await directory.attempt(notes, ACCOUNTS, directory.everything(eyes, ACCOUNTS, params), None)
