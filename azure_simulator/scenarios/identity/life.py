"""What happens in a directory in an ordinary month: joiners, new phones, passwords, roles activated, a certificate renewed. Each change stands
in the directory as it is now and in its audit log."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.scenarios.identity.accounts import add_authenticator, add_password
from azure_simulator.scenarios.identity.apps import sign_in_with
from azure_simulator.scenarios.identity.directory import Directory
from azure_simulator.services.graph import audits, methods, store
from azure_simulator.services.graph.audits import Audit, Change
from azure_simulator.world import Document, Principal

USERS, GROUPS, APPS, ROLES, POLICIES = (
    "UserManagement",
    "GroupManagement",
    "ApplicationManagement",
    "RoleManagement",
    "Policy",
)
CREDENTIALS = "Update application – Certificates and secrets management"


def pass_by(directory: Directory) -> None:
    """Let a month go by."""
    _join(directory)
    _leave(directory)
    _new_phone(directory)
    _passwords(directory)
    _groups(directory)
    _renew_certificate(directory)
    _tune_policy(directory)
    _update_from_hr(directory)
    _invite(directory)
    if directory.licence == "p2":
        _activate(directory)
    _risks(directory)


def record(
    directory: Directory,
    at: datetime,
    activity: str,
    category: str,
    by: Principal | None,
    *targets: Document,
    changes: tuple[Change, ...] = (),
    **more: Any,
) -> Document:
    """Write an audit of the customer's directory; what a person did came from the office, unless `address` says otherwise."""
    if by is not None and by.kind == "User":
        more.setdefault("address", directory.staff.company.office)
    return audits.write(directory.world, directory.chance, Audit(at, activity, category, by, targets, changes, **more))


def _join(directory: Directory) -> None:
    """Somebody new starts, two weeks ago."""
    support, new = directory.staff["support"].principal, directory.accounts["staff-12"]
    at = directory.ago(14, 3)
    row = directory.user(new)
    row |= {"createdDateTime": stamp(at), "lastPasswordChangeDateTime": stamp(at + timedelta(minutes=50))}
    record(directory, at, "Add user", USERS, support, audits.target(new), operation="Add")
    for key in ("licences",):
        group = directory.groups[key]
        record(
            directory,
            at + timedelta(minutes=4),
            "Add member to group",
            GROUPS,
            support,
            audits.target(new),
            audits.target(group),
            operation="Assign",
        )
    _forget_methods(directory, new)
    add_password(directory, new)
    _register(directory, new, at + timedelta(minutes=55))


def _forget_methods(directory: Directory, principal: Principal) -> None:
    table = store.table(directory.world, "methods")
    for key, row in list(table.items()):
        if row["_user"] == principal.object_id:
            del table[key]


def _register(directory: Directory, principal: Principal, at: datetime) -> Document:
    """A person registers the authenticator."""
    phone = str(directory.user(principal)["_phone"])
    row = add_authenticator(directory, principal, phone, at)
    record(
        directory,
        at,
        "User registered security info",
        USERS,
        principal,
        audits.target(principal),
        service=audits.METHODS,
        operation="Add",
        details={"AuthenticationMethod": "Authenticator App"},
    )
    return row


def _leave(directory: Directory) -> None:
    """Somebody left, three weeks ago."""
    support, leaver = directory.staff["support"].principal, directory.accounts["leaver"]
    at = directory.ago(20, 4)
    change = Change("AccountEnabled", [True], [False])
    record(directory, at, "Disable account", USERS, support, audits.target(leaver), changes=(change,))
    group = directory.groups["engineering"]
    record(
        directory,
        at + timedelta(minutes=6),
        "Remove member from group",
        GROUPS,
        support,
        audits.target(leaver),
        audits.target(group),
        operation="Unassign",
    )


def _new_phone(directory: Directory) -> None:
    """Somebody has a new phone, nine days ago: the authenticator is registered on it, the old one removed."""
    person = directory.staff["developer-3"].principal
    at = directory.ago(9, 2)
    table = store.table(directory.world, "methods")
    kind = methods.KINDS["microsoftAuthenticatorMethods"]
    old = next(key for key, row in table.items() if row["_user"] == person.object_id and row["@odata.type"] == kind)
    del table[old]
    _register(directory, person, at)
    record(
        directory,
        at + timedelta(minutes=3),
        "User deleted security info",
        USERS,
        person,
        audits.target(person),
        service=audits.METHODS,
        operation="Delete",
        details={"AuthenticationMethod": "Authenticator App"},
    )


def _passwords(directory: Directory) -> None:
    """Two people change their passwords, one forgot it and asked the service desk."""
    support = directory.staff["support"].principal
    for key, days in (("developer-2", 6), ("staff-2", 17)):
        person, at = directory.person(key), directory.ago(days, 3)
        _changed_password(directory, person, at)
        record(directory, at, "Change user password", USERS, person, audits.target(person))
    person, at = directory.person("staff-6"), directory.ago(11, 3)
    _changed_password(directory, person, at)
    record(directory, at, "Reset user password", USERS, support, audits.target(person), operation="Reset")


