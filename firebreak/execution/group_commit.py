"""Many concurrent journal moves, few transactions: whoever comes first commits for all who wait.

A commit costs a disk flush; 32 writers at once must not pay for 32. The guarantee is the same: `write` returns after the commit.
"""

from __future__ import annotations

import asyncio

from firebreak.execution.journal import Change, Journal
from firebreak.execution.lease import Lease


class JournalWriter:
    """Asynchronous front of `Journal.apply` for one run."""

    def __init__(self, journal: Journal, lease: Lease) -> None:
        self._journal, self._lease = journal, lease
        self._turn = asyncio.Lock()
        self._waiting: list[Change] = []

    async def write(self, change: Change) -> None:
        """Return when the move is committed. Raises as `Journal.apply`; then the move did not happen."""
        self._waiting.append(change)
        async with self._turn:
            if not any(waiting is change for waiting in self._waiting):
                return
            batch = list(self._waiting)
            try:
                await asyncio.to_thread(self._journal.apply, batch, self._lease)
            except BaseException:
                self._waiting = [waiting for waiting in self._waiting if waiting is not change]
                raise
            del self._waiting[: len(batch)]

    async def heartbeat(self) -> None:
        """Keep the lease. Raises LeaseLostError."""
        await asyncio.to_thread(self._lease.heartbeat)
