"""The inbox: what was delivered, kept before it is answered, and what became of it.

    taken = inbox.take([("alerts", body)])       # one transaction; on the disk when this returns
    for delivery in inbox.due(now): ...          # also what another process left when it died
    inbox.settle(delivery.id, DONE, incident="INC-7")

A delivery is named by its channel and its bytes, so the same bytes over the same channel are one delivery, however often they come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import func, select, update

from firebreak.clients.policies.redaction import without_secrets
from firebreak.store import Store
from firebreak.store.database import insert_once
from firebreak.store.schema import deliveries, incident_alerts, incidents

WAITING: Final = "waiting"  # to be processed, now or again at `due_at`
DONE: Final = "done"  # in an incident, whose run was started
KEPT: Final = "kept"  # authentic, and opens no incident; `reason` says why
ENDED: Final = ("done", "stopped")  # states of incidents that no run goes on with
_LONGEST_WAIT = timedelta(minutes=5)
_LONGEST_REASON = 2000


class Delivery(NamedTuple):
    """One delivery with its raw bytes. `attempts` counts those that failed; `due_at` is when it is processed next."""

    id: str
    channel: str
    body: bytes
    received_at: datetime
    state: str
    reason: str
    incident: str
    attempts: int
    due_at: datetime

    @property
    def is_purged(self) -> bool:
        """Whether its raw bytes were removed because their time was over."""
        return not self.body and self.state != WAITING


class Taken(NamedTuple):
    """A delivery that is in the inbox; `is_new` is False when the same bytes came over this channel before."""

    id: str
    is_new: bool


class Waiting(NamedTuple):
    """How many deliveries wait, and since when the oldest does."""

    number: int
    oldest: datetime | None


def delivery_id(channel: str, body: bytes) -> str:
    """The name of a delivery: 64 hex digits."""
    return hashlib.sha256(channel.encode() + b"\n" + body).hexdigest()


class Inbox:
    """Deliveries in the incident store. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, arrived: Sequence[tuple[str, bytes]]) -> list[Taken]:
        """Keep what arrived, as channel and raw bytes, in one transaction; the answers are in the same order."""
        now = self._store.clock()
        taken = []
        with self._store.write() as tx:
            for channel, body in arrived:
                identity = delivery_id(channel, body)
                row = {
                    "id": identity,
                    "channel": channel,
                    "digest": hashlib.sha256(body).hexdigest(),
                    "body": body,
                    "received_at": now,
                    "state": WAITING,
                    "reason": "",
                    "incident": "",
                    "attempts": 0,
                    "due_at": now,
                    "settled_at": None,
                }
                taken.append(Taken(identity, insert_once(tx, deliveries, row)))
        return taken

    def get(self, delivery: str) -> Delivery | None:
        """Return one delivery, or None."""
        with self._store.read() as tx:
            row = tx.execute(_SELECT.where(deliveries.c.id == delivery)).one_or_none()
        return None if row is None else Delivery(*row)

    def newest(self, state: str = "", *, limit: int = 100) -> list[Delivery]:
        """The newest deliveries, of one state or of all."""
        wanted = _SELECT.order_by(deliveries.c.received_at.desc(), deliveries.c.id).limit(limit)
        with self._store.read() as tx:
            return [
                Delivery(*row) for row in tx.execute(wanted.where(deliveries.c.state == state) if state else wanted)
            ]

    def due(self, now: datetime, *, limit: int = 200) -> list[str]:
        """Ids of deliveries that are to be processed now, the oldest first."""
        wanted = (
            select(deliveries.c.id)
            .where(deliveries.c.state == WAITING, deliveries.c.due_at <= now)
            .order_by(deliveries.c.received_at, deliveries.c.id)
            .limit(limit)
        )
        with self._store.read() as tx:
            return [str(one) for one in tx.execute(wanted).scalars()]

    def since(self, channel: str, received_at: datetime) -> list[Delivery]:
        """Deliveries over one channel that came at or after a time."""
        wanted = _SELECT.where(deliveries.c.channel == channel, deliveries.c.received_at >= received_at)
        with self._store.read() as tx:
            return [Delivery(*row) for row in tx.execute(wanted.order_by(deliveries.c.received_at))]

    def settle(self, delivery: str, state: str, *, incident: str = "", reason: str = "") -> None:
        """Say what became of a delivery: `DONE` with its incident, or `KEPT` with the reason."""
        self._change(delivery, state=state, incident=incident, reason=reason, settled_at=self._store.clock())

    def put_off(self, delivery: Delivery, reason: str) -> None:
        """Process it again later: after 2, 4, 8 ... seconds, at most five minutes."""
        wait = min(timedelta(seconds=2 ** min(delivery.attempts + 1, 16)), _LONGEST_WAIT)
        due = self._store.clock() + wait
        self._change(delivery.id, state=WAITING, reason=reason, attempts=delivery.attempts + 1, due_at=due)

    def retry(self, delivery: str) -> bool:
        """Process one that was kept without an incident again, now; False when it is in another state, or its bytes were removed."""
        with self._store.write() as tx:
            changed = tx.execute(
                update(deliveries)
                .where(deliveries.c.id == delivery, deliveries.c.state == KEPT, deliveries.c.body != b"")
                .values(state=WAITING, attempts=0, due_at=self._store.clock(), settled_at=None)
            )
        return changed.rowcount == 1

    def expired(self, older_than: timedelta) -> list[str]:
        """Ids of deliveries whose raw bytes may be removed: settled that long ago, and in no incident that is open.

        An incident that failed may go on, so it counts as open. What waits is never among them.
        """
        cutoff = self._store.clock() - older_than
        is_open = select(incidents.c.id).where(incidents.c.state.not_in(ENDED))
        in_open = select(incident_alerts.c.raw_digest).where(incident_alerts.c.incident.in_(is_open))
        wanted = (
            select(deliveries.c.id)
            .where(deliveries.c.state.in_((DONE, KEPT)), deliveries.c.settled_at < cutoff, deliveries.c.body != b"")
            # One delivery may tell of several subscriptions: the alerts of each incident have the digest of their bytes.
            .where(deliveries.c.incident.not_in(is_open), deliveries.c.digest.not_in(in_open))
            .order_by(deliveries.c.settled_at, deliveries.c.id)
        )
        with self._store.read() as tx:
            return [str(one) for one in tx.execute(wanted).scalars()]

    def purge(self, older_than: timedelta) -> int:
        """Remove the raw bytes of what `expired` names, for good, and return how many; that it came and what became of it stays known.

        The same bytes that come again are still the same delivery.
        """
        removed = 0
        for identity in self.expired(older_than):
            still = select(incidents.c.id).where(incidents.c.state.not_in(ENDED))
            mine = (deliveries.c.id == identity) & deliveries.c.incident.not_in(still)
            with self._store.write() as tx:
                if tx.dialect.name == "sqlite":
                    tx.exec_driver_sql("PRAGMA secure_delete = ON")  # else they stay readable in the file
                gone = update(deliveries).where(mine, deliveries.c.state.in_((DONE, KEPT))).values(body=b"")
                removed += tx.execute(gone).rowcount
        return removed

    def find(self, beginning: str) -> list[Delivery]:
        """Deliveries whose id begins so, at most two."""
        wanted = (
            _SELECT.where(deliveries.c.id.startswith(beginning, autoescape=True)).order_by(deliveries.c.id).limit(2)
        )
        with self._store.read() as tx:
            return [Delivery(*row) for row in tx.execute(wanted)]

    def waiting(self) -> Waiting:
        """How many deliveries are not processed yet."""
        wanted = select(func.count(), func.min(deliveries.c.received_at)).where(deliveries.c.state == WAITING)
        with self._store.read() as tx:
            number, oldest = tx.execute(wanted).one()
        return Waiting(number, oldest)

    def oldest_seconds(self) -> float:
        """How long the oldest delivery that waits has waited, in seconds; 0 without one."""
        oldest = self.waiting().oldest
        return max(0.0, (self._store.clock() - oldest).total_seconds()) if oldest else 0.0

    def counts(self) -> dict[tuple[str, str], int]:
        """Deliveries by channel and state."""
        wanted = select(deliveries.c.channel, deliveries.c.state, func.count()).group_by(
            deliveries.c.channel, deliveries.c.state
        )
        with self._store.read() as tx:
            return {(channel, state): number for channel, state, number in tx.execute(wanted)}

    def _change(self, delivery: str, *, reason: str, **values: object) -> None:
        said = without_secrets(reason).replace("\0", "\N{REPLACEMENT CHARACTER}")[:_LONGEST_REASON]
        with self._store.write() as tx:
            # What was done stays done, whoever comes late.
            tx.execute(
                update(deliveries)
                .where(deliveries.c.id == delivery, deliveries.c.state != DONE)
                .values(reason=said, **values)
            )


_SELECT = select(
    deliveries.c.id,
    deliveries.c.channel,
    deliveries.c.body,
    deliveries.c.received_at,
    deliveries.c.state,
    deliveries.c.reason,
    deliveries.c.incident,
    deliveries.c.attempts,
    deliveries.c.due_at,
)
