"""Whether Azure would allow an action: role permissions with wildcards and exceptions, and deny assignments. Pure.

Roles add up: what one of them allows is allowed, and `not_actions` take away only from their own entry. A deny assignment wins over all of
them. Whether a deny assignment names a group that the identity is in cannot always be told; then the answer is "perhaps".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.model.facts import Permission, SubscriptionFacts

_EVERYBODY = "00000000-0000-0000-0000-000000000000"


class Denial(msgspec.Struct, frozen=True):
    """A deny assignment that stands in the way, by its name; `sure` is False when it may not be about us."""

    name: str
    scope: str
    sure: bool


@lru_cache(maxsize=50_000)
def covers(pattern: str, action: str) -> bool:
    """Whether an action pattern of a role, such as `Microsoft.Compute/*/read`, covers an action, in any case. Only `*` is special."""
    expression = ".*".join(re.escape(part) for part in pattern.lower().split("*"))
    return re.fullmatch(expression, action.lower()) is not None


def allows(entries: Iterable[Permission], action: str) -> bool:
    """Whether one of the entries includes the action and does not take it away again."""
    return any(
        any(covers(pattern, action) for pattern in entry.actions)
        and not any(covers(pattern, action) for pattern in entry.not_actions)
        for entry in entries
    )


def permissions_of(documents: Iterable[Any]) -> tuple[Permission, ...]:
    """Read the entries that Azure's permissions API answers, each once, in its order."""
    entries = (
        Permission(
            actions=tuple(str(one) for one in doc.items(item, "actions")),
            not_actions=tuple(str(one) for one in doc.items(item, "notActions")),
        )
        for item in documents
        if isinstance(item, Mapping)
    )
    return tuple(dict.fromkeys(entries))


def missing(needed: Iterable[str], entries: Iterable[Permission]) -> tuple[str, ...]:
    """The needed ARM actions that no entry allows, sorted."""
    known = tuple(entries)
    return tuple(sorted(action for action in set(needed) if not allows(known, action)))


def allowed_at(facts: SubscriptionFacts, action: str, target: str) -> bool | None:
    """Whether the acting identity's roles allow an action on a target; None when its permissions were not read."""
    if not facts.permissions:
        return None
    key = target.lower()
    held = (entries for scope, entries in facts.permissions.items() if is_at_or_below(key, scope))
    return any(allows(entries, action) for entries in held)


def denials(
    documents: Iterable[Mapping[str, Any]], facts: SubscriptionFacts | None, action: str, target: str
) -> tuple[Denial, ...]:
    """The deny assignments that forbid an action on a target, or perhaps do."""
    own = {one.lower() for one in (*facts.own_principal_ids, *facts.member_of)} if facts else set()
    found = []
    for document in documents:
        properties = doc.mapping(document, "properties")
        scope = doc.path(properties, "scope") or _scope_of(doc.path(document, "id"))
        here = target.lower().rstrip("/") == scope.lower().rstrip("/")
        below = is_at_or_below(target, scope) and doc.field(properties, "doNotApplyToChildScopes") is not True
        if not (here or below) or not allows(permissions_of(doc.items(properties, "permissions")), action):
            continue
        named, excluded = _people(properties, "principals"), _people(properties, "excludePrincipals")
        if own & excluded.keys():
            continue
        certain = bool(own & named.keys()) or _EVERYBODY in named
        perhaps = any(kind in ("group", "") for kind in named.values())
        if certain or perhaps:
            doubtful = any(kind == "group" for one, kind in excluded.items() if one not in own)
            name = doc.text(properties, "denyAssignmentName") or doc.path(document, "id").rsplit("/", 1)[-1]
            found.append(Denial(name, scope, certain and not doubtful))
    return tuple(sorted(found, key=lambda one: (not one.sure, one.name, one.scope)))


def is_at_or_below(target: str, scope: str) -> bool:
    """Whether a scope covers a target: the root and management groups cover everything here."""
    outer, inner = scope.lower().rstrip("/"), target.lower().rstrip("/")
    if not outer or outer.startswith("/providers/microsoft.management/"):
        return True
    return inner == outer or inner.startswith(outer + "/")


def _people(properties: Any, name: str) -> dict[str, str]:
    return {doc.text(one, "id").lower(): doc.text(one, "type").lower() for one in doc.items(properties, name)}


def _scope_of(identifier: str) -> str:
    at = identifier.lower().rfind("/providers/microsoft.authorization/")
    return identifier[:at] if at > 0 else "/"
