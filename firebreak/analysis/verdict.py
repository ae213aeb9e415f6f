"""The verdict that is proposed to people: fraud, legitimate or not enough evidence, with what speaks for and against it."""

from __future__ import annotations

from collections.abc import Sequence

from firebreak.analysis.actors import Actors
from firebreak.analysis.documents import shown
from firebreak.analysis.evidence import Judged
from firebreak.analysis.history import History
from firebreak.model.alert import Alert
from firebreak.model.facts import ActivityFacts, Class, Judgement

# Half of what makes an attacker.
_WORRYING = 30

FRAUD, LEGITIMATE, OPEN = "fraud", "legitimate", "not_enough_evidence"


def propose(
    alert: Alert,
    activity: ActivityFacts,
    actors: Actors,
    brought_in: int,
    resources: Sequence[Judgement],
    history: History,
) -> tuple[str, tuple[str, ...]]:
    """Return the verdict and its reasons. A machine that mines but was made by a familiar session stays open: the log cannot see inside.

    Where the log's past is thin that stands first, for a gate shows but the first few: then what is new to it says little.
    """
    thin = [] if history.is_dense else [f"Against: the past is thin: {history.how_thin()}; what is new says little."]
    attackers = actors.attackers
    theirs = [judgement for judgement in resources if judgement.cls is Class.ATTACKER]
    by_id = {judgement.id.lower(): judgement for judgement in resources}
    named = [by_id[resource.lower()] for resource in alert.affected_resources if resource.lower() in by_id]
    odd = [
        judged
        for judged in actors.sessions.values()
        if judged.is_odd and judged.cls is Class.UNKNOWN and judged.score >= _WORRYING
    ]
    if attackers:
        reasons = [
            f"For: {shown(one.work.session.caller)} from {one.work.session.address or 'an unknown address'} is taken for an "
            f"attacker ({one.score} points): {one.clues[0].reason.text}"
            for one in sorted(attackers, key=lambda one: (-one.score, one.work.key))[:5]
        ]
        silent = f", and they gave roles to {brought_in} principals that have not acted yet" if brought_in else ""
        reasons.append(f"For: {len(theirs)} resources are theirs{silent}.")
        against = _speaks_against(attackers, named, resources)
        return FRAUD, (*thin, *reasons, *(f"Against: {text}" for text in against))
    subjects = named or [
        judgement for judgement in resources if judgement.created_at and judgement.created_at >= activity.window_start
    ]
    doubts = _doubts(alert, activity, subjects, bool(odd))
    calm = [f"For legitimate: {text}" for text in _calm(actors, subjects)]
    if subjects and not doubts:
        return LEGITIMATE, (*thin, *calm)
    reasons = [*thin, *calm, *(f"Against deciding: {text}" for text in doubts)]
    if not subjects:
        reasons.append("Against deciding: neither the alert nor the log names anything that was made in the window.")
    return OPEN, tuple(reasons)


def with_identities(
    verdict: str, reasons: tuple[str, ...], worried: Sequence[str], calm: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    """The verdict with what the identity review says for a compromise (`worried`) and against it (`calm`).

    Grave findings about identities alone make no fraud, for they may be about something else that the identity did; but nothing is called
    legitimate beside those that have to do with the subscription.
    """
    if verdict == FRAUD:
        return verdict, (*reasons, *(f"For: {text}" for text in worried))
    if worried:
        return OPEN, (*reasons, *(f"Against deciding: {text}" for text in worried))
    return verdict, (*reasons, *(f"For legitimate: {text}" for text in calm))


def _speaks_against(
    attackers: Sequence[Judged], named: Sequence[Judgement], resources: Sequence[Judgement]
) -> list[str]:
    """What would speak for the customer's own work; a sentence says so when nothing does."""
    against = []
    good = sum(judgement.cls is Class.LEGITIMATE for judgement in named)
    if good:
        against.append(f"{good} of the resources that the alert names were made legitimately.")
    honest = [
        (one.reason.points, f"{shown(judged.work.session.caller)}: {one.reason.text}")
        for judged in attackers
        for one in judged.clues
        if one.reason.points < 0
    ]
    against += list(dict.fromkeys(text for _, text in sorted(honest)))[:3]
    unsure = sum(judgement.cls is Class.UNKNOWN for judgement in resources)
    if unsure:
        against.append(f"nobody can say whose {unsure} of the resources are.")
    return against or ["nothing that was looked at speaks for the customer's own work."]


def _calm(actors: Actors, subjects: Sequence[Judgement]) -> list[str]:
    familiar = sum(judged.cls is Class.LEGITIMATE for judged in actors.sessions.values())
    good = sum(judgement.cls is Class.LEGITIMATE for judgement in subjects)
    return [
        f"no session of {len(actors.sessions)} is taken for an attacker; {familiar} are familiar.",
        f"{good} of {len(subjects)} resources in question were made by familiar sessions or before the window.",
    ]


def _doubts(alert: Alert, activity: ActivityFacts, subjects: Sequence[Judgement], odd: bool) -> list[str]:
    doubts = []
    if "mining" in alert.type.lower() or "miningpool" in alert.type.lower():
        doubts.append("the alert saw mining, and who made a machine says nothing about what runs in it.")
    unsure = [judgement for judgement in subjects if judgement.cls is not Class.LEGITIMATE]
    if unsure:
        doubts.append(f"{len(unsure)} resources in question have no proven maker.")
    old = [j for j in subjects if not j.created_at or j.created_at < activity.window_start]
    if old:
        doubts.append(
            f"{len(old)} resources in question are older than the window; the log does not say what runs in them."
        )
    if odd:
        doubts.append("sessions that cannot be judged did unusual things.")
    return doubts
