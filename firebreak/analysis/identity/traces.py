"""What stands in the directory of a deed of the attacker's: the record says what was made, the documents read now say which thing that is.

One function for each kind of thing: a deed and documents in, traces out. A thing that is gone, or was put back by somebody, leaves no trace;
one that cannot be told from the owner's own leaves a trace with the problem.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import shown
from firebreak.analysis.identity.administrators import hint_of, method_of
from firebreak.analysis.identity.intruders import Deed
from firebreak.analysis.normal import read_json
from firebreak.model.identity import Change, ChangeTarget
from firebreak.model.ids import is_plain_segment
from firebreak.model.intrusion import Trace, TraceKind

_NEAR = timedelta(minutes=10)
_KEY_ID = re.compile(r"KeyIdentifier=([0-9a-f-]{36})", re.IGNORECASE)
# The log's name of a contact property -> Graph's.
CONTACTS = {"othermail": "otherMails", "mobile": "mobilePhone", "telephonenumber": "businessPhones"}
_TAKEN_UP = "pim activation"
# Who was brought in is an intruder, and an invitation's answer and a consent go with other records.
_TOLD_OTHERWISE = (
    *("invite external user", "redeem external user", "add user", "add service principal", "add application"),
    "consent to application",
)
# Words of the log for a method -> the collection below /authentication; the first that fits counts.
_METHODS = (
    ("phone", "phoneMethods"),
    ("email", "emailMethods"),
    ("otp", "softwareOathMethods"),
    ("oath", "softwareOathMethods"),
    ("authenticator", "microsoftAuthenticatorMethods"),
    ("fido", "fido2Methods"),
    ("passkey", "fido2Methods"),
    ("security key", "fido2Methods"),
    ("temporary access pass", "temporaryAccessPassMethods"),
    ("hello", "windowsHelloForBusinessMethods"),
)
_TYPE = {"emailMethods": "email", "phoneMethods": "phone", "softwareOathMethods": "softwareoath"}


def kind_of(deed: Deed) -> TraceKind | None:
    """What kind of thing a deed left; None for deeds that are told by what they brought in."""
    name, changed = deed.change.name.lower(), modified(deed)
    if name.startswith(_TOLD_OTHERWISE):
        return None
    if "registered security info" in name:
        return TraceKind.METHOD
    if "keydescription" in changed:
        return TraceKind.SECRET
    if "federatedidentitycredentials" in changed:
        return TraceKind.ISSUER
    if name.startswith("add delegated permission grant"):
        return TraceKind.CONSENT
    if name.startswith("add app role assignment"):
        return TraceKind.RIGHT
    if name.startswith("add eligible member to role"):
        return TraceKind.ELIGIBLE
    if name.startswith("add member to role") and _TAKEN_UP not in name:
        return TraceKind.ROLE
    if name.startswith("update conditional access policy"):
        return TraceKind.POLICY
    if name.startswith("update user") and set(CONTACTS) & set(changed):
        return TraceKind.CONTACT
    return TraceKind.OTHER


def sets_a_password(deed: Deed) -> bool:
    """Whether the deed gave somebody else a password that the attacker knows."""
    name = deed.change.name.lower()
    return name.startswith("reset") and "password" in name


def repeats(deed: Deed, others: Iterable[Deed]) -> bool:
    """Whether a record without content of its own goes with another of the same moment: Entra writes several for one deed."""
    ids = {one.id for one in deed.change.targets}
    return not modified(deed) and any(
        other is not deed
        and abs(other.change.at - deed.change.at) < timedelta(seconds=5)
        and kind_of(other) not in (TraceKind.OTHER,)
        and (ids & {one.id for one in other.change.targets} or _names(deed) & _names(other))
        for other in others
    )


def _names(deed: Deed) -> set[str]:
    return {one.name for one in deed.change.targets if one.name}


def modified(deed: Deed) -> dict[str, tuple[Any, Any]]:
    """The properties that were changed, by name in lower case without blanks: what they were and what they became."""
    found: dict[str, tuple[Any, Any]] = {}
    for target in doc.items(deed.record, "targetResources"):
        for one in doc.items(target, "modifiedProperties"):
            name = doc.text(one, "displayName").lower().replace(" ", "")
            found.setdefault(name, (_decoded(doc.field(one, "oldValue")), _decoded(doc.field(one, "newValue"))))
    return found


def target_of(deed: Deed, *kinds: str) -> ChangeTarget | None:
    """The first target of one of these kinds, with an id that may stand in a path."""
    wanted = {kind.lower() for kind in kinds}
    return next(
        (one for one in deed.change.targets if one.kind.lower() in wanted and one.id and is_plain_segment(one.id)), None
    )


def trace(deed: Deed, kind: TraceKind, target: str, what: str, **more: Any) -> Trace:
    change = deed.change
    return Trace(
        kind=kind,
        target=target,
        what=what,
        at=change.at,
        by=change.actor,
        address=change.address,
        event_id=change.id,
        **more,
    )


def method(deed: Deed, held: Sequence[Any], trusted: Collection[str]) -> Iterable[Trace]:
    """The method that was registered. One without a date is told by being the only one of its type that is not known as the owner's."""
    user = target_of(deed, "user")
    told = " ".join(deed.change.details.values()).lower()
    collection = next((found for word, found in _METHODS if word in told), "")
    if user is None or not collection:
        return
    wanted = _TYPE.get(collection, collection.removesuffix("Methods").lower())
    rows = [row for row in held if _type(row) == wanted]
    near = [row for row in rows if (at := method_of(row).added_at) is not None and abs(at - deed.change.at) <= _NEAR]
    undated = [row for row in rows if method_of(row).added_at is None and _contact(row) not in trusted]
    found = near or undated
    if not found:
        return
    base = {"principal_id": user.id, "holder": user.name}
    if len(found) > 1:
        what = f"one of {len(found)} methods of the kind {wanted}"
        problem = "Several fit and none has a date: ask the owner which is not theirs, and remove that."
        yield trace(deed, TraceKind.METHOD, f"/v1.0/users/{user.id}", what, problem=problem, **base)
        return
    (row,) = found
    identity = doc.text(row, "id")
    if is_plain_segment(identity):
        detail = method_of(row).detail
        what = f"{method_of(row).kind}{f' {shown(detail, 60)}' if detail else ''}"
        path = f"/v1.0/users/{user.id}/authentication/{collection}/{identity}"
        yield trace(deed, TraceKind.METHOD, path, what, document=dict(row), **base)


