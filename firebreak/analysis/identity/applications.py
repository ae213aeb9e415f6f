"""Applications that matter to an incident: with fresh credentials or rights, with strong rights, at work in the subscription.

Graph's documents in, facts and findings out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import listed, shown
from firebreak.analysis.first_party import first_party
from firebreak.analysis.identity import rights
from firebreak.analysis.identity.telling import raised, told
from firebreak.model.facts import AccessFacts
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import Application, Applications, Change, Credential, DirectoryChanges, Grant

STEP = "investigate.applications"
# Tenants in which Microsoft registers its own applications.
# https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
MICROSOFT = frozenset({"f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47"})
_FULL_ROLES = ("owner", "contributor", "user access administrator", "role based access control administrator")
_LONG = timedelta(days=2 * 365 + 30)


def credentials_of(document: Any) -> tuple[Credential, ...]:
    """Secrets and certificates of an application or a service principal; the secrets themselves are never among them."""
    found = []
    for kind, name in (("secret", "passwordCredentials"), ("certificate", "keyCredentials")):
        found += [
            Credential(
                id=doc.text(one, "keyId").lower(),
                kind=kind,
                name=doc.text(one, "displayName"),
                starts_at=doc.moment(doc.field(one, "startDateTime")),
                ends_at=doc.moment(doc.field(one, "endDateTime")),
            )
            for one in doc.items(document, name)
        ]
    return tuple(found)


def federated_of(document: Any) -> Credential:
    """An outside issuer whose tokens count as the application's own."""
    return Credential(
        id=doc.text(document, "id").lower(),
        kind="federated",
        name=doc.text(document, "name"),
        detail=f"{doc.text(document, 'issuer')} {doc.text(document, 'subject')}".strip(),
    )


def with_credentials(app: Application, more: Iterable[Credential]) -> Application:
    """The application with further credentials."""
    return msgspec.structs.replace(app, credentials=tuple(dict.fromkeys((*app.credentials, *more))))


def role_grants(assignments: Iterable[Any], names: Mapping[str, str], resource: str) -> dict[str, list[Grant]]:
    """Rights by which applications act by themselves, by the principal that has them; `names` are the resource's roles by id."""
    found: dict[str, list[Grant]] = defaultdict(list)
    for one in assignments:
        right = names.get(doc.text(one, "appRoleId").lower(), "")
        found[doc.text(one, "principalId").lower()].append(
            Grant(
                right=right or doc.text(one, "appRoleId"),
                resource=doc.text(one, "resourceDisplayName") or resource,
                kind="application",
                since=doc.moment(doc.field(one, "createdDateTime")),
                strong=rights.is_strong(right),
            )
        )
    return found


def consents(grants: Iterable[Any], names: Mapping[str, str]) -> dict[str, list[Grant]]:
    """Rights on behalf of people, by the principal that has them; `names` are resources by object id. The directory keeps no date of them."""
    found: dict[str, list[Grant]] = defaultdict(list)
    for one in grants:
        resource = names.get(doc.text(one, "resourceId").lower(), "")
        for right in doc.path(one, "scope").split():
            found[doc.text(one, "clientId").lower()].append(
                Grant(
                    right=right[:120],
                    resource=resource,
                    kind="delegated",
                    consent=doc.text(one, "consentType"),
                    strong=rights.is_strong(right),
                )
            )
    return {key: list(dict.fromkeys(items)) for key, items in found.items()}


