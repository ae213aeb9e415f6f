"""Who rules the directory and the subscription: roles active and eligible, second factors, and the ways back into each account."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.identity import administrators as admins
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import AccessFacts, SubscriptionFacts
from firebreak.model.finding import Finding
from firebreak.model.identity import Administrator, Administrators, DirectoryChanges, RoleHolding, TenantProtection
from firebreak.model.ids import is_plain_segment
from firebreak.model.step import Effect, Step
from tasks import directory
from tasks.reading import Notes, each

_READS = (
    *(directory.ROLES, directory.ASSIGNMENTS, directory.ACTIVE, directory.ELIGIBLE, directory.MEMBERS),
    *(directory.USERS, directory.METHODS, directory.REGISTRATIONS),
)

STEP = Step(
    id="investigate.administrators",
    title="Review administrators and how they sign in",
    effect=Effect.READ,
    description=(
        "Lists who holds or may take up directory roles or full roles in the subscription, whether a second factor is registered and asked "
        "for, and which telephones, mail addresses and methods lead back into the privileged accounts; tells what of it is new."
    ),
    graph_permissions=directory.permissions_of(*_READS),
    guidance=("S36", "S39", "S40", "S107"),
    produces=Administrators,
    parameters={"most_people": "Privileged people whose accounts and methods are read one by one at most (60)."},
)

_FIELDS = (
    "id,displayName,userPrincipalName,userType,accountEnabled,createdDateTime,otherMails,mobilePhone,businessPhones,"
    "onPremisesSyncEnabled,lastPasswordChangeDateTime"
)
_FULL = {"owner", "user access administrator", "role based access control administrator"}


async def collect(eyes: Eyes, case: Case) -> Administrators:
    """Read roles, then their holders one by one. Without the roles the subscription's own owners are still looked at."""
    notes = Notes()
    holders, eligible_read = await _holders(eyes, notes)
    azure = _azure_roles(case)
    for principal in azure:
        holders.setdefault(principal, _Holder())
    registrations = await _registrations(eyes, notes)
    most = int(case.parameter(STEP.id, "most_people", 60))
    made = [_administrator(key, holder, azure.get(key, ())) for key, holder in sorted(holders.items())]
    read = [one for one in made if one.is_privileged and one.kind in ("user", "")][:most]
    left = sum(one.is_privileged and one.kind in ("user", "") for one in made) - len(read)
    if left:
        notes.add(f"the accounts of {left} further privileged people", f"only {most} are read one by one")
    detailed = {one.id: one for one in await each(lambda one: _detailed(eyes, notes, one), read)}
    return Administrators(
        window_start=directory.window_of(eyes, case),
        administrators=tuple(_registered(detailed.get(one.id, one), registrations) for one in made),
        eligible_read=eligible_read,
        not_looked_at=notes.all,
    )


def assess(facts: Administrators, case: Case) -> list[Finding]:
    subscription = case.get(SubscriptionFacts)
    return admins.find(
        facts,
        changes=case.get(DirectoryChanges),
        protection=case.get(TenantProtection),
        own=subscription.own_principal_ids if subscription else (),
    )


class _Holder:
    """A principal on the way to an `Administrator`."""

    def __init__(self, document: Any = None) -> None:
        self.document = document or {}
        self.roles: list[RoleHolding] = []


async def _holders(eyes: Eyes, notes: Notes) -> tuple[dict[str, _Holder], bool]:
    definitions = await directory.attempt(notes, directory.ROLES, directory.everything(eyes, directory.ROLES), [])
    names = admins.role_names(definitions)
    expand = {"$expand": "principal"}
    rows: list[tuple[Any, bool]] = [
        (row, False)
        for row in await directory.attempt(
            notes, directory.ASSIGNMENTS, directory.everything(eyes, directory.ASSIGNMENTS, expand), []
        )
    ]
    rows += [
        (row, False)
        for row in await directory.attempt(notes, directory.ACTIVE, directory.everything(eyes, directory.ACTIVE), [])
    ]
    eligible = await directory.attempt(
        notes, directory.ELIGIBLE, directory.everything(eyes, directory.ELIGIBLE, expand), None
    )
    rows += [(row, True) for row in eligible or []]
    holders: dict[str, _Holder] = defaultdict(_Holder)
    for row, may_take_up in rows:
        principal = doc.text(row, "principalId").lower()
        if principal:
            holders[principal].document = doc.mapping(row, "principal") or holders[principal].document
            holders[principal].roles.append(admins.holding_of(row, names, eligible=may_take_up))
    groups = {key: one for key, one in holders.items() if admins.principal_kind(one.document) == "group"}
    for key, group in groups.items():
        members = await directory.attempt(
            notes,
            directory.MEMBERS,
            directory.everything(eyes, directory.MEMBERS, path=f"/v1.0/groups/{key}/members"),
            [],
        )
        name = doc.text(group.document, "displayName") or key
        for member in members:
            principal = doc.text(member, "id").lower()
            holders[principal].document = holders[principal].document or member
            holders[principal].roles += [_through(holding, name) for holding in group.roles]
    return dict(holders), eligible is not None


