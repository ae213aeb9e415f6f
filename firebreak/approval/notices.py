"""What people are to be told, kept until it has been told: about a gate, an incident, what the intake refused, or Microsoft's open alerts.

A notice is entered in the transaction of what it tells, so neither exists without the other, and its key lets it exist once. Telling is
not this module's business: `claim` hands untold notices to one teller, `note_told` ends them, and a teller that died is followed by
another after a minute. Both may then have told; `Notice.key` is the same for both, so that the receiver can see it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from firebreak.clients.policies.redaction import without_secrets
from firebreak.store import Store
from firebreak.store.database import insert_once
from firebreak.store.schema import incidents
from firebreak.store.schema import notices as table

WAITING: Final = "waiting"
REMINDER: Final = "reminder"
EXPIRING: Final = "expiring"
ESCALATED: Final = "escalated"
EXPIRED: Final = "expired"
PRE_AUTHORISED: Final = "pre_authorised"
ABOUT_GATES: Final = frozenset({WAITING, REMINDER, EXPIRING, ESCALATED, EXPIRED, PRE_AUTHORISED})

OPENED: Final = "opened"
CONTAINED: Final = "contained"
STOPPED: Final = "stopped"
FAILED: Final = "failed"
CRASHED: Final = "crashed"
REFUSED: Final = "refused"
DIGEST: Final = "digest"
DUE: Final = "due"
_OF_STATE: Final = {"done": CONTAINED, "stopped": STOPPED, "failed": FAILED}

_ONE_TELLER_HAS: Final = timedelta(minutes=1)
_REFUSED_EVERY_SECONDS: Final = 600
_MOST: Final = 200


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell. `about` is a gate, an incident, a channel of the intake or an alert of Microsoft's. `number` is the question's for `waiting` and `expired`,
    counts what may happen again to an incident, and is 0 for what happens once.
    """

    about: str
    kind: str
    number: int
    incident: str
    text: str
    at: datetime

    @property
    def key(self) -> str:
        return f"{self.about}:{self.kind}:{self.number}"


def add(tx: Connection, notice: Notice) -> bool:
    """Enter a notice; False when it was entered before."""
    row = msgspec.structs.asdict(notice) | {"text": without_secrets(notice.text)}
    return insert_once(tx, table, {**row, "claimed_at": None, "told_at": None})


def add_opened(tx: Connection, incident: str, text: str, at: datetime) -> None:
    """Enter that an incident was opened."""
    add(tx, Notice(about=incident, kind=OPENED, number=0, incident=incident, text=text, at=at))


def add_end(tx: Connection, incident: str, state: str, text: str, at: datetime) -> None:
    """Enter that an incident comes to an end: done, stopped or failed. Call it before the state is set; nothing is told when it is the same."""
    kind = _OF_STATE.get(state)
    if kind is None or tx.execute(select(incidents.c.state).where(incidents.c.id == incident)).scalar() == state:
        return
    mine = (table.c.about == incident) & (table.c.kind == kind)
    number = tx.execute(select(func.count()).select_from(table).where(mine)).scalar_one()
    add(tx, Notice(about=incident, kind=kind, number=number, incident=incident, text=text, at=at))


def add_refused(tx: Connection, channel: str, text: str, at: datetime) -> None:
    """Enter that a delivery opened no incident. One in ten minutes over each channel: whoever floods the intake does not flood people."""
    number = int(at.timestamp()) // _REFUSED_EVERY_SECONDS
    add(tx, Notice(about=f"intake.{channel}", kind=REFUSED, number=number, incident="", text=text, at=at))


def add_digest(tx: Connection, text: str, at: datetime) -> None:
    """Enter how many alerts are open; once a day."""
    add(tx, Notice(about="alerts", kind=DIGEST, number=at.date().toordinal(), incident="", text=text, at=at))


def add_due(tx: Connection, alert_id: str, text: str, at: datetime) -> None:
    """Enter that an open alert nears day sixty; once a day for each."""
    about = f"alert.{hashlib.sha256(alert_id.lower().encode()).hexdigest()[:16]}"  # an id is a stranger's text of any length
    add(tx, Notice(about=about, kind=DUE, number=at.date().toordinal(), incident="", text=text, at=at))


def claim(store: Store, *, incident: str = "") -> tuple[Notice, ...]:
    """Take the notices that nobody has told or is telling, of one incident or of all: of tellers at the same time each notice goes to one.

    Those that nobody has tried come first, then the oldest.
    """
    now = store.clock()
    free = table.c.told_at.is_(None) & or_(table.c.claimed_at.is_(None), table.c.claimed_at <= now - _ONE_TELLER_HAS)
    if incident:
        free &= table.c.incident == incident
    order = (table.c.claimed_at.is_not(None), table.c.at, table.c.about)
    wanted = select(table).where(free).order_by(*order).limit(_MOST).with_for_update(skip_locked=True)
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


def is_said_otherwise(store: Store, notice: Notice) -> bool:
    """Whether another notice of the same moment says that the question is asked anew: it expired, or was escalated."""
    if notice.kind != WAITING:
        return False
    same = (table.c.about == notice.about) & (table.c.at == notice.at) & table.c.kind.in_((ESCALATED, EXPIRED))
    with store.read() as tx:
        return tx.execute(select(table.c.kind).where(same).limit(1)).scalar() is not None


def untold(store: Store) -> tuple[int, datetime | None]:
    """How many notices nobody has told, and when the oldest was entered."""
    wanted = select(func.count(), func.min(table.c.at)).where(table.c.told_at.is_(None))
    with store.read() as tx:
        number, oldest = tx.execute(wanted).one()
    return int(number), oldest


def _is(notice: Notice) -> ColumnElement[bool]:
    return (table.c.about == notice.about) & (table.c.kind == notice.kind) & (table.c.number == notice.number)
