"""Undo: a plan of inverse actions from the journal. It goes through guard rails, a gate and execution like any other plan.

An undo restores what was there before the first change of a target that still stands, with one action. What an undo did is itself undone by
choosing the stage `undo`. Pure: in go journal rows, out come a plan and, where nothing is to be done, no-ops with reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache

import msgspec

from firebreak.errors import ContentError
from firebreak.execution.journal import JournalRow
from firebreak.model.case import Case
from firebreak.model.facts import Class
from firebreak.model.outcome import ActionState
from firebreak.model.plan import (
    ENDS_WITH_IT,
    GIVE_BACK,
    GIVES_BACK_TO,
    HOLDER,
    UNDO,
    UNDOES,
    Action,
    NoOp,
    Plan,
    action_id,
)
from firebreak.model.step import FREE, PRINCIPALS, LoadedStep
from firebreak.planning import Draft

Whose = Callable[[Action], Class]

_CHANGED = (ActionState.DONE, ActionState.UNKNOWN)
_DESTROYS = ("delete", "purge")
_ARM = "/subscriptions/"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be taken back: actions by id, all of some stages, or with neither everything; the stage `undo` is an undo itself.

    `include_attacker` also gives back what was judged the attacker's.
    """

    only: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    include_attacker: bool = False

    def check(self, rows: Iterable[JournalRow]) -> None:
        """Refuse what names nothing.

        Raises:
            ContentError: the incident did not carry out an action or stage of this name.
        """
        found = list(rows)
        known, stages = {row.action.id for row in found}, {row.stage for row in found}
        for action in self.only:
            if action not in known:
                raise ContentError(
                    f"There is no action {action!r} in this incident.",
                    hint="The ids are in: firebreak incidents show INCIDENT --json",
                )
        for stage in self.stages:
            if stage not in stages:
                raise ContentError(
                    f"No action of stage {stage!r} was carried out in this incident.",
                    hint=f"Stages with actions: {', '.join(sorted(stages)) or 'none'}.",
                )


def nobodys(_: Action) -> Class:
    """Nobody is known to be the attacker."""
    return Class.UNKNOWN


def standing(rows: Iterable[JournalRow]) -> dict[str, bool]:
    """Say of every change of an incident by action id whether it still stands: whether no undo, itself not undone, took it back."""
    rows = _with_what_went_along(list(rows))
    changed = {row.action.id: row for row in rows if row.state in _CHANGED}
    by: dict[str, list[str]] = {}
    for row in changed.values():
        for origin in row.action.params.get(UNDOES, ()) if row.state is ActionState.DONE else ():
            by.setdefault(str(origin), []).append(row.action.id)
    for row in rows:  # an undo that found its target restored already took it back as well
        for origin in row.action.params.get(UNDOES, ()) if row.state is ActionState.ALREADY_SO else ():
            by.setdefault(str(origin), []).append("")

    @cache
    def stands(action: str) -> bool:
        return not any(not undoer or stands(undoer) for undoer in by.get(action, ()))

    return {action: stands(action) for action in changed}


def placed(rows: Iterable[JournalRow]) -> dict[str, datetime]:
    """Targets in lower case that an undo of this incident, or a step that gives back what the attacker took, put where nothing was, with the time."""
    return {
        row.action.target.lower(): row.ended_at
        for row in rows
        if row.state is ActionState.DONE
        and row.ended_at
        and _gives_back(row)
        and FREE.items() <= row.action.fingerprint.items()
    }


def _gives_back(row: JournalRow) -> bool:
    return row.stage == UNDO or row.action.kind == GIVE_BACK


