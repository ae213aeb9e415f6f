"""Passwords of people: what a new one must look like, and what becomes of an account whose password an administrator sets.

The simulator keeps of a password when it was set and whether it has to be changed at the next sign-in, never the password itself.
"""

from __future__ import annotations

import re
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.http import Request
from azure_simulator.services.graph import audits
from azure_simulator.services.graph.envelope import tenant_of
from azure_simulator.services.graph.exceptions import GraphBadRequestError
from azure_simulator.services.graph.store import put, table
from azure_simulator.world import Document, Principal, World

_KINDS = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
_ENOUGH, _SHORTEST, _LONGEST = 3, 8, 256


def check(user: Principal, profile: Any) -> None:
    """Refuse a password that the directory would not take: 8 to 256 characters of three kinds, without the account's name.

    https://learn.microsoft.com/entra/identity/authentication/concept-password-ban-bad-combined-policy

    Raises:
        GraphBadRequestError
    """
    password = str(profile.get("password") or "") if isinstance(profile, dict) else ""
    kinds = sum(bool(re.search(kind, password)) for kind in _KINDS)
    name = user.upn.partition("@")[0].lower()
    if not _SHORTEST <= len(password) <= _LONGEST or kinds < _ENOUGH or (name and name in password.lower()):
        raise GraphBadRequestError("The specified password does not comply with password complexity requirements.")


def reset(world: World, request: Request, user: Principal, profile: Document) -> None:
    """Note that the account has a new password; sessions that were open go on."""
    row = table(world, "users").get(user.object_id)
    if row is None:
        row = put(world, "users", user.object_id, {}, tenant=tenant_of(world, request))
    row["lastPasswordChangeDateTime"] = stamp(world.clock.now())
    row["_must_change"] = bool(profile.get("forceChangePasswordNextSignIn", True))
    audits.note(world, request, "Reset user password", "UserManagement", audits.target(user), operation="Reset")


def shown(world: World, user: Principal) -> Document:
    """`passwordProfile` as Graph answers it where it is selected: never the password."""
    must = bool((table(world, "users").get(user.object_id) or {}).get("_must_change"))
    return {"forceChangePasswordNextSignIn": must, "forceChangePasswordNextSignInWithMfa": False, "password": None}
