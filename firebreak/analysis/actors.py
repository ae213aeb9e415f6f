"""Who is the attacker: every session of the window judged by its clues, and suspicion spread along grants and addresses.

A session is caller, address and client app, so a stolen identity stands twice: as attacker from the attacker's address and as legitimate
from its own. A pipeline whose run was changed works from one address all the time: there, one run (token) that does what the pipeline
never did is judged apart from its others. Facts in, `Actors` out; the order of the facts does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import msgspec

from firebreak.analysis.documents import shown
from firebreak.analysis.evidence import Clue, Kind, Weights, Work, behaviour_clues, clue, identity_clues
from firebreak.analysis.history import Familiarity, History
from firebreak.analysis.operations import session_key
from firebreak.analysis.ruleset import rules_of
from firebreak.model.alert import Alert
from firebreak.model.facts import AccessFacts, ActivityFacts, Class, Judgement, Operation, Reason, Session

SessionKey = tuple[str, str, str, str]  # caller, address, client app; the token where a run is judged apart, else ""


_STRANGE = 2  # different suspicious operations that a pipeline never did before, in one run


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A session with its clues and class."""

    work: Work
    clues: tuple[Clue, ...]
    cls: Class

    @property
    def score(self) -> int:
        return sum(one.reason.points for one in self.clues)

    @property
    def is_odd(self) -> bool:
        """Whether it did something that needs an explanation."""
        return any(one.kind is Kind.BEHAVIOUR for one in self.clues)


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
) -> Actors:
    """Judge every session that did something in the window. Principals in `own` are the responder's: legitimate, whatever they did."""
    points = weights or Weights()
    works = _works(activity, history)
    mine = {principal.lower() for principal in own}
    basic = {
        key: [*identity_clues(work, history, points), *behaviour_clues(work, history, alert, points)]
        for key, work in works.items()
    }
    judged = {key: _judge(works[key], clues, points, mine) for key, clues in basic.items()}
    # Suspicion only ever grows from round to round, so this ends.
    while True:
        spread = _spread(judged, history, points)
        again = {key: _judge(works[key], [*basic[key], *spread[key]], points, mine) for key in works}
        if {key: one.cls for key, one in again.items()} == {key: one.cls for key, one in judged.items()}:
            break
        judged = again
    return Actors(sessions=again, brought_in=_brought_in(again, history, access, mine))


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


def _works(activity: ActivityFacts, history: History) -> dict[SessionKey, Work]:
    grouped: dict[tuple[str, str, str], list[Operation]] = defaultdict(list)
    for operation in activity.operations:
        if operation.at >= activity.window_start:
            grouped[session_key(operation)].append(operation)
    works = {}
    for session in activity.sessions:
        key = (session.caller.lower(), session.address, session.app_id)
        done = sorted(grouped.get(key, []), key=lambda operation: (operation.at, operation.id))
        if done and session.caller:
            familiarity = history.familiarity(session)
            strange = _strange_runs(session, done, history) if familiarity is Familiarity.USUAL else {}
            rest = tuple(operation for operation in done if operation.token not in strange)
            found = [Work(session=session, operations=rest, familiarity=familiarity)] if rest else []
            found += [
                Work(session=session, operations=run, familiarity=Familiarity.OUT_OF_CHARACTER, token=token)
                for token, run in strange.items()
            ]
            works.update({work.key: work for work in found})
    return dict(sorted(works.items()))


def _strange_runs(session: Session, done: list[Operation], history: History) -> dict[str, tuple[Operation, ...]]:
    """The runs of a pipeline, by token, that did several suspicious things which the pipeline never did before.

    Of services only: a person's token is renewed every hour, a pipeline's run has one of its own. Without tokens nothing can be told apart.
    """
    if "@" in session.caller or not all(operation.token for operation in done):
        return {}
    runs: dict[str, list[Operation]] = defaultdict(list)
    for operation in done:
        runs[operation.token].append(operation)
    return {
        token: tuple(run)
        for token, run in sorted(runs.items())
        if len({o.name.lower() for o in run if rules_of(o) and history.never_did(session.caller, o.name)}) >= _STRANGE
    }