def contact(deed: Deed, account: Any, deeds: Sequence[Deed] = ()) -> Iterable[Trace]:
    """Contact data that still stand as the attacker wrote them, with what they were before the attacker's first of several changes."""
    user = target_of(deed, "user")
    if user is None or account is None:
        return
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, (old, new) in modified(deed).items():
        field = CONTACTS.get(name)
        if field is None:
            continue
        was, is_now = (_as_contact(field, value) for value in (old, new))
        if doc.field(account, field) == is_now and was != is_now:
            changes = [tuple(_as_contact(field, one) for one in pair) for pair in _earlier(deed, deeds, name)]
            before[field], after[field] = _original(was, changes), is_now
    if before:
        shortened = ", ".join(hint_of(str(each)) for value in after.values() for each in _listed(value))
        document = {"before": before, "after": after}
        path = f"/v1.0/users/{user.id}"
        yield trace(
            deed,
            TraceKind.CONTACT,
            path,
            shortened or "nothing",
            document=document,
            principal_id=user.id,
            holder=user.name,
        )


def credentials(deed: Deed, base: str, held: Any, principal_id: str) -> Iterable[Trace]:
    """Secrets and certificates whose key ids the record added to an object that Graph shows at `base`."""
    old, new = modified(deed)["keydescription"]
    added = _key_ids(new) - _key_ids(old)
    holder = doc.text(held, "displayName")
    for kind, collection in ((TraceKind.SECRET, "passwordCredentials"), (TraceKind.CERTIFICATE, "keyCredentials")):
        for row in doc.items(held, collection):
            key = doc.text(row, "keyId").lower()
            if key in added:
                what = f"{shown(doc.text(row, 'displayName') or 'without name', 60)} ({key})"
                document: dict[str, Any] = {"keyId": key, "startDateTime": doc.text(row, "startDateTime")}
                if kind is TraceKind.CERTIFICATE:
                    others = [one for one in doc.items(held, collection) if doc.text(one, "keyId").lower() not in added]
                    document |= {"kept": [dict(one) for one in others]}
                yield trace(deed, kind, base, what, document=document, principal_id=principal_id, holder=holder)


