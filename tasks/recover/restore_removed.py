"""Give back what the attacker took away, where the log tells what it was: roles, custom roles, policies, locks, diagnostic settings, alert rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Class, SubscriptionFacts
from firebreak.model.plan import GIVE_BACK, Action, NoOp, action_id
from firebreak.model.removals import Removal, Removals
from firebreak.model.step import FREE, Effect, Sent, Step, Target
from tasks.arm import absent, covers, read_all, text_at, value_at
from tasks.directory import is_deleted
from tasks.judged import Judged, id_of_this_time
from tasks.taken_away import ASSIGNMENTS, KEPT, body_of
from tasks.words import name_of, plain

RESTORE, REMOVE = GIVE_BACK, "taken.remove"
THERE = "there"

STEP = Step(
    id="recover.restore_removed",
    title="Give back what the attacker took away",
    effect=Effect.REVERSIBLE,
    description=(
        "Makes role assignments, custom roles, policy assignments, locks, diagnostic settings, alert rules and action groups again that the attacker "
        "deleted, under their ids, as the activity log tells them. What the log does not tell is asked of people."
    ),
    permissions=tuple(sorted(f"{one.type}/{verb}" for one in KEPT.values() for verb in ("read", "write", "delete"))),
    guidance=("S48", "S56"),
    needs=(Removals,),
)


def plan(case: Case) -> list[Action | NoOp]:
    judged = Judged(case)
    back = [one for one in case[Removals].items if not _keep(one, case, judged)]
    planned: list[Action | NoOp] = []
    for one in case[Removals].items:
        keep = _keep(one, case, judged)
        planned.append(NoOp(step=STEP.id, target=one.id, reason=keep) if keep else _restore(one, case, judged, back))
    return planned


def _keep(one: Removal, case: Case, judged: Judged) -> str:
    """Why this is not given back, "" when it is."""
    if case.incident.alert.is_test:
        return "Test alert: nothing is given back."
    if one.stands:
        return f"The {one.called} is there again."
    if one.document is None and one.rewritten:
        return (
            f"The attacker wrote the {one.called} themselves before they deleted it on {one.at:%Y-%m-%d %H:%M}Z, and the log tells of nobody's before: "
            "ask whether it stood there at all."
        )
    if one.document is None:
        return (
            f"The {one.called} was deleted by the attacker on {one.at:%Y-%m-%d %H:%M}Z, and the log does not tell what it held: ask whoever set it up, "
            "or take it from the template it came from."
        )
    who = one.principal_id
    if who and who in judged.own_identities():
        return f"A role of {judged.own_identities()[who]}, an identity of the attacker's own: not given back."
    if who and who in judged.stolen_identities():
        return (
            f"A role of {judged.stolen_identities()[who]}, whose account is in the attacker's hands: give it back when its owner has proved who they "
            f"are. It was {_what(one)}."
        )
    facts = case.get(SubscriptionFacts)
    if who and facts is not None and who in {own.lower() for own in facts.own_principal_ids}:
        return "A role of Firebreak's own identity: an administrator gives it back."
    return judged.protection(one.id)


def _what(one: Removal) -> str:
    """The parts of a document that tell people what comes back."""
    properties = value_at(one.document, "properties") or {}
    if one.type == ASSIGNMENTS:
        return f"role {plain(name_of(str(properties.get('roleDefinitionId', ''))), 60)}"
    for name in ("displayName", "roleName", "level", "workspaceId", "storageAccountId"):
        if value := text_at(properties, name):
            return f"{name} {plain(value, 120)}"
    return "as it was"


def _restore(one: Removal, case: Case, judged: Judged, back: Sequence[Removal]) -> Action:
    document = one.document or {}
    who = f" to {judged.principal_name(one.principal_id)}" if one.principal_id else ""
    place = f" from {plain(one.address, 60)}" if one.address else ""
    proof = f" (activity log {', '.join(plain(event, 40) for event in one.event_ids[:2])})" if one.event_ids else ""
    return Action(
        id=id_of_this_time(case, STEP.id, RESTORE, one.id),
        step=STEP.id,
        kind=RESTORE,
        target=one.id,
        title=f"Give back the {one.called} {name_of(one.id)}{who}",
        effect=Effect.REVERSIBLE,
        reasons=(
            f"Deleted by the attacker as {plain(one.by, 80)}{place}, {one.at:%Y-%m-%d %H:%M}Z{proof}.",
            KEPT[one.type].means,
            f"It comes back with {_what(one)}, known from {one.source}.",
        ),
        fingerprint=FREE | ({"principal": THERE} if one.principal_id else {}),
        params={"type": one.type, "version": one.version, "document": document},
        after=tuple(id_of_this_time(case, STEP.id, RESTORE, other.id) for other in back if _waits(one, other)),
    )


def _waits(one: Removal, other: Removal) -> bool:
    """Whether a thing comes back after another one: it names that (a custom role, an action group), or it is a lock, which keeps others out."""
    if other.id == one.id:
        return False
    if one.type.endswith("/locks"):
        return not other.type.endswith("/locks")
    text = str(_folded(one.document))
    key = other.id.lower()
    return key in text or (other.type.endswith("/roledefinitions") and key.rsplit("/", 1)[-1] in text)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    holders = {holder for a in actions if a.kind == RESTORE and (holder := _holder(a))}
    gone = {holder for holder in sorted(holders) if await is_deleted(holder, eyes)}
    found: dict[str, Target] = {}
    for version in sorted({str(a.params["version"]) for a in actions}):
        mine = [a for a in actions if a.params["version"] == version]
        documents = await read_all(eyes, (a.target for a in mine), version)
        found |= {a.id: _judge(a, documents[a.target.lower()], gone) for a in mine}
    return found


def _holder(action: Action) -> str:
    """Whom a role assignment gives its role, "" for anything else."""
    is_role = action.params["type"] == ASSIGNMENTS
    return text_at(action.params["document"], "properties", "principalId").lower() if is_role else ""


def _judge(action: Action, document: dict[str, Any] | None, gone: set[str]) -> Target:
    principal = {"principal": "deleted from the directory" if _holder(action) in gone else THERE}
    if document is None:
        if action.kind == REMOVE:
            return absent(action)
        return Target(
            exists=False, already_so=False, state="absent", fingerprint=FREE | principal, prior={"absent": True}
        )
    wanted = action.params["document"]
    same = covers(_folded(wanted), _folded(body_of(str(action.params["type"]), document) or {}))
    content = "as it was given back" if same else "changed by somebody since"
    return Target(
        exists=True,
        already_so=action.kind == RESTORE and same,
        state="there" if same else "another one is there",
        fingerprint=principal | {"place": "taken by another one", "content": content},
        prior={},
    )


def _folded(value: Any) -> Any:
    """Ids and names compare without regard to case in Azure."""
    if isinstance(value, dict):
        return {str(key): _folded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_folded(item) for item in value]
    return value.lower() if isinstance(value, str) else value


async def apply(action: Action, hands: Hands) -> Sent:
    version = str(action.params["version"])
    if action.kind == RESTORE:
        return await hands.arm.put(action.target, version, action.params["document"])
    return await hands.arm.delete(action.target, version)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Take away again what was given back; give it back again."""
    if action.kind == RESTORE and not prior.get("absent"):
        return None
    back = action.kind == REMOVE
    return Action(
        id=action_id(STEP.id, RESTORE if back else REMOVE, action.target),
        step=STEP.id,
        kind=RESTORE if back else REMOVE,
        target=action.target,
        title=_turned(action.title, "Take away", "from") if not back else _turned(action.title, "Give back", "to"),
        effect=Effect.REVERSIBLE,
        reasons=("It stood there before." if back else "It was not there before it was given back.",),
        fingerprint=(FREE | ({"principal": THERE} if _holder(action) else {}))
        if back
        else {"content": "as it was given back"},
        params=dict(action.params),
    )


def _turned(title: str, verb: str, preposition: str) -> str:
    """The title of the opposite: `Give back the ... to X` and `Take away the ... from X`."""
    first, other = ("Give back", " to ") if preposition == "from" else ("Take away", " from ")
    return title.replace(first, verb, 1).replace(other, f" {preposition} ", 1)


def whose(action: Action, case: Case) -> Class:  # noqa: ARG001 - the contract
    """What is given back was the customer's."""
    return Class.LEGITIMATE
