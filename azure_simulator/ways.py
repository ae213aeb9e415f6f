"""The ways back in: everything by which the attacker of a world could still sign in, recover an account or act, judged by the world's state.

Like `truth`, it is read by scorers only. A way counts even where another one stands before it: a password that the attacker knows is a way
back on the day on which the account is opened again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from azure_simulator.services.authorization import eligibility
from azure_simulator.services.graph import methods
from azure_simulator.services.graph.store import table
from azure_simulator.world import Document, Principal, World


def ways_left(world: World) -> list[Document]:
    """Every way that is open: `kind` (session, password, secret, account, method, contact, credential, issuer, consent, right, role,
    eligible role, azure role, eligible azure role), `who` it leads to and `id` of the thing."""
    return [{"kind": kind, "who": who, "id": identity} for kind, who, identity in (*_accounts(world), *_left(world))]


Way = tuple[str, str, str]


def _accounts(world: World) -> Iterator[Way]:
    for row in world.truth["attackers"]:
        principal = world.principals.get(row["principal_id"])
        if principal is None:
            continue
        identity = principal.object_id
        if row["kind"] == "created":
            if principal.enabled:
                yield "account", row["caller"], identity
        elif row["kind"] in ("leaked", "hijacked"):
            if principal.enabled and row["secret"] in principal.secrets:
                yield "secret", row["caller"], identity
        elif principal.kind == "User":
            if principal.enabled and principal.sessions_revoked_at is None:
                yield "session", row["caller"], identity
            changed = str((table(world, "users").get(identity) or {}).get("lastPasswordChangeDateTime") or "")
            if changed < str(world.truth["attack_start"]):
                yield "password", row["caller"], identity


def _left(world: World) -> Iterator[Way]:
    left = world.truth.get("identity", {})
    for row in left.get("methods", ()):
        if methods.key(row["user"], row["id"]) in table(world, "methods"):
            yield "method", row["user"], row["id"]
    for row in left.get("contacts", ()):
        user = table(world, "users").get(row["user"]) or {}
        if any(user.get(key) == value for key, value in row["after"].items() if value):
            yield "contact", row["user"], row["user"]
    for guest in left.get("guests", ()):
        if _is_enabled(world, guest):
            yield "account", world.principals[guest].upn, guest
    for principal in left.get("service_principals", ()):
        if _is_enabled(world, principal):
            yield "account", world.principals[principal].name, principal
    yield from _of_applications(world, "credential", "credentials", "credentials", "_owner")
    yield from _of_applications(
        world, "issuer", "federated_credentials", "federatedIdentityCredentials", "_application"
    )
    for kind, name, rows, key in (
        ("consent", "consents", "oauth2PermissionGrants", "clientId"),
        ("right", "app_role_assignments", "appRoleAssignments", "principalId"),
        ("eligible role", "role_eligibilities", "roleEligibilities", "principalId"),
    ):
        for identity in _still(world, rows, left.get(name, ())):
            yield kind, table(world, rows)[identity][key], identity
    for each in left.get("role_assignments", ()):
        if f"{world.tenant_id}/{each}" in table(world, "roleAssignments"):
            yield "role", str(table(world, "roleAssignments")[f"{world.tenant_id}/{each}"]["principalId"]), each
    for each in world.truth.get("rogue_eligible", ()):
        if each in world.table(eligibility.TABLE):
            yield "eligible azure role", str(world.table(eligibility.TABLE)[each]["properties"]["principalId"]), each
    for each in world.truth.get("rogue_grants", ()):
        if each in world.role_assignments:
            yield "azure role", str(world.role_assignments[each]["properties"]["principalId"]), each


def _of_applications(world: World, kind: str, name: str, rows: str, key: str) -> Iterator[Way]:
    """What lets somebody be an application: open while its service principal may sign in."""
    for identity in _still(world, rows, world.truth.get("identity", {}).get(name, ())):
        owner = str(table(world, rows)[identity][key])
        application = table(world, "applications").get(owner)
        holders = [p for p in world.principals.values() if _is(p, owner, application)]
        if any(holder.enabled for holder in holders):
            yield kind, owner, identity


def _is(principal: Principal, owner: str, application: Document | None) -> bool:
    return principal.object_id == owner or (application is not None and principal.app_id == application["appId"])


def _still(world: World, rows: str, identities: Iterable[str]) -> Iterator[str]:
    return (each for each in identities if each in table(world, rows))


def _is_enabled(world: World, identity: str) -> bool:
    found = world.principals.get(identity)
    return found is not None and found.enabled
