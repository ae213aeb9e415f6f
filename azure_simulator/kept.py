"""Every way in that the attacker of a world ever had, whatever has become of it: what a siege tries again and again.

`azure_simulator.ways` says which of them stand open; here a way also says as whom it lets act, and what it gives without acting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from azure_simulator.services.authorization import eligibility
from azure_simulator.services.graph import methods
from azure_simulator.services.graph.store import table
from azure_simulator.services.storage import models as storage
from azure_simulator.world import Document, World

Check = Callable[[World], bool]
_MANAGED_FEDERATION = "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials"
_SCHEDULE, _RUNBOOK = (
    "microsoft.automation/automationaccounts/schedules",
    "microsoft.automation/automationaccounts/runbooks",
)
_WORKFLOW = "microsoft.logic/workflows"


@dataclass(frozen=True)
class Kept:
    """One way. `acts_as` is the principal it signs in as ("": nobody), `gives` what it yields by itself, `runs` whether that is work for the attacker."""

    kind: str
    who: str
    id: str
    is_open: Check
    acts_as: str = ""
    address: str = ""
    gives: str = ""
    runs: bool = False


def ways_ever(world: World) -> Iterator[Kept]:
    """Sessions, secrets, passwords, methods, contact data, credentials, issuers, consents, rights, keys, and what runs by itself."""
    addresses = {row["principal_id"]: row["addresses"][0] for row in world.truth["attackers"]}
    usual = next(iter(addresses.values()), "")
    for row in world.truth["attackers"]:
        yield from _identity(world, row)
    left = world.truth.get("identity", {})
    for row in left.get("methods", ()):
        kept = methods.key(row["user"], row["id"])
        check = _both(_is_row("methods", kept), _is_enabled(row["user"]))
        yield Kept("method", row["user"], row["id"], check, row["user"], usual)
    for row in left.get("contacts", ()):
        yield Kept(
            "contact", row["user"], row["user"], _both(_still_theirs(row), _is_enabled(row["user"])), row["user"], usual
        )
    for name in ("guests", "service_principals"):
        for each in left.get(name, ()):
            yield Kept("account", each, each, _is_enabled(each), each, addresses.get(each, usual), gives="signs in")
    for kind, name, rows, key in (
        ("credential", "credentials", "credentials", "_owner"),
        ("issuer", "federated_credentials", "federatedIdentityCredentials", "_application"),
    ):
        for each in left.get(name, ()):
            holder = _holder(world, str((table(world, rows).get(each) or {}).get(key, "")))
            check = _both(_is_row(rows, each), _is_enabled(holder))
            yield Kept(kind, holder, each, check, holder, usual, gives="signs in")
    for kind, name, rows, key, gives in (
        ("consent", "consents", "oauth2PermissionGrants", "clientId", "reads in people's names"),
        ("right", "app_role_assignments", "appRoleAssignments", "principalId", "uses its rights on Graph"),
    ):
        for each in left.get(name, ()):
            client = str((table(world, rows).get(each) or {}).get(key, ""))
            yield Kept(kind, client, each, _both(_is_row(rows, each), _is_enabled(client)), gives=gives)
    for each in world.truth.get("rogue_eligible", ()):
        who = str(world.table(eligibility.TABLE)[each]["properties"]["principalId"])
        check = _both(_is_eligible(each), _is_enabled(who))
        yield Kept("eligible azure role", who, each, check, who, addresses.get(who, usual), gives="takes up a role")
    yield from _keys(world)
    yield from _at_work(world, usual)


def _keys(world: World) -> Iterator[Kept]:
    """Keys of the tenant's storage that the attacker was told: each works without an account until it is made anew."""
    for identity in dict.fromkeys(world.truth.get("told_keys", ())):
        account = world.resources.get(identity)
        if account is not None:
            held = tuple(storage.keys(world, account))
            yield Kept("storage key", identity, identity, _opens(identity, held), gives="reads and changes all data")


