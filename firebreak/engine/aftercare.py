"""Watch after closure: subscriptions whose incident has ended are looked at again, and what came back opens an incident that is linked to the old one.

for row in closed_incidents(room):
    watched = await look_again(room, row)      # reads only, whatever the settings: the transport writes nothing
    reopened = reopen(room, watched)           # the same signs, however often: one incident
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from firebreak.analysis.aftercare import Sign, signs_of
from firebreak.engine.ending import still_running
from firebreak.engine.engine import Engine
from firebreak.engine.eyes import EyesOfRound
from firebreak.engine.looking import looking
from firebreak.engine.room import EngineRoom
from firebreak.errors import NotCollectedError, ResponseError
from firebreak.model.alert import WATCH, Alert
from firebreak.model.case import Case
from firebreak.model.facts import Attribution, Class, Facts
from firebreak.model.finding import Finding, NotLookedAt
from firebreak.model.mode import Mode
from firebreak.model.plan import GIVES_BACK_TO
from firebreak.model.step import Effect, LoadedStep
from firebreak.model.texts import cut
from firebreak.playbook import choose_playbook
from firebreak.store.cases import RUNNING
from firebreak.store.incidents import IncidentRow

REOPENS: Final = "reopens"  # the detail of an alert that names the incident that had been closed
REOPENED_AS: Final = "reopened-as"  # the closed incident's value that names the one that came after it
LAST_LOOK: Final = "aftercare"
_ENDED: Final = ("done", "stopped")
_RESPONDS: Final = ("contain", "eradicate")
_LONGEST: Final = 200


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """One closed incident, looked at again. `not_looked_at` is what today's look could not read and the last look of the incident could: then
    quiet means less than quiet.
    """

    incident: str
    subscription_id: str
    closed_at: datetime
    at: datetime
    signs: tuple[Sign, ...] = ()
    not_looked_at: tuple[NotLookedAt, ...] = ()

    @property
    def is_quiet(self) -> bool:
        return not self.signs


def closed_incidents(room: EngineRoom) -> list[IncidentRow]:
    """The newest ended incident of each subscription that had an attacker, ended no longer ago than the settings say, and did not come back.

    A subscription in which a response runs is not watched: that response looks for itself.
    """
    since = room.clock() - timedelta(days=room.settings.aftercare.days)
    seen: set[str] = set()
    found = []
    for row in room.store.incidents.list():  # the newest first
        if row.incident.mode is not Mode.LIVE or row.incident.subscription_id in seen:
            continue
        if row.state in RUNNING:
            seen.add(row.incident.subscription_id)
        elif row.state in _ENDED and closed_at(room, row) >= since and _had_attacker(room, row):
            seen.add(row.incident.subscription_id)
            if not room.store.values.get(row.incident.id, REOPENED_AS):
                found.append(row)
    return found


def closed_at(room: EngineRoom, row: IncidentRow) -> datetime:
    """When the incident ended: its last report, or an undo after it."""
    times = [
        datetime.fromisoformat(record.at)
        for record in room.audit.records(row.incident.id)
        if record.kind in ("report.written", "undo.ended")
    ]
    return max(times, default=row.updated_at)


def _had_attacker(room: EngineRoom, row: IncidentRow) -> bool:
    """Whether anybody was judged an attacker in any look of the incident; not in a test, a false alarm or a mere check."""
    if row.incident.alert.is_test:
        return False
    engine = _engine(room, row.incident.id)
    judged = [found for number in engine.rounds() if (found := engine.case(number).get(Attribution)) is not None]
    return any(one.cls is Class.ATTACKER for found in judged for one in (*found.actors, *found.resources))


async def look_again(room: EngineRoom, row: IncidentRow) -> Watched:
    """Carry out the reading steps of the incident's playbook once more, without keeping them, and compare with the time of its end.

    Never raises for what a cloud does: what was not read is in `Watched.not_looked_at`.
    """
    engine = _engine(room, row.incident.id)
    case, missed = engine.case(0), list[NotLookedAt]()
    findings: list[Finding] = []
    try:
        async with looking(room, row.incident.subscription_id, tenant=row.incident.alert.customer_tenant_id) as eyes:
            for loaded in _reads(engine):
                case = await _read(loaded, EyesOfRound(eyes, case.now), case, findings, missed)
    except ResponseError as error:
        missed.append(NotLookedAt("the subscription", error.message))
    rounds, ended = engine.rounds(), closed_at(room, row)
    unread_before = {note.what for note in engine.not_looked_at(max(rounds))} if rounds else set()
    signs = signs_of(
        case,
        findings,
        closed_at=ended,
        left_running=_left_running(engine, rounds),
        known={one.id for number in rounds for one in room.store.facts.findings(row.incident.id, number)},
    )
    watched = Watched(
        incident=row.incident.id,
        subscription_id=row.incident.subscription_id,
        closed_at=ended,
        at=case.now,
        signs=signs,
        not_looked_at=tuple(note for note in dict.fromkeys(missed) if note.what not in unread_before),
    )
    room.store.values.set(row.incident.id, LAST_LOOK, msgspec.to_builtins(watched))
    return watched


def _left_running(engine: Engine, rounds: Sequence[int]) -> tuple[str, ...]:
    """The attacker's compute that people let run, or that an undo gave back."""
    given_back = [
        row.action.target
        for row in engine.journal_rows()
        if row.state.is_good and row.action.params.get(GIVES_BACK_TO) == "attacker"
    ]
    return (*(still_running(engine, max(rounds)) if rounds else ()), *given_back)


