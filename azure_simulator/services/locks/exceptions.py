"""Errors of management locks."""

from __future__ import annotations

from azure_simulator.http import ArmError


class ScopeLockedError(ArmError):
    """409: a lock at, above or (for deletes) below the scope forbids the operation."""

    def __init__(self, scope: str, operation: str, locked: list[str]) -> None:
        super().__init__(
            409,
            "ScopeLocked",
            f"The scope '{scope}' cannot perform {operation} operation because following scope(s) are locked: "
            f"'{','.join(locked)}'. Please remove the lock and try again.",
        )
