"""The lease of an incident: one run executes at a time, and a run that lost it stops before its next write.

Every acquisition has a new term, also one by the same run: of two processes of one flow run only the later one may write.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, select, update

from firebreak.errors import LeaseLostError
from firebreak.store import Clock, Store
from firebreak.store.database import insert_once
from firebreak.store.schema import leases


class Lease:
    """The right to write for one incident. Make one with `acquire`."""

    def __init__(self, store: Store, incident: str, run_id: str, term: int, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.incident, self.run_id, self.term = incident, run_id, term

    @classmethod
    def acquire(
        cls,
        store: Store,
        incident: str,
        run_id: str,
        *,
        clock: Clock,
        stale_after_seconds: float = 120.0,
        take_over: bool = False,
    ) -> Lease:
        """Take the incident's lease: a free one, one's own, one without a heartbeat for so long, or any when `take_over` says so.

        Raises:
            LeaseLostError: another run holds it and is alive.
        """
        now = clock()
        fields = {"run_id": run_id, "acquired_at": now, "heartbeat_at": now, "released": False}
        with store.write() as tx:
            if insert_once(tx, leases, {"incident": incident, "term": 1, **fields}):
                return cls(store, incident, run_id, 1, clock)
            row = tx.execute(select(leases).where(leases.c.incident == incident).with_for_update()).one()
            stale = now - row.heartbeat_at >= timedelta(seconds=stale_after_seconds)
            if not (row.released or row.run_id == run_id or stale or take_over):
                raise LeaseLostError(
                    f"{incident} is being executed by run {row.run_id}, last heard of at {row.heartbeat_at:%H:%M:%S} UTC.",
                    hint=f"Wait until it ends; after {stale_after_seconds:.0f} s of silence another run may take over.",
                )
            tx.execute(update(leases).where(leases.c.incident == incident).values(term=row.term + 1, **fields))
            return cls(store, incident, run_id, row.term + 1, clock)

    def check(self, tx: Connection | None = None) -> None:
        """Make sure that this run still holds the lease, and let it be known to be alive.

        Inside a transaction the lease stays locked until its end, so nobody takes over between the check and what it protects.

        Raises:
            LeaseLostError: another run or process holds it now.
        """
        if tx is None:
            with self._store.write() as own:
                self.check(own)
            return
        mine = (leases.c.incident == self.incident) & (leases.c.term == self.term) & leases.c.released.is_(False)
        if tx.execute(update(leases).where(mine).values(heartbeat_at=self._clock())).rowcount == 1:
            return
        row = tx.execute(select(leases.c.run_id).where(leases.c.incident == self.incident)).one_or_none()
        raise LeaseLostError(
            f"Run {self.run_id} no longer holds the lease of {self.incident}: {row.run_id if row else 'nobody'} does.",
            hint="This run stops. Look at the other run.",
        )

    def heartbeat(self) -> None:
        """Say that this run is alive. Raises as `check`."""
        self.check()

    def release(self) -> None:
        """Give the lease back; nothing happens when it was lost."""
        mine = (leases.c.incident == self.incident) & (leases.c.term == self.term)
        with self._store.write() as tx:
            tx.execute(update(leases).where(mine).values(released=True))