def _changed_password(directory: Directory, person: Principal, at: datetime) -> None:
    directory.user(person)["lastPasswordChangeDateTime"] = stamp(at)
    row = store.table(directory.world, "methods")[methods.key(person.object_id, methods.PASSWORD_ID)]
    row |= {"createdDateTime": stamp(at), "_created": stamp(at)}


def _groups(directory: Directory) -> None:
    """Membership comes and goes."""
    support = directory.staff["support"].principal
    for days in (4, 8, 15, 22, 27):
        person = directory.chance.choice(directory.people()).principal
        group = directory.staff.groups["readers"]
        at = directory.ago(days, 2)
        activity, operation = directory.chance.choice(
            (("Add member to group", "Assign"), ("Remove member from group", "Unassign"))
        )
        record(
            directory, at, activity, GROUPS, support, audits.target(person), audits.target(group), operation=operation
        )


def _renew_certificate(directory: Directory) -> None:
    """The certificate of the observability application is renewed by its owner, two weeks ago."""
    application, owner = directory.applications["monitoring"], directory.staff["platform-2"].principal
    at = directory.ago(13, 3)
    old = store.table(directory.world, "credentials")[application["_signs_in_with"]]
    new = directory.credential(
        application["id"], "keyCredentials", at, at + timedelta(days=730), str(old["displayName"])
    )
    old["endDateTime"] = stamp(at + timedelta(days=20))
    sign_in_with(application, new["keyId"], at + timedelta(hours=1))
    credential_changed(directory, application, owner, at, new)


def credential_changed(
    directory: Directory, application: Document, by: Principal, at: datetime, added: Document, *, address: str = ""
) -> list[Document]:
    """The two audits of a credential that was added to an application."""
    text = (
        f"[KeyIdentifier={added['keyId']},KeyType={'Password' if added['_kind'] == 'passwordCredentials' else 'AsymmetricX509Cert'},"
        f"KeyUsage=Verify,DisplayName={added['displayName']}]"
    )
    more: dict[str, Any] = {"address": address} if address else {}
    target = audits.other(application["id"], application["displayName"], "Application")
    change = Change("KeyDescription", [], [text])
    rows = [record(directory, at, CREDENTIALS, APPS, by, target, changes=(change,), **more)]
    for principal in directory.world.principals.values():
        if principal.app_id == application["appId"] and principal.kind == "ServicePrincipal":
            rows.append(record(directory, at, "Update service principal", APPS, by, audits.target(principal), **more))
    return rows


def _tune_policy(directory: Directory) -> None:
    """The security engineer changes a policy that only reports."""
    by, policy = directory.staff["security"].principal, directory.policies["everybody"]
    at = directory.ago(24, 3)
    policy["modifiedDateTime"] = stamp(at)
    policy_changed(directory, policy, by, at, before={"state": "disabled"})


def policy_changed(
    directory: Directory, policy: Document, by: Principal, at: datetime, *, before: Document, address: str = ""
) -> Document:
    """The audit of a changed conditional access policy; `before` are the properties that were otherwise."""
    more: dict[str, Any] = {"address": address} if address else {}
    now = {key: policy.get(key, policy["conditions"].get(key)) for key in before}
    return record(
        directory,
        at,
        "Update conditional access policy",
        POLICIES,
        by,
        audits.other(policy["id"], policy["displayName"], "Policy"),
        changes=(Change("ConditionalAccessPolicy", before, now),),
        service=audits.ACCESS,
        **more,
    )


def _update_from_hr(directory: Directory) -> None:
    """Job titles come from the personnel system."""
    for number, days in ((1, 3), (3, 10), (5, 18), (9, 25)):
        person = directory.accounts[f"staff-{number}"]
        title = str(directory.user(person)["jobTitle"])
        change = Change("JobTitle", [f"Junior {title.lower()}"], [title])
        record(
            directory,
            directory.ago(days, 2),
            "Update user",
            USERS,
            directory.apps["hr"],
            audits.target(person),
            changes=(change,),
        )


def _invite(directory: Directory) -> None:
    """A consultant is invited, three weeks ago, and accepts the next day."""
    guest, host = directory.accounts["guest-2"], directory.person("staff-1")
    at = directory.ago(21, 3)
    directory.user(guest).update(
        createdDateTime=stamp(at), externalUserStateChangeDateTime=stamp(at + timedelta(hours=20))
    )
    invited(directory, guest, host, at)
    record(
        directory,
        at + timedelta(hours=20),
        "Redeem external user invite",
        USERS,
        guest,
        audits.target(guest),
        service=audits.INVITES,
        operation="Update",
        address="2001:db8:c0::2",
    )


