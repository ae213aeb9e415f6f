"""Findings of a reviewed activity log: single operations by the rule table, and patterns over a session's operations.

Every finding names its events. A session is caller, address and client app; what a familiar session does every day weighs less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from firebreak.analysis import patterns, sign_ins
from firebreak.analysis.conduct import ORDER, Conduct, Thresholds, bare_session, finding, lower
from firebreak.analysis.documents import shown
from firebreak.analysis.history import History
from firebreak.analysis.operations import ActivityLike, OperationLike, in_order, session_key
from firebreak.analysis.properties import ROLES
from firebreak.analysis.ruleset import RuleSet, rules_of
from firebreak.analysis.runs import familiarity_of
from firebreak.analysis.sigma import Rule
from firebreak.model.facts import Inventory
from firebreak.model.finding import Finding, Severity

# What cannot be done as an attempt: a refused sign-in is itself the finding.
_NOT_ATTEMPTS = frozenset({"risk", "sign-in-failed"})


def find(
    activity: ActivityLike,
    *,
    own: Collection[str] = (),
    inventory: Inventory | None = None,
    thresholds: Thresholds | None = None,
    rules: RuleSet | None = None,
    least: Severity = Severity.LOW,
) -> list[Finding]:
    """Return the findings of at least that severity, gravest first. Operations of the principals in `own` (the responder's) are left out.

    `rules` must be those that the operations were matched with; without, the shipped ones.
    """
    limits = thresholds or Thresholds()
    history = History(activity, inventory)
    skip = {principal.lower() for principal in own}
    by_session: dict[tuple[str, str, str], list[OperationLike]] = defaultdict(list)
    for operation in activity.operations:
        if operation.principal_id.lower() not in skip and operation.caller.lower() not in skip:
            by_session[session_key(operation)].append(operation)
    sessions = {(s.caller.lower(), s.address, s.app_id): s for s in activity.sessions}
    found: list[Finding] = []
    for key in sorted(by_session):
        session = sessions.get(key) or bare_session(by_session[key])
        done = in_order(by_session[key])
        work = Conduct(session, done, familiarity_of(session, done, history))
        found += by_rules(work, rules)
        if work.by_microsoft:
            continue
        found += patterns.identity(work, history, limits)
        found += patterns.creations(work, history, limits)
        found += patterns.volumes(work, limits)
        found += patterns.bulk_reads(work, limits, rules)
        found += patterns.new_kinds(work, history)
    found += patterns.quota_then_creation(by_session, history, limits, rules)
    found += patterns.granted_then_used(by_session, history, rules)
    found += sign_ins.guessing(by_session, limits)
    told = [one for one in found if ORDER.index(one.severity) >= ORDER.index(least)]
    return sorted(told, key=lambda one: (-ORDER.index(one.severity), one.id))


def by_rules(work: Conduct, rules: RuleSet | None) -> Iterable[Finding]:
    grouped: dict[str, tuple[Rule, list[OperationLike]]] = {}
    seen_by: dict[str, set[str]] = defaultdict(set)
    lists: dict[
        tuple[str, ...] | None, list[list[OperationLike]]
    ] = {}  # where operations go, by the rules they fall under
    for operation in work.operations:
        matched = operation.matched
        mine = lists.get(matched)
        if mine is None:
            met = rules_of(operation, rules)
            own = [rule for rule in met if not rule.public]
            public = [rule for rule in met if rule.public]
            mine = []
            for rule in own or public:
                mine.append(grouped.setdefault(rule.id, (rule, []))[1])
                seen_by[rule.id].update(other.title for other in public if other is not rule)
            if matched is not None:
                lists[matched] = mine
        for together in mine:
            together.append(operation)
    for rule, operations in grouped.values():
        reasons = [rule.description] if rule.description else []
        severity, title = rule.severity, rule.title
        if rule.public:
            severity = min(severity, Severity.LOW, key=ORDER.index)
            reasons.append("A public rule that looks at the operation's name alone.")
        if seen_by[rule.id]:
            reasons.append(f"Public rules see it too: {', '.join(sorted(seen_by[rule.id]))}.")
        if rule.family == "role-granted":
            reasons += _roles_told(operations)
        if all(operation.status == "failed" for operation in operations) and rule.family not in _NOT_ATTEMPTS:
            severity = min(severity, max(Severity.LOW, lower(lower(severity)), key=ORDER.index), key=ORDER.index)
            title = f"{title} (attempted)"
            meant = f" Had it succeeded: {rule.description}" if rule.description else ""
            reasons = [f"Every attempt failed.{meant}", *reasons[bool(rule.description) :]]
        elif all(operation.status == "started" for operation in operations):
            reasons.append("The log does not show how it ended.")
        if work.by_microsoft:
            severity = Severity.INFORMATIONAL
            reasons.append(
                f"Done by {work.by_microsoft}, an application of Microsoft's own, not on behalf of a person."
            )
        elif rule.everyday and work.is_familiar:
            if not (rule.weakens or rule.spreads):
                continue  # a familiar session at its everyday work
            severity = lower(severity)
        yield finding(rule.id, title, severity, work, operations, reasons, rule.techniques)


def _roles_told(operations: list[OperationLike]) -> list[str]:
    reasons = []
    for operation in operations:
        role = str(operation.properties.get("role", ""))
        name = ROLES.get(role, "")
        scope = operation.resource_id.lower().split("/providers/microsoft.authorization/")[0]
        to = operation.properties.get("granted_to") or "somebody the log does not name"
        reasons.append(f"{name or 'A role'} at {shown(scope) or 'the root'} for {shown(str(to))}: {operation.status}.")
    return sorted(set(reasons))[:10]
