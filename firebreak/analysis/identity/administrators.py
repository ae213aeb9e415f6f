"""Who rules the directory and the subscription, how they sign in, and how they get back in. Graph's documents and facts in, facts and findings out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import listed, shown
from firebreak.analysis.identity import rights
from firebreak.analysis.identity.protection import asks_for_second_factor
from firebreak.analysis.identity.telling import told
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import (
    Administrator,
    Administrators,
    Change,
    DirectoryChanges,
    Method,
    RoleHolding,
    TenantProtection,
)

STEP = "investigate.administrators"
_METHODS = {
    "phone": "phone",
    "email": "mail",
    "microsoftauthenticator": "authenticator",
    "passwordlessmicrosoftauthenticator": "authenticator",
    "softwareoath": "code",
    "hardwareoath": "code",
    "fido2": "fido2",
    "windowshelloforbusiness": "hello",
    "platformcredential": "hello",
    "temporaryaccesspass": "pass",
    "password": "password",
}
_RECOVERY = frozenset({"phone", "mail", "authenticator", "fido2", "code", "pass"})
_RECOVERY_PROPERTIES = (
    "othermail",
    "mobile",
    "telephonenumber",
    "strongauthenticationuserdetails",
    "strongauthenticationmethod",
    "strongauthenticationphoneappdetail",
    "searchablestrongauthenticationmethod",
)


def role_names(definitions: Iterable[Any]) -> dict[str, tuple[str, str]]:
    """Role definition id -> (name, template id), lower-case keys."""
    return {
        doc.text(one, "id").lower(): (
            doc.text(one, "displayName"),
            (doc.text(one, "templateId") or doc.text(one, "id")).lower(),
        )
        for one in definitions
    }


def holding_of(
    document: Any, names: Mapping[str, tuple[str, str]], *, eligible: bool = False, through: str = ""
) -> RoleHolding:
    """A role as an assignment or a schedule instance has it."""
    identifier = doc.text(document, "roleDefinitionId").lower()
    name, template = names.get(identifier, ("", identifier))
    return RoleHolding(
        role=name or rights.role_name(template) or identifier,
        role_id=template,
        privileged=rights.is_privileged(template) or rights.is_privileged(name),
        eligible=eligible,
        activated=doc.text(document, "assignmentType").lower() == "activated",
        scope=doc.text(document, "directoryScopeId") or "/",
        through=through,
        since=doc.moment(doc.field(document, "startDateTime")),
        until=doc.moment(doc.field(document, "endDateTime")),
    )


def joined(holdings: Iterable[RoleHolding]) -> tuple[RoleHolding, ...]:
    """The holdings of one principal, each role once: an assignment and its schedule tell of the same."""
    best: dict[tuple[str, bool, str, str], RoleHolding] = {}
    for one in holdings:
        key = (one.role_id, one.eligible, one.scope, one.through)
        if key not in best or (best[key].since is None and one.since is not None):
            best[key] = one
    return tuple(best[key] for key in sorted(best))


def principal_kind(document: Any) -> str:
    """user, servicePrincipal or group, by the type that Graph writes beside a principal; "" when it does not."""
    return doc.text(document, "@odata.type").removeprefix("#microsoft.graph.")


def method_of(document: Any) -> Method:
    """A registered method. Addresses and numbers are shortened: enough to ask their owner about, no more."""
    kind = doc.text(document, "@odata.type").removeprefix("#microsoft.graph.").removesuffix("AuthenticationMethod")
    made = doc.field(document, "createdDateTime") or doc.field(document, "creationDateTime")
    detail = (
        hint_of(doc.text(document, "phoneNumber"))
        or hint_of(doc.text(document, "emailAddress"))
        or doc.text(document, "displayName")
    )
    return Method(kind=_METHODS.get(kind.lower(), "other"), detail=detail, added_at=doc.moment(made))


def hint_of(contact: str) -> str:
    """A mail address or telephone number, shortened to what its owner recognises."""
    text = contact.strip()
    name, at, domain = text.rpartition("@")
    if at:
        return f"{name[:1]}…@{domain}"
    return f"{text[:3]}…{text[-3:]}" if len(text) > 6 else text and "…"


def find(
    facts: Administrators,
    *,
    changes: DirectoryChanges | None = None,
    protection: TenantProtection | None = None,
    own: Iterable[str] = (),
) -> list[Finding]:
    """Return findings on administrators, gravest first. `own` are the responder's own identities, which are left out."""
    skip = {principal.lower() for principal in own}
    people = [one for one in facts.administrators if one.id.lower() not in skip]
    found = [
        *_new_roles(people, facts.window_start),
        *_recovery(people, facts.window_start, changes),
        *_without_second_factor(people, protection),
        *_outsiders(people),
        *_to_verify(people),
    ]
    order = list(Severity)
    return sorted(found, key=lambda one: (-order.index(one.severity), one.id))


def _new_roles(people: Sequence[Administrator], start: datetime) -> Iterable[Finding]:
    for one in people:
        new = [h for h in one.roles if h.privileged and h.since and h.since >= start and not h.activated]
        if not new:
            continue
        severity = Severity.HIGH if any(rights.is_full(holding.role_id) for holding in new) else Severity.MEDIUM
        yield told(
            STEP,
            "privileged-role-new",
            "A privileged role held since the window began",
            severity,
            [_holding_in_words(one, holding) for holding in new],
            about=[one.id],
            actor=one.name,
            techniques=("T1098.003",),
        )