def issuers(deed: Deed, base: str, held: Any, rows: Iterable[Any], principal_id: str) -> Iterable[Trace]:
    """Outside issuers that the record added."""
    old, new = modified(deed)["federatedidentitycredentials"]
    added = _issuers(new) - _issuers(old)
    for row in rows:
        pair, identity = (doc.text(row, "issuer"), doc.text(row, "subject")), doc.text(row, "id")
        if pair in added and is_plain_segment(identity):
            what = f"{shown(pair[0], 100)}, subject {shown(pair[1], 100)}"
            path = f"{base}/federatedIdentityCredentials/{identity}"
            holder = doc.text(held, "displayName")
            yield trace(
                deed, TraceKind.ISSUER, path, what, document=dict(row), principal_id=principal_id, holder=holder
            )


def consents(deed: Deed, client: ChangeTarget, rows: Iterable[Any]) -> Iterable[Trace]:
    """Delegated rights that the record gave. A grant with rights from before is not deleted: those are somebody's."""
    targets = {one.id for one in deed.change.targets}
    old, new = next((v for k, v in modified(deed).items() if k.endswith("permissiongrant.scope")), (None, None))
    given = set(str(new or "").split())
    for row in rows:
        scopes, identity = set(doc.text(row, "scope").split()), doc.text(row, "id")
        if doc.text(row, "resourceId").lower() not in targets or not scopes & given or not is_plain_segment(identity):
            continue
        problem = ""
        if scopes - given or str(old or "").split():
            problem = (
                "It also holds rights from before: an administrator should take out those that the attacker added."
            )
        whose = "for everybody" if doc.text(row, "consentType") == "AllPrincipals" else "for one person"
        what = f"{shown(' '.join(sorted(scopes)), 160)} {whose}"
        path = f"/v1.0/oauth2PermissionGrants/{identity}"
        yield trace(
            deed,
            TraceKind.CONSENT,
            path,
            what,
            document=dict(row),
            problem=problem,
            principal_id=client.id,
            holder=client.name,
        )


def rights(deed: Deed, client: ChangeTarget, rows: Iterable[Any], names: Mapping[str, str]) -> Iterable[Trace]:
    """Rights that an application was given to act by itself, near the time of the record."""
    targets = {one.id for one in deed.change.targets} - {client.id}
    value = next((str(new) for key, (_, new) in modified(deed).items() if key.endswith("approle.value")), "")
    for row in rows:
        at, identity = doc.moment(doc.field(row, "createdDateTime")), doc.text(row, "id")
        right = names.get(doc.text(row, "appRoleId").lower(), "")
        fits = not right or not value or right == value
        if doc.text(row, "resourceId").lower() not in targets or not fits or not is_plain_segment(identity):
            continue
        if at is not None and abs(at - deed.change.at) <= _NEAR:
            what = f"{shown(right or value or doc.text(row, 'appRoleId'), 80)} on {shown(doc.text(row, 'resourceDisplayName'), 60)}"
            path = f"/v1.0/servicePrincipals/{client.id}/appRoleAssignments/{identity}"
            yield trace(
                deed, TraceKind.RIGHT, path, what, document=dict(row), principal_id=client.id, holder=client.name
            )


def roles(deed: Deed, kind: TraceKind, rows: Iterable[Any]) -> Iterable[Trace]:
    """Directory roles that the record gave, active or eligible."""
    role, who = target_of(deed, "role"), target_of(deed, "user", "serviceprincipal", "group")
    if role is None or who is None:
        return
    where = "roleAssignments" if kind is TraceKind.ROLE else "roleEligibilitySchedules"
    for row in rows:
        identity = doc.text(row, "id")
        same = doc.text(row, "roleDefinitionId").lower() == role.id and doc.text(row, "principalId").lower() == who.id
        if same and is_plain_segment(identity):
            path = f"/v1.0/roleManagement/directory/{where}/{identity}"
            what = shown(role.name or role.id, 80)
            yield trace(deed, kind, path, what, document=dict(row), principal_id=who.id, holder=who.name)


