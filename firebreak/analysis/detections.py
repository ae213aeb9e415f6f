"""Findings of a reviewed activity log: single operations by the rule table, and patterns over a session's operations.

Every finding names its events. A session is caller, address and client app; what a familiar session does every day weighs less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import timedelta

import msgspec

from firebreak.analysis.documents import shown
from firebreak.analysis.history import Familiarity, History
from firebreak.analysis.operations import densest, is_creation, session_key
from firebreak.analysis.rules import Rule, rules_for
from firebreak.analysis.sizes import MANY_CORES, parse_size
from firebreak.model.canonical import digest_of
from firebreak.model.facts import ActivityFacts, Inventory, Operation, Session
from firebreak.model.finding import Finding, Severity

STEP = "investigate.activity_log"
_ORDER = list(Severity)
_BROAD_ROLES = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """When a pattern is worth telling; all of them are parameters of `investigate.activity_log`."""

    burst: int = 8  # creations within one hour
    burst_over_usual: int = 3  # and this many times the session's own earlier peak
    mass_delete: int = 25  # deletions within 24 hours
    refused: int = 10  # failed operations within one hour
    many_cores: int = MANY_CORES
    quota_before_creation_days: int = 7


class _Work(msgspec.Struct, frozen=True):
    """A session with its operations of the window and how well it is known."""

    session: Session
    operations: tuple[Operation, ...]
    familiarity: Familiarity

    @property
    def is_familiar(self) -> bool:
        return self.familiarity is Familiarity.USUAL


def find(
    activity: ActivityFacts,
    *,
    own: Collection[str] = (),
    inventory: Inventory | None = None,
    thresholds: Thresholds | None = None,
) -> list[Finding]:
    """Return all findings, gravest first. Operations of the principals in `own` (the responder's) are left out."""
    limits = thresholds or Thresholds()
    history = History(activity, inventory)
    skip = {principal.lower() for principal in own}
    by_session: dict[tuple[str, str, str], list[Operation]] = defaultdict(list)
    for operation in activity.operations:
        if operation.principal_id.lower() not in skip and operation.caller.lower() not in skip:
            by_session[session_key(operation)].append(operation)
    sessions = {(s.caller.lower(), s.address, s.app_id): s for s in activity.sessions}
    found: list[Finding] = []
    for key in sorted(by_session):
        session = sessions.get(key) or _bare_session(by_session[key])
        done = tuple(sorted(by_session[key], key=lambda operation: (operation.at, operation.id)))
        work = _Work(session, done, history.familiarity(session))
        found += _by_rules(work)
        found += _identity(work, history, limits)
        found += _creations(work, history, limits)
        found += _volumes(work, limits)
    found += _quota_then_creation(by_session, history, limits)
    return sorted(found, key=lambda finding: (-_ORDER.index(finding.severity), finding.id))


def _bare_session(operations: list[Operation]) -> Session:
    """A session for facts that carry none: everything in it is taken as of the window."""
    first = operations[0]
    return Session(
        caller=first.caller,
        principal_id=first.principal_id,
        address=first.address,
        app_id=first.app_id,
        first_seen=min(operation.at for operation in operations),
        last_seen=max(operation.at for operation in operations),
        operations=len(operations),
    )


def _by_rules(work: _Work) -> Iterable[Finding]:
    grouped: dict[str, tuple[Rule, list[Operation]]] = {}
    for operation in work.operations:
        for rule in rules_for(operation):
            grouped.setdefault(rule.id, (rule, []))[1].append(operation)
    for rule, operations in grouped.values():
        severity = rule.severity
        reasons: list[str] = []
        if rule.id == "role-granted":
            severity, reasons = _role_severity(operations)
        if all(operation.status == "failed" for operation in operations):
            severity = _lower(severity)
            reasons.append("Every attempt failed.")
        if rule.everyday and work.is_familiar:
            if not (rule.weakens or rule.spreads):
                continue  # a familiar session at its everyday work
            severity = _lower(severity)
        yield _finding(rule.id, rule.title, severity, work, operations, reasons, rule.techniques)


def _role_severity(operations: list[Operation]) -> tuple[Severity, list[str]]:
    reasons, broad = [], False
    for operation in operations:
        role = str(operation.properties.get("role", ""))
        name = _BROAD_ROLES.get(role, "")
        scope = operation.resource_id.lower().split("/providers/microsoft.authorization/")[0]
        broad = broad or (bool(name) and scope.count("/") <= 2)
        to = operation.properties.get("granted_to") or "somebody the log does not name"
        reasons.append(f"{name or 'A role'} at {shown(scope) or 'the root'} for {shown(str(to))}: {operation.status}.")
    return (Severity.HIGH if broad else Severity.MEDIUM), sorted(set(reasons))[:10]


def _identity(work: _Work, history: History, limits: Thresholds) -> Iterable[Finding]:
    made = [operation for operation in work.operations if is_creation(operation)]
    caller = shown(work.session.caller)
    severity = Severity.HIGH if densest(operation.at for operation in made) >= limits.burst else Severity.MEDIUM
    if work.familiarity is Familiarity.NEW_CALLER:
        text = f"{caller} did nothing in this log before {history.window_start:%Y-%m-%d %H:%M}Z."
        yield _finding(
            "new-caller", "A caller not seen before", severity, work, work.operations, [text], ("T1078.004",)
        )
    elif work.familiarity is Familiarity.NEW_ADDRESS:
        usual = ", ".join(history.usual_addresses(work.session.caller)[:5]) or "other addresses"
        reasons = [f"{caller} worked from {usual} before, and now from {work.session.address}."]
        if all(operation.mfa for operation in work.operations):
            severity = _lower(severity)
            reasons.append("With multi-factor authentication, as a traveller would.")
        if history.roams(work.session.caller):
            severity = Severity.LOW
            reasons.append("This caller often changes address.")
        title = "A known caller at a new address"
        yield _finding("new-address", title, severity, work, work.operations, reasons, ("T1078.004",))
    bare = [operation for operation in work.operations if operation.mfa is False]
    if bare and not work.is_familiar and history.usually_mfa(work.session.caller):
        text = f"{caller} signs in with multi-factor authentication otherwise; {len(bare)} operations came without."
        title = "No multi-factor authentication where it is usual"
        yield _finding("no-mfa", title, Severity.MEDIUM, work, bare, [text], ("T1078.004",))


def _creations(work: _Work, history: History, limits: Thresholds) -> Iterable[Finding]:
    made = [operation for operation in work.operations if is_creation(operation)]
    if not made:
        return
    most = densest(operation.at for operation in made)
    usual = work.session.peak_before
    if most >= max(limits.burst, usual * limits.burst_over_usual):
        severity = Severity.MEDIUM if work.is_familiar else Severity.HIGH
        text = f"{most} resources within one hour; the most before was {usual}."
        yield _finding("burst", "Burst of creations", severity, work, made, [text], ("T1578.002", "T1496"))
    large = [
        operation
        for operation in made
        if parse_size(str(operation.properties.get("size", ""))).is_expensive(limits.many_cores)
    ]
    if large:
        names = sorted({str(operation.properties["size"]) for operation in large})
        unseen = [name for name in names if parse_size(name).family not in history.sizes]
        severity = Severity.HIGH if unseen else Severity.MEDIUM
        if work.is_familiar:
            severity = _lower(severity)
        reasons = [f"Sizes: {shown(', '.join(names))}."]
        if unseen and history.has_any:
            reasons.append("No machine of such a family stood here before.")
        title = "GPU or many-core machines created"
        yield _finding("large-sizes", title, severity, work, large, reasons, ("T1496",))
    away = [
        operation
        for operation in made
        if operation.region and operation.region != "global" and operation.region not in history.regions
    ]
    if away and history.regions:
        regions = sorted({operation.region for operation in away})
        severity = Severity.HIGH if len(regions) >= 3 else Severity.MEDIUM
        if work.is_familiar:
            severity = _lower(severity)
        text = f"Nothing stood in {', '.join(regions)} before; in use were {', '.join(sorted(history.regions))}."
        yield _finding("new-region", "Creation in an unused region", severity, work, away, [text], ("T1535",))


def _volumes(work: _Work, limits: Thresholds) -> Iterable[Finding]:
    removed = [o for o in work.operations if o.name.lower().endswith("/delete") and o.status != "failed"]
    most = densest((operation.at for operation in removed), timedelta(days=1))
    if most >= limits.mass_delete:
        severity = Severity.MEDIUM if work.is_familiar else Severity.HIGH
        text = f"{most} deletions within 24 hours."
        yield _finding("mass-delete", "Mass deletion", severity, work, removed, [text], ("T1485",))
    refused = [operation for operation in work.operations if operation.status == "failed"]
    most = densest(operation.at for operation in refused)
    if most >= limits.refused:
        severity = Severity.LOW if work.is_familiar else Severity.MEDIUM
        text = f"{most} failed operations within one hour: somebody tries what does not go."
        yield _finding("refused", "Many refused operations", severity, work, refused, [text], ("T1580",))


def _quota_then_creation(
    by_session: dict[tuple[str, str, str], list[Operation]], history: History, limits: Thresholds
) -> list[Finding]:
    """More quota asked for, then machines created by the same caller from the same address."""
    by_actor: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    for (caller, address, _), operations in by_session.items():
        by_actor[caller, address] += operations
    span = timedelta(days=limits.quota_before_creation_days)
    found = []
    for _, operations in sorted(by_actor.items()):
        operations.sort(key=lambda operation: (operation.at, operation.id))
        asked = [o for o in operations if any(rule.id == "quota-requested" for rule in rules_for(o))]
        if not asked:
            continue
        start = asked[0].at
        made = [
            o
            for o in operations
            if is_creation(o) and start <= o.at <= start + span and "microsoft.compute/virtualmachine" in o.name.lower()
        ]
        if made:
            text = f"More quota asked for at {start:%Y-%m-%d %H:%M}Z, then {len(made)} machines or scale sets created."
            title = "Quota request followed by creation"
            session = _bare_session(operations)
            work = _Work(session, tuple(operations), history.familiarity(session))
            severity = Severity.MEDIUM if work.is_familiar else Severity.HIGH
            found.append(
                _finding("quota-then-creation", title, severity, work, [*asked, *made], [text], ("T1578.005",))
            )
    return found


def _finding(
    rule: str,
    title: str,
    severity: Severity,
    work: _Work,
    operations: Iterable[Operation],
    reasons: list[str],
    techniques: tuple[str, ...],
) -> Finding:
    done = list(operations)
    session = work.session
    first, last = min(o.at for o in done), max(o.at for o in done)
    failed = sum(operation.status == "failed" for operation in done)
    count = f"{len(done)} operation{'s' if len(done) != 1 else ''}"
    when = f"at {first:%Y-%m-%d %H:%M}Z" if first == last else f"from {first:%Y-%m-%d %H:%M}Z to {last:%Y-%m-%d %H:%M}Z"
    summary = f"{count} by {shown(session.caller) or 'an unnamed caller'} {when}" + (
        f", {failed} of them failed." if failed else "."
    )
    resources = sorted({operation.resource_id for operation in done if operation.resource_id})
    events = [event for operation in done for event in operation.event_ids]
    return Finding(
        id=f"{rule}:{digest_of([rule, session.caller.lower(), session.address, session.app_id])[:10]}",
        step=STEP,
        title=title,
        severity=severity,
        reasons=(*reasons, summary, _how_known(work)),
        event_ids=tuple(events),
        resources=tuple(resources),
        actor=session.caller,
        address=session.address,
        techniques=techniques,
    )


def _how_known(work: _Work) -> str:
    session = work.session
    where = session.address or "an address the log does not name"
    if work.familiarity is Familiarity.USUAL:
        return f"{where} is a usual address of this caller."
    if work.familiarity is Familiarity.UNKNOWN:
        return f"Whether {where} is usual for this caller is not known: the log does not say enough."
    return f"From {where}: {work.familiarity.value}."


def _lower(severity: Severity) -> Severity:
    return _ORDER[max(0, _ORDER.index(severity) - 1)]
