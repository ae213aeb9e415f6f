"""What changes of the directory say: by detection, by actor, and by the properties that make one deed everyday and the next an intruder's.

Facts in, findings out, each with what was given to whom.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

from firebreak.analysis.documents import listed, shown
from firebreak.analysis.first_party import first_party
from firebreak.analysis.identity import rights
from firebreak.analysis.identity.changes import role_of, subject_of
from firebreak.analysis.identity.telling import raised, told, when
from firebreak.analysis.ruleset import RuleSet
from firebreak.analysis.sigma import Rule
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import Administrators, Change, DirectoryChanges

STEP = "investigate.directory_changes"
_MOST_LINES = 8
_CONSENTS = frozenset({"app-consent"})
_ROLES = frozenset({"directory-role", "directory-role-high", "role-outside-pim", "role-activated"})
_SIGN_INS_OF_OTHERS = frozenset({"mfa-methods-by-admin", "password-reset", "mfa-disabled", "user-sign-in-changed"})
_ORDER = list(Severity)
_MINUTES = timedelta(minutes=10)


def find(
    facts: DirectoryChanges,
    rules: RuleSet,
    *,
    own: Iterable[str] = (),
    administrators: Administrators | None = None,
) -> list[Finding]:
    """Return the findings, gravest first. Changes by the principals in `own` (the responder's) are left out."""
    skip = {principal.lower() for principal in own}
    fresh = _made_in_window(facts.changes)
    activations = [change for change in facts.changes if _is_activation(change)]
    groups: dict[tuple[str, str, str], list[tuple[Change, Rule]]] = defaultdict(list)
    for change in facts.changes:
        if change.actor_id in skip:
            continue
        for rule in rules.of(change.matched):
            # Taking up a role one is eligible for is told as that alone, though its records name the role that is given.
            if rule.id in _ROLES - {"role-activated"} and (
                _is_activation(change) or _was_taken_up(change, activations)
            ):
                continue
            groups[rule.id, change.actor_id or change.actor.lower(), change.address].append((change, rule))
    found = []
    for (_, actor, address), pairs in sorted(groups.items()):
        rule = pairs[0][1]
        changes = [change for change, _ in pairs if not (rule.everyday and change.usual)]
        if changes:
            found.append(_finding(rule, actor, address, changes, fresh, administrators))
    found = [one for one in found if one.severity is not Severity.INFORMATIONAL]
    return sorted(found, key=lambda one: (-_ORDER.index(one.severity), one.id))


def _finding(
    rule: Rule,
    actor: str,
    address: str,
    changes: Sequence[Change],
    fresh: frozenset[str],
    administrators: Administrators | None,
) -> Finding:
    judged = [_judge(rule, change, fresh, administrators) for change in changes]
    severity = max((one for one, _ in judged), key=_ORDER.index)
    title, first = rule.title, changes[0]
    reasons = [rule.description]
    if all(change.result == "failed" for change in changes):
        severity, title = raised(severity, -2), f"{title} (attempted)"
        reasons.append("Every attempt failed.")
    elif all(change.usual for change in changes):
        severity = raised(severity, -1)
        reasons.append("This actor did the same on several days before.")
    elif all(change.familiar for change in changes):
        severity = raised(severity, -1)
        reasons.append(
            "From an address that this actor, or several others of the tenant, worked from on several days before."
        )
    microsoft = first_party(first.app_id, "") if first.by_application else ""
    if microsoft:
        severity = Severity.INFORMATIONAL
        reasons.append(f"Done by {microsoft}, an application of Microsoft's own.")
    lines = list(dict.fromkeys(_line(change, why) for change, (_, why) in zip(changes, judged, strict=True)))
    more = [f"And {len(lines) - _MOST_LINES} more."] if len(lines) > _MOST_LINES else []
    who = shown(first.actor, 80) or "an unnamed actor"
    kind = "the application " if first.by_application else ""
    place = f" from {address}" if address else ""
    span = when(min(change.at for change in changes), max(change.at for change in changes))
    count = f"{len(changes)} change{'s' if len(changes) != 1 else ''}"
    return told(
        STEP,
        rule.id,
        title,
        severity,
        [*reasons, *lines[:_MOST_LINES], *more, f"{count} by {kind}{who}{place} {span}."],
        about=[actor, address],
        actor=first.actor,
        address=address,
        ids=[change.id for change in changes],
        techniques=rule.techniques,
    )


def _judge(
    rule: Rule, change: Change, fresh: frozenset[str], administrators: Administrators | None
) -> tuple[Severity, str]:
    """How grave one change is by its properties, and why it weighs more or less than its detection says."""
    severity, subject = rule.severity, subject_of(change)
    if rule.id in _CONSENTS:
        return _consent(change, severity)
    if rule.id in _ROLES:
        role = role_of(change)
        if subject and subject.id and subject.id == change.actor_id and rule.id != "role-activated":
            return Severity.HIGH, "to the actor's own account"
        if role and rights.is_privileged(role) and subject and subject.id in fresh:
            return Severity.HIGH, "to an account made in the same window"
        if role and rule.id == "directory-role" and not rights.is_privileged(role):
            return Severity.LOW, "a role that rules little"
    if rule.id == "password-reset" and subject and subject.id == change.actor_id and "reset" not in change.name.lower():
        return Severity.LOW, "their own"
    if rule.id in _SIGN_INS_OF_OTHERS and subject and administrators and subject.id != change.actor_id:
        holder = administrators.of(subject.id)
        if holder and holder.is_privileged:
            return Severity.HIGH, "of an account with a privileged role"
    if rule.id == "security-defaults-off" and change.details.get("isenabled", "").lower() == "true":
        return Severity.LOW, "they were turned on"
    if rule.id == "access-policy-changed" and any(name.endswith("excluded") for name in change.details):
        return Severity.HIGH, "with new exceptions"
    return severity, ""


def _is_activation(change: Change) -> bool:
    return "pim activation" in change.name.lower()


def _was_taken_up(change: Change, activations: Sequence[Change]) -> bool:
    """Whether the directory itself carried out what somebody eligible took up in the minutes around, by an application of its own."""
    subject = subject_of(change)
    return change.by_application and any(
        abs(change.at - other.at) <= _MINUTES
        and other.result == "succeeded"
        and subject is not None
        and subject.id in {other.actor_id, *(target.id for target in other.targets)}
        for other in activations
    )


def _consent(change: Change, severity: Severity) -> tuple[Severity, str]:
    text = " ".join(value for name, value in change.details.items() if _names_rights(name))
    kind = rights.strongest(rights.rights_in(text))
    if kind == "harmless":
        return Severity.LOW, "it may read who signs in, and no more"
    if kind == "some":
        return min(severity, Severity.MEDIUM, key=_ORDER.index), ""
    return severity, "with rights that lead far" if kind == "strong" else ""


def _names_rights(detail: str) -> bool:
    return any(word in detail for word in ("permission", "scope", "approle.value", "approle.displayname"))


def _line(change: Change, why: str) -> str:
    """One change in a sentence: what was done to whom."""
    subject = subject_of(change)
    to = shown(subject.name or subject.id, 80) if subject else ""
    role = shown(role_of(change), 80)
    text = f"{shown(change.name, 100)}"
    if role:
        text += f": {role} for {to}" if to else f": {role}"
    elif to:
        text += f": {to}"
    given = _given(change)
    text += f" ({given})" if given else ""
    text += f", {why}" if why else ""
    return f"{text}{'; it failed' if change.result == 'failed' else ''}."


def _given(change: Change) -> str:
    """The properties worth a word: rights, credentials, exceptions, domains."""
    parts = []
    named = [value for name, value in change.details.items() if _names_rights(name)]
    known = rights.rights_in(" ".join(named))
    if known:
        parts.append(listed(known, most=6))
    for name, value in change.details.items():
        if name in ("keydescription", "serviceprincipal.displayname", "state") or name.endswith("excluded"):
            parts.append(f"{name}: {shown(value, 100)}")
    return "; ".join(parts)


def _made_in_window(changes: Iterable[Change]) -> frozenset[str]:
    """Object ids of accounts that were made or invited in the window."""
    names = ("add user", "invite external user", "create user", "add service principal", "add application")
    return frozenset(
        one.id
        for change in changes
        if change.result == "succeeded" and change.name.lower().startswith(names)
        for one in change.targets
        if one.id
    )