def reopen(room: EngineRoom, watched: Watched) -> str:
    """Open the incident of what came back and return its id, "" when nothing did. However often and from wherever it is called, it is one."""
    if watched.is_quiet:
        return ""
    old = room.store.incidents.get(watched.incident)
    alert = _alert(room, watched)
    raw = json.dumps(msgspec.to_builtins(alert), indent=2, sort_keys=True).encode()
    opened = room.open(
        raw,
        place="the watch after closure",
        mode=Mode.LIVE,
        requested_by=WATCH,
        playbook=_playbook(room, watched.incident),
        alert=msgspec.structs.replace(alert, raw_digest=room.evidence.put(raw)),
        joins=True,
    )
    if room.store.values.get(old.id, REOPENED_AS) != opened.incident.id:
        room.store.values.set(old.id, REOPENED_AS, opened.incident.id)
        data = {"as": opened.incident.id, "signs": [sign.text for sign in watched.signs]}
        room.audit.append(old.id, "incident.reopened", who="engine", data=data)
    return opened.incident.id


def unstarted(room: EngineRoom) -> list[str]:
    """Incidents that came back and have no run yet: the process that opened them ended, or Prefect was away."""
    return [
        row.incident.id
        for row in room.store.incidents.list()
        if row.incident.alert.source == WATCH
        and row.state == "open"
        and not room.store.values.get(row.incident.id, "flow_run")
    ]


def _alert(room: EngineRoom, watched: Watched) -> Alert:
    old = room.store.incidents.get(watched.incident)
    times = [sign.at for sign in watched.signs if sign.at is not None]
    return msgspec.structs.replace(
        old.alert,
        id=f"{old.id}-came-back",
        source=WATCH,
        title=cut(f"Came back after {old.id} was closed: {watched.signs[0].text}", _LONGEST),
        severity="high",
        detected_at=watched.at,
        first_observed_at=min(times, default=watched.closed_at),
        last_observed_at=watched.at,
        affected_resources=(),
        details={
            REOPENS: old.id,
            **{f"sign {n}": cut(sign.text, _LONGEST) for n, sign in enumerate(watched.signs[:9], 1)},
        },
    )


def _playbook(room: EngineRoom, incident_id: str) -> str:
    """The closed incident's playbook where that responds to anything, else the one that fits the alert's type."""
    incident = room.store.incidents.get(incident_id)
    known = room.playbooks()
    found = known.get(incident.playbook)
    steps = (step for stage in found.stages for step in stage.steps) if found else ()
    if found and any(step.split(".")[0] in _RESPONDS for step in steps):
        return found.id
    return choose_playbook(incident.alert.type, known).id


def _engine(room: EngineRoom, incident_id: str) -> Engine:
    return Engine(room, incident_id, None, run_id="aftercare")


def _reads(engine: Engine) -> Sequence[LoadedStep]:
    names = dict.fromkeys(step for stage in engine.playbook.stages for step in stage.steps if step in engine.room.steps)
    return [loaded for name in names if (loaded := engine.room.steps[name]).step.effect is Effect.READ]


async def _read(loaded: LoadedStep, eyes: Any, case: Case, findings: list[Finding], missed: list[NotLookedAt]) -> Case:
    """The case with the facts of one more step; what it could not read is noted."""
    try:
        facts: Facts = await loaded.collect(eyes, case) if loaded.collect else loaded.conclude(case)  # type: ignore[misc]
    except NotCollectedError as error:
        missed.append(NotLookedAt(loaded.step.title, error.message))
        return case
    except ResponseError as error:
        missed.append(NotLookedAt(loaded.step.title, error.message))
        return case
    missed.extend(facts.not_looked_at)
    case = case.with_facts(facts)
    findings.extend(loaded.assess(facts, case) if loaded.assess else ())
    return case
