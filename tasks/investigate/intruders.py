"""The attacker in the directory: as whom they act, what they left there, and how each of those things stands now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis.identity import traces
from firebreak.analysis.identity.intruders import SERVICE, USER, Deed, deeds_of, known_intruders
from firebreak.analysis.identity.review import all_findings
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import Attribution, SubscriptionFacts
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import Administrators, DirectoryChanges, SignIns
from firebreak.model.ids import is_plain_segment
from firebreak.model.intrusion import Account, Intruder, Intrusion, Service, Trace, TraceKind
from firebreak.model.step import Effect, Step
from tasks import directory
from tasks.detections import rules_of
from tasks.reading import Notes, each

_READS = (
    *(directory.AUDITS, directory.USERS, directory.METHODS, directory.APPLICATIONS, directory.CONSENTS),
    *(directory.ASSIGNMENTS, directory.ELIGIBLE, directory.ACCESS_POLICIES),
)

STEP = Step(
    id="investigate.intruders",
    title="Follow the attacker through the directory",
    effect=Effect.READ,
    description=(
        "Tells as whom the attacker acts, and reads each thing that the audit log shows them making or changing: accounts, methods, contact data, "
        "credentials, consents, rights, roles, policies; as it stands now."
    ),
    graph_permissions=directory.permissions_of(*_READS),
    guidance=("S35", "S40", "S48"),
    produces=Intrusion,
    needs=(Attribution,),
    parameters={
        "most_pages": "Pages of 999 records of the directory's audit log that are read at most, the newest first (20)."
    },
)

_PAGE = "999"
_GRAPH = "00000003-0000-0000-c000-000000000000"
_ACCOUNT = (
    "id,displayName,userPrincipalName,userType,accountEnabled,createdDateTime,otherMails,mobilePhone,businessPhones,"
    "onPremisesSyncEnabled,lastPasswordChangeDateTime,signInSessionsValidFromDateTime"
)
_SERVICE = "id,appId,displayName,accountEnabled,createdDateTime,servicePrincipalType,appOwnerOrganizationId"
_OLD = timedelta(days=1)


async def collect(eyes: Eyes, case: Case) -> Intrusion:
    """Read the window's audit log once, then what the attacker's records name. Without the log only the intruders themselves are known."""
    notes, start = Notes(), directory.window_of(eyes, case)
    subscription, changes = case.get(SubscriptionFacts), case.get(DirectoryChanges)
    own = {one.lower() for one in subscription.own_principal_ids} if subscription else set[str]()
    records = await _records(eyes, notes, case)
    known = known_intruders(case[Attribution], case.get(SignIns), _findings(case, own))
    usual = {change.id for change in changes.changes if change.usual} if changes else set[str]()
    intruders, deeds = deeds_of(known, records, attack_start=case[Attribution].attack_start, usual=usual, own=own)
    reader = _Reader(eyes, notes, deeds)
    accounts, services = await _identities(reader, intruders, deeds)
    intruders = _owned(_without_older(intruders, accounts), accounts, services, start)
    found = await each(lambda deed: _traces(reader, deed), [deed for deed in deeds if not traces.repeats(deed, deeds)])
    names = {one.id for one in intruders}
    return Intrusion(
        window_start=start,
        intruders=tuple(intruders),
        accounts=tuple(one for one in accounts if one.exposed or one.id in names),
        services=tuple(one for one in services if one.id in names),
        traces=_unique(one for part in found for one in part),
        not_looked_at=notes.all,
    )


def assess(facts: Intrusion, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """One finding for each intruder, with what they left in the directory."""
    found = []
    for one in facts.intruders:
        left = [trace for trace in facts.traces if trace.by.lower() == one.name.lower()]
        kind = "brought in by the attacker" if one.own else "stolen"
        lines = [f"{trace.kind.value}: {trace.what}, {trace.at:%Y-%m-%d %H:%M}Z." for trace in left[:8]]
        found.append(
            Finding(
                id=f"intruder:{one.id}",
                step=STEP.id,
                title=f"An identity {kind} acts in the directory",
                severity=Severity.HIGH,
                reasons=(*one.reasons, *lines, *([f"And {len(left) - 8} more."] if len(left) > 8 else [])),
                event_ids=tuple(dict.fromkeys(trace.event_id for trace in left)),
                actor=one.name,
                techniques=("T1078.004",),
            )
        )
    if unhandled := [one for one in facts.traces if one.kind is TraceKind.OTHER]:
        found.append(
            Finding(
                id="intruder-other",
                step=STEP.id,
                title="Changes of the attacker that only people can judge",
                severity=Severity.MEDIUM,
                reasons=tuple(f"{one.what} as {one.by}, {one.at:%Y-%m-%d %H:%M}Z." for one in unhandled[:20]),
                event_ids=tuple(one.event_id for one in unhandled),
            )
        )
    return found


def _findings(case: Case, own: set[str]) -> list[Finding]:
    return all_findings(
        rules_of(case),
        own=own,
        sign_ins=case.get(SignIns),
        changes=case.get(DirectoryChanges),
        administrators=case.get(Administrators),
    )


async def _records(eyes: Eyes, notes: Notes, case: Case) -> list[Any]:
    """The audit log of the window, the newest first, as far as it is read."""
    most, start = int(case.parameter(STEP.id, "most_pages", 20)), directory.window_of(eyes, case)
    params = {
        "$filter": directory.span("activityDateTime", start, eyes.now()),
        "$orderby": "activityDateTime desc",
        "$top": _PAGE,
    }
    found: list[Any] = []

    async def read() -> bool:
        left = most
        async for page in eyes.graph.pages(directory.AUDITS.path, params):
            found.extend(page)
            left -= 1
            if left <= 0:
                return len(page) < int(_PAGE)
        return True

    if await directory.attempt(notes, directory.AUDITS, read(), None) is False:
        notes.add("older changes of the directory by the attacker", f"only {most} pages of the audit log are read")
    return found


class _Reader:
    """Reads documents of the directory, each once, and notes what was refused. `deeds` are all of the attacker's, oldest first."""

    def __init__(self, eyes: Eyes, notes: Notes, deeds: Sequence[Deed]) -> None:
        self._eyes, self._notes, self.deeds = eyes, notes, deeds
        self._read: dict[tuple[str, str], Any] = {}

    async def one(self, read: directory.Read, path: str, fields: str = "") -> Any:
        """The document, None when it is gone or may not be read (then noted)."""
        return await self._once(
            read, path, fields, lambda: self._eyes.graph.get(path, {"$select": fields} if fields else None), None
        )

    async def all(self, read: directory.Read, path: str, query: str = "") -> list[Any]:
        """The rows of a list."""
        params = {"$filter": query} if query else None
        rows: list[Any] = await self._once(
            read, path, query, lambda: directory.everything(self._eyes, read, params, path=path), []
        )
        return rows

    async def _once(self, read: directory.Read, path: str, query: str, ask: Callable[[], Any], default: Any) -> Any:
        if (path, query) not in self._read:
            self._read[path, query] = await directory.attempt(self._notes, read, ask(), default, what=f"{read.what}")
        return self._read[path, query]


