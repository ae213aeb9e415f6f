"""Over which channel a notice went, and which channels did not take it: one row per notice and channel, the last try.

A route is a list of channels that are tried in turn. A notice is through on a route when one of its channels took it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import func, select, update

from firebreak.approval.notices import Notice
from firebreak.store import Store
from firebreak.store.database import insert_once
from firebreak.store.schema import tellings as table

DELIVERED: Final = "delivered"
FAILED: Final = "failed"
_LONGEST_WAIT: Final = timedelta(hours=1)


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """The last try to tell one notice over one channel. `problem` says in our words why it failed, "" when it did not."""

    about: str
    kind: str
    number: int
    channel: str
    route: str
    state: str
    attempts: int
    problem: str
    at: datetime


def note(store: Store, notice: Notice, *, channel: str, route: str, problem: str = "") -> Telling:
    """Keep how a try ended, and return it; `attempts` counts those that failed in a row."""
    mine = (table.c.about == notice.about) & (table.c.kind == notice.kind) & (table.c.number == notice.number)
    mine &= table.c.channel == channel
    with store.write() as tx:
        before = tx.execute(select(table.c.attempts).where(mine)).scalar() or 0
        found = Telling(
            about=notice.about,
            kind=notice.kind,
            number=notice.number,
            channel=channel,
            route=route,
            state=FAILED if problem else DELIVERED,
            attempts=before + 1 if problem else 0,
            problem=problem,
            at=store.clock(),
        )
        row = msgspec.structs.asdict(found)
        if not insert_once(tx, table, row):
            tx.execute(update(table).where(mine).values(**row))
    return found


def of_notice(store: Store, notice: Notice) -> tuple[Telling, ...]:
    """Every channel that a notice was tried over."""
    mine = (table.c.about == notice.about) & (table.c.kind == notice.kind) & (table.c.number == notice.number)
    with store.read() as tx:
        return tuple(Telling(**row) for row in tx.execute(select(table).where(mine)).mappings())


def is_through(tries: tuple[Telling, ...], route: str) -> bool:
    """Whether a channel of the route took the notice."""
    return any(one.route == route and one.state == DELIVERED for one in tries)


def is_due(tries: tuple[Telling, ...], route: str, now: datetime) -> bool:
    """Whether a route that failed is to be tried again: 1, 2, 4 ... minutes after the last time, at most an hour."""
    failed = [one for one in tries if one.route == route and one.state == FAILED]
    if not failed:
        return True
    rounds = max(one.attempts for one in failed)
    wait = min(timedelta(minutes=2 ** min(rounds - 1, 10)), _LONGEST_WAIT)
    return now >= max(one.at for one in failed) + wait


def last_delivered_before(store: Store, notice: Notice) -> datetime | None:
    """When people were last told another notice of this kind about the same."""
    mine = (table.c.about == notice.about) & (table.c.kind == notice.kind) & (table.c.number != notice.number)
    mine &= table.c.state == DELIVERED
    with store.read() as tx:
        return tx.execute(select(table.c.at).where(mine).order_by(table.c.at.desc()).limit(1)).scalar()


def newest_by_channel(store: Store) -> dict[str, Telling]:
    """The last try over each channel, whatever was told."""
    last = select(table.c.channel, func.max(table.c.at).label("at")).group_by(table.c.channel).subquery()
    wanted = select(table).join(last, (table.c.channel == last.c.channel) & (table.c.at == last.c.at))
    with store.read() as tx:
        return {row["channel"]: Telling(**row) for row in tx.execute(wanted).mappings()}
