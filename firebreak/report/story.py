"""The one time line that people read: alert, attacker, findings, spend, gates and actions, each run of like things told once. Pure.

The dossier's own `timeline` has every record; this is what is left when a hundred actions of one kind are one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time

import msgspec

from firebreak.analysis.deeds import Deed
from firebreak.model.finding import Finding, Severity
from firebreak.report.dossier import ActionRow, Dossier
from firebreak.report.hostile import plain
from firebreak.report.kinds import kind_in_words
from firebreak.report.places import region_title
from firebreak.report.words import counted

_TOLD = frozenset({Severity.CRITICAL, Severity.HIGH})


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One line: from `at` until `until` (the same for a moment). `who` is attacker, microsoft, finding, spend, approver, responder or engine.

    `text` is plain. `event_ids` prove it; `actor` is the index of the judged actor, -1 when it is nobody's deed.
    """

    at: datetime
    until: datetime
    who: str
    text: str
    event_ids: tuple[str, ...] = ()
    actor: int = -1


def story(dossier: Dossier, deeds: Sequence[Deed]) -> tuple[Told, ...]:
    """All of it, the oldest first."""
    rows = [
        *_alert(dossier),
        *_theirs(deeds),
        *_found(dossier),
        *_spend(dossier),
        *_records(dossier),
        *_done(dossier.actions),
    ]
    order = {"microsoft": 0, "spend": 1, "attacker": 2, "finding": 3}
    # Records of one moment keep the order in which they were written: sorting is stable.
    return tuple(sorted(rows, key=lambda row: (row.at, order.get(row.who, 4))))


def _alert(dossier: Dossier) -> Iterable[Told]:
    alert = dossier.incident.alert
    if alert.first_observed_at and alert.first_observed_at != alert.detected_at:
        at = alert.first_observed_at
        yield Told(at=at, until=at, who="microsoft", text="Microsoft first saw what the alert is about")
    at = alert.detected_at
    yield Told(at=at, until=at, who="microsoft", text=f"Alert: {plain(alert.title, 200)}")


def _theirs(deeds: Sequence[Deed]) -> Iterable[Told]:
    for number, deed in enumerate(deeds):
        failed = f", {deed.failed} failed" if deed.failed else ""
        where = ", ".join(region_title(region) for region, _ in deed.regions[:4])
        more = f" and {len(deed.regions) - 4} more" if len(deed.regions) > 4 else ""
        first = "First trace of the attacker: " if number == 0 else ""
        who = f"{plain(deed.caller, 80) or 'somebody'} from {plain(deed.address, 60) or 'an unknown address'}"
        text = f"{first}{who} {deed.title}: {counted(deed.count, 'operation')}{failed}{f' in {where}{more}' if where else ''}"
        yield Told(
            at=deed.first, until=deed.last, who="attacker", text=text, event_ids=deed.event_ids, actor=deed.actor
        )


def _found(dossier: Dossier) -> Iterable[Told]:
    """Grave findings at the time of their first event; many of one title are one line. Those that no event proves have no time."""
    times = event_times(dossier)
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in dossier.findings:
        if finding.severity in _TOLD and any(event in times for event in finding.event_ids):
            groups.setdefault((finding.title, finding.severity), []).append(finding)
    for (title, severity), found in groups.items():
        events = tuple(dict.fromkeys(event for finding in found for event in finding.event_ids))
        at = min(times[event] for event in events if event in times)
        often = f", {len(found)} times" if len(found) > 1 else ""
        yield Told(at=at, until=at, who="finding", text=f"{severity}: {plain(title)}{often}", event_ids=events)


def event_times(dossier: Dossier) -> dict[str, datetime]:
    """When each event of the log happened, as far as the operations that were kept tell."""
    activity = dossier.activity
    if activity is None:
        return {}
    known = (*activity.creators.values(), *activity.operations)
    return {event: operation.at for operation in known for event in operation.event_ids}


def _spend(dossier: Dossier) -> Iterable[Told]:
    spend = dossier.spend
    if spend is not None and spend.start_day is not None:
        at = datetime.combine(spend.start_day, time(), UTC)
        yield Told(at=at, until=at, who="spend", text="Spend is unusual from this day on")


def _records(dossier: Dossier) -> Iterable[Told]:
    """What people and the engine did, without single actions: those are told together."""
    for row in dossier.timeline:
        if row.who != "attacker" and not row.kind.startswith("action."):
            yield Told(at=row.at, until=row.at, who=row.who, text=plain(row.text, 400))


def _done(actions: Sequence[ActionRow]) -> Iterable[Told]:
    groups: dict[tuple[str, str], list[ActionRow]] = {}
    for row in actions:
        if row.started_at is not None or row.ended_at is not None:
            groups.setdefault((row.stage, row.action.kind), []).append(row)
    for (stage, kind), rows in groups.items():
        starts = [at for row in rows if (at := row.started_at or row.ended_at)]
        ends = [at for row in rows if (at := row.ended_at or row.started_at)]
        states: dict[str, int] = {}
        for row in rows:
            state = row.state.replace("_", " ")
            states[state] = states.get(state, 0) + 1
        said = ", ".join(f"{number} {state}" for state, number in sorted(states.items(), key=lambda pair: -pair[1]))
        text = f"{stage}: {kind_in_words(kind)}, {counted(len(rows), 'action')}: {said}"
        yield Told(at=min(starts), until=max(ends), who="engine", text=text)