async def _identities(
    reader: _Reader, intruders: Sequence[Intruder], deeds: Sequence[Deed]
) -> tuple[list[Account], list[Service]]:
    """The accounts and service principals of the intruders, and accounts whose passwords they set."""
    known = {one.id: one for one in intruders}
    set_by_them = {
        user.id
        for deed in deeds
        if traces.sets_a_password(deed) and (user := traces.target_of(deed, "user")) is not None
    }
    people = sorted({one.id for one in intruders if one.kind == USER} | set_by_them)
    accounts = [
        _account(identity, await reader.one(directory.USERS, f"/v1.0/users/{identity}", _ACCOUNT), known.get(identity))
        for identity in people
        if is_plain_segment(identity)
    ]
    services = [
        _service(one, await reader.one(directory.PRINCIPALS, f"/v1.0/servicePrincipals/{one.id}", _SERVICE))
        for one in intruders
        if one.kind == SERVICE and is_plain_segment(one.id)
    ]
    return [one for one in accounts if one is not None], [one for one in services if one is not None]


def _account(identity: str, document: Any, intruder: Intruder | None) -> Account | None:
    if document is None:
        return None
    enabled = doc.field(document, "accountEnabled")
    name = doc.text(document, "userPrincipalName")
    return Account(
        id=identity,
        name=name or identity,
        enabled=enabled if isinstance(enabled, bool) else None,
        synced=doc.field(document, "onPremisesSyncEnabled") is True,
        guest=doc.text(document, "userType").lower() == "guest" or "#ext#" in name.lower(),
        exposed=intruder is None,
        created_at=doc.moment(doc.field(document, "createdDateTime")),
        password_changed_at=doc.moment(doc.field(document, "lastPasswordChangeDateTime")),
        sessions_from=doc.moment(doc.field(document, "signInSessionsValidFromDateTime")),
    )


