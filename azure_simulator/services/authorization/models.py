"""Who may do what: role assignments, groups (foreign groups too) and the actions of role definitions, with wildcards."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from azure_simulator.arm import covers
from azure_simulator.world import Document, World


@dataclass(frozen=True)
class Grant:
    """Why an action is allowed: the assignment and the name of its role."""

    assignment: Document
    role: str


@functools.lru_cache(maxsize=100_000)
def matches(pattern: str, action: str) -> bool:
    """True when an action pattern of a role (`Microsoft.Compute/*/read`) covers an action, in any case."""
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, action, re.IGNORECASE) is not None


def identities(world: World, object_id: str) -> set[str]:
    """The principal's own id and those of every group it is in, directly or through groups; lower-case."""
    found, frontier = {object_id.lower()}, {object_id.lower()}
    groups = [
        (group.object_id.lower(), {member.lower() for member in group.members})
        for group in world.principals.values()
        if group.members and group.kind in ("Group", "ForeignGroup")
    ]
    while frontier:
        frontier = {group for group, members in groups if group not in found and members & frontier}
        found |= frontier
    return found


def definition(world: World, role_definition_id: str) -> Document | None:
    """A role definition by id at any scope, or by GUID alone."""
    exact = world.role_definitions.get(role_definition_id)
    if exact is not None:
        return exact
    guid = role_definition_id.rsplit("/", 1)[-1].lower()
    size, index = world.memory.get("roles_by_name", (-1, {}))
    if size != len(world.role_definitions) or guid not in index:
        index = {key.rsplit("/", 1)[-1]: key for key in world.role_definitions}
        world.memory["roles_by_name"] = (len(world.role_definitions), index)
    key = index.get(guid)
    return world.role_definitions.get(key) if key else None


def allows(role: Document, action: str) -> bool:
    """True when the role's permissions include the action."""
    return any(
        any(matches(pattern, action) for pattern in permission.get("actions", ()))
        and not any(matches(pattern, action) for pattern in permission.get("notActions", ()))
        for permission in role["properties"].get("permissions", ())
    )


def grant_for(world: World, object_id: str, action: str, scope: str) -> Grant | None:
    """The first assignment at or above `scope` that allows the action, or None."""
    who = identities(world, object_id)
    for assignment in world.role_assignments.values():
        properties = assignment["properties"]
        if str(properties["principalId"]).lower() not in who or not covers(properties["scope"], scope):
            continue
        role = definition(world, properties["roleDefinitionId"])
        if role is not None and allows(role, action):
            return Grant(assignment, role["properties"]["roleName"])
    return None


def reaches(world: World, object_id: str, scope: str) -> bool:
    """True when the principal has any role at, above or below the scope: enough to see that it exists."""
    who = identities(world, object_id)
    return any(
        str(row["properties"]["principalId"]).lower() in who
        and (covers(row["properties"]["scope"], scope) or covers(scope, row["properties"]["scope"]))
        for row in world.role_assignments.values()
    )


def permissions_at(world: World, object_id: str, scope: str) -> list[Document]:
    """What the permissions API answers: one entry per role held at the scope."""
    who = identities(world, object_id)
    found: list[Document] = []
    for assignment in world.role_assignments.values():
        properties = assignment["properties"]
        if str(properties["principalId"]).lower() not in who or not covers(properties["scope"], scope):
            continue
        role = definition(world, properties["roleDefinitionId"])
        if role is not None:
            found += [entry for entry in role["properties"]["permissions"] if entry not in found]
    return found


DENY_TABLE = "authorization.deny_assignments"  # the world's table of deny assignments, by id
EVERYBODY = "00000000-0000-0000-0000-000000000000"


def deny_assignments(world: World) -> list[Document]:
    """All deny assignments. Customers cannot make them: managed applications, stacks and blueprints do, and tests."""
    return list(world.table(DENY_TABLE).values())


def denial_for(world: World, object_id: str, action: str, scope: str) -> Document | None:
    """The first deny assignment that forbids the principal an action at a scope, whatever its roles allow."""
    rows = deny_assignments(world)
    who = identities(world, object_id) if rows else set()
    for row in rows:
        properties = row["properties"]
        place = properties["scope"]
        here = place.lower().rstrip("/") == scope.lower().rstrip("/")
        if not here and (properties.get("doNotApplyToChildScopes") or not covers(place, scope)):
            continue
        named = {str(one["id"]).lower() for one in properties.get("principals", ())}
        excluded = {str(one["id"]).lower() for one in properties.get("excludePrincipals", ())}
        if who & excluded or not (EVERYBODY in named or who & named):
            continue
        if allows({"properties": {"permissions": properties.get("permissions", ())}}, action):
            return row
    return None
