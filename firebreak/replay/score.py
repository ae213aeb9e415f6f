"""Plans against the ground truth that people added to a bundle: what of the attacker's was found, what of the customer's would have been hit. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from firebreak.bundle import Expected
from firebreak.model.facts import Attribution, Class
from firebreak.model.plan import Action

_EVERYTHING = "entitlement.cancel"  # ends the whole subscription, whatever its target is called
# They change what opens a thing that the attacker has the key of, not the thing: neither found nor touched.
_OF_THE_DOOR = frozenset({"storage_key.regenerate", "vault_door.close"})
_PLACES = Decimal("0.0001")


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How a replay did.

    `picked` counts the targets of actions that the ground truth knows. `precision` is the share of them that is the attacker's, `recall` the
    share of the attacker's resources that are acted on; None where there is nothing to share. `protected_touched` are what must stay and
    would have been acted on. `verdict_is_right` and `attackers_missed` are None and empty where the ground truth says nothing.
    """

    precision: Decimal | None
    recall: Decimal | None
    picked: int
    rogue: int
    found: tuple[str, ...]
    missed: tuple[str, ...]
    protected_touched: tuple[str, ...]
    verdict_expected: str
    verdict: str
    verdict_is_right: bool | None
    attackers_missed: tuple[str, ...]


def score(expected: Expected, actions: Iterable[Action], attribution: Attribution | None) -> Score:
    """Judge the actions that would be carried out.

    One acts on a resource by naming it, or by deleting something above it; what must stay is touched by acting below it as well, and by ending
    the subscription.
    """
    chosen = [action for action in actions if action.kind not in _OF_THE_DOOR]
    targets = {action.target.lower() for action in chosen}
    deleted = {action.target.lower() for action in chosen if action.kind.endswith(".delete")}
    above = {place for target in targets for place in _above(target)}
    everything = any(action.kind == _EVERYTHING for action in chosen)
    rogue, legitimate = _by_name(expected.rogue), _by_name(expected.legitimate)
    found = {name for name in rogue if name in targets or deleted.intersection(_above(name))}
    touched = {
        name
        for name in legitimate
        if everything or name in targets or name in above or deleted.intersection(_above(name))
    }
    picked = len(found) + len(touched)
    verdict = attribution.verdict if attribution else "not_enough_evidence"
    return Score(
        precision=(Decimal(len(found)) / picked).quantize(_PLACES) if picked else None,
        recall=(Decimal(len(found)) / len(rogue)).quantize(_PLACES) if rogue else None,
        picked=picked,
        rogue=len(rogue),
        found=tuple(sorted(rogue[name] for name in found)),
        missed=tuple(sorted(rogue[name] for name in rogue if name not in found)),
        protected_touched=tuple(sorted(legitimate[name] for name in touched)),
        verdict_expected=expected.verdict,
        verdict=verdict,
        verdict_is_right=verdict == expected.verdict if expected.verdict else None,
        attackers_missed=_missed(expected.attackers, attribution),
    )


def _by_name(ids: Iterable[str]) -> dict[str, str]:
    return {name.lower().rstrip("/"): name for name in ids}


def _above(name: str) -> list[str]:
    """Everything that an id lies in, in lower case."""
    parts = name.split("/")
    return ["/".join(parts[:length]) for length in range(2, len(parts))]


def _missed(attackers: Iterable[str], attribution: Attribution | None) -> tuple[str, ...]:
    """The attacker's identities that are not judged so, under any of their names."""
    judged = attribution.actors if attribution else ()
    known = {name.lower() for one in judged if one.cls is Class.ATTACKER for name in (one.id, one.principal_id)}
    return tuple(sorted(name for name in attackers if name.lower() not in known))