def _service(intruder: Intruder, document: Any) -> Service | None:
    if document is None:
        return None
    enabled = doc.field(document, "accountEnabled")
    return Service(
        id=intruder.id,
        app_id=doc.text(document, "appId"),
        name=doc.text(document, "displayName") or intruder.name,
        kind=doc.text(document, "servicePrincipalType"),
        enabled=enabled if isinstance(enabled, bool) else None,
        owner_tenant=doc.text(document, "appOwnerOrganizationId"),
        created_at=doc.moment(doc.field(document, "createdDateTime")),
    )


def _without_older(intruders: Sequence[Intruder], accounts: Sequence[Account]) -> list[Intruder]:
    """Without guests that had been here for long and were invited once more: an invitation makes nobody the attacker's."""
    made = {one.id: one.created_at for one in accounts}
    return [
        one
        for one in intruders
        if one.brought_in_at is None or (at := made.get(one.id)) is None or at >= one.brought_in_at - _OLD
    ]


def _owned(
    intruders: Sequence[Intruder], accounts: Sequence[Account], services: Sequence[Service], start: datetime
) -> list[Intruder]:
    """With whom the directory knew before the window as stolen: a thin log calls everybody new, and only the attacker's own stay shut out for good."""
    made = {one.id: one.created_at for one in accounts} | {one.id: one.created_at for one in services}

    def is_older(one: Intruder) -> bool:
        return one.brought_in_at is None and (at := made.get(one.id)) is not None and at < start

    return [msgspec.structs.replace(one, own=False) if one.own and is_older(one) else one for one in intruders]


async def _traces(reader: _Reader, deed: Deed) -> list[Trace]:
    kind = traces.kind_of(deed)
    if kind is None or traces.sets_a_password(deed):
        return []
    read = _READERS.get(kind)
    if read is None:
        return [traces.other(deed.change, deed)]
    return [trace async for trace in _each(read, reader, deed)]


async def _each(read: Callable[..., Any], reader: _Reader, deed: Deed) -> Any:
    for trace in await read(reader, deed):
        yield trace


async def _method(reader: _Reader, deed: Deed) -> Iterable[Trace]:
    user = traces.target_of(deed, "user")
    if user is None:
        return ()
    path = f"/v1.0/users/{user.id}"
    held = await reader.all(directory.METHODS, f"{path}/authentication/methods")
    account = await reader.one(directory.USERS, path, _ACCOUNT)
    numbers = [str(one) for one in doc.items(account, "businessPhones")]
    return traces.method(deed, held, frozenset(numbers))


async def _contact(reader: _Reader, deed: Deed) -> Iterable[Trace]:
    user = traces.target_of(deed, "user")
    found = await reader.one(directory.USERS, f"/v1.0/users/{user.id}", _ACCOUNT) if user else None
    return traces.contact(deed, found, reader.deeds)


async def _credential(reader: _Reader, deed: Deed) -> Iterable[Trace]:
    base, held, principal = await _application(reader, deed)
    return traces.credentials(deed, base, held, principal) if held is not None else ()


async def _issuer(reader: _Reader, deed: Deed) -> Iterable[Trace]:
    base, held, principal = await _application(reader, deed)
    if held is None or "/applications/" not in base:
        return ()
    rows = await reader.all(directory.ISSUERS, f"{base}/federatedIdentityCredentials")
    return traces.issuers(deed, base, held, rows, principal)