def _opens(identity: str, held: tuple[str, ...]) -> Check:
    def check(world: World) -> bool:
        account = world.resources.get(identity)
        return account is not None and bool(set(held) & set(storage.keys(world, account)))

    return check


def _identity(world: World, row: Document) -> Iterator[Kept]:
    """A stolen session lives until sessions are revoked, a password until it is changed, an own account until it is blocked."""
    identity, address = row["principal_id"], row["addresses"][0]
    if row["kind"] in ("leaked", "hijacked"):
        check: Check = lambda world: row["secret"] in world.principals[identity].secrets  # noqa: E731
        yield Kept(
            "secret", row["caller"], identity, _both(_is_enabled(identity), check), identity, address, "signs in"
        )
    elif row["kind"] == "created":
        yield Kept("account", row["caller"], identity, _is_enabled(identity), identity, address, "signs in")
    elif world.principals[identity].kind == "User":
        start = str(world.truth["attack_start"])
        session: Check = lambda world: world.principals[identity].sessions_revoked_at is None  # noqa: E731
        password: Check = (  # noqa: E731
            lambda world: (
                str((table(world, "users").get(identity) or {}).get("lastPasswordChangeDateTime") or "") < start
            )
        )
        for kind, good in (("session", session), ("password", password)):
            yield Kept(kind, row["caller"], identity, _both(_is_enabled(identity), good), identity, address, "signs in")


def _at_work(world: World, usual: str) -> Iterator[Kept]:
    """What goes on without an account: schedules of runbooks, logic apps, workflows elsewhere that sign in as a managed identity."""
    for identity in world.truth["rogue"]:
        document = world.resources.get(identity) or {}
        kind = str(document.get("type", "")).lower()
        if kind == _SCHEDULE:
            yield Kept("schedule", identity, identity, _runs_a_runbook(identity), gives="runs code", runs=True)
        elif kind == _WORKFLOW:
            yield Kept("logic app", identity, identity, _is_on(identity), gives="runs code", runs=True)
        elif kind == _MANAGED_FEDERATION:
            holder = identity.rpartition("/federatedIdentityCredentials/")[0]
            principal = str((world.resources.get(holder) or {}).get("properties", {}).get("principalId", ""))
            check = _both(_stands(identity), _stands(holder))
            yield Kept("issuer", holder, identity, check, principal, usual, gives="signs in")


def _both(one: Check, other: Check) -> Check:
    return lambda world: one(world) and other(world)


def _is_row(rows: str, key: str) -> Check:
    return lambda world: key in table(world, rows)


def _is_eligible(identity: str) -> Check:
    return lambda world: identity in world.table(eligibility.TABLE)


def _is_enabled(identity: str) -> Check:
    def check(world: World) -> bool:
        found = world.principals.get(identity)
        return found is not None and found.enabled

    return check


def _still_theirs(row: Document) -> Check:
    def check(world: World) -> bool:
        user = table(world, "users").get(row["user"]) or {}
        return any(user.get(key) == value for key, value in row["after"].items() if value)

    return check


def _stands(identity: str) -> Check:
    return lambda world: identity in world.resources


def _is_on(identity: str) -> Check:
    def check(world: World) -> bool:
        found = world.resources.get(identity)
        return found is not None and found["properties"].get("state") == "Enabled"

    return check


def _runs_a_runbook(schedule: str) -> Check:
    """A schedule runs a runbook of its account while both are there and it is on."""

    def check(world: World) -> bool:
        found = world.resources.get(schedule)
        account = schedule.rpartition("/schedules/")[0]
        return (
            found is not None
            and found["properties"].get("isEnabled") is not False
            and any(row["type"].lower() == _RUNBOOK for row in world.resources.below(account))
        )

    return check


def _holder(world: World, owner: str) -> str:
    """The service principal that signs in with a credential of an application, or of itself."""
    application = table(world, "applications").get(owner)
    for principal in world.principals.values():
        if principal.object_id == owner or (application is not None and principal.app_id == application["appId"]):
            return principal.object_id
    return owner