def collected(
    applications: Iterable[Any],
    principals: Iterable[Any],
    grants: Mapping[str, Sequence[Grant]],
    *,
    start: datetime,
    tenant: str,
    at_work: Collection[str] = (),
) -> tuple[list[Application], int]:
    """Join registrations with their service principals; return those that matter and how many there were.

    `at_work` are object ids of principals, and application ids, that hold roles or act in the subscription.
    """
    made: dict[str, Application] = {}
    for one in applications:
        app_id = doc.text(one, "appId").lower()
        made[app_id] = Application(
            app_id=app_id,
            name=doc.text(one, "displayName"),
            object_id=doc.text(one, "id").lower(),
            created_at=doc.moment(doc.field(one, "createdDateTime")),
            credentials=credentials_of(one),
        )
    for one in principals:
        app_id, principal = doc.text(one, "appId").lower(), doc.text(one, "id").lower()
        owner = doc.text(one, "appOwnerOrganizationId").lower()
        known = made.get(app_id) or Application(app_id=app_id, name=doc.text(one, "displayName"))
        made[app_id or principal] = msgspec.structs.replace(
            known,
            principal_id=principal,
            enabled=doc.field(one, "accountEnabled") is not False,
            owner_tenant=owner,
            foreign=bool(owner) and owner != tenant.lower() and owner not in MICROSOFT,
            credentials=tuple(dict.fromkeys((*known.credentials, *credentials_of(one)))),
            grants=tuple(grants.get(principal, ())),
        )
    active = {one.lower() for one in at_work}
    kept = [app for app in made.values() if _matters(app, start, active)]
    return sorted(kept, key=lambda app: (app.name.lower(), app.app_id)), len(made)


def _matters(app: Application, start: datetime, active: Collection[str]) -> bool:
    if {app.principal_id, app.app_id} & set(active):
        return True
    if any(credential.starts_at and credential.starts_at >= start for credential in app.credentials):
        return True
    if any(grant.since and grant.since >= start for grant in app.grants) or (
        app.created_at and app.created_at >= start
    ):
        return True
    return any(grant.strong for grant in app.grants) and app.owner_tenant not in MICROSOFT


def find(
    facts: Applications,
    *,
    access: AccessFacts | None = None,
    changes: DirectoryChanges | None = None,
    own: Iterable[str] = (),
) -> list[Finding]:
    """Return findings on applications, gravest first. `own` are the responder's own identities, which are left out."""
    skip = {principal.lower() for principal in own}
    apps = [app for app in facts.applications if app.principal_id not in skip and not first_party(app.app_id, "")]
    roles = _roles(access)
    by_target = _by_target(changes)
    found = [
        *_fresh_credentials(apps, facts.window_start, roles, by_target),
        *_fresh_grants(apps, facts.window_start, by_target),
        *_outside_issuers(apps, by_target),
        *_strangers(apps),
    ]
    order = list(Severity)
    return sorted(found, key=lambda one: (-order.index(one.severity), one.id))


def _fresh_credentials(
    apps: Sequence[Application],
    start: datetime,
    roles: Mapping[str, list[str]],
    by_target: Mapping[str, list[Change]],
) -> Iterable[Finding]:
    for app in apps:
        new = [one for one in app.credentials if one.starts_at and one.starts_at >= start and one.kind != "federated"]
        if not new:
            continue
        strong = [grant.right for grant in app.grants if grant.strong and grant.kind == "application"]
        held = roles.get(app.principal_id, [])
        reasons = [_credential_in_words(one) for one in new[:6]]
        if strong:
            reasons.append(
                f"The application may {listed(strong)} in the directory: whoever has the credential may too."
            )
        if held:
            reasons.append(f"It is {listed(held)} in the subscription.")
        reasons += _who(by_target, app, "credential", "secrets", "certificates")
        severity = Severity.HIGH if strong or held else Severity.MEDIUM
        added = [change for change in _changes(by_target, app) if _adds_credential(change)]
        if added and all(change.familiar or change.usual for change in added):
            severity = raised(severity, -1)
            reasons.append("By somebody who works from there as always.")
        yield told(
            STEP,
            "credential-new",
            "An application has a credential of the window",
            severity,
            reasons,
            about=[app.app_id or app.principal_id],
            actor=app.name,
            ids=_ids(by_target, app),
            techniques=("T1098.001",),
        )


def _adds_credential(change: Change) -> bool:
    return any(word in change.name.lower() for word in ("credential", "secrets", "certificates"))


def _credential_in_words(one: Credential) -> str:
    name = f" {shown(one.name, 60)}" if one.name else ""
    begun = f"{one.starts_at:%Y-%m-%d %H:%M}Z" if one.starts_at else "a time that is not told"
    long = one.starts_at and one.ends_at and one.ends_at - one.starts_at > _LONG
    ends = f", good until {one.ends_at:%Y-%m-%d}" if one.ends_at else ""
    return f"A {one.kind}{name}, key {shown(one.id, 40)}, since {begun}{ends}{': unusually long' if long else ''}."


