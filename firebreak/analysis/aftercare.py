"""What came back after an incident was closed: two looks at one subscription in, signs out. Pure.

Only what an attacker did or has counts, judged as the response itself judges it; that something was not read is told beside it, and is never
the same as "nothing came back".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from firebreak.analysis.documents import listed, shown
from firebreak.analysis.running import attackers_compute
from firebreak.model.case import Case
from firebreak.model.facts import ActivityFacts, AlertFacts, Attribution, Inventory, SpendFacts
from firebreak.model.finding import Finding, Severity
from firebreak.model.platform import PlatformCompute

_GRAVE = (Severity.HIGH, Severity.CRITICAL)
_MOST_IDS = 20


class Kind(StrEnum):
    RUNNING = "running"  # compute of the attacker's is billed that was not when the incident was closed
    WORKED = "worked"  # an identity or session of the attacker's did or tried something
    FOUND = "found"  # something grave happened that a detection knows
    ALERT = "alert"  # Microsoft raised a further alert
    SPENT = "spent"  # the cost left its usual course again


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that came back. `text` is a sentence with its proof; `event_ids` are of the activity log. `at` is when, as far as that is known."""

    kind: Kind
    text: str
    at: datetime | None = None
    event_ids: tuple[str, ...] = ()


def signs_of(
    now: Case,
    findings: Iterable[Finding],
    *,
    closed_at: datetime,
    left_running: Iterable[str] = (),
    known: Iterable[str] = (),
) -> tuple[Sign, ...]:
    """Everything that came back since the incident was closed, what is certain first.

    Args:
        now: the case with the facts of today's look.
        findings: what today's look found.
        left_running: ids of the attacker's compute that people let run when they closed the incident.
        known: ids of findings of the incident itself.
    """
    found = [
        *_running(now, {one.lower() for one in left_running}),
        *_worked(now, closed_at),
        *_found(now, findings, set(known), closed_at),
        *_alerts(now, closed_at),
        *_spent(now, closed_at),
    ]
    return tuple(found)


def _running(now: Case, left: set[str]) -> list[Sign]:
    attribution, inventory = now.get(Attribution), now.get(Inventory)
    if attribution is None or inventory is None:
        return []
    billed = attackers_compute(attribution, inventory, now.get(PlatformCompute))
    back = [one for one in billed if one.lower() not in left]
    if not back:
        return []
    names = listed((one.rsplit("/", 1)[-1] for one in back), most=8)
    billed_now = "runs and is billed" if len(back) == 1 else "run and are billed"
    return [Sign(kind=Kind.RUNNING, text=f"{len(back)} of the attacker's machines {billed_now}: {names}.")]


def _worked(now: Case, closed_at: datetime) -> list[Sign]:
    attribution, activity = now.get(Attribution), now.get(ActivityFacts)
    if attribution is None or activity is None:
        return []
    # What was denied counts as well: whoever is denied something is signed in.
    did = [one for one in activity.operations if one.at > closed_at and attribution.did(one)]
    signs = []
    for who in sorted({one.caller for one in did}):
        theirs = sorted((one for one in did if one.caller == who), key=lambda one: (one.at, one.id))
        what = listed((one.name for one in theirs), most=4)
        counted = "one thing" if len(theirs) == 1 else f"{len(theirs)} things"
        signs.append(
            Sign(
                kind=Kind.WORKED,
                text=f"{shown(who, 80) or 'An unknown caller'}, taken for the attacker, did or tried {counted} since: {what}.",
                at=theirs[0].at,
                event_ids=tuple(event for one in theirs for event in one.event_ids)[:_MOST_IDS],
            )
        )
    return signs


def _found(now: Case, findings: Iterable[Finding], known: set[str], closed_at: datetime) -> list[Sign]:
    """Grave findings of which at least one event is younger than the end of the incident."""
    activity = now.get(ActivityFacts)
    times: Mapping[str, datetime] = {
        event: one.at for one in (activity.operations if activity else ()) for event in one.event_ids
    }
    signs = []
    for one in findings:
        young = [event for event in one.event_ids if event in times and times[event] > closed_at]
        if one.severity in _GRAVE and one.id not in known and young:
            signs.append(
                Sign(
                    kind=Kind.FOUND,
                    text=f"{shown(one.title, 160)} ({one.severity}).",
                    at=min(times[event] for event in young),
                    event_ids=tuple(young)[:_MOST_IDS],
                )
            )
    return signs


def _alerts(now: Case, closed_at: datetime) -> list[Sign]:
    facts, mine = now.get(AlertFacts), now.incident.subscription_id.lower()
    return [
        Sign(
            kind=Kind.ALERT,
            text=f"Microsoft raised a further alert: {shown(one.title or one.type, 160)}.",
            at=one.detected_at,
        )
        for one in (facts.others if facts else ())
        if one.subscription_id.lower() == mine
        and not one.is_test
        and one.status != "resolved"
        and one.detected_at is not None
        and one.detected_at > closed_at
    ]


def _spent(now: Case, closed_at: datetime) -> list[Sign]:
    spend = now.get(SpendFacts)
    if spend is None or spend.status != "anomaly" or spend.start_day is None or spend.start_day <= closed_at.date():
        return []
    return [
        Sign(
            kind=Kind.SPENT,
            text=f"The cost is unusual since {spend.start_day}: {spend.extra_spend:.2f} {spend.currency} too much.",
        )
    ]
