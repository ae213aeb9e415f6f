"""Remove management locks that the attacker placed to keep machines from being stopped or deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import AccessFacts, ActivityFacts, Attribution, Class, Lock
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import FREE, Effect, Sent, Step, Target
from tasks.arm import LOCKS, absent, known, look_at, moment, text_at, value_at
from tasks.judged import Judged, id_of_this_time
from tasks.words import name_of, plain

REMOVE = "lock.remove"
RESTORE = "lock.restore"

STEP = Step(
    id="contain.remove_locks",
    title="Remove the attacker's locks",
    effect=Effect.REVERSIBLE,
    description="Deletes locks that the attacker made; locks of anybody else are respected.",
    permissions=(
        "Microsoft.Authorization/locks/read",
        "Microsoft.Authorization/locks/delete",
        "Microsoft.Authorization/locks/write",
    ),
    guidance=("S56", "S58"),
    needs=(AccessFacts, ActivityFacts, Attribution),
)


def plan(case: Case) -> list[Action | NoOp]:
    judged = Judged(case)
    planned: list[Action | NoOp] = []
    for lock in sorted(case[AccessFacts].locks, key=lambda one: one.id.lower()):
        if not judged.made_lock(lock):
            reason = "Not known to be the attacker's: the lock is respected."
            planned.append(NoOp(step=STEP.id, target=lock.id, reason=reason))
        elif case.incident.alert.is_test:
            planned.append(NoOp(step=STEP.id, target=lock.id, reason="Test alert: no lock is removed."))
        elif protection := judged.protection(lock.id):
            planned.append(NoOp(step=STEP.id, target=lock.id, reason=protection))
        else:
            planned.append(_remove(lock, case, judged))
    return planned


def _remove(lock: Lock, case: Case, judged: Judged) -> Action:
    created = case[ActivityFacts].creators.get(lock.id.lower())
    by = f"Placed by {plain(created.caller)} on {created.at:%Y-%m-%d %H:%M}Z." if created else "Placed by the attacker."
    effect = "blocks stopping and deleting" if lock.level.lower() == "readonly" else "blocks deleting"
    return Action(
        id=id_of_this_time(judged.case, STEP.id, REMOVE, lock.id),
        step=STEP.id,
        kind=REMOVE,
        target=lock.id,
        title=f"Remove lock {name_of(lock.id)} ({lock.level}) from {name_of(lock.scope)}",
        effect=Effect.REVERSIBLE,
        reasons=(by, f"It {effect} what lies below {plain(lock.scope, 160)}.", *judged.reasons(lock.id)),
        fingerprint={"level": lock.level} | _marks(lock.document),
    )


def _marks(document: dict[str, Any]) -> dict[str, str]:
    """What tells a lock from another one of its level under its name: notes, and when it was made where Azure says that."""
    made = moment(text_at(document, "systemData", "createdAt"))
    return known({"notes": plain(text_at(document, "properties", "notes"), 120), "createdAt": made})


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    def judge(action: Action, document: dict[str, Any] | None) -> Target:
        if document is None:
            gone = Target(exists=False, already_so=False, state="absent", fingerprint=FREE, prior={"document": {}})
            return absent(action) if action.kind == REMOVE else gone
        level = text_at(document, "properties", "level")
        same = level.lower() == text_at(action.params, "document", "properties", "level").lower()
        return Target(
            exists=True,
            already_so=action.kind == RESTORE and same,
            state="locked",
            fingerprint={"level": level, "place": f"taken by a lock of level {plain(level, 40)}"} | _marks(document),
            prior={"document": document},
        )

    return await look_at(actions, eyes, judge, version=LOCKS, list_path="providers/Microsoft.Authorization/locks")


async def apply(action: Action, hands: Hands) -> Sent:
    if action.kind == RESTORE:
        return await hands.arm.put(action.target, LOCKS, action.params["document"])
    return await hands.arm.delete(action.target, LOCKS)


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Place the same lock again, or remove the one that an undo placed."""
    properties = value_at(prior, "document", "properties")
    if action.kind == RESTORE and not isinstance(properties, dict):
        return Action(
            id=action_id(STEP.id, REMOVE, action.target),
            step=STEP.id,
            kind=REMOVE,
            target=action.target,
            title=f"Remove lock {name_of(action.target)} again",
            effect=Effect.REVERSIBLE,
            reasons=("It was not there before it was placed again.",),
            fingerprint={"level": text_at(action.params, "document", "properties", "level")},
        )
    if action.kind != REMOVE or not isinstance(properties, dict):
        return None
    kept = {key: properties[key] for key in ("level", "notes", "owners") if properties.get(key)}
    return Action(
        id=action_id(STEP.id, RESTORE, action.target),
        step=STEP.id,
        kind=RESTORE,
        target=action.target,
        title=f"Place lock {name_of(action.target)} ({plain(kept.get('level', ''), 40)}) again",
        effect=Effect.REVERSIBLE,
        reasons=("Restores the lock as it was before.",),
        fingerprint=FREE,
        params={"document": {"properties": kept}},
    )


def whose(action: Action, case: Case) -> Class:
    """A lock is the attacker's when the attacker placed it."""
    lock = next((one for one in case[AccessFacts].locks if one.id.lower() == action.target.lower()), None)
    return Class.ATTACKER if lock is not None and Judged(case).made_lock(lock) else Class.UNKNOWN
