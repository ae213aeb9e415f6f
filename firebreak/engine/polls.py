"""One poll of every source: what is open and in no incident yet, the oldest first, and what could not be looked at.

    polls = await poll_sources(room)                 # what is new since the last poll that read everything
    polls = await poll_sources(room, backlog=True)   # everything that nobody has resolved, whatever its age

What is found goes into the inbox, where one alert is in exactly one incident, however many channels name it; this module only reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from firebreak.analysis import documents as doc
from firebreak.engine.room import EngineRoom
from firebreak.engine.sources import (
    Look,
    look_at_audit_records,
    look_at_cost_alerts,
    look_at_fraud_events,
    look_at_graph,
)
from firebreak.errors import AlertError, ScopeError
from firebreak.intake import audit_records, cost_alerts, fraud_events
from firebreak.intake.alerts import parse_alert
from firebreak.intake.channels import PARTNER_CENTER, POLL
from firebreak.intake.inbox import Delivery, Inbox
from firebreak.intake.poll_log import PollLog

GRAPH: Final = "graph"
FALLBACK: Final = "Partner Center's retiring FraudEvents interface was asked instead of Graph; it takes no answer 'legitimate', and new types come to Graph alone."
# The record, the event and the alert of one fraud event are stamped apart.
_TOGETHER: Final = timedelta(days=1)
# A webhook is sent ten times, and Graph lists late: nothing is missed before that.
_SETTLED: Final = timedelta(minutes=30)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One open alert that is in no incident, with the bytes that go into the inbox over `channel`."""

    channel: str
    raw: bytes
    at: datetime


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """One source, asked once at `at`.

    `problems` say why it was not looked at, or not to the end; then nothing is known of what it did not list. `unresolved` counts what is open,
    `older` those of them that open no incident by themselves, `known` those that are in an incident. `missed` are alerts that only
    the audit records tell of: webhooks that never came.
    """

    source: str
    at: datetime
    opens_from: datetime
    since: datetime | None = None
    listed: int = 0
    unresolved: int = 0
    older: int = 0
    known: int = 0
    found: tuple[Found, ...] = ()
    missed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def looked(self) -> bool:
        return not self.problems


async def poll_sources(room: EngineRoom, *, backlog: bool = False, whole: bool = False) -> list[Poll]:
    """Ask every source that the settings name, and FraudEvents when they allow it and Graph could not be read. Never raises for what a source does.

    With `whole` everything that is open is read, and not only what was detected lately: an alert may be listed days later. With `backlog` what
    is older than what opens incidents by itself is taken in as well.
    """
    wanted, is_partner = room.settings.poll.sources, bool(room.settings.credential.partner_tenant_id)
    polls = []
    if is_partner and GRAPH in wanted:
        polls.append(await _poll_graph(room, backlog=backlog, whole=whole or backlog))
    if is_partner and room.settings.poll.fraud_events and not any(poll.looked for poll in polls):
        polls.append(await _poll_fraud_events(room, backlog=backlog))
    if is_partner and audit_records.SOURCE in wanted:
        polls.append(await _poll_audit_records(room))
    if cost_alerts.SOURCE in wanted:
        polls.append(await _poll_cost_alerts(room, backlog=backlog))
    return polls


def is_unresolved(row: dict[str, Any]) -> bool:
    """Whether nobody has answered an alert of Graph's; a status that is not known counts as open."""
    return doc.text(row, "status").lower() != "resolved"


def detected_at(row: dict[str, Any]) -> datetime | None:
    """When an alert of Graph's was detected, as far as that can be read."""
    return doc.moment(doc.text(row, "detectedDateTime")) or doc.moment(doc.text(row, "firstObservedDateTime"))


async def _poll_graph(room: EngineRoom, *, backlog: bool, whole: bool) -> Poll:
    started = _started(room, GRAPH, all_of_it=whole)
    look = await look_at_graph(room, started.since)
    rows = [(row, detected_at(row)) for row in look.rows if is_unresolved(row)]
    if started.since:  # Graph may not have filtered
        rows = [(row, at) for row, at in rows if at is None or at >= started.since]
    return _chosen(room, started, look, rows, backlog=backlog)


async def _poll_fraud_events(room: EngineRoom, *, backlog: bool) -> Poll:
    started = _started(room, fraud_events.SOURCE, all_of_it=True)
    look = await look_at_fraud_events(room)
    rows = [(row, fraud_events.event_time(row)) for row in look.rows if fraud_events.is_open(row)]
    return msgspec.structs.replace(_chosen(room, started, look, rows, backlog=backlog), warnings=(FALLBACK,))


async def _poll_cost_alerts(room: EngineRoom, *, backlog: bool) -> Poll:
    started = _started(room, cost_alerts.SOURCE, all_of_it=True)
    look = await look_at_cost_alerts(room)
    rows = [(row, cost_alerts.time_of(row)) for row in look.rows if cost_alerts.is_open(row)]
    return _chosen(room, started, look, rows, backlog=backlog)