def _holding_in_words(one: Administrator, holding: RoleHolding) -> str:
    how = "may take up" if holding.eligible else "holds"
    through = f" through the group {shown(holding.through, 60)}" if holding.through else ""
    since = f" since {holding.since:%Y-%m-%d %H:%M}Z" if holding.since else ""
    until = f" until {holding.until:%Y-%m-%d}" if holding.until else ", without an end" if holding.since else ""
    scope = f" at {shown(holding.scope, 60)}" if holding.scope != "/" else ""
    return f"{shown(one.name, 80)} {how} {shown(holding.role, 80)}{scope}{through}{since}{until}."


def _recovery(people: Sequence[Administrator], start: datetime, changes: DirectoryChanges | None) -> Iterable[Finding]:
    """Ways back into a privileged account that are new: registered, or written by a change of the account."""
    by_target: dict[str, list[Any]] = defaultdict(list)
    registered: dict[str, list[Change]] = defaultdict(list)
    for change in changes.changes if changes else ():
        properties = [name for name in change.details if name.replace(" (before)", "") in _RECOVERY_PROPERTIES]
        if change.result == "succeeded" and "security info" in change.name.lower():
            for target in change.targets:
                registered[target.id].append(change)
        if properties and change.result == "succeeded":
            for target in change.targets:
                by_target[target.id].append((change, properties))
    for one in people:
        if not one.is_privileged or one.kind != "user":
            continue
        reasons, ids, address = [], list[str](), ""
        for method in one.methods or ():
            if method.kind in _RECOVERY and method.added_at and method.added_at >= start:
                what = f"{method.kind} {shown(method.detail, 60)}".strip()
                reasons.append(f"Registered at {method.added_at:%Y-%m-%d %H:%M}Z: {what}.")
        for change, properties in by_target.get(one.id.lower(), []):
            by = shown(change.actor, 80) or "an unnamed actor"
            place = f" from {change.address}" if change.address else ""
            reasons.append(f"{', '.join(properties)} changed by {by}{place} at {change.at:%Y-%m-%d %H:%M}Z.")
            ids.append(change.id)
            address = address or change.address
        if reasons:
            told_of = [change for change, _ in by_target.get(one.id.lower(), [])] + registered.get(one.id.lower(), [])
            own = bool(told_of) and all(c.actor_id == one.id.lower() and c.familiar for c in told_of)
            reasons.append(f"{shown(one.name, 80)} has {_roles_in_words(one)}: whoever holds the new way has that too.")
            yield told(
                STEP,
                "recovery-changed",
                "A way back into a privileged account is new",
                Severity.MEDIUM if own else Severity.HIGH,
                reasons,
                about=[one.id],
                actor=one.name,
                address=address,
                ids=ids,
                techniques=("T1098.005", "T1556.006"),
            )


def _without_second_factor(people: Sequence[Administrator], protection: TenantProtection | None) -> Iterable[Finding]:
    users = [one for one in people if one.is_privileged and one.kind == "user" and one.enabled is not False]
    bare = [one for one in users if one.mfa_registered is False or one.mfa_capable is False]
    if bare:
        full = any(one.azure_roles or any(rights.is_full(h.role_id) for h in one.roles) for one in bare)
        reasons = [
            f"No second factor is registered for {listed((_with_roles(one) for one in bare), most=10, width=160)}.",
            "A password alone opens these accounts, and whoever has it registers the first factor as their own.",
        ]
        severity = Severity.MEDIUM if full else Severity.LOW
        title = "Administrators without a second factor"
        yield told(
            STEP, "administrator-without-factor", title, severity, reasons, about=["all"], techniques=("T1078.004",)
        )
    if protection is None:
        return
    free = [one for one in users if asks_for_second_factor(protection, one) is False]
    if free:
        reasons = [
            f"Neither security defaults nor an enforced policy ask {listed((_with_roles(one) for one in free), most=10, width=160)} for one in every application.",
            "A registered factor that nobody asks for does not help.",
        ]
        title = "Administrators whom nothing asks for a second factor"
        yield told(STEP, "factor-not-enforced", title, Severity.LOW, reasons, about=["all"], techniques=("T1078.004",))


def _outsiders(people: Sequence[Administrator]) -> Iterable[Finding]:
    guests = [one for one in people if one.is_privileged and one.guest]
    if guests:
        reasons = [
            f"{listed((_with_roles(one) for one in guests), most=10, width=160)}.",
            "They are signed in by another tenant: its rules decide about their passwords and factors, and their sessions cannot be revoked here.",
        ]
        title = "Guests with privileged roles"
        yield told(
            STEP, "guest-administrator", title, Severity.MEDIUM, reasons, about=["all"], techniques=("T1078.004",)
        )


def _to_verify(people: Sequence[Administrator]) -> Iterable[Finding]:
    """What only a person can check: whether the ways back in are their owners'."""
    lines = []
    for one in people:
        ways = [hint_of(mail) for mail in one.other_mails or ()] + [hint_of(phone) for phone in one.phones or ()]
        ways += [m.detail for m in one.methods or () if m.kind in ("phone", "mail")]
        if one.is_privileged and one.kind == "user" and ways:
            lines.append(f"{shown(one.name, 80)}: {listed(ways, most=6)}.")
    if lines:
        more = [f"And {len(lines) - 40} more people."] if len(lines) > 40 else []
        yield told(
            STEP,
            "recovery-to-verify",
            "Ask each administrator whether these ways back in are theirs",
            Severity.INFORMATIONAL,
            [*lines[:40], *more],
            about=["all"],
        )


def _with_roles(one: Administrator) -> str:
    return f"{one.name} ({_roles_in_words(one)})"


def _roles_in_words(one: Administrator) -> str:
    names = dict.fromkeys([h.role for h in one.roles if h.privileged] + [f"{r} in Azure" for r in one.azure_roles])
    return listed(names, most=3)
