"""Patterns over a session's operations that no single event shows: new callers and addresses, bursts, sizes, regions, grants and their use.

Facts in, findings out. Where the log has no past, nothing is called new.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from firebreak.analysis.conduct import Conduct, Thresholds, bare_session, finding, lower
from firebreak.analysis.documents import listed, shown
from firebreak.analysis.history import Familiarity, History, kind_of
from firebreak.analysis.operations import OperationLike, densest, in_order, is_creation
from firebreak.analysis.ruleset import RuleSet, is_of, rules_of
from firebreak.analysis.sizes import parse_size
from firebreak.model.finding import Finding, Severity

Sessions = Mapping[tuple[str, str, str], Sequence[OperationLike]]


def identity(work: Conduct, history: History, limits: Thresholds) -> Iterable[Finding]:
    if work.is_familiar:
        return
    caller = shown(work.session.caller)
    thin = [] if history.knows_well(work.session.caller) else [_thin(work, history)]
    severity = Severity.LOW
    if not thin:
        severity = Severity.HIGH if densest(one.at for one in work.made) >= limits.burst else Severity.MEDIUM
    if work.familiarity is Familiarity.NEW_CALLER:
        text = f"{caller} did nothing in this log before {history.window_start:%Y-%m-%d %H:%M}Z."
        yield finding(
            "new-caller", "A caller not seen before", severity, work, work.operations, [text, *thin], ("T1078.004",)
        )
    elif work.familiarity is Familiarity.NEW_ADDRESS:
        usual = listed(history.usual_addresses(work.session.caller)) or "other addresses"
        reasons = [f"{caller} worked from {usual} before, and now from {work.session.address}.", *thin]
        if all(operation.mfa for operation in work.operations):
            severity = severity if thin else lower(severity)
            reasons.append("With multi-factor authentication, as a traveller would.")
        if history.roams(work.session.caller):
            severity = Severity.LOW
            reasons.append("This caller often changes address.")
        title = "A known caller at a new address"
        yield finding("new-address", title, severity, work, work.operations, reasons, ("T1078.004",))
    bare = [operation for operation in work.operations if operation.mfa is False]
    if bare and not thin and history.usually_mfa(work.session.caller):
        text = f"{caller} signs in with multi-factor authentication otherwise; {len(bare)} operations came without."
        title = "No multi-factor authentication where it is usual"
        yield finding("no-mfa", title, Severity.MEDIUM, work, bare, [text], ("T1078.004",))


def _thin(work: Conduct, history: History) -> str:
    return f"That says little: {history.how_thin(work.session.caller)}."


def creations(work: Conduct, history: History, limits: Thresholds) -> Iterable[Finding]:
    made = work.made
    if not made:
        return
    most = densest(operation.at for operation in made)
    usual = work.session.peak_before
    if most >= max(limits.burst, usual * limits.burst_over_usual):
        severity = Severity.MEDIUM if work.is_familiar else Severity.HIGH
        text = f"{most} resources within one hour; the most before was {usual}."
        yield finding("burst", "Burst of creations", severity, work, made, [text], ("T1578.002", "T1496"))
    large = [
        operation
        for operation in made
        if parse_size(str(operation.properties.get("size", ""))).is_expensive(limits.many_cores)
    ]
    if large:
        names = sorted({str(operation.properties["size"]) for operation in large})
        unseen = [name for name in names if parse_size(name).family not in history.sizes]
        # Without a past nothing is new: then the size speaks alone.
        severity = Severity.HIGH if unseen and history.is_dense else Severity.MEDIUM
        if work.is_familiar:
            severity = lower(severity)
        reasons = [f"Sizes: {listed(names, most=8)}."]
        if unseen and history.is_dense:
            reasons.append("No machine of such a family stood here before.")
        title = "GPU or many-core machines created"
        yield finding("large-sizes", title, severity, work, large, reasons, ("T1496",))
    away = [
        operation
        for operation in made
        if operation.region and operation.region != "global" and operation.region not in history.regions
    ]
    if away and history.regions:
        regions = sorted({operation.region for operation in away})
        severity = Severity.HIGH if len(regions) >= 3 else Severity.MEDIUM
        if work.is_familiar:
            severity = lower(severity)
        reasons = [f"Nothing stood in {', '.join(regions)} before; in use were {', '.join(sorted(history.regions))}."]
        if not history.is_dense and not history.standing_regions:
            severity = lower(severity)
            reasons.append(f"That says less than usual: {history.how_thin()}.")
        yield finding("new-region", "Creation in an unused region", severity, work, away, reasons, ("T1535",))


def volumes(work: Conduct, limits: Thresholds) -> Iterable[Finding]:
    removed = [o for o in work.operations if o.name.lower().endswith("/delete") and o.status != "failed"]
    most = densest((operation.at for operation in removed), timedelta(days=1))
    if most >= limits.mass_delete:
        severity = Severity.MEDIUM if work.is_familiar else Severity.HIGH
        text = f"{most} deletions within 24 hours."
        yield finding("mass-delete", "Mass deletion", severity, work, removed, [text], ("T1485",))
    refused = [operation for operation in work.operations if operation.status == "failed"]
    most = densest(operation.at for operation in refused)
    if most >= limits.refused:
        severity = Severity.LOW if work.is_familiar else Severity.MEDIUM
        text = f"{most} failed operations within one hour: somebody tries what does not go."
        yield finding("refused", "Many refused operations", severity, work, refused, [text], ("T1580",))


def quota_then_creation(
    by_session: Sessions, history: History, limits: Thresholds, rules: RuleSet | None
) -> list[Finding]:
    """More quota asked for, then machines created by the same caller from the same address."""
    by_actor: dict[tuple[str, str], list[OperationLike]] = defaultdict(list)
    for (caller, address, _), operations in by_session.items():
        by_actor[caller, address] += operations
    span = timedelta(days=limits.quota_before_creation_days)
    found = []
    for _, operations in sorted(by_actor.items()):
        asked = [operation for operation in operations if is_of("quota-requested", operation, rules)]
        if not asked:
            continue
        asked = list(in_order(asked))
        operations = list(in_order(operations))
        start = asked[0].at
        made = [
            o
            for o in operations
            if is_creation(o) and start <= o.at <= start + span and "microsoft.compute/virtualmachine" in o.name.lower()
        ]
        if made:
            text = f"More quota asked for at {start:%Y-%m-%d %H:%M}Z, then {len(made)} machines or scale sets created."
            title = "Quota request followed by creation"
            session = bare_session(operations)
            work = Conduct(session, tuple(operations), history.familiarity(session))
            severity = Severity.MEDIUM if work.is_familiar else Severity.HIGH
            found.append(finding("quota-then-creation", title, severity, work, [*asked, *made], [text], ("T1578.005",)))
    return found


def granted_then_used(by_session: Sessions, history: History, rules: RuleSet | None) -> list[Finding]:
    """A principal without a past here was given a role and then acted."""
    granted: dict[str, list[OperationLike]] = defaultdict(list)
    ordinary: set[str] = set()  # operations: an everyday role, given by somebody from where they always work
    for operations in by_session.values():
        given = [one for one in operations if is_of("role-granted", one, rules) and one.status != "failed"]
        if not given:
            continue
        giver = bare_session(operations)
        is_usual = Conduct(giver, operations, history.familiarity(giver)).is_familiar
        for operation in given:
            to = str(operation.properties.get("granted_to", "")).lower()
            if to:
                granted[to].append(operation)
                if is_usual and not any(
                    rule.severity in (Severity.HIGH, Severity.CRITICAL) for rule in rules_of(operation, rules)
                ):
                    ordinary.add(operation.id)
    found = []
    for key, operations in sorted(by_session.items()):
        names = {key[0], *(operation.principal_id.lower() for operation in operations)} - {""}
        grants = [operation for name in names for operation in granted.get(name, [])]
        if not grants or any(history.is_established(name) for name in names):
            continue
        start = min(operation.at for operation in grants)
        used = [operation for operation in operations if operation.at >= start]
        if not used or any(operation in grants for operation in used):
            continue
        session = bare_session(used)
        work = Conduct(session, tuple(used), history.familiarity(session))
        if work.by_microsoft:
            continue
        named = shown(grants[0].caller) or "somebody the log does not name"
        text = f"{named} gave it a role at {start:%Y-%m-%d %H:%M}Z, and it acted from then on."
        if history.has_any:
            text += " It did nothing here before."
        title = "Role granted, then used"
        reasons, severity = [text], Severity.HIGH if history.has_any else Severity.MEDIUM
        if all(grant.id in ordinary for grant in grants):
            reasons.append("It was given from a usual place and cannot grant roles, as a new colleague gets one.")
            severity = Severity.MEDIUM
        found.append(
            finding("granted-then-used", title, severity, work, [*grants, *used], reasons, ("T1098.003", "T1078.004"))
        )
    return found


_CONTENT = {"blob-read": "Blobs read", "blob-deleted": "Blobs deleted", "vault-content": "Secrets or keys read"}


def bulk_reads(work: Conduct, limits: Thresholds, rules: RuleSet | None) -> Iterable[Finding]:
    """Data taken or destroyed in bulk. Such events come from the logs of storage and vaults, never from the activity log itself."""
    touched: dict[str, list[OperationLike]] = defaultdict(list)
    for operation in work.operations:
        for rule in () if operation.matched == () else rules_of(operation, rules):
            if rule.family in _CONTENT and operation.status != "failed":
                touched[rule.family].append(operation)
    for family, operations in touched.items():
        most = densest(operation.at for operation in operations)
        if most >= limits.mass_delete:
            technique = "T1485" if family == "blob-deleted" else "T1530"
            text = f"{most} within one hour."
            severity = Severity.MEDIUM if work.is_familiar else Severity.HIGH
            yield finding(
                f"bulk-{family}", f"{_CONTENT[family]} in bulk", severity, work, operations, [text], (technique,)
            )


def new_kinds(work: Conduct, history: History) -> Iterable[Finding]:
    """The first resources of a kind that costs, in a subscription whose past is known."""
    if not history.has_any or not history.kinds or work.is_familiar:
        return
    fresh = [operation for operation in work.made if kind_of(operation.name) not in history.kinds]
    if fresh:
        kinds = sorted({kind_of(operation.name) for operation in fresh})
        text = f"Not made here before: {listed(kinds, most=8)}."
        title = "First use of a kind of resource"
        yield finding("new-kind", title, Severity.LOW, work, fresh, [text], ("T1578",))
