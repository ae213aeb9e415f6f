"""What people are to be told about gates, kept until it has been told: `waiting`, `reminder`, `escalated`, `expired`, `pre_authorised`.

A notice is entered in the transaction of what it tells, so neither exists without the other, and its key lets it exist once. Telling is
not this module's business: `claim` hands untold notices to one teller, `note_told` ends them, and a teller that died is followed by
another after a minute. Both may then have told; `Notice.key` is the same for both, so that the receiver can see it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, or_, select, update

from firebreak.store import Store
from firebreak.store.database import insert_once
from firebreak.store.schema import notices as table

WAITING: Final = "waiting"
REMINDER: Final = "reminder"
ESCALATED: Final = "escalated"
EXPIRED: Final = "expired"
PRE_AUTHORISED: Final = "pre_authorised"

_ONE_TELLER_HAS: Final = timedelta(minutes=1)
_MOST: Final = 200


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell about a gate. `number` is the question's for `waiting` and `expired`, 0 for what happens once to a gate."""

    gate: str
    kind: str
    number: int
    incident: str
    text: str
    at: datetime

    @property
    def key(self) -> str:
        return f"{self.gate}:{self.kind}:{self.number}"


def add(tx: Connection, notice: Notice) -> bool:
    """Enter a notice; False when it was entered before."""
    return insert_once(tx, table, {**msgspec.structs.asdict(notice), "claimed_at": None, "told_at": None})


def claim(store: Store) -> tuple[Notice, ...]:
    """Take the notices that nobody has told or is telling, the oldest first: of tellers at the same time each notice goes to one."""
    now = store.clock()
    free = table.c.told_at.is_(None) & or_(table.c.claimed_at.is_(None), table.c.claimed_at <= now - _ONE_TELLER_HAS)
    wanted = select(table).where(free).order_by(table.c.at, table.c.gate).limit(_MOST).with_for_update(skip_locked=True)
    with store.write() as tx:
        found = [
            Notice(**{name: row[name] for name in Notice.__struct_fields__}) for row in tx.execute(wanted).mappings()
        ]
        for notice in found:
            tx.execute(update(table).where(_is(notice)).values(claimed_at=now))
    return tuple(found)


def note_told(store: Store, notice: Notice) -> None:
    """Note that a notice needs no further telling."""
    with store.write() as tx:
        tx.execute(update(table).where(_is(notice)).values(told_at=store.clock()))


def _is(notice: Notice) -> ColumnElement[bool]:
    return (table.c.gate == notice.gate) & (table.c.kind == notice.kind) & (table.c.number == notice.number)
