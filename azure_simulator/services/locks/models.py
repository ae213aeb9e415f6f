"""Which locks stand in the way of a request."""

from __future__ import annotations

from azure_simulator.arm import covers, scope_of
from azure_simulator.services.locks.exceptions import ScopeLockedError
from azure_simulator.world import World

LEVELS = {"cannotdelete": "CanNotDelete", "readonly": "ReadOnly"}


def check(world: World, method: str, scope: str) -> None:
    """Refuse a write under ReadOnly, or a delete under, at or above any lock.

    Raises:
        ScopeLockedError: naming every locked scope.
    """
    if not world.locks or method in ("GET", "HEAD"):
        return
    deleting = method == "DELETE"
    locked: list[str] = []
    for lock in world.locks.values():
        place = scope_of(lock["id"])
        read_only = str(lock["properties"]["level"]).lower() == "readonly"
        if (covers(place, scope) and (deleting or read_only)) or (deleting and covers(scope, place)):
            locked.append(place)
    if locked:
        raise ScopeLockedError(scope, "delete" if deleting else "write", list(dict.fromkeys(locked)))
