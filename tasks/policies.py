"""Reading Azure Policy: assignments, the definitions and initiatives behind them as far as they may be read, and exemptions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis import policies
from firebreak.analysis.authorization import scope_of
from firebreak.model.clouds import Eyes
from firebreak.model.facts import PolicyAssignment
from tasks.reading import Notes, each

VERSION = "2026-06-01"
_EXEMPTIONS = "2022-07-01-preview"
_MOST = 200  # reads; an initiative of Microsoft's has hundreds of members, nearly all of which only audit
_SHOWN = 3
_NAMED = r"/providers/microsoft\.authorization/policy(set)?definitions/[^/]+(/versions/[^/]+)?"
_GROUP = re.compile(rf"/providers/microsoft\.management/managementgroups/[^/]+{_NAMED}")
_HERE = re.compile(_NAMED)
_DENIES = frozenset({"deny", "denyaction"})


class Policies:
    """What was read. `definitions` holds documents by id in lower case, `not_read` the reason for each that is missing.

    `exemptions` is None when they could not be read.
    """

    def __init__(self) -> None:
        self.assignments: tuple[PolicyAssignment, ...] = ()
        self.were_read = True
        self.definitions: dict[str, dict[str, Any]] = {}
        self.not_read: dict[str, str] = {}
        self.exemptions: tuple[dict[str, Any], ...] | None = ()


async def read_policies(eyes: Eyes, notes: Notes) -> Policies:
    """Read what decides whether a policy refuses a write or a deletion in the subscription; what cannot be read is noted and never an error.

    Definitions are read alone, since lists of Microsoft's own have thousands: at most `_MOST`, first what is assigned itself, then members of
    initiatives that refuse something, then the others. Members that Microsoft's own definitions say only audit are not read at all.
    """
    base = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Authorization"
    found, nobody = Policies(), None
    listed: list[dict[str, Any]] | None = await notes.attempt(
        "policy assignments", eyes.arm.list(f"{base}/policyAssignments", VERSION), nobody
    )
    found.were_read = listed is not None
    assigned = (assignment(item) for item in listed or () if doc.path(item, "id"))
    found.assignments = tuple(sorted(assigned, key=lambda one: one.id.lower()))
    enforced = [one for one in found.assignments if one.enforcement.lower() != "donotenforce"]
    if not enforced:
        return found
    exempt = await notes.attempt("policy exemptions", eyes.arm.list(f"{base}/policyExemptions", _EXEMPTIONS), nobody)
    found.exemptions = None if exempt is None else tuple(sorted(exempt, key=lambda one: doc.path(one, "id").lower()))
    await _read(eyes, notes, found, (one.definition_id for one in enforced))
    await _read(eyes, notes, found, _members(enforced, found))
    return found


def _members(enforced: Iterable[PolicyAssignment], found: Policies) -> list[str]:
    """The definitions that initiatives refer to and that may refuse something, those that surely do first."""
    first: list[str] = []
    others: list[str] = []
    for one in enforced:
        initiative = found.definitions.get(one.definition_id.lower())
        if initiative is None or not policies.is_initiative(initiative):
            continue
        properties = doc.mapping(one.document, "properties")
        for identity, values in policies.member_values(initiative, one):
            if policies.can_refuse(identity, values, properties):
                refuses = any(isinstance(value, str) and value.lower() in _DENIES for value in values.values())
                (first if refuses or "effect" not in values else others).append(identity)
    return [*first, *others]


async def _read(eyes: Eyes, notes: Notes, found: Policies, identities: Iterable[str]) -> None:
    subscription = f"/subscriptions/{eyes.arm.subscription_id}".lower()
    wanted = {one.lower(): one for one in identities if one.lower() not in found.definitions}
    room = _MOST - len(found.definitions)
    chosen: list[str] = []
    for key, path in wanted.items():
        if not (_GROUP.fullmatch(key) or _HERE.fullmatch(key.removeprefix(subscription))):
            found.not_read[key] = "its definition is at a place that is not looked at"
        elif len(chosen) >= room:
            found.not_read[key] = f"not read, since more than {_MOST} definitions are assigned"
        else:
            chosen.append(path)

    async def read(path: str) -> None:
        # A note of its own, so that the reason of this one is known.
        alone = Notes()
        document = await alone.attempt(f"policy definition {doc.shown(path, 200)}", eyes.arm.get(path, VERSION), None)
        if document is not None:
            found.definitions[path.lower()] = policies.essence(document)
            return
        reason = alone.all[0].why if alone.all else "it is not there"
        found.not_read[path.lower()] = f"its definition could not be read ({reason})"

    await each(read, chosen)
    for note in _told(found.not_read):
        notes.add("policy definitions", note)


def _told(not_read: Mapping[str, str]) -> list[str]:
    """One note for each reason, however many definitions it is true of."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in sorted(not_read.items()):
        by_reason.setdefault(reason, []).append(path.rsplit("/", 1)[-1])
    return [
        f"{reason}: {', '.join(doc.shown(one) for one in names[:_SHOWN])}"
        + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        for reason, names in by_reason.items()
    ]


def assignment(item: Mapping[str, Any]) -> PolicyAssignment:
    """One assignment as Azure lists it."""
    return PolicyAssignment(
        id=doc.path(item, "id"),
        scope=doc.path(item, "properties", "scope") or scope_of(doc.path(item, "id")),
        name=doc.text(item, "properties", "displayName") or doc.text(item, "name"),
        definition_id=doc.path(item, "properties", "policyDefinitionId"),
        enforcement=doc.text(item, "properties", "enforcementMode") or "Default",
        document=dict(item),
    )