def inverse_plan(
    case: Case,
    rows: Iterable[JournalRow],
    steps: Mapping[str, LoadedStep],
    *,
    round: int = 1,  # noqa: A002 - the field's word
    engine_version: str,
    selection: Selection = Selection(),  # noqa: B008 - frozen
    whose: Whose = nobodys,
) -> Plan:
    """Return the plan that takes back what was done, the last first; what cannot be taken back becomes a no-op that says so.

    Only actions that ended as done (or may have: unknown) are considered: what was already so is not ours to change. Dependencies are
    turned round. Each inverse has an id of its own for this round and names in its parameters what it undoes and to whom that gives.

    Raises:
        ContentError: the selection names an action or a stage that this incident did not carry out.
    """
    everything = sorted(
        _with_what_went_along(list(rows)), key=lambda r: (r.started_at or r.intended_at, r.round, r.position)
    )
    selection.check(everything)
    stands = standing(everything)
    backward = _backward(everything)
    chosen = [r for r in everything if stands.get(r.action.id) and _is_chosen(r, selection, backward)]
    destroyed = _destroyed([r for r in everything if stands.get(r.action.id)], steps, case)
    nobody = _nobody([r for r in everything if stands.get(r.action.id)])
    undone: list[tuple[Sequence[JournalRow], Action]] = []
    left: list[NoOp] = [*_unfinished(everything, selection, backward)]
    for group in _by_target(chosen):
        found, covered, noted = _inverse(group, steps, case)
        first = group[0]
        if found is None:
            left += noted
        elif end := _gone_with(first.action.target, destroyed):
            own = end.action.target.lower() == first.action.target.lower()
            what = "it was deleted later" if own else f"what it lay in ({end.action.target}) was deleted"
            gone = f"Cannot be undone: {what} in this incident. {end.action.irreversible_because}".strip()
            left.append(NoOp(step=first.action.step, target=first.action.target, reason=gone))
        elif ended := nobody.get(str(found.params.get(HOLDER, "")).lower()):
            with_it = f"Cannot be undone: the identity that had it ended with {ended.target.rpartition('/')[2]}, which was deleted in this incident."
            gone = f"{with_it} {ended.irreversible_because}".strip()
            left.append(NoOp(step=first.action.step, target=first.action.target, reason=gone))
        elif not backward.get(first.action.id) and _is_kept_from_attacker(first, whose, selection):
            reason = "The attacker's: it is not given back unless somebody asks for it (--include-attacker)."
            left.append(NoOp(step=first.action.step, target=first.action.target, reason=reason))
        else:
            to = "" if backward.get(first.action.id) else _beneficiary(first, whose)
            left += noted
            undone.append((covered, _dressed(found, covered, to, round)))
    undone.reverse()
    return _plan(case, undone, left, steps, round=round, engine_version=engine_version)


def _with_what_went_along(rows: Sequence[JournalRow]) -> list[JournalRow]:
    """The rows, a deletion whose target went along with another's counted as done: with what an earlier change of that target kept of it."""
    ended = {
        str(one).lower()
        for row in rows
        if row.state in _CHANGED and _destroys(row.action)
        for one in row.action.params.get(ENDS_WITH_IT, ())
    }
    kept = {row.action.target.lower(): row.prior for row in rows if row.state in _CHANGED and row.prior}
    return [
        msgspec.structs.replace(row, state=ActionState.DONE, prior=kept[key])
        if row.state is ActionState.ALREADY_SO
        and _destroys(row.action)
        and (key := row.action.target.lower()) in ended & kept.keys()
        else row
        for row in rows
    ]


def _backward(rows: Sequence[JournalRow]) -> dict[str, bool]:
    """Of every action by id whether it takes back (an undo) rather than responds; the undo of an undo responds again."""
    result: dict[str, bool] = {}
    for row in rows:
        origins = [str(origin) for origin in row.action.params.get(UNDOES, ())]
        result[row.action.id] = bool(origins) and not result.get(origins[0], False)
    return result


def _is_chosen(row: JournalRow, selection: Selection, backward: Mapping[str, bool]) -> bool:
    if selection.only:
        return row.action.id in selection.only
    is_undo = backward[row.action.id]
    if selection.stages:
        return UNDO in selection.stages if is_undo else row.stage in selection.stages
    return not is_undo


def _by_target(rows: Sequence[JournalRow]) -> Iterator[list[JournalRow]]:
    """Changes of the same aspect of one target together, oldest first: what is restored is the state before the first of them."""
    groups: dict[tuple[str, str], list[JournalRow]] = {}
    for row in rows:
        aspect = row.action.kind.split(".", 1)[0]
        groups.setdefault((row.action.target.lower(), aspect), []).append(row)
    yield from groups.values()


def _inverse(
    group: Sequence[JournalRow], steps: Mapping[str, LoadedStep], case: Case
) -> tuple[Action | None, Sequence[JournalRow], list[NoOp]]:
    """The inverse of the oldest change that has one, the changes that it takes back, and why there is none for those before."""
    noted: list[NoOp] = []
    for index, row in enumerate(group):
        found = _undo(row, steps, case)
        if isinstance(found, Action):
            return found, group[index:], noted
        why = row.action.irreversible_because or "There is no inverse of this action."
        plain = NoOp(step=row.action.step, target=row.action.target, reason=f"Cannot be undone. {why}")
        noted.append(found or plain)
    return None, (), noted


def _undo(row: JournalRow, steps: Mapping[str, LoadedStep], case: Case) -> Action | NoOp | None:
    loaded = steps.get(row.action.step)
    found: Action | NoOp | None = None
    if loaded is not None and loaded.undo is not None:
        found = loaded.undo(row.action, row.prior)
        if isinstance(found, Action) and loaded.in_time is not None:
            found = loaded.in_time(found, row.ended_at or row.started_at or row.intended_at, case)
    return found


