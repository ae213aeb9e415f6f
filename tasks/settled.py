"""Documents of Azure Resource Manager that a hardening step sets as a whole: planned, looked at, written and taken back in one way.

What stood there before is saved and put back by undo; where nothing stood, undo takes away what was set, unless somebody changed it since.

    RULES = Settled(step="harden.alert_rules", aspect="alert_rule", version=ACTIVITY_ALERTS, kept=("scopes", "condition", "actions"))
    RULES.set(case, target=..., title=..., reasons=..., document=...)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from firebreak.model.canonical import digest_of
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.plan import Action, action_id
from firebreak.model.step import FREE, Effect, Sent, Target
from tasks.arm import Document, read_all, text_at, value_at
from tasks.words import plain

_OURS, _CHANGED, _TAKEN = "as it was set", "changed by somebody since", "taken"
_TOP = ("location", "kind", "tags")


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of document. `kept` are the properties that a write takes; everything else Azure adds by itself.

    Kinds of actions are `<aspect>.set`, and for undo `<aspect>.take_away` and `<aspect>.put_back`.
    """

    step: str
    aspect: str
    version: str
    kept: tuple[str, ...]

    def set(
        self,
        case: Case,
        *,
        target: str,
        title: str,
        reasons: Sequence[str],
        document: Document,
        stands: Document | None = None,
        after: Sequence[str] = (),
    ) -> Action:
        """The action that makes the document stand there; `stands` is what was found there."""
        kind = f"{self.aspect}.set"
        return Action(
            id=self.id_of(target),
            step=self.step,
            kind=kind,
            target=target,
            title=title,
            effect=Effect.REVERSIBLE,
            reasons=tuple(reasons),
            fingerprint=self._print(stands),
            params={"document": document, "case": case.incident.case},
            after=tuple(after),
        )

    def id_of(self, target: str) -> str:
        """The id of the action that sets this target."""
        return action_id(self.step, f"{self.aspect}.set", target)

    def is_mine(self, action: Action) -> bool:
        return action.kind.partition(".")[0] == self.aspect

    async def look(self, actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
        """Each target as it stands now."""
        found = await read_all(eyes, (action.target for action in actions), self.version)
        return {action.id: self._target(action, found[action.target.lower()]) for action in actions}

    def _target(self, action: Action, document: Document | None) -> Target:
        ours = action.params.get("ours") or action.params["document"]
        stands = document is not None
        here = {**self._print(document), "set": _OURS if covers(ours, document) else _CHANGED}
        if action.kind.endswith(".take_away"):
            so = not stands
        elif action.kind.endswith(".put_back"):
            so = stands and self.part_of(document) == action.params["document"]
        else:
            so = covers(action.params["document"], document)
        return Target(
            exists=stands,
            already_so=so,
            state="absent" if not stands else _OURS if covers(ours, document) else "something else stands there",
            fingerprint=here,
            prior={"document": self.part_of(document) if stands else {}},
            etag=text_at(document, "eTag"),
        )

    async def apply(self, action: Action, hands: Hands) -> Sent:
        if action.kind.endswith(".take_away"):
            return await hands.arm.delete(action.target, self.version)
        version = {"eTag": action.params["etag"]} if action.params.get("etag") else {}
        return await hands.arm.put(action.target, self.version, {**action.params["document"], **version})

    def undo(self, action: Action, prior: Mapping[str, Any]) -> Action | None:
        """Put back what stood there, or take away what was set where nothing stood."""
        before = dict(prior.get("document") or {})
        if action.kind.endswith(".take_away"):
            if not before:
                return None
            return self._inverse(action, "set", "Set again", "It was set before.", FREE, {"document": before})
        mark = {"set": _OURS}
        if before:
            more = {"document": before, "ours": action.params["document"]}
            return self._inverse(action, "put_back", "Put back", "Restores what stood there before.", mark, more)
        more = {"document": action.params["document"]}
        return self._inverse(action, "take_away", "Take away", "Nothing stood there before.", mark, more)

    def _inverse(
        self, of: Action, verb: str, title: str, reason: str, fingerprint: Mapping[str, str], params: Document
    ) -> Action:
        kind = f"{self.aspect}.{verb}"
        return Action(
            id=action_id(self.step, kind, f"{of.target}#undo"),
            step=self.step,
            kind=kind,
            target=of.target,
            title=f"{title}: {of.title.partition(': ')[2] or of.title}",
            effect=Effect.REVERSIBLE,
            reasons=(reason,),
            fingerprint=dict(fingerprint),
            params={"case": of.params.get("case", ""), **params},
        )

    def part_of(self, document: Document | None) -> Document:
        """What of a document a write takes."""
        properties = value_at(document, "properties") or {}
        top = {name: _exact(value_at(document, name)) for name in _TOP if value_at(document, name)}
        kept = {
            name: _exact(value_at(properties, name)) for name in self.kept if value_at(properties, name) is not None
        }
        return top | ({"properties": kept} if kept else {})

    def _print(self, document: Document | None) -> dict[str, str]:
        if document is None:
            return dict(FREE)
        return {"place": _TAKEN, "contents": digest_of(self.part_of(document))[:16]}


def covers(wanted: Any, found: Any) -> bool:
    """Whether everything that is wanted stands there, names and words without regard to case; Azure adds defaults of its own.

    A list must have as many items, each of which covers the one wanted in its place.
    """
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(covers(value, value_at(found, key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        pairs = zip(wanted, found, strict=True) if isinstance(found, list) and len(found) == len(wanted) else None
        return pairs is not None and all(covers(one, other) for one, other in pairs)
    if isinstance(wanted, str) and isinstance(found, str):
        return _same(wanted, found)
    return bool(wanted == found)


def _same(wanted: str, found: str) -> bool:
    """Whether two texts are one: Azure changes the case of names and the spelling of times."""
    return wanted.lower() == found.lower() or (
        wanted.endswith("Z") and found.endswith("Z") and wanted[:19] == found[:19] and "T" in wanted
    )


def _exact(value: Any) -> Any:
    """The value without floats, which have no one spelling: Azure's 100.0 is 100."""
    if isinstance(value, (float, Decimal)):
        return int(value) if value == int(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _exact(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_exact(one) for one in value]
    return value


def mails(case: Case, step: str) -> tuple[str, ...]:
    """The addresses that are to be told: the step's parameter `emails`, else the installation's; empty when neither names one."""
    return tuple(plain(str(one), 200) for one in case.parameter(step, "emails", ()))