def _through(holding: RoleHolding, group: str) -> RoleHolding:
    return RoleHolding(
        role=holding.role,
        role_id=holding.role_id,
        privileged=holding.privileged,
        eligible=holding.eligible,
        scope=holding.scope,
        through=group,
    )


def _azure_roles(case: Case) -> dict[str, tuple[str, ...]]:
    """Full roles in the subscription by principal."""
    access = case.get(AccessFacts)
    found: dict[str, set[str]] = defaultdict(set)
    for one in access.role_assignments if access else ():
        if one.role_name.lower() in _FULL and one.principal_type.lower() in ("user", ""):
            found[one.principal_id.lower()].add(one.role_name)
    return {key: tuple(sorted(names)) for key, names in found.items() if key}


def _administrator(principal: str, holder: _Holder, azure: tuple[str, ...]) -> Administrator:
    name = doc.text(holder.document, "userPrincipalName") or doc.text(holder.document, "displayName")
    kind = admins.principal_kind(holder.document) or ("user" if azure else "")
    return Administrator(
        id=principal,
        name=name or principal,
        kind=kind,
        roles=admins.joined(holder.roles),
        azure_roles=azure,
        guest=_is_guest(holder.document),
    )


async def _detailed(eyes: Eyes, notes: Notes, one: Administrator) -> Administrator:
    """The account and its methods. A principal that is no user in this tenant (a partner's, a deleted one) stays as it is."""
    if not is_plain_segment(one.id):
        return one
    path = f"{directory.USERS.path}/{one.id}"
    found = await directory.attempt(notes, directory.USERS, eyes.graph.get(path, {"$select": _FIELDS}), None)
    methods = None
    if found is not None or one.kind == "user":
        reading = directory.everything(eyes, directory.METHODS, path=f"{path}/authentication/methods")
        methods = await directory.attempt(notes, directory.METHODS, reading, None)
    account = found or {}
    phones = [doc.text(account, "mobilePhone"), *(str(p) for p in doc.items(account, "businessPhones"))]
    return Administrator(
        id=one.id,
        name=doc.text(account, "userPrincipalName") or one.name,
        kind="user" if found is not None else one.kind,
        roles=one.roles,
        azure_roles=one.azure_roles,
        enabled=_flag(account, "accountEnabled"),
        guest=one.guest or _is_guest(account),
        synced=_flag(account, "onPremisesSyncEnabled") is True,
        created_at=doc.moment(doc.field(account, "createdDateTime")),
        password_changed_at=doc.moment(doc.field(account, "lastPasswordChangeDateTime")),
        other_mails=None if found is None else tuple(str(m) for m in doc.items(account, "otherMails")),
        phones=None if found is None else tuple(phone for phone in phones if phone),
        methods=None if methods is None else tuple(admins.method_of(method) for method in methods),
    )


async def _registrations(eyes: Eyes, notes: Notes) -> dict[str, Any]:
    """The registration report of administrators; of everybody where Graph does not take the filter."""
    read = directory.REGISTRATIONS

    async def reading() -> list[dict[str, Any]]:
        return await directory.everything(eyes, read, {"$filter": "isAdmin eq true"})

    rows = await directory.attempt(notes, read, reading(), [])
    return {doc.text(row, "id").lower(): row for row in rows}


def _registered(one: Administrator, registrations: dict[str, Any]) -> Administrator:
    row = registrations.get(one.id)
    values = {field: getattr(one, field) for field in one.__struct_fields__}
    if row is not None:
        values |= {"mfa_registered": _flag(row, "isMfaRegistered"), "mfa_capable": _flag(row, "isMfaCapable")}
    elif one.methods is not None and one.kind == "user":
        # The report knows directory roles only; an owner of the subscription is judged by the methods themselves.
        second = [m for m in one.methods if m.kind in ("phone", "authenticator", "code", "fido2", "hello")]
        values |= {"mfa_registered": bool(second), "mfa_capable": bool(second)}
    return Administrator(**values)


def _flag(document: Any, name: str) -> bool | None:
    found = doc.field(document, name)
    return found if isinstance(found, bool) else None


def _is_guest(document: Any) -> bool:
    return (
        doc.text(document, "userType").lower() == "guest" or "#ext#" in doc.text(document, "userPrincipalName").lower()
    )