def _fresh_grants(
    apps: Sequence[Application], start: datetime, by_target: Mapping[str, list[Change]]
) -> Iterable[Finding]:
    for app in apps:
        new = [grant for grant in app.grants if grant.since and grant.since >= start]
        if not new:
            continue
        strong = any(grant.strong for grant in new)
        reasons = [
            f"{shown(grant.right, 80)} on {shown(grant.resource, 60)} since {grant.since:%Y-%m-%d %H:%M}Z."
            for grant in sorted(new, key=lambda grant: (not grant.strong, grant.right))[:8]
        ]
        if app.foreign:
            reasons.append("The application belongs to another tenant.")
        yield told(
            STEP,
            "right-new",
            "An application was given rights in the window",
            Severity.HIGH if strong else raised(Severity.LOW, int(app.foreign)),
            [*reasons, *_who(by_target, app, "consent", "permission", "role assignment")],
            about=[app.app_id or app.principal_id],
            actor=app.name,
            ids=_ids(by_target, app),
            techniques=("T1098.003", "T1528"),
        )


def _outside_issuers(apps: Sequence[Application], by_target: Mapping[str, list[Change]]) -> Iterable[Finding]:
    """Outside issuers of applications that were changed in the window: the directory keeps no date of them."""
    for app in apps:
        outside = [one for one in app.credentials if one.kind == "federated"]
        touched = [
            change
            for change in _changes(by_target, app)
            if "federated" in change.name.lower() or any("federated" in name for name in change.details)
        ]
        if outside and touched:
            reasons = [
                f"It believes tokens of {shown(one.detail, 160)} ({shown(one.name, 60)})." for one in outside[:6]
            ]
            yield told(
                STEP,
                "issuer-new",
                "An application believes an outside issuer since the window",
                Severity.HIGH,
                [*reasons, *_who(by_target, app, "federated", "update application")],
                about=[app.app_id],
                actor=app.name,
                ids=[change.id for change in touched],
                techniques=("T1098.001",),
            )


def _strangers(apps: Sequence[Application]) -> Iterable[Finding]:
    strange = [app for app in apps if app.foreign and app.enabled and any(grant.strong for grant in app.grants)]
    if strange:
        named = [
            f"{app.name} of tenant {app.owner_tenant} ({listed((g.right for g in app.grants if g.strong), most=3)})"
            for app in strange
        ]
        reasons = [
            f"{listed(named, most=10, width=220)}.",
            "Backup and security products look so too: ask who brought them in.",
        ]
        title = "Applications of other tenants with strong rights"
        yield told(STEP, "foreign-application", title, Severity.LOW, reasons, about=["all"], techniques=("T1528",))


def _roles(access: AccessFacts | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in access.role_assignments if access else ():
        if one.role_name.lower() in _FULL_ROLES:
            found[one.principal_id.lower()].append(one.role_name)
    return found


def _by_target(changes: DirectoryChanges | None) -> dict[str, list[Change]]:
    found: dict[str, list[Change]] = defaultdict(list)
    for change in changes.changes if changes else ():
        if change.result == "succeeded":
            for target in change.targets:
                if target.id:
                    found[target.id].append(change)
    return found


def _changes(by_target: Mapping[str, list[Change]], app: Application) -> list[Change]:
    both = [*by_target.get(app.object_id, []), *by_target.get(app.principal_id, [])]
    return list({change.id: change for change in both}.values())


def _who(by_target: Mapping[str, list[Change]], app: Application, *words: str) -> list[str]:
    """Who did it, as the audit log says."""
    return list(
        dict.fromkeys(
            f"{shown(change.name, 80)} by {shown(change.actor, 80) or 'an unnamed actor'}"
            f"{f' from {change.address}' if change.address else ''} at {change.at:%Y-%m-%d %H:%M}Z."
            for change in _changes(by_target, app)
            if any(word in change.name.lower() for word in words)
        )
    )[:4]


def _ids(by_target: Mapping[str, list[Change]], app: Application) -> list[str]:
    return [change.id for change in _changes(by_target, app)]