async def _application(reader: _Reader, deed: Deed) -> tuple[str, Any, str]:
    """The object whose credentials a record changed: its path, its document, and the service principal that signs in with them."""
    about = traces.target_of(deed, "application", "serviceprincipal")
    if about is None:
        return "", None, ""
    if about.kind.lower() == "serviceprincipal":
        path = f"{directory.PRINCIPALS.path}/{about.id}"
        return path, await reader.one(directory.PRINCIPALS, path), about.id
    path = f"{directory.APPLICATIONS.path}/{about.id}"
    found = await reader.one(directory.APPLICATIONS, path)
    app_id = doc.text(found, "appId")
    if not is_plain_segment(app_id):
        return path, found, ""
    rows = await reader.all(directory.PRINCIPALS, directory.PRINCIPALS.path, f"appId eq '{app_id}'")
    return path, found, doc.text(rows[0], "id").lower() if rows else ""


async def _consent(reader: _Reader, deed: Deed) -> Iterable[Trace]:
    found: list[Trace] = []
    for client in _services_of(deed):
        rows = await reader.all(directory.CONSENTS, f"{directory.PRINCIPALS.path}/{client.id}/oauth2PermissionGrants")
        found += traces.consents(deed, client, rows)
    return found


async def _right(reader: _Reader, deed: Deed) -> Iterable[Trace]:
    found: list[Trace] = []
    names = await _right_names(reader)
    for client in _services_of(deed):
        rows = await reader.all(directory.RIGHTS, f"{directory.PRINCIPALS.path}/{client.id}/appRoleAssignments")
        found += traces.rights(deed, client, rows, names)
    return found


async def _right_names(reader: _Reader) -> dict[str, str]:
    rows = await reader.all(directory.PRINCIPALS, directory.PRINCIPALS.path, f"appId eq '{_GRAPH}'")
    graph = rows[0] if rows else None
    return {doc.text(role, "id").lower(): doc.text(role, "value") for role in doc.items(graph, "appRoles")}


def _services_of(deed: Deed) -> list[Any]:
    """The service principals of a record, the last first: Graph names the resource before the application that was given the right."""
    return [
        one
        for one in reversed(deed.change.targets)
        if one.kind.lower() == "serviceprincipal" and is_plain_segment(one.id)
    ][:2]


async def _role(reader: _Reader, deed: Deed) -> Iterable[Trace]:
    return await _roles(reader, deed, TraceKind.ROLE, directory.ASSIGNMENTS, directory.ASSIGNMENTS.path)


async def _eligible(reader: _Reader, deed: Deed) -> Iterable[Trace]:
    path = directory.ELIGIBLE.path.replace("ScheduleInstances", "Schedules")
    return await _roles(reader, deed, TraceKind.ELIGIBLE, directory.ELIGIBLE, path)


async def _roles(reader: _Reader, deed: Deed, kind: TraceKind, read: directory.Read, path: str) -> Iterable[Trace]:
    who = traces.target_of(deed, "user", "serviceprincipal", "group")
    if who is None:
        return ()
    return traces.roles(deed, kind, await reader.all(read, path, f"principalId eq '{who.id}'"))


async def _policy(reader: _Reader, deed: Deed) -> Iterable[Trace]:
    about = traces.target_of(deed, "policy")
    if about is None:
        return ()
    now = await reader.one(directory.ACCESS_POLICIES, f"{directory.ACCESS_POLICIES.path}/{about.id}")
    return traces.policy(deed, now, reader.deeds)


_READERS: dict[TraceKind, Callable[..., Any]] = {
    TraceKind.METHOD: _method,
    TraceKind.CONTACT: _contact,
    TraceKind.SECRET: _credential,
    TraceKind.ISSUER: _issuer,
    TraceKind.CONSENT: _consent,
    TraceKind.RIGHT: _right,
    TraceKind.ROLE: _role,
    TraceKind.ELIGIBLE: _eligible,
    TraceKind.POLICY: _policy,
}


def _unique(found: Iterable[Trace]) -> tuple[Trace, ...]:
    """Each thing once, as the first record that made it tells; contact data and policies once for each record."""
    first: dict[tuple[str, str, str], Trace] = {}
    for one in sorted(found, key=lambda one: (one.at, one.event_id)):
        first.setdefault((one.kind.value, one.target, one.what), one)
    return tuple(first[key] for key in sorted(first))