def _judge(work: Work, clues: list[Clue], weights: Weights, own: set[str]) -> Judged:
    names = {work.session.caller.lower(), work.session.principal_id.lower()}
    if names & own:
        mine = clue(Kind.CONTEXT, -100, "This is the responder's own identity.")
        return Judged(work=work, clues=(mine,), cls=Class.LEGITIMATE)
    score = sum(one.reason.points for one in clues)
    kinds = {one.kind for one in clues if one.reason.points > 0}
    cls = Class.UNKNOWN
    if score >= weights.attacker_from and {Kind.IDENTITY, Kind.BEHAVIOUR} <= kinds:
        cls = Class.ATTACKER
    elif score <= weights.legitimate_to and Kind.IDENTITY not in kinds:
        cls = Class.LEGITIMATE
    ordered = sorted(clues, key=lambda one: (-abs(one.reason.points), one.reason.text))
    return Judged(work=work, clues=tuple(ordered), cls=cls)


def _spread(judged: dict[SessionKey, Judged], history: History, weights: Weights) -> dict[SessionKey, list[Clue]]:
    """What being connected with attackers, or vouched for by familiar sessions, adds to each session."""
    attackers = [one for one in judged.values() if one.cls is Class.ATTACKER]
    by_attackers = _grants(attackers)
    by_familiar = _grants([one for one in judged.values() if one.work.familiarity is Familiarity.USUAL])
    places = {one.work.session.address for one in attackers} - {""}
    stolen = {one.work.session.caller.lower() for one in attackers}
    added: dict[SessionKey, list[Clue]] = {}
    for key, one in judged.items():
        session, clues = one.work.session, []
        unfamiliar = one.work.familiarity is not Familiarity.USUAL
        names = {session.caller.lower(), session.principal_id.lower()} - {""}
        grants = [operation for name in sorted(names) for operation in by_attackers.get(name, [])]
        if grants and not history.is_established(session.caller):
            text = "Its role was granted by an attacker's session."
            clues.append(clue(Kind.IDENTITY, weights.granted_by_attacker, text, grants))
        elif not history.is_established(session.caller) and any(by_familiar.get(name) for name in names):
            text = "Its role was granted by a familiar session."
            clues.append(clue(Kind.CONTEXT, weights.granted_by_familiar, text))
        others = {k for k, other in judged.items() if other.cls is Class.ATTACKER and k != key}
        if unfamiliar and session.address in places and any(k[1] == session.address for k in others):
            text = f"It works from {session.address}, as an attacker's session does."
            clues.append(clue(Kind.IDENTITY, weights.attackers_address, text))
        if unfamiliar and session.caller.lower() in stolen and any(k[0] == session.caller.lower() for k in others):
            text = "The same identity is used by an attacker from another address."
            clues.append(clue(Kind.IDENTITY, weights.stolen_elsewhere, text))
        added[key] = clues
    return added


def _grants(sessions: list[Judged]) -> dict[str, list[Operation]]:
    """Principal id -> the operations by which these sessions gave it a role."""
    grants: dict[str, list[Operation]] = defaultdict(list)
    for one in sessions:
        for operation in one.work.operations:
            to = str(operation.properties.get("granted_to", "")).lower()
            if to and operation.status != "failed" and any(r.family == "role-granted" for r in rules_of(operation)):
                grants[to].append(operation)
    return grants


def _brought_in(
    judged: dict[SessionKey, Judged], history: History, access: AccessFacts | None, own: set[str]
) -> tuple[Judgement, ...]:
    """Principals that an attacker gave a role and that did nothing themselves: the attacker's, unless others gave them roles too."""
    active = {
        name for one in judged.values() for name in (one.work.session.caller.lower(), one.work.session.principal_id)
    }
    found = []
    attackers = [one for one in judged.values() if one.cls is Class.ATTACKER]
    made = {operation.resource_id.lower() for one in attackers for operation in one.work.operations}
    for principal, operations in sorted(_grants(attackers).items()):
        if principal in active or principal in own or history.is_established(principal):
            continue
        assignments = access.role_assignments if access else ()
        held = [item for item in assignments if item.principal_id == principal and item.id.lower() not in made]
        events = tuple(event for operation in operations for event in operation.event_ids)
        by = operations[0].caller
        reasons = [
            Reason(60, f"{shown(by)}, an attacker's session, gave it a role; it did nothing here before.", events)
        ]
        if held or access is None:
            text = "It has other roles that the attacker did not grant." if held else "Its other roles are not known."
            reasons.append(clue(Kind.CONTEXT, -45, text).reason)
        score = sum(reason.points for reason in reasons)
        found.append(
            Judgement(
                id=principal,
                cls=Class.UNKNOWN if held or access is None else Class.ATTACKER,
                score=score,
                reasons=tuple(reasons),
                created_by=by,
                created_at=operations[0].at,
                principal_id=principal,
            )
        )
    return tuple(found)