def invited(
    directory: Directory, guest: Principal, host: Principal, at: datetime, *, address: str = ""
) -> list[Document]:
    """The two audits of an invitation."""
    more: dict[str, Any] = {"address": address} if address else {}
    mail = str(directory.user(guest).get("mail") or guest.upn)
    return [
        record(
            directory,
            at,
            "Invite external user",
            USERS,
            host,
            audits.target(guest),
            service=audits.INVITES,
            operation="Add",
            details={"InvitedUserEmailAddress": mail},
            **more,
        ),
        record(
            directory, at + timedelta(seconds=2), "Add user", USERS, host, audits.target(guest), operation="Add", **more
        ),
    ]


def _activate(directory: Directory) -> None:
    """People take up roles that they are eligible for, for some hours, and give them back."""
    for key, role, days in (
        ("platform-lead", "Global Administrator", 5),
        ("platform-lead", "Global Administrator", 19),
        ("security", "Conditional Access Administrator", 24),
        ("support", "User Administrator", 12),
        ("platform-1", "Application Administrator", 13),
    ):
        activated(directory, directory.staff[key].principal, role, directory.ago(days, 2), hours=4)


def activated(
    directory: Directory, person: Principal, role: str, at: datetime, *, hours: float, address: str = ""
) -> list[Document]:
    """The audits of an activation and, when it is over by now, of its end."""
    more: dict[str, Any] = {"address": address} if address else {}
    target = audits.other(directory.roles[role], role, "Role")
    rows = [
        record(
            directory,
            at,
            "Add member to role completed (PIM activation)",
            ROLES,
            person,
            target,
            audits.target(person),
            service=audits.PRIVILEGED,
            operation="ActivateRole",
            **more,
        ),
        record(directory, at, "Add member to role", ROLES, None, audits.target(person), target, operation="Assign"),
    ]
    over = at + timedelta(hours=hours)
    if over < directory.now:
        record(
            directory,
            over,
            "Remove member from role (PIM activation expired)",
            ROLES,
            None,
            target,
            audits.target(person),
            service=audits.PRIVILEGED,
            operation="RemoveActivation",
        )
    return rows


def _risks(directory: Directory) -> None:
    """Two old detections that turned out harmless: one was answered by the second factor, one dismissed."""
    for key, days, state, detail in (
        ("developer-1", 18, "remediated", "userPassedMFADrivenByRiskBasedPolicy"),
        ("staff-3", 26, "dismissed", "adminDismissedAllRiskForUser"),
    ):
        person, at = directory.person(key), directory.ago(days, 2)
        address = f"2001:db8:7a::{days}"
        place = directory.put("places", address, _travelled(directory))
        detection(directory, person, at, "unfamiliarFeatures", "low", address, place, state=state, detail=detail)
        cleared(directory, person, at, state, detail)


def cleared(directory: Directory, person: Principal, at: datetime, state: str, detail: str) -> None:
    """Somebody who was at risk and is not any more."""
    directory.put(
        "riskyUsers",
        person.object_id,
        {
            "id": person.object_id,
            "isDeleted": False,
            "isProcessing": False,
            "riskLevel": "none",
            "riskState": state,
            "riskDetail": detail,
            "riskLastUpdatedDateTime": stamp(at + timedelta(hours=2)),
        },
    )


def _travelled(directory: Directory) -> Document:
    city, state, country = directory.chance.choice(directory.material["travel"])
    return {"city": city, "state": state, "countryOrRegion": country, "_asn": 64500}


def detection(
    directory: Directory,
    person: Principal,
    at: datetime,
    kind: str,
    level: str,
    address: str,
    place: Document,
    *,
    state: str = "atRisk",
    detail: str = "none",
    request: str = "",
    correlation: str = "",
    offline: bool = False,
) -> Document:
    """A risk detection; `request` and `correlation` are those of the sign-in behind it. Offline ones come hours later."""
    guid = directory.chance.guid()
    found = at + (timedelta(hours=2.5) if offline else timedelta(minutes=4, seconds=directory.chance.randrange(120)))
    document: Document = {
        "id": guid.replace("-", "") * 2,
        "requestId": request or None,
        "correlationId": correlation or None,
        "riskEventType": kind,
        "riskType": kind,
        "riskState": state,
        "riskLevel": level,
        "riskDetail": detail,
        "source": "IdentityProtection",
        "detectionTimingType": "offline" if offline else "realtime",
        "activity": "signin" if request else "user",
        "tokenIssuerType": "AzureAD",
        "ipAddress": address,
        "location": {key: place.get(key) for key in ("city", "state", "countryOrRegion")} | {"geoCoordinates": None},
        "activityDateTime": stamp(at),
        "detectedDateTime": stamp(found),
        "lastUpdatedDateTime": stamp(found),
        "userId": person.object_id,
        "userDisplayName": person.name,
        "userPrincipalName": person.upn.lower(),
        "additionalInfo": "[]",
    }
    return directory.put("riskDetections", document["id"], document)
