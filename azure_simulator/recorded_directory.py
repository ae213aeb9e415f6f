"""What a record tells of the directory beside who is who: roles and who holds them, applications with credentials and trusts, consents, ways to
sign in, policies. Documents come from anybody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from azure_simulator.services.graph import credentials, methods
from azure_simulator.services.graph.store import put, table
from azure_simulator.world import Document, Principal, World

_ID = "([0-9a-f-]{36})"
_KINDS = {"#microsoft.graph.user": "User", "#microsoft.graph.group": "Group"}
Take = Callable[[World, tuple[str, ...], Document], None]


def take(world: World, path: str, rows: Sequence[Any]) -> tuple[str, int]:
    """Put the documents of a Graph answer into the directory; return what they are and how many, "" for answers that are none of these."""
    for pattern, kind, one in _ANSWERS:
        if asked := pattern.search(path):
            found = [_clean(row) for row in rows if isinstance(row, dict) and _text(row, "id")]
            for row in found:
                one(world, tuple(part.lower() for part in asked.groups("")), row)
            return kind, len(found)
    return "", 0


def take_credentials(world: World, owner: str, row: Document) -> None:
    """Keep the secrets and certificates of an application or service principal, without what they are."""
    for kind in (credentials.PASSWORD, credentials.KEY):
        held = row.pop(kind, None)
        for one in held if isinstance(held, list) else ():
            if isinstance(one, dict) and _text(one, "keyId"):
                kept = {"displayName": None, "startDateTime": None, "endDateTime": None, **_clean(one)}
                put(world, "credentials", one["keyId"], {**kept, "_owner": owner, "_kind": kind})


def _definition(world: World, _: tuple[str, ...], row: Document) -> None:
    key = f"{world.tenant_id}/{row['id']}"
    put(world, "roleDefinitions", key, {"displayName": "", "description": "", **row, "_instance": row["id"]})


def _assignment(world: World, _: tuple[str, ...], row: Document) -> None:
    """An assignment, as one of the two lists tells it; the list of instances knows since when."""
    who = row.pop("principal", None)
    if isinstance(who, dict) and (name := _text(row, "principalId").lower()) not in world.principals:
        kind = _KINDS.get(_text(who, "@odata.type").lower(), "ServicePrincipal")
        shown = _text(who, "displayName") or name
        upn = _text(who, "userPrincipalName")
        world.principals[name] = Principal(name, kind, shown, upn=upn, tenant_id=world.tenant_id)
    key = f"{world.tenant_id}/{row['id']}"
    known = table(world, "roleAssignments").get(key, {"_start": None, "_end": None, "_type": "Assigned", "_from": ""})
    if "assignmentType" in row:
        known = {**known, **_times(row), "_type": _text(row, "assignmentType") or "Assigned"}
    put(world, "roleAssignments", key, {**known, **_held(row), "id": row["id"]})


def _eligibility(world: World, _: tuple[str, ...], row: Document) -> None:
    name = _text(row, "roleEligibilityScheduleId") or row["id"]
    put(world, "roleEligibilities", name, {**_held(row), **_times(row), "id": name})


def _held(row: Document) -> Document:
    return {
        "principalId": _text(row, "principalId").lower(),
        "roleDefinitionId": _text(row, "roleDefinitionId"),
        "directoryScopeId": _text(row, "directoryScopeId") or "/",
    }


def _times(row: Document) -> Document:
    return {"_start": row.get("startDateTime"), "_end": row.get("endDateTime")}


def _application(world: World, _: tuple[str, ...], row: Document) -> None:
    name = row["id"].lower()
    take_credentials(world, name, row)
    put(world, "applications", name, {"appId": "", "displayName": "", **row, "id": name})


def _trust(world: World, asked: tuple[str, ...], row: Document) -> None:
    put(world, "federatedIdentityCredentials", row["id"], {**row, "_application": asked[0]})


def _method(world: World, asked: tuple[str, ...], row: Document) -> None:
    told = {"@odata.type": "", **row, "_user": asked[0], "_created": row.get("createdDateTime")}
    put(world, "methods", methods.key(asked[0], row["id"]), told)


def _policy(world: World, _: tuple[str, ...], row: Document) -> None:
    """A policy of which a tenant has one."""
    name = "identitySecurityDefaultsEnforcementPolicy"
    put(world, "policies", f"{world.tenant_id}/{name}", {**row, "_name": name})


def _plain(name: str) -> Take:
    def one(world: World, _: tuple[str, ...], row: Document) -> None:
        put(world, name, row["id"], row)

    return one


def _app_role(world: World, _: tuple[str, ...], row: Document) -> None:
    sides = {key: _text(row, key).lower() for key in ("principalId", "resourceId")}
    put(world, "appRoleAssignments", row["id"], {**row, **sides})


def _consent(world: World, _: tuple[str, ...], row: Document) -> None:
    told = {"clientId": _text(row, "clientId").lower(), "resourceId": _text(row, "resourceId").lower()}
    put(world, "oauth2PermissionGrants", row["id"], {"principalId": None, **row, **told})


def _answers() -> Iterator[tuple[re.Pattern[str], str, Take]]:
    roles = "roleManagement/directory"
    for path, kind, one in (
        (f"{roles}/roleDefinitions", "definitions of directory roles", _definition),
        (f"{roles}/(?:roleAssignments|roleAssignmentScheduleInstances)", "directory roles that are held", _assignment),
        (f"{roles}/roleEligibilityScheduleInstances", "directory roles that may be taken up", _eligibility),
        ("applications", "applications of the directory", _application),
        (f"applications/{_ID}/federatedIdentityCredentials", "trusts in other issuers", _trust),
        (f"(?:servicePrincipals/{_ID}/)?oauth2PermissionGrants", "consents", _consent),
        (f"servicePrincipals/{_ID}/(?:appRoleAssignedTo|appRoleAssignments)", "app roles that were given", _app_role),
        (f"users/{_ID}/authentication/methods", "ways to sign in", _method),
        (
            "identity/conditionalAccess/policies",
            "conditional access policies",
            _plain("conditionalAccessPolicies"),
        ),
        ("identity/conditionalAccess/namedLocations", "named locations", _plain("namedLocations")),
        ("policies/identitySecurityDefaultsEnforcementPolicy", "security defaults", _policy),
        ("subscribedSkus", "licences", _plain("subscribedSkus")),
    ):
        yield re.compile(rf"/(?:v1\.0|beta)/{path}/?$", re.IGNORECASE), kind, one


_ANSWERS = tuple(_answers())


def _clean(row: Document) -> Document:
    """The document without what only the simulator says of itself, and without what is about the answer."""
    return {
        key: value
        for key, value in row.items()
        if not key.startswith("_") and (key[0:1] != "@" or key == "@odata.type")
    }


def _text(row: Document, key: str) -> str:
    value = row.get(key)
    return value if isinstance(value, str) else ""
