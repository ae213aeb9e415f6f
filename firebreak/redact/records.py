"""The records of a bundle with pseudonyms: plans, audit log, decisions. What is a digest of something that was replaced becomes the digest of the new."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from firebreak.audit import AuditRecord, chained
from firebreak.model.canonical import canonical_bytes
from firebreak.model.plan import Action, NoOp, Plan, action_id
from firebreak.redact.documents import Documents

_PROSE = frozenset({"reason", "reasons", "note", "message", "problems", "text", "title", "because", "read_back", "why"})
# Keys of audit records whose values are Firebreak's own words and ids.
_KEPT_TEXT = """
gate stage state decision channel mode playbook kind action raw digest plan_digest answered_digest playbook_digest left_out type format plans
stages actions roles escalated_to identity_of
"""
_KEPT = frozenset(_KEPT_TEXT.split())
_SENTENCES = frozenset({"displayName", "description", "title", "text", "details", "summary"})
_OWN = frozenset({"engine", "intake", "cli", "replay", "demo"})


class Renamed:
    """Ids that Firebreak derives from names: of actions, plans, cases, and of what it makes in the cloud."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}
        self.case = ("", "")

    def add(self, old: str, new: str) -> None:
        if old and new and old != new:
            self.of[old] = new

    def text(self, text: str) -> str:
        """The id in place of the one that `text` is, or the case's new id in place of its old one within it."""
        if text in self.of:
            return self.of[text]
        return text.replace(self.case[0], self.case[1]) if self.case[0] else text


def plan_with(plan: Plan, texts: Documents, renamed: Renamed, playbook_digest: str) -> Plan:
    """The plan over the pseudonyms; ids of actions are made anew from their targets."""
    protection = msgspec.convert(
        texts.document(msgspec.to_builtins(plan.protection), "protection"), type(plan.protection)
    )
    taken: set[str] = set()
    actions = tuple(_action(action, texts, renamed, taken) for action in plan.actions)
    return msgspec.structs.replace(
        plan,
        case=renamed.text(plan.case),
        subscription_id=texts.guid(plan.subscription_id),
        playbook_digest=playbook_digest,
        protection=protection,
        actions=actions,
        no_ops=tuple(
            NoOp(step=one.step, target=target(one.target, texts, renamed), reason=texts.prose(one.reason))
            for one in plan.no_ops
        ),
        problems=tuple(map(texts.prose, plan.problems)),
        over_limits=tuple(map(texts.prose, plan.over_limits)),
    )


def target(text: str, texts: Documents, renamed: Renamed) -> str:
    """What an action is about: an id of Resource Manager, or another system's path."""
    is_path = text.startswith("/") and not text.lower().startswith(("/subscriptions/", "/providers/"))
    return renamed.text(texts.known_path(text) if is_path else texts.value("", "target", text))


def _action(action: Action, texts: Documents, renamed: Renamed, taken: set[str]) -> Action:
    about = target(action.target, texts, renamed)
    name = action_id(action.step, action.kind, about)
    if name in taken:  # two keys of one account: their ids are made of more than the target
        name = action_id(action.step, action.kind, f"{about}#{len(taken)}")
    taken.add(name)
    renamed.add(action.id, name)
    params = texts.document(action.params, "params")
    if about.endswith(f"/{action.params.get('name')}"):
        params["name"] = action.params["name"]  # of a limit: public where its id says so
    return msgspec.structs.replace(
        action,
        id=name,
        target=about,
        title=texts.prose(action.title),
        reasons=tuple(map(texts.prose, action.reasons)),
        fingerprint=texts.document(action.fingerprint, "fingerprint"),
        params=_renamed(params, renamed),
        after=tuple(sorted(renamed.of.get(one, one) for one in action.after)),
        irreversible_because=texts.prose(action.irreversible_because),
    )


def records_with(records: Iterable[AuditRecord], incident: str, texts: Documents, renamed: Renamed) -> bytes:
    """The audit log as a chain of its own over the pseudonyms: times, kinds and order are the original's."""
    return chained(
        incident, [(r.at, r.kind, _who(r.who, texts), _renamed(_data(r.data, texts), renamed)) for r in records]
    )


def _who(who: str, texts: Documents) -> str:
    return who if who in _OWN else texts.text(who)


def _data(data: Mapping[str, Any], texts: Documents, key: str = "") -> Any:
    if isinstance(data, Mapping):
        return {name: _data(item, texts, name) for name, item in data.items()}
    if isinstance(data, list | tuple):
        return [_data(item, texts, key) for item in data]
    if not isinstance(data, str):
        return data
    if key in _KEPT:
        return texts.kept(data)
    if key in ("approvers", "by", "approver"):
        return _who(data, texts)
    return texts.prose(data) if key in _PROSE else texts.value("data", key, data)


def _renamed(value: Any, renamed: Renamed) -> Any:
    if isinstance(value, str):
        return renamed.text(value)
    if isinstance(value, list | tuple):
        return [_renamed(item, renamed) for item in value]
    return {name: _renamed(item, renamed) for name, item in value.items()} if isinstance(value, dict) else value


def adopt(recorded: Plan, then: Plan | None, then_redacted: Plan, now: Plan | None) -> Plan:
    """Take the engine's own sentences from the plan that it makes from the redacted evidence (`now`), wherever it says of the original evidence
    (`then`) what was recorded; all else stays as it was redacted.
    """
    if then is None or now is None:
        return then_redacted
    if then.digest == recorded.digest and same_but_for_sentences(now, then_redacted):
        return now
    return then_redacted


def same_but_for_sentences(one: Plan, other: Plan) -> bool:
    """Whether two plans are the same but for what they say of themselves.

    Actions of one step that save the same stand in the order of their ids, which come from names: there the order is no difference.
    """
    orders = [[(action.step, action.per_hour) for action in plan.actions] for plan in (one, other)]
    return bool(orders[0] == orders[1] and _shape(one) == _shape(other))


def same_actions(one: Plan, other: Plan) -> dict[str, str]:
    """The ids of the second plan's actions by those of the first: an id is made of names, and of more than its target."""
    return {
        mine.id: theirs.id
        for (mine, _), (theirs, _) in zip(_in_order(one.actions), _in_order(other.actions), strict=True)
    }


def _shape(plan: Plan) -> Any:
    ordered = _in_order(plan.actions)
    places = {action.id: f"{place}" for place, (action, _) in enumerate(ordered)}
    waits = [sorted(places.get(one, one) for one in action.after) for action, _ in ordered]
    bare = [said for _, said in ordered]
    return (bare, waits, [(one.step, one.target) for one in plan.no_ops], plan.complete, plan.applyable, plan.errored)


def _in_order(actions: Iterable[Action]) -> list[tuple[Action, bytes]]:
    """Actions with what they are without their ids and sentences, ordered by that."""
    said = [(action, canonical_bytes(_bare(action))) for action in actions]
    return sorted(said, key=lambda one: one[1])


def _bare(action: Action) -> Action:
    return msgspec.structs.replace(
        action,
        id="",
        title="",
        reasons=("",) * len(action.reasons),
        irreversible_because="",
        after=(),
        fingerprint={name: _PRINTED.sub("", str(value)) for name, value in action.fingerprint.items()},
        params=_without_sentences(action.params),
    )


# Digests of documents that hold names, and hints of numbers and addresses, of which two may look the same.
_PRINTED = re.compile(r"\b[0-9a-z]{64}\b|\S{0,3}…\S*")


def _without_sentences(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_sentences(item) for name, item in value.items() if name not in _SENTENCES}
    return [_without_sentences(item) for item in value] if isinstance(value, list | tuple) else value
