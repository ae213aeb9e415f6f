"""Who is the attacker: every session of the window judged by its clues, and suspicion spread along what ties sessions to each other.

A session is caller, address and client app, so a stolen identity stands twice: as attacker from the attacker's address and as legitimate
from its own. A pipeline whose run was changed works from one address all the time: there, one run (token) that does what the pipeline
never did is judged apart from its others. Facts in, `Actors` out; the order of the facts does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from firebreak.analysis.documents import shown
from firebreak.analysis.evidence import (
    Clue,
    Judged,
    Kind,
    Weights,
    Work,
    behaviour_clues,
    clue,
    identity_clues,
)
from firebreak.analysis.hallmarks import hallmarks
from firebreak.analysis.history import Familiarity, History
from firebreak.analysis.operations import session_key
from firebreak.analysis.runs import Run, familiarity_of, runs_of, strange_runs
from firebreak.analysis.ties import SessionKey, Ties, grants_of, other_roles
from firebreak.model.alert import Alert
from firebreak.model.facts import AccessFacts, ActivityFacts, Class, Judgement, Operation, Reason


class Actors(msgspec.Struct, frozen=True, kw_only=True):
    """All sessions judged, by key, and the principals that only an attacker brought in."""

    sessions: dict[SessionKey, Judged]
    brought_in: tuple[Judgement, ...] = ()

    def of(self, operation: Operation) -> Judged | None:
        key = session_key(operation)
        return self.sessions.get((*key, operation.token)) or self.sessions.get((*key, ""))

    @property
    def attackers(self) -> list[Judged]:
        return [judged for _, judged in sorted(self.sessions.items()) if judged.cls is Class.ATTACKER]


def judge_actors(
    activity: ActivityFacts,
    history: History,
    alert: Alert,
    *,
    own: Collection[str] = (),
    access: AccessFacts | None = None,
    weights: Weights | None = None,
    further: Callable[[Work], Iterable[Clue]] = lambda _: (),
) -> Actors:
    """Judge every session that did something in the window. Principals in `own` are the responder's: legitimate, whatever they did.

    `further` gives clues from elsewhere on a session, such as its sign-ins.
    """
    points = weights or Weights()
    mine = {principal.lower() for principal in own}
    apart: set[Run] = set()
    while True:
        works = _works(activity, history, apart)
        basic = {
            key: [
                *identity_clues(work, history, points),
                *behaviour_clues(work, history, alert, points),
                *hallmarks(work, history, points),
                *further(work),
            ]
            for key, work in works.items()
        }
        # It begins with nobody accused. From there suspicion only ever grows from round to round, so this ends.
        judged = {key: Judged(work=work, clues=(), cls=Class.UNKNOWN) for key, work in works.items()}
        while True:
            ties, before = Ties(judged, activity, history, access, points), judged
            judged = {key: _judge(works[key], [*basic[key], *ties.clues(key)], points, mine) for key in works}
            if all(judged[key].cls is before[key].cls for key in works):
                break
        # There are only so many runs, so this ends too.
        if not (more := _further_runs(judged, ties, history) - apart):
            return Actors(sessions=judged, brought_in=_brought_in(judged, history, access, mine))
        apart |= more


def judgements(actors: Actors, history: History) -> tuple[Judgement, ...]:
    """The actors as facts: attackers first, then by caller and address."""
    rows = [
        Judgement(
            id=judged.work.session.caller,
            cls=judged.cls,
            score=judged.score,
            reasons=tuple(one.reason for one in judged.clues),
            created_at=judged.work.operations[0].at,
            principal_id=judged.work.session.principal_id,
            address=judged.work.session.address,
            app_id=judged.work.session.app_id,
            token=judged.work.token,
            established=history.is_established(judged.work.session.caller),
        )
        for judged in actors.sessions.values()
    ]
    order = list(Class)
    return tuple(
        sorted(
            (*rows, *actors.brought_in),
            key=lambda row: (order.index(row.cls), row.id.lower(), row.address, row.app_id, row.token),
        )
    )


def _works(activity: ActivityFacts, history: History, apart: Collection[Run]) -> dict[SessionKey, Work]:
    grouped: dict[tuple[str, str, str], list[Operation]] = defaultdict(list)
    for operation in activity.operations:
        if operation.at >= activity.window_start:
            grouped[session_key(operation)].append(operation)
    works = {}
    for session in activity.sessions:
        key = (session.caller.lower(), session.address, session.app_id)
        done = sorted(grouped.get(key, []), key=lambda operation: (operation.at, operation.id))
        if done and session.caller:
            familiarity = familiarity_of(session, done, history)
            strange = strange_runs(session, done, history, apart) if familiarity is Familiarity.USUAL else {}
            rest = tuple(operation for operation in done if operation.token not in strange)
            found = [Work(session=session, operations=rest, familiarity=familiarity)] if rest else []
            found += [
                Work(session=session, operations=run, familiarity=Familiarity.OUT_OF_CHARACTER, token=token)
                for token, run in strange.items()
            ]
            works.update({work.key: work for work in found})
    return dict(sorted(works.items()))


def _further_runs(judged: Mapping[SessionKey, Judged], ties: Ties, history: History) -> set[Run]:
    """Runs within a pipeline's usual work that belong to an attacker's run: another job of it or its heir, which wrote into what it had made;
    its forerunner or follower, which within the hour did nothing but what the pipeline never did before.
    """
    found = set()
    for key, one in judged.items():
        if one.work.familiarity is Familiarity.USUAL and one.cls is not Class.ATTACKER:
            for token, run in runs_of(one.work.session, one.work.operations).items():
                if ties.wrote_into_theirs(key, run) or (
                    all(history.never_did(one.work.session.caller, operation.name) for operation in run)
                    and ties.near_an_attackers_run(key, run)
                ):
                    found.add((*session_key(run[0]), token))
    return found


def _judge(work: Work, clues: list[Clue], weights: Weights, own: set[str]) -> Judged:
    names = {work.session.caller.lower(), work.session.principal_id.lower()}
    if names & own:
        mine = clue(Kind.CONTEXT, -100, "This is the responder's own identity.")
        return Judged(work=work, clues=(mine,), cls=Class.LEGITIMATE)
    score = sum(one.reason.points for one in clues)
    kinds = {one.kind for one in clues if one.reason.points > 0}
    cls = Class.UNKNOWN
    proven = Kind.TIE in kinds or {Kind.IDENTITY, Kind.BEHAVIOUR} <= kinds
    if score >= weights.attacker_from and proven:
        cls = Class.ATTACKER
    elif score <= weights.legitimate_to and not kinds & {Kind.IDENTITY, Kind.TIE}:
        cls = Class.LEGITIMATE
    ordered = sorted(clues, key=lambda one: (-abs(one.reason.points), one.reason.text))
    return Judged(work=work, clues=tuple(ordered), cls=cls)


def _brought_in(
    judged: dict[SessionKey, Judged], history: History, access: AccessFacts | None, own: set[str]
) -> tuple[Judgement, ...]:
    """Principals that an attacker gave a role and that did nothing themselves: the attacker's, unless others gave them roles too."""
    active = {
        name for one in judged.values() for name in (one.work.session.caller.lower(), one.work.session.principal_id)
    }
    found = []
    attackers = [one for one in judged.values() if one.cls is Class.ATTACKER]
    for principal, operations in sorted(grants_of(attackers).items()):
        if principal in active or principal in own or history.is_established(principal):
            continue
        held = other_roles(principal, attackers, access)
        events = tuple(event for operation in operations for event in operation.event_ids)
        by = operations[0].caller
        reasons = [
            Reason(60, f"{shown(by)}, an attacker's session, gave it a role; it did nothing here before.", events)
        ]
        if held is not False:
            text = "It has other roles that the attacker did not grant." if held else "Its other roles are not known."
            reasons.append(clue(Kind.CONTEXT, -45, text).reason)
        score = sum(reason.points for reason in reasons)
        found.append(
            Judgement(
                id=principal,
                cls=Class.UNKNOWN if held is not False else Class.ATTACKER,
                score=score,
                reasons=tuple(reasons),
                created_by=by,
                created_at=operations[0].at,
                principal_id=principal,
            )
        )
    return tuple(found)
