"""Who stands behind the findings of a log that was reviewed alone, without an alert or a subscription to look at.

With a past, an identity is judged by address: a stolen one goes on working honestly from its own. Without a past nothing is new, so an
identity is judged as a whole by what it did. Findings in, suspects out, the most suspicious first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from firebreak.analysis.conduct import ORDER
from firebreak.analysis.documents import shown
from firebreak.analysis.first_party import first_party
from firebreak.analysis.history import Familiarity, History
from firebreak.analysis.operations import ActivityLike, OperationLike, in_order, session_key
from firebreak.analysis.uncollected import uncollected
from firebreak.model.facts import Class, Reason
from firebreak.model.finding import Finding, Severity

_POINTS = {
    Severity.INFORMATIONAL: 0,
    Severity.LOW: 5,
    Severity.MEDIUM: 25,
    Severity.HIGH: 45,
    Severity.CRITICAL: 60,
}
_ATTACKER_FROM = 45
_LINKED = 30
_USUAL = -60


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """An identity, and where the log has a past its address, with what speaks for and against it, and all that it did."""

    id: str
    cls: Class
    score: int
    reasons: tuple[Reason, ...]
    address: str = ""
    addresses: tuple[str, ...] = ()
    operations: Sequence[OperationLike] = ()

    @property
    def event_ids(self) -> tuple[str, ...]:
        return tuple(event for one in self.operations for event in one.event_ids)


class _Group(msgspec.Struct):
    caller: str
    address: str
    operations: list[OperationLike]
    familiarity: Familiarity
    reasons: list[Reason]

    @property
    def score(self) -> int:
        return sum(reason.points for reason in self.reasons)


@uncollected()
def suspects(activity: ActivityLike, findings: Sequence[Finding]) -> list[Suspect]:
    """Judge everybody who did something in the log's window."""
    history = History(activity)
    groups: dict[tuple[str, str], _Group] = {}
    microsoft: dict[tuple[str, str], str] = {}
    familiarity = {(s.caller.lower(), s.address, s.app_id): history.familiarity(s) for s in activity.sessions}
    group_of: dict[tuple[str, str, str], _Group] = {}
    for operation in activity.operations:
        who = (operation.caller, operation.address, operation.app_id)
        group = group_of.get(who)
        if group is None:
            address = operation.address if history.has_any else ""
            key = (operation.caller.lower(), address)
            known = familiarity.get(session_key(operation), Familiarity.UNKNOWN)
            group = group_of[who] = groups.setdefault(key, _Group(operation.caller, address, [], known, []))
            by = first_party(operation.app_id, operation.caller)
            if by:
                microsoft[key] = by
        group.operations.append(operation)
    owner = _owners(groups, findings)
    for finding in findings:
        points = _POINTS[finding.severity]
        theirs: dict[tuple[str, str], list[str]] = defaultdict(list)
        for event in finding.event_ids:
            if event in owner:
                theirs[owner[event]].append(event)
        for key, events in theirs.items():
            if key not in microsoft or finding.severity is not Severity.INFORMATIONAL:
                text = f"{finding.severity.capitalize()}: {finding.title}."
                groups[key].reasons.append(Reason(points, text, tuple(events)))
    for key, group in groups.items():
        if key in microsoft:
            text = f"This is {microsoft[key]}, an application of Microsoft's own."
            group.reasons = [Reason(_USUAL, text)]
        elif group.familiarity is Familiarity.USUAL:
            group.reasons.append(Reason(_USUAL, f"{group.address} is a usual address of this caller."))
        elif _is_placeless(group, history):
            text = "The log does not name the address, and this identity worked here before: its owner or a thief may have done it."
            group.reasons.append(Reason(0, text))
    _link(groups, microsoft)
    made = [
        _suspect(key, group, key in microsoft, _is_placeless(group, history)) for key, group in sorted(groups.items())
    ]
    order = list(Class)
    return sorted(made, key=lambda one: (order.index(one.cls), -one.score, one.id.lower(), one.address))


def _owners(groups: dict[tuple[str, str], _Group], findings: Sequence[Finding]) -> dict[str, tuple[str, str]]:
    """Whose the events are that findings tell of. Who findings name comes first: where all events were told the rest need not be looked at."""
    told = {event for finding in findings for event in finding.event_ids}
    actors = {finding.actor.lower() for finding in findings}
    named = {(finding.actor.lower(), finding.address) for finding in findings}
    owner: dict[str, tuple[str, str]] = {}
    for key in sorted(groups, key=lambda key: (key not in named, key[0] not in actors)):
        for one in groups[key].operations:
            if len(owner) == len(told):
                return owner
            owner.update((event, key) for event in one.event_ids if event in told)
    return owner


def _link(groups: dict[tuple[str, str], _Group], microsoft: dict[tuple[str, str], str]) -> None:
    """Who works from an attacker's address is linked to the attacker; one round, so that suspicion does not run through a shared proxy."""
    places: dict[str, str] = {}
    for group in groups.values():
        if group.score >= _ATTACKER_FROM:
            places.update({one.address: group.caller for one in group.operations if one.address})
    for key, group in groups.items():
        if key in microsoft or group.score >= _ATTACKER_FROM or group.familiarity is Familiarity.USUAL:
            continue
        shared = sorted({one.address for one in group.operations if one.address in places})
        if shared and any(reason.points > 0 for reason in group.reasons):
            who = shown(places[shared[0]]) or "an unnamed caller"
            group.reasons.append(
                Reason(_LINKED, f"It works from {shared[0]}, as {who} does, who is taken for an attacker.")
            )


def _is_placeless(group: _Group, history: History) -> bool:
    """Whether a log with a past does not say where an identity that is at home here worked from: then nobody can tell it from a thief."""
    return history.has_any and not group.address and history.is_established(group.caller)


def _suspect(key: tuple[str, str], group: _Group, by_microsoft: bool, placeless: bool) -> Suspect:
    worst = max((reason.points for reason in group.reasons), default=0)
    cls = Class.UNKNOWN
    if by_microsoft or group.score <= _USUAL:
        cls = Class.LEGITIMATE
    elif not placeless and group.score >= _ATTACKER_FROM and worst >= _POINTS[Severity.MEDIUM]:
        cls = Class.ATTACKER
    operations = in_order(group.operations)
    return Suspect(
        id=group.caller,
        cls=cls,
        score=group.score,
        reasons=tuple(sorted(group.reasons, key=lambda reason: -abs(reason.points))),
        address=key[1],
        addresses=tuple(sorted({one.address for one in operations if one.address})),
        operations=operations,
    )


def gravest(findings: Sequence[Finding]) -> Severity | None:
    """The highest severity among some findings."""
    return max((finding.severity for finding in findings), key=ORDER.index, default=None)
