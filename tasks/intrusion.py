"""What the steps of identity containment share: whom they leave alone, how an action on the directory is made, how many things are read.

Every step puts the same questions, so that no account is spared by one and changed by the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import Class, SubscriptionFacts
from firebreak.model.intrusion import Intrusion, Trace, TraceKind
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Step, Target
from tasks.directory import Read
from tasks.judged import Judged, id_of_this_time
from tasks.reading import each
from tasks.words import plain

TEST = "Test alert: nothing is changed in the directory."
GONE = "It is not in this directory (any more), or could not be read."


def gone(facts: Intrusion, read: Read) -> str:
    """Why there is no document of something of this kind: it is gone, or reading was refused, and then nobody knows."""
    why = next((note.why for note in facts.not_looked_at if note.what == read.what), "")
    return f"It could not be read, so whether it is still there is not known: {plain(why, 300)}" if why else GONE


def why_left_alone(case: Case, principal_id: str) -> str:
    """Say why nothing of this principal may be changed, "" when it may. The guard rails ask the same again before each write."""
    if case.incident.alert.is_test:
        return TEST
    facts, judged = case.get(SubscriptionFacts), Judged(case)
    if facts is not None and principal_id.lower() in {own.lower() for own in facts.own_principal_ids}:
        return "Firebreak's own identity: never changed."
    if principal_id and judged.is_protected_principal(principal_id):
        return f"{judged.principal_name(principal_id)} is a protected principal."
    return ""


def reasons_of(trace: Trace) -> tuple[str, ...]:
    """Who left a thing, when and from where, with the record that proves it."""
    place = f" from {plain(trace.address, 60)}" if trace.address else ""
    record = f" (audit log {plain(trace.event_id, 80)})" if trace.event_id else ""
    return (f"Made by the attacker as {plain(trace.by, 80)}{place}, {trace.at:%Y-%m-%d %H:%M}Z{record}.",)


def action(step: Step, case: Case, kind: str, target: str, title: str, reasons: Sequence[str], **more: Any) -> Action:
    """An action on the directory; `params` are completed by the case, which makes request ids of the incident's own."""
    params = {"case": case.incident.case} | more.pop("params", {})
    return Action(
        id=id_of_this_time(case, step.id, kind, more.pop("key", "") or target),
        step=step.id,
        kind=kind,
        target=target,
        title=title,
        effect=more.pop("effect", Effect.REVERSIBLE),
        reasons=tuple(reasons),
        params=params,
        **more,
    )


def inverse(of: Action, kind: str, title: str, reason: str, **more: Any) -> Action:
    """The action that takes another one back; its id is the same whenever it is asked for."""
    params = {"case": of.params.get("case", "")} | more.pop("params", {})
    return Action(
        id=action_id(of.step, kind, more.pop("key", "") or of.target),
        step=of.step,
        kind=kind,
        target=of.target,
        title=title,
        effect=Effect.REVERSIBLE,
        reasons=(reason,),
        params=params,
        **more,
    )


def considered(step: Step, case: Case, *kinds: TraceKind) -> tuple[list[Trace], list[Action | NoOp]]:
    """The traces of some kinds that may be acted on, and no-ops with the reason for the others."""
    free: list[Trace] = []
    left: list[Action | NoOp] = []
    for trace in case[Intrusion].of_kind(*kinds):
        why = why_left_alone(case, trace.principal_id)
        if why or trace.problem:
            what = f"{trace.kind.value} {plain(trace.what, 120)} of {plain(trace.holder, 80) or 'the tenant'}"
            left.append(NoOp(step=step.id, target=trace.target, reason=f"{why or trace.problem} ({what})"))
        else:
            free.append(trace)
    return free, left


async def documents(
    eyes: Eyes, paths: Iterable[str], params: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any] | None]:
    """Read each path of Graph once, some at a time; None for what is not there."""
    unique = sorted(set(paths))
    found = await each(lambda path: eyes.graph.get(path, params), unique)
    return dict(zip(unique, found, strict=True))


async def lists(
    eyes: Eyes, paths: Iterable[str], params: Mapping[str, str] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Read each list of Graph once, whole; one whose owner is gone is an error, not an empty one."""
    unique = sorted(set(paths))
    found = await each(lambda path: eyes.graph.list(path, params), unique)
    return dict(zip(unique, found, strict=True))


def absent(action: Action, *, wanted: bool) -> Target:
    """The target of something that is not there; `wanted` when the action was to take it away."""
    return Target(
        exists=False, already_so=wanted, state="absent", fingerprint=dict(action.fingerprint) if wanted else {}
    )


def whose(action: Action, case: Case) -> Class:
    """Whose an account or a thing in the directory is: what the attacker brought in or left is theirs, a stolen account is its owner's."""
    facts = case.get(Intrusion)
    if facts is None:
        return Class.UNKNOWN
    if any(one.target == action.target and one.kind is not TraceKind.OTHER for one in facts.traces) and not _is_account(
        action
    ):
        return Class.ATTACKER
    identity = action.target.rsplit("/", 1)[-1].lower()
    intruder = facts.intruder(identity)
    if intruder is not None:
        return Class.ATTACKER if intruder.own else Class.LEGITIMATE
    return Class.LEGITIMATE if any(one.id == identity for one in facts.accounts) else Class.UNKNOWN


def _is_account(action: Action) -> bool:
    return action.kind.startswith(("user.", "application."))
