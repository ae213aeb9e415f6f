"""Until when each source of alerts was looked at, and why not further: a source that cannot be read is not an empty one.

log.looked("graph", until=now, opens_from=first)   # everything up to `now` was read and is in the inbox
log.failed("graph", "429 ...")                     # the next poll begins where the last good one ended
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, update

from firebreak.clients.policies.redaction import without_secrets
from firebreak.store import Store
from firebreak.store.database import insert_once
from firebreak.store.schema import polls

_LONGEST_REASON = 2000


class Polled(NamedTuple):
    """One source. `looked_until` is None when it was never read whole; `reason` is why the last try failed, "" when it did not.

    Alerts that were detected before `opens_from` open no incident by themselves.
    """

    source: str
    tried_at: datetime
    looked_until: datetime | None
    opens_from: datetime | None
    reason: str


class PollLog:
    """The sources in the incident store. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, source: str) -> Polled | None:
        """Return what is known of a source, or None when it was never tried."""
        return next((one for one in self.all() if one.source == source), None)

    def all(self) -> list[Polled]:
        """Every source that was ever tried, by name."""
        c = polls.c
        wanted = select(c.source, c.tried_at, c.looked_until, c.opens_from, c.reason).order_by(c.source)
        with self._store.read() as tx:
            return [Polled(*row) for row in tx.execute(wanted)]

    def looked(self, source: str, *, until: datetime, opens_from: datetime) -> None:
        """Note that everything up to `until` was read and kept. `opens_from` is set by the first good look and stays."""
        known = self.get(source)
        first = known.opens_from if known and known.opens_from else opens_from
        # A slower poll that ends later must not turn the time back.
        latest = max(until, known.looked_until) if known and known.looked_until else until
        self._set(source, looked_until=latest, opens_from=first, reason="")

    def failed(self, source: str, reason: str) -> None:
        """Note that a source could not be read, or not to the end."""
        self._set(source, reason=without_secrets(reason)[:_LONGEST_REASON] or "unknown")

    def _set(self, source: str, **values: object) -> None:
        values["tried_at"] = self._store.clock()
        with self._store.write() as tx:
            row = {"source": source, "looked_until": None, "opens_from": None, **values}
            if not insert_once(tx, polls, row):
                tx.execute(update(polls).where(polls.c.source == source).values(**values))