async def _poll_audit_records(room: EngineRoom) -> Poll:
    """Compare Partner Center's own records of fraud events with what came in. One that is nowhere else is a webhook that never came."""
    started = _started(room, audit_records.SOURCE)
    since = started.since or started.opens_from
    look = await look_at_audit_records(room, since)
    records = [(row, at) for row in look.rows if audit_records.is_fraud(row) and (at := audit_records.time_of(row))]
    due = [(row, at) for row, at in records if started.opens_from <= at <= started.at - _SETTLED]
    alone = _nowhere_near(_in_store(room), due)
    warnings: list[str] = []
    if alone:
        # Also what was resolved meanwhile: that was seen by somebody.
        graph = await look_at_graph(room, min(at for _, at in alone) - _TOGETHER)
        alone = _nowhere_near([(doc.text(r, "subscriptionId").lower(), detected_at(r)) for r in graph.rows], alone)
        warnings += [f"The records could not be compared with Graph: {problem}" for problem in graph.problems]
    webhooks = Inbox(room.store).since(PARTNER_CENTER, since - _TOGETHER) if alone else []
    missed = tuple(
        f"{at:%Y-%m-%d %H:%M}Z: a fraud event on subscription {doc.shown(audit_records.subscription_of(row), 60) or '(none named)'} "
        "is in the audit records and nowhere else: its webhook never came."
        for row, at in alone
        if not any(_tells_of(one, audit_records.subscription_of(row), at) for one in webhooks)
    )
    return msgspec.structs.replace(
        started,
        listed=len(look.rows),
        unresolved=len(records),
        known=len(due) - len(alone),
        found=tuple(_found(started.source, row, at) for row, at in alone),
        missed=missed,
        warnings=tuple(warnings),
        problems=tuple(look.problems),
    )


def _started(room: EngineRoom, source: str, *, all_of_it: bool = False) -> Poll:
    """A poll from where the last good one ended, with an overlap; the first one reads everything that is open."""
    now, own = room.clock(), room.settings.poll
    last = PollLog(room.store).get(source)
    opens_from = last.opens_from if last and last.opens_from else now - timedelta(days=own.opens_days)
    since = None
    if not all_of_it and last and last.looked_until:
        since = last.looked_until - timedelta(hours=own.overlap_hours)
    return Poll(source=source, at=now, opens_from=opens_from, since=since)


def _chosen(
    room: EngineRoom, started: Poll, look: Look, rows: list[tuple[dict[str, Any], datetime | None]], *, backlog: bool
) -> Poll:
    """Sort what is open: in an incident already, older than what opens one by itself, or to be taken in."""
    fresh = [(row, at) for row, at in rows if not _is_known(room, started.source, row)]
    # Without a time it is taken in: an alert that says less is no older one.
    taken = [(row, at) for row, at in fresh if backlog or at is None or at >= started.opens_from]
    found = [_found(started.source, row, at or started.at) for row, at in taken]
    return msgspec.structs.replace(
        started,
        listed=len(look.rows),
        unresolved=len(rows),
        known=len(rows) - len(fresh),
        older=len(fresh) - len(taken),
        found=tuple(sorted(found, key=lambda one: (one.at, one.raw))),
        problems=tuple(look.problems),
    )


def _found(source: str, row: dict[str, Any], at: datetime) -> Found:
    raw = json.dumps(row, separators=(",", ":"), sort_keys=True).encode()
    return Found(channel=f"{POLL}{source}", raw=raw, at=at)


def _is_known(room: EngineRoom, source: str, row: dict[str, Any]) -> bool:
    found = _found(source, row, room.clock())
    tenant = room.settings.credential.tenant_id
    try:
        if source == cost_alerts.SOURCE:
            alert = cost_alerts.parse(found.raw, now=found.at, tenant=tenant)
        else:
            alert = parse_alert(found.raw, place=source, now=found.at, default_tenant=tenant)
    except (AlertError, ScopeError):
        return False  # the inbox keeps it, with the reason
    return bool(room.store.cases.incident_of(alert))


def _in_store(room: EngineRoom) -> list[tuple[str, datetime | None]]:
    """Subscription and time of every alert that is in an incident."""
    seen: list[tuple[str, datetime | None]] = []
    for row in room.store.incidents.list():
        own = row.incident
        seen += [(own.subscription_id, own.alert.detected_at), (own.subscription_id, own.opened_at)]
        seen += [(own.subscription_id, joined.at) for joined in room.store.cases.alerts(own.id)]
    return seen


def _nowhere_near(
    seen: Iterable[tuple[str, datetime | None]], records: list[tuple[dict[str, Any], datetime]]
) -> list[tuple[dict[str, Any], datetime]]:
    """The records near which nothing about their subscription was seen."""
    places = list(seen)

    def is_near(row: dict[str, Any], at: datetime) -> bool:
        subscription = audit_records.subscription_of(row)
        return any(
            when is not None and abs(when - at) <= _TOGETHER and subscription in ("", where) for where, when in places
        )

    return [(row, at) for row, at in records if not is_near(row, at)]


def _tells_of(delivery: Delivery, subscription: str, at: datetime) -> bool:
    """Whether a webhook came about this subscription around that time, whatever became of it."""
    return (
        bool(subscription)
        and subscription.encode() in delivery.body.lower()
        and abs(delivery.received_at - at) <= _TOGETHER
    )