def _destroyed(rows: Sequence[JournalRow], steps: Mapping[str, LoadedStep], case: Case) -> dict[str, JournalRow]:
    """Targets in lower case that a standing change removed for good, with that change."""
    return {
        row.action.target.lower(): row
        for row in rows
        if _destroys(row.action) and not isinstance(_undo(row, steps, case), Action)
    }


def _nobody(rows: Sequence[JournalRow]) -> dict[str, Action]:
    """Identities that ended with what a standing change removed, with that change. What is made again in its place has another identity."""
    return {who: row.action for row in rows if _destroys(row.action) for who in row.prior.get(PRINCIPALS, ())}


def _destroys(action: Action) -> bool:
    """Whether an action ends its target; what is removed of an application or an account is a part of it."""
    verb = action.kind.rsplit(".", 1)[-1]
    return verb in _DESTROYS or (verb == "remove" and action.target.lower().startswith(_ARM))


def _gone_with(target: str, destroyed: Mapping[str, JournalRow]) -> JournalRow | None:
    """The change that removed a target, or what it lay in, for good."""
    key = target.lower()
    while key:
        if found := destroyed.get(key):
            return found
        key = key.rpartition("/")[0] if key.startswith(_ARM) else ""
    return None


def _is_kept_from_attacker(row: JournalRow, whose: Whose, selection: Selection) -> bool:
    return not selection.include_attacker and whose(row.action) is Class.ATTACKER


def _beneficiary(row: JournalRow, whose: Whose) -> str:
    return "attacker" if whose(row.action) is Class.ATTACKER else "customer"


def _dressed(inverse: Action, group: Sequence[JournalRow], to: str, number: int) -> Action:
    """The inverse as this round's own action: told apart from the same inverse of another round, with what it undoes and for whom."""
    said = {
        "attacker": "Gives back to the ATTACKER: it was judged the attacker's.",
        "customer": "Gives back to the customer: it was not judged the attacker's.",
        "": "Takes back an earlier undo.",
    }[to]
    first = group[0]
    at = first.ended_at or first.started_at
    when = (f"Undoes: {first.action.title}" + (f", {at:%Y-%m-%d %H:%M}Z" if at else ""),)
    return msgspec.structs.replace(
        inverse,
        id=action_id(inverse.step, inverse.kind, f"{inverse.target}#undo-{number}"),
        reasons=(said, *inverse.reasons, *when),
        params={**inverse.params, UNDOES: [row.action.id for row in group], GIVES_BACK_TO: to},
    )


def _unfinished(rows: Sequence[JournalRow], selection: Selection, backward: Mapping[str, bool]) -> Iterator[NoOp]:
    """What failed after it was sent may have taken effect in part; nobody knows what to restore."""
    for row in rows:
        if row.state is ActionState.FAILED and row.answered_at and _is_chosen(row, selection, backward):
            reason = "It ended as failed when it was done: nothing is known to be taken back. Look at it by hand."
            yield NoOp(step=row.action.step, target=row.action.target, reason=reason)


def _plan(
    case: Case,
    undone: Sequence[tuple[Sequence[JournalRow], Action]],
    left: Sequence[NoOp],
    steps: Mapping[str, LoadedStep],
    *,
    round: int,  # noqa: A002
    engine_version: str,
) -> Plan:
    by_origin = {row.action.id: inverse.id for group, inverse in undone for row in group}
    waits: dict[str, set[str]] = {}
    for group, inverse in undone:
        for row in group:
            for earlier in row.action.after:
                if by_origin.get(earlier, inverse.id) != inverse.id:
                    waits.setdefault(by_origin[earlier], set()).add(inverse.id)
    order = list(dict.fromkeys(inverse.step for _, inverse in undone))
    if all(not inverse.params[GIVES_BACK_TO] for _, inverse in undone):
        # What responds again does so in the order of the response: the block before the machines (P9).
        places = {step: place for place, step in enumerate(s for stage in case.playbook.stages for s in stage.steps)}
        order.sort(key=lambda step: places.get(step, len(places)))
    draft = Draft(case, order)
    for _, inverse in undone:
        after = tuple(sorted({*inverse.after, *waits.get(inverse.id, set())}))
        draft.propose(steps[inverse.step].step, [msgspec.structs.replace(inverse, after=after)])
    for no_op in left:
        draft.leave(no_op.step, no_op.target, no_op.reason)
    return draft.plan(stage=UNDO, round=round, engine_version=engine_version)
