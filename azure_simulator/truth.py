"""The ground truth and the score: what of the attack is left, and what that was nobody's business has been touched.

Only the scorer and the simulated attacker read `world.truth`; no service answers from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from azure_simulator.services.authorization import models as access
from azure_simulator.world import Document, Principal, Table, World

MACHINE = "microsoft.compute/virtualmachines"
SCALE_SET = "microsoft.compute/virtualmachinescalesets"
# What changes by itself, or only says that something else did.
_VOLATILE = frozenset({"etag", "changedTime", "_changed", "_operation", "_watching", "_conflict"})
_PASSWORD = frozenset({"lastPasswordChangeDateTime", "_must_change"})
_KEYS = frozenset({"_keys", "_key_times"})
_TABLES = (
    "resources",
    "groups",
    "role_assignments",
    "locks",
    "policy_assignments",
    "budgets",
    "blobs",
    "subscriptions",
    "graph.users",
    "graph.groups",
    "graph.methods",
    "graph.applications",
    "graph.servicePrincipals",
    "graph.credentials",
    "graph.federatedIdentityCredentials",
    "graph.oauth2PermissionGrants",
    "graph.appRoleAssignments",
    "graph.roleAssignments",
    "graph.roleEligibilities",
    "graph.conditionalAccessPolicies",
    "graph.namedLocations",
    "graph.policies",
    "graph.crossTenantPartners",
    "graph.delegatedAdminRelationships",
)


# What is billed of compute behind platform services, by type: from the document's properties and the document.
_PLATFORM: dict[str, Callable[[Document, Document], bool]] = {
    "microsoft.batch/batchaccounts/pools": lambda p, _: bool(
        p.get("currentDedicatedNodes") or p.get("currentLowPriorityNodes")
    ),
    "microsoft.machinelearningservices/workspaces/computes": lambda p, _: (
        str((p.get("properties") or {}).get("state", "")) == "Running"
        or bool((p.get("properties") or {}).get("currentNodeCount"))
    ),
    "microsoft.containerservice/managedclusters": lambda p, _: (p.get("powerState") or {}).get("code") != "Stopped",
    "microsoft.containerinstance/containergroups": lambda p, _: (
        (p.get("instanceView") or {"state": "Running"}).get("state") == "Running"  # runs from its creation on
    ),
    "microsoft.web/sites": lambda p, _: p.get("state") != "Stopped",
    "microsoft.web/serverfarms": lambda _, d: (
        str((d.get("sku") or {}).get("tier", "")).lower() not in ("free", "shared", "dynamic")
    ),
}


def remember(world: World) -> None:
    """Take down the state of everything legitimate; `score` compares with it. Called once when the world is built."""
    rogue = _rogue_keys(world)
    kept: dict[str, dict[str, str]] = {}
    for name in _TABLES:
        table = _table(world, name)
        kept[name] = {key: _text(table[key]) for key in table if key not in rogue}
    world.truth["rogue_secrets"] = _added_secrets(world)
    stolen, rogue_grants = _attackers(world), {each.lower() for each in world.truth["rogue_grants"]}
    world.truth["grants_of_stolen"] = [
        row
        for key, row in world.role_assignments.items()
        if row["properties"].get("principalId") in stolen and key not in rogue_grants
    ]
    theirs = _attackers(world) | _brought_in(world)
    kept["principals"] = {
        key: _principal_text(world, principal) for key, principal in world.principals.items() if key not in theirs
    }
    world.truth["remembered"] = kept


def forgive(world: World, key: str) -> None:
    """Accept what a simulated legitimate actor did to a document: it is compared with its present state from now on."""
    for name in _TABLES:
        remembered, table = world.truth["remembered"][name], _table(world, name)
        if key.lower() in remembered:
            if key in table:
                remembered[key.lower()] = _text(table[key])
            else:
                del remembered[key.lower()]


def score(world: World) -> Document:
    """Compare the world with the truth.

    `rogue_running` are the attacker's machines and scale sets that are still billed for compute (also when only stopped),
    `rogue_deallocated` those that are not, `rogue_deleted` everything of the attacker's that is gone, `rogue_left` what still exists.
    `protected_touched` lists every legitimate document that changed or vanished; `legitimate_stopped` the machines among them that
    ran and do not. `attacker_access_left` says by which identity and role the attacker can still act, `comebacks` what came back.
    """
    world.settle()
    truth = world.truth
    running, deallocated, deleted = [], [], []
    for identity in truth["rogue_compute"]:
        document = world.resources.get(identity)
        if document is None:
            deleted.append(identity)
        elif _billed(document):
            running.append(identity)
        else:
            deallocated.append(identity)
    compute = {identity.lower() for identity in truth["rogue_compute"]}
    others = [identity for identity in truth["rogue"] if identity.lower() not in compute]
    deleted += [identity for identity in others if identity not in world.resources]
    deleted += [key for key in truth["rogue_blobs"] if key not in world.blobs]
    left = [identity for identity in truth["rogue"] if identity in world.resources]
    left += [key for key in truth["rogue_blobs"] if key in world.blobs]
    touched = _touched(world)
    stopped = _stopped(world)
    return {
        "verdict": truth["verdict"],
        "rogue_total": len(truth["rogue"]) + len(truth["rogue_blobs"]),
        "rogue_compute_total": len(truth["rogue_compute"]),
        "rogue_running": running,
        "rogue_deallocated": deallocated,
        "rogue_deleted": deleted,
        "rogue_left": left,
        "protected_touched": touched,
        "legitimate_stopped": stopped,
        "attacker_access_left": access_left(world),
        "comebacks": list(truth["comebacks"]),
    }


def access_left(world: World) -> list[Document]:
    """The ways in which the attacker can still create resources: identity, kind, and the role assignment that allows it."""
    found: list[Document] = []
    for row in world.truth["attackers"]:
        principal = world.principals.get(row["principal_id"])
        if principal is None or not can_sign_in(row, principal):
            continue
        for scope in world.subscriptions:
            grant = access.grant_for(world, principal.object_id, "Microsoft.Compute/virtualMachines/write", scope)
            if grant is not None:
                found.append(
                    {
                        "principal_id": principal.object_id,
                        "caller": row["caller"],
                        "kind": row["kind"],
                        "role": grant.role,
                        "role_assignment": grant.assignment["id"],
                    }
                )
    return found


def can_sign_in(row: Document, principal: Principal) -> bool:
    """Whether the attacker still has this identity: enabled, and the stolen session, leaked secret or own account is good."""
    if not principal.enabled:
        return False
    if row["kind"] in ("leaked", "hijacked"):
        return row["secret"] in principal.secrets
    return principal.sessions_revoked_at is None or row["kind"] == "created"


def _rogue_keys(world: World) -> set[str]:
    truth = world.truth
    names = ("rogue", "rogue_blobs", "rogue_groups", "rogue_grants", "rogue_locks")
    keys = {identity.lower() for name in names for identity in truth[name]}
    stolen = _attackers(world)
    keys |= _directory_keys(world)
    return keys | {
        key
        for key, row in world.role_assignments.items()
        if str(row["properties"].get("principalId", ""))
        in stolen  # taking a role from a compromised identity is containment
    }


def _directory_keys(world: World) -> set[str]:
    """The rows of the directory that the attacker made or changed: taking them away, or back, is no offence."""
    traces = world.truth.get("identity", {})
    names = ("credentials", "federated_credentials", "consents", "app_role_assignments", "applications")
    keys = {
        str(each)
        for name in (*names, "service_principals", "guests", "role_eligibilities", "policies")
        for each in traces.get(name, ())
    }
    keys |= {f"{world.tenant_id}/{each}" for each in traces.get("role_assignments", ())}
    keys |= {f"{row['user']}/{row['id']}" for row in traces.get("methods", ())}
    keys |= {row["user"] for row in traces.get("contacts", ())}
    return {key.lower() for key in keys}


def _attackers(world: World) -> set[str]:
    return {row["principal_id"] for row in world.truth["attackers"]}


def _brought_in(world: World) -> set[str]:
    """Guests and applications that the attacker brought into the directory."""
    left = world.truth.get("identity", {})
    return {str(each) for name in ("guests", "service_principals") for each in left.get(name, ())}


def _added_secrets(world: World) -> list[str]:
    """The client secrets that the attacker added, some of them to applications of the tenant."""
    rows = _table(world, "graph.credentials")
    added = world.truth.get("identity", {}).get("credentials", ())
    return [str(rows[each]["_secret"]) for each in added if each in rows and rows[each].get("_secret")]


def _billed(document: Document) -> bool:
    kind, properties = document["type"].lower(), document.get("properties") or {}
    if kind == SCALE_SET:
        return any(row.get("_power", "running") != "deallocated" for row in document.get("_instances", {}).values())
    if kind in _PLATFORM:
        return _PLATFORM[kind](properties, document)
    return bool(document.get("_power", "running") != "deallocated")


def _touched(world: World) -> list[Document]:
    found: list[Document] = []
    remembered = world.truth["remembered"]
    rogue = _rogue_keys(world)
    for name in _TABLES:
        table = _table(world, name)
        for key, before in remembered[name].items():
            if key in rogue:
                continue
            if key not in table:
                found.append({"id": json.loads(before).get("id", key), "what": f"{_label(name)} is gone"})
            elif _same_but_password(world, name, key, before, _text(table[key])):
                continue  # a new password for a person whose own the attacker has is containment
            elif _same_but_keys(world, name, key, before, _text(table[key])):
                continue  # and so are new keys of an account whose keys the attacker was told
            elif _text(table[key]) != before:
                changes = ", ".join(_differences(json.loads(before), json.loads(_text(table[key]))))
                found.append({"id": table[key].get("id", key), "what": f"{_label(name)} changed: {changes}"})
    for key, before in remembered["principals"].items():
        principal = world.principals.get(key)
        if principal is None:
            found.append({"id": key, "what": "principal is gone"})
        elif _principal_text(world, principal) != before:
            now = json.loads(_principal_text(world, principal))
            changes = ", ".join(_differences(json.loads(before), now))
            found.append({"id": key, "what": f"principal changed: {changes}"})
    return found


def _same_but_password(world: World, table: str, key: str, before: str, now: str) -> bool:
    if table != "graph.users" or key not in {each.lower() for each in _attackers(world)}:
        return False
    then, after = ({k: v for k, v in json.loads(text).items() if k not in _PASSWORD} for text in (before, now))
    return then == after


def _same_but_keys(world: World, table: str, key: str, before: str, now: str) -> bool:
    if table != "resources" or key not in {each.lower() for each in world.truth.get("told_keys", ())}:
        return False
    then, after = ({k: v for k, v in json.loads(text).items() if k not in _KEYS} for text in (before, now))
    return then == after


def _stopped(world: World) -> list[str]:
    found = []
    for key, before in world.truth["remembered"]["resources"].items():
        document = json.loads(before) if '"_power"' in before or '"_instances"' in before else None
        if document is None or not _billed(document):
            continue
        now = world.resources.get(key)
        if now is None or not _billed(now):
            found.append(str(document["id"]))
    return found


def _table(world: World, name: str) -> Table:
    """A table of the world: its own, or one of a service, whose names have a dot."""
    found: Table = world.table(name) if "." in name else getattr(world, name)
    return found


def _label(table: str) -> str:
    if "." in table:
        return f"directory's {table.partition('.')[2]}"
    return {"policy_assignments": "policy assignment"}.get(table, table.rstrip("s").replace("_", " "))


def _text(document: Document) -> str:
    """A document without what changes by itself, as comparable text."""
    return json.dumps(_steady(document), sort_keys=True, default=str)


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(each) for key, each in value.items() if key not in _VOLATILE}
    if isinstance(value, list):
        return [_steady(each) for each in value]
    return value


def _principal_text(world: World, principal: Principal) -> str:
    state = {
        "enabled": principal.enabled,
        "secrets": sum(secret not in world.truth.get("rogue_secrets", ()) for secret in principal.secrets),
        "members": sorted(principal.members),
        "sessions revoked": str(principal.sessions_revoked_at),
    }
    return json.dumps(state, sort_keys=True)


def _differences(before: Any, after: Any, path: str = "") -> Iterable[str]:
    """The paths at which two documents differ, with short values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif before != after:
        yield f"{path} {str(before)[:40]} -> {str(after)[:40]}"
