"""Remove what the attacker could come back through: automation, agents, rules, delegations and download links, children before what holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import ActivityFacts, Attribution, Class
from firebreak.model.footholds import Foothold, Footholds
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import FREE, PRINCIPALS, Effect, Sent, Step, Target
from tasks.arm import absent, covers, identities_of, known, read_all, text_at
from tasks.footholds import EXPORT, WAYS, content_of, restorable
from tasks.judged import Judged, id_of_this_time
from tasks.words import name_of, plain

REMOVE, RESTORE, END = "foothold.remove", "foothold.restore", "export.end"
_AS_PUT_BACK = "as it was put back"
_LINK = "A link that ended is not given out again."

STEP = Step(
    id="eradicate.remove_footholds",
    title="Remove what the attacker could come back through",
    effect=Effect.IRREVERSIBLE,
    description=(
        "Deletes automation, logic apps, functions, scripts and agents on machines, custom roles, exemptions, event subscriptions, delegations "
        "and network openings that the attacker made, and ends download links of disks. What its document describes in full can be put back."
    ),
    permissions=tuple(
        sorted(
            {f"{way.type}/{verb}" for way in WAYS.values() for verb in ("read", "delete")}
            | {f"{way.type}/write" for way in WAYS.values() if not way.lost}
            | {
                f"Microsoft.Compute/{kind}/{verb}"
                for kind in ("disks", "snapshots")
                for verb in ("read", "endGetAccess/action")
            }
        )
    ),
    guidance=("S48", "S49"),
    needs=(Footholds, Attribution, ActivityFacts),
    comes_after=("contain.remove_access",),
)


def plan(case: Case) -> list[Action | NoOp]:
    judged = Judged(case)
    going: dict[str, str] = {}
    planned: list[Action | NoOp] = []
    # Children first; what holds them waits until they have ended.
    ordered = sorted(case[Footholds].items, key=lambda one: (-one.id.count("/"), one.id.lower(), one.kind))
    for one in ordered:
        keep = _keep(one, case, judged)
        if keep:
            planned.append(NoOp(step=STEP.id, target=one.id, reason=keep))
            continue
        below = [action for name, action in sorted(going.items()) if name.startswith(one.id.lower() + "/")]
        action = _end(one, case) if one.kind == EXPORT else _remove(one, case, below)
        if one.kind != EXPORT:
            going[one.id.lower()] = action.id
        planned.append(action)
    return planned


def _keep(one: Foothold, case: Case, judged: Judged) -> str:
    if case.incident.alert.is_test:
        return "Test alert: nothing is removed."
    if one.people:
        return f"{one.called.capitalize()}: {one.people}"
    if not one.content:
        return "It could not be read, so nobody knows what it is now."
    if one.kind == EXPORT:
        return judged.protection(one.id) or judged.locked(one.id, deleting=False)
    judgement = judged.of(one.id)
    if judgement is not None and judgement.cls is not Class.ATTACKER:
        return judged.keep_out(one.id, deleting=True)
    return judged.protection(one.id) or judged.locked(one.id, deleting=True)


def _reasons(one: Foothold) -> tuple[str, ...]:
    who = f"Made by {plain(one.caller, 80) or 'an unknown caller'}" + (
        f" at {plain(one.address, 60)}" if one.address else ""
    )
    when = f", {one.at:%Y-%m-%d %H:%M}Z" if one.at else ""
    proof = f" (activity log {', '.join(plain(event, 40) for event in one.event_ids[:2])})" if one.event_ids else ""
    return (one.means, f"{who}{when}{proof}.")


def _remove(one: Foothold, case: Case, below: Sequence[str]) -> Action:
    way = WAYS[one.kind]
    return Action(
        id=id_of_this_time(case, STEP.id, REMOVE, one.id),
        step=STEP.id,
        kind=REMOVE,
        target=one.id,
        title=f"Remove {way.called} {name_of(one.id)}",
        effect=Effect.IRREVERSIBLE if way.lost else Effect.REVERSIBLE,
        reasons=_reasons(one),
        fingerprint={"content": one.content},
        params={"type": one.kind, "version": one.version},
        after=tuple(below),
        region=one.region,
        irreversible_because=way.lost,
    )


def _end(one: Foothold, case: Case) -> Action:
    return Action(
        id=id_of_this_time(case, STEP.id, END, one.id),
        step=STEP.id,
        kind=END,
        target=one.id,
        title=f"End the {plain(one.called, 60)} {name_of(one.id)}",
        effect=Effect.IRREVERSIBLE,
        reasons=(
            *_reasons(one),
            "A disk has one link: whoever else downloads it now is cut off, too. What was downloaded by now is gone all the same.",
        ),
        fingerprint={"uniqueId": one.content},
        params={"version": one.version},
        region=one.region,
        irreversible_because=_LINK,
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    found: dict[str, Target] = {}
    for version in sorted({str(a.params["version"]) for a in actions}):
        mine = [a for a in actions if a.params["version"] == version]
        documents = await read_all(eyes, (a.target for a in mine), version)
        found |= {a.id: _judge(a, documents[a.target.lower()]) for a in mine}
    return found


def _judge(action: Action, document: dict[str, Any] | None) -> Target:
    if action.kind == RESTORE:
        if document is None:
            return Target(exists=False, already_so=False, state="absent", fingerprint=dict(FREE))
        same = covers(action.params["document"], restorable(document))
        taken = {} if same else {"place": "taken by another one"}
        return Target(
            exists=True, already_so=same, state="there" if same else "another one is there", fingerprint=taken
        )
    if document is None:
        return absent(action)
    if action.kind == END:
        state = text_at(document, "properties", "diskState").lower()
        return Target(
            exists=True,
            already_so=not state.startswith("activesas"),
            state=state or "unknown",
            fingerprint=known({"uniqueId": text_at(document, "properties", "uniqueId").lower()}),
        )
    return Target(
        exists=True,
        already_so=False,
        in_progress=text_at(document, "properties", "provisioningState").lower() == "deleting",
        state="there",
        fingerprint=known({"content": _content(action, document)}),
        prior=_prior(action, document),
    )


def _content(action: Action, document: dict[str, Any]) -> str:
    """What stands there; of what an undo put back, whether it still is that: it was made anew, and Azure noted who did and when."""
    put_back = action.params.get("document")
    if put_back is None:
        return content_of(document)
    return _AS_PUT_BACK if covers(put_back, restorable(document)) else "changed by somebody since"


def _prior(action: Action, document: dict[str, Any]) -> dict[str, Any]:
    ended = identities_of(document)
    prior: dict[str, Any] = {PRINCIPALS: ended} if ended else {}
    return prior if WAYS[str(action.params["type"])].lost else prior | {"document": restorable(document)}


async def apply(action: Action, hands: Hands) -> Sent:
    version = str(action.params["version"])
    if action.kind == END:
        return await hands.arm.post(f"{action.target}/endGetAccess", version, None)
    if action.kind == RESTORE:
        return await hands.arm.put(action.target, version, action.params["document"])
    return await hands.arm.delete(action.target, version)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Put back what its document describes; remove again what an undo put back."""
    if action.kind == END:
        return NoOp(step=STEP.id, target=action.target, reason=_LINK)
    way = WAYS[str(action.params["type"])]
    if action.kind == REMOVE and not isinstance(prior.get("document"), dict):
        return (
            NoOp(step=STEP.id, target=action.target, reason=f"It cannot be put back. {way.lost}") if way.lost else None
        )
    back = action.kind == REMOVE
    document = prior["document"] if back else action.params["document"]
    reasons: tuple[str, ...] = (
        "It stood there before; what it did, it does again." if back else "It was removed before.",
    )
    if back and prior.get(PRINCIPALS):
        reasons += ("Its identity is a new one: the roles of the former do not come back.",)
    return Action(
        id=action_id(STEP.id, RESTORE if back else REMOVE, action.target),
        step=STEP.id,
        kind=RESTORE if back else REMOVE,
        target=action.target,
        title=f"{'Put back' if back else 'Remove'} {way.called} {name_of(action.target)}",
        effect=Effect.REVERSIBLE,
        reasons=reasons,
        fingerprint=dict(FREE) if back else {"content": _AS_PUT_BACK},
        params={"type": action.params["type"], "version": action.params["version"], "document": document},
        region=action.region,
    )


def whose(action: Action, case: Case) -> Class:
    """What the attacker made in place of nothing is the attacker's, though no list shows it."""
    judged = case[Attribution].of(action.target)
    if judged is not None and judged.cls is not Class.UNKNOWN:
        return judged.cls
    found = case.get(Footholds)
    theirs = found is not None and any(
        one.is_theirs and one.id.lower() == action.target.lower() and one.kind != EXPORT for one in found.items
    )
    return Class.ATTACKER if theirs else Class.UNKNOWN