def policy(deed: Deed, now: Any, deeds: Sequence[Deed] = ()) -> Iterable[Trace]:
    """A conditional access policy that still stands as the attacker left it, with what each changed part was before the first change."""
    about = target_of(deed, "policy")
    old, new = modified(deed).get("conditionalaccesspolicy", (None, None))
    if about is None or not isinstance(old, Mapping) or not isinstance(new, Mapping) or now is None:
        return
    earlier = _earlier(deed, deeds, "conditionalaccesspolicy")

    def original(part: str, value: Any) -> Any:
        return _original(value, [(doc.field(then, part), doc.field(later, part)) for then, later in earlier])

    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for part in ("state", "conditions", "grantControls", "sessionControls"):
        if part in old and old.get(part) != new.get(part) and holds(doc.field(now, part), new.get(part)):
            before[part], after[part] = original(part, old[part]), new.get(part)
    if (
        "users" in old
        and old["users"] != new.get("users")
        and holds(doc.field(now, "conditions", "users"), new.get("users"))
    ):
        before["conditions"] = {"users": original("users", old["users"])}
        after["conditions"] = {"users": new.get("users")}
    if before:
        path = f"/v1.0/identity/conditionalAccess/policies/{about.id}"
        document = {"before": before, "after": after}
        yield trace(deed, TraceKind.POLICY, path, shown(about.name, 100), document=document, holder=about.name)


def _earlier(deed: Deed, deeds: Sequence[Deed], name: str) -> list[tuple[Any, Any]]:
    """What the attacker's earlier changes of the same property of the same thing were from and to, the newest first."""
    about = {one.id for one in deed.change.targets if one.id}
    before = [
        one for one in deeds if one.change.at < deed.change.at and about & {each.id for each in one.change.targets}
    ]
    return [changed[name] for one in reversed(before) if name in (changed := modified(one))]


def _original(value: Any, changes: Sequence[tuple[Any, ...]]) -> Any:
    """What stood before the attacker: where a value is itself the attacker's, the one that it had replaced."""
    for old, new in changes:
        if new == value:
            value = old
    return value


def other(change: Change, deed: Deed) -> Trace:
    """What nobody handles here, for people."""
    names = ", ".join(shown(one.name or one.id, 60) for one in change.targets if one.name or one.id)
    subject = next((one for one in change.targets if one.id), None)
    target = (
        f"/v1.0/directoryObjects/{subject.id}" if subject and is_plain_segment(subject.id) else "/v1.0/directoryObjects"
    )
    return trace(deed, TraceKind.OTHER, target, f"{shown(change.name, 100)}{f' ({names})' if names else ''}")


def holds(now: Any, wanted: Any) -> bool:
    """Whether everything in `wanted` stands in `now`; Graph may answer more than the log wrote."""
    if isinstance(wanted, Mapping) and isinstance(now, Mapping):
        return all(holds(now.get(key), value) for key, value in wanted.items())
    return bool(now == wanted)


def _type(row: Any) -> str:
    kind = doc.text(row, "@odata.type").removeprefix("#microsoft.graph.").removesuffix("AuthenticationMethod")
    return kind.lower()


def _contact(row: Any) -> str:
    return doc.text(row, "phoneNumber") or doc.text(row, "emailAddress")


def _as_contact(field: str, value: Any) -> Any:
    """A value of the log in the shape of the property: lists for mails and office phones, one text or nothing for the mobile phone."""
    many = [each for each in _listed(value) if each is not None]
    if field != "mobilePhone":
        return many
    return str(many[0]) if many else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _key_ids(value: Any) -> set[str]:
    return {found.lower() for each in _listed(value) for found in _KEY_ID.findall(str(each))}


def _issuers(value: Any) -> set[tuple[str, str]]:
    return {
        (doc.text(each, "Issuer"), doc.text(each, "Subject")) for each in _listed(value) if isinstance(each, Mapping)
    }


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value[:1] != '"':
        return read_json(value)
    try:
        return json.loads(value)
    except ValueError:
        return value
