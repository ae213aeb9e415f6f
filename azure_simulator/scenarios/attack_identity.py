"""What an attack leaves in the directory: words of a script's `identity` list. They come after the others, when the activity log is written, so
that sign-ins, risks and audits agree with it in times, addresses and tokens.

Everything goes into `truth["identity"]`, by the name of the list that it belongs to.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.events import PORTAL_APP, token_id
from azure_simulator.scenarios.attack import Attack, Intruder
from azure_simulator.scenarios.identity import Directory, accounts, apps, life, places
from azure_simulator.services.graph import audits, methods, sign_in_rows, sign_ins, store
from azure_simulator.services.graph.audits import Change
from azure_simulator.services.graph.sign_in_rows import SignIn
from azure_simulator.world import Document, Principal

Step = Callable[[Attack, Directory, dict[str, Any]], None]
_OBJECT = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_NUMBERS = ("+44 7700900777", "+44 7700900888")
_MAIL = "recovery.desk@mail.example"


def lay(attack: Attack, directory: Directory) -> None:
    """Put the attackers' addresses on the map, carry out the script's `identity` list, and take down which sign-ins are theirs."""
    from azure_simulator.scenarios import bystanders_identity

    steps: dict[str, Step] = {**STEPS, **bystanders_identity.STEPS}
    for number, intruder in enumerate(attack.intruders.values()):
        if intruder.kind != "hijacked":
            for address in intruder.addresses:
                places.unfamiliar(directory, address, number=number)
    for row in attack.script.get("identity", ()):
        steps[row["do"]](attack, directory, row)
    theirs = [sign_in_rows.identity(token) for each in attack.intruders.values() for token, _ in tokens(attack, each)]
    attack.traces.setdefault("sign_ins", []).extend(theirs)


def tokens(attack: Attack, intruder: Intruder) -> list[tuple[str, datetime]]:
    """The access tokens that an intruder used, with the time of their first use, oldest first."""
    found: dict[str, datetime] = {}
    for event in attack.world.events:
        claims = event["claims"]
        if claims.get(_OBJECT) != intruder.principal.object_id or claims.get("ipaddr") not in intruder.addresses:
            continue
        if not intruder.tokens or claims["uti"] in intruder.tokens:
            found.setdefault(claims["uti"], datetime.fromisoformat(event["eventTimestamp"][:26] + "+00:00"))
    return list(found.items())


def _when(attack: Attack, row: dict[str, Any]) -> datetime:
    return attack.start + timedelta(minutes=float(row["after"]), seconds=17)


def _by(attack: Attack, row: dict[str, Any]) -> tuple[Principal, str]:
    intruder = attack.intruders[row["by"]]
    return intruder.principal, intruder.addresses[0]


def _trace(attack: Attack, name: str, *values: Any) -> None:
    attack.traces.setdefault(name, []).extend(values)


def _audited(attack: Attack, *rows: Document) -> None:
    _trace(attack, "audits", *(row["id"] for row in rows))


def enter(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Guess passwords of several people, then the victim's again and again, until the first token of the attack is issued.

    The victim stands among the exceptions to the policy on second factors, for the time until a new phone arrives, which is long over.
    """
    intruder = attack.intruders[row["by"]]
    group = directory.groups["mfa-exceptions"]
    group.members = [*group.members, intruder.principal.object_id]
    first = tokens(attack, intruder)[0][1]
    others = [actor.principal for actor in directory.people() if actor.principal is not intruder.principal]
    sprayed = directory.chance.sample(others, row.get("spray", 4))
    tried = [*sprayed, *([intruder.principal] * int(row["failed"]))]
    for number, principal in enumerate(tried):
        at = first - timedelta(minutes=26) + timedelta(seconds=number * 24 * 60 / len(tried))
        guid = sign_ins.write(
            attack.world,
            SignIn(
                principal,
                at,
                intruder.addresses[0],
                PORTAL_APP,
                token_id("tried", directory.chance.guid()),
                mfa=False,
                error=50126,
                device={"operatingSystem": "Windows 10", "browser": "Chrome 142.0.0"},
            ),
        )
        _trace(attack, "sign_ins", guid)


def register_method(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Register a method of the attacker's own for the victim."""
    by, address = _by(attack, row)
    at, kind = _when(attack, row), row["kind"]
    rows = store.table(attack.world, "methods")
    if kind == "phone":
        taken = methods.key(by.object_id, methods.PHONE_IDS["mobile"]) in rows
        added = accounts.add_phone(directory, by, _NUMBERS[0], at, "alternateMobile" if taken else "mobile")
        told = "Mobile Phone Call and SMS"
    elif kind == "email":
        details = {"emailAddress": _MAIL}
        added = accounts.add_method(directory, by, methods.EMAIL, at, details, identity=methods.EMAIL_ID)
        told = "Email"
    elif kind == "oath":
        added = accounts.add_method(directory, by, "softwareOathMethods", at, {"secretKey": None})
        told = "Authenticator App with Hardware OTP"
    else:
        added = accounts.add_authenticator(directory, by, "SM-A146P", at)
        told = "Authenticator App"
    _trace(attack, "methods", {"user": by.object_id, "id": added["id"], "type": added["@odata.type"]})
    _audited(
        attack,
        life.record(
            directory,
            at,
            "User registered security info",
            life.USERS,
            by,
            audits.target(by),
            service=audits.METHODS,
            operation="Add",
            address=address,
            details={"AuthenticationMethod": told},
        ),
    )


def change_contact(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Put the attacker's mail address and phone into the victim's contact data."""
    by, address = _by(attack, row)
    user, at = directory.user(by), _when(attack, row)
    before = {"otherMails": user["otherMails"], "mobilePhone": user["mobilePhone"]}
    user |= {"otherMails": [_MAIL], "mobilePhone": _NUMBERS[1]}
    after = {"otherMails": [_MAIL], "mobilePhone": _NUMBERS[1]}
    _trace(attack, "contacts", {"user": by.object_id, "before": before, "after": after})
    changes = (
        Change("OtherMail", before["otherMails"], after["otherMails"]),
        Change("Mobile", [before["mobilePhone"]], [after["mobilePhone"]]),
    )
    target = audits.target(by)
    _audited(
        attack, life.record(directory, at, "Update user", life.USERS, by, target, changes=changes, address=address)
    )


def add_credential(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Add a secret to an application of the tenant."""
    by, address = _by(attack, row)
    application, at = directory.applications[row["to"]], _when(attack, row)
    secret = directory.chance.guid()
    added = directory.credential(
        application["id"], apps.SECRET, at, at + timedelta(days=730), row.get("name", "deployment-2"), secret=secret
    )
    directory.staff[row["to"]].principal.secrets.append(secret)
    _trace(attack, "credentials", added["keyId"])
    _audited(attack, *life.credential_changed(directory, application, by, at, added, address=address))


def trust_issuer(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Let a foreign workflow sign in as an application of the tenant."""
    by, address = _by(attack, row)
    application, at = directory.applications[row["to"]], _when(attack, row)
    added = apps.trust(
        directory, application, "ci", "repo:octo/tools:ref:refs/heads/main", "https://token.actions.example.net"
    )
    _trace(attack, "federated_credentials", added["id"])
    target = audits.other(application["id"], application["displayName"], "Application")
    change = Change("FederatedIdentityCredentials", [], [{"Issuer": added["issuer"], "Subject": added["subject"]}])
    _audited(
        attack,
        life.record(directory, at, "Update application", life.APPS, by, target, changes=(change,), address=address),
    )


def consent(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Consent to an application of nobody knows whom, for everybody or for the victim."""
    by, address = _by(attack, row)
    consented = give_consent(
        directory, row, by, _when(attack, row), person=None if row.get("admin") else by, address=address
    )
    for name, values in consented.items():
        _trace(attack, name, *values)


def give_consent(
    directory: Directory,
    row: dict[str, Any],
    by: Principal,
    at: datetime,
    *,
    person: Principal | None,
    address: str = "",
) -> dict[str, list[str]]:
    """An application with its consents and audits; returns the ids by the lists of the truth."""
    more: dict[str, Any] = {"address": address} if address else {}
    principal = apps.buy(directory, row["name"], at, row.get("publisher", ""))
    graph = directory.apps["Microsoft Graph"]
    grant = directory.consent(principal, graph, row["scopes"], person=person)
    targets = (audits.target(principal), audits.target(graph))
    change = Change("ConsentContext.IsAdminConsent", None, person is None)
    scope = Change("DelegatedPermissionGrant.Scope", None, row["scopes"])
    rows = [
        life.record(directory, at, "Add service principal", life.APPS, by, targets[0], operation="Add", **more),
        life.record(
            directory,
            at,
            "Add delegated permission grant",
            life.APPS,
            by,
            targets[1],
            targets[0],
            changes=(scope,),
            operation="Assign",
            **more,
        ),
        life.record(
            directory,
            at,
            "Consent to application",
            life.APPS,
            by,
            targets[0],
            changes=(change,),
            operation="Assign",
            **more,
        ),
    ]
    given = []
    for value in row.get("app_roles", ()):
        role = directory.give_app_role(principal, graph, directory.permission(value), at)
        given.append(role["id"])
        told = Change("AppRole.Value", None, value)
        rows.append(
            life.record(
                directory,
                at,
                "Add app role assignment to service principal",
                life.APPS,
                by,
                targets[1],
                targets[0],
                changes=(told,),
                operation="Assign",
                **more,
            )
        )
    return {
        "consents": [grant["id"]],
        "app_role_assignments": given,
        "service_principals": [principal.object_id],
        "audits": [each["id"] for each in rows],
    }


def invite(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Invite the accomplice as a guest, who accepts some minutes later."""
    by, address = _by(attack, row)
    guest, at = attack.intruders[row["whom"]], _when(attack, row)
    mail = guest.principal.upn.partition("#")[0].replace("_", "@")
    accepted = at + timedelta(seconds=70)
    directory.put(
        "users",
        guest.principal.object_id,
        {
            "mail": mail,
            "otherMails": [mail],
            "userType": "Guest",
            "creationType": "Invitation",
            "externalUserState": "Accepted",
            "externalUserStateChangeDateTime": stamp(accepted),
            "createdDateTime": stamp(at),
            "lastPasswordChangeDateTime": stamp(at),
        },
    )
    _trace(attack, "guests", guest.principal.object_id)
    _audited(attack, *life.invited(directory, guest.principal, by, at, address=address))
    _audited(
        attack,
        life.record(
            directory,
            accepted,
            "Redeem external user invite",
            life.USERS,
            guest.principal,
            audits.target(guest.principal),
            service=audits.INVITES,
            address=guest.addresses[0],
        ),
    )


def create_account(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Make the accomplice a member of the tenant, with a password of the attacker's."""
    by, address = _by(attack, row)
    member, at = attack.intruders[row["whom"]].principal, _when(attack, row)
    account = {"userType": "Member", "createdDateTime": stamp(at), "lastPasswordChangeDateTime": stamp(at)}
    directory.put("users", member.object_id, {**account, "usageLocation": attack.staff.company.country})
    _trace(attack, "guests", member.object_id)
    target = audits.target(member)
    _audited(attack, life.record(directory, at, "Add user", life.USERS, by, target, operation="Add", address=address))


def register_application(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Register the accomplice's application in the tenant, with a secret."""
    by, address = _by(attack, row)
    principal, at = attack.intruders[row["whom"]].principal, _when(attack, row)
    apps.profile(directory, principal, at, owners=[by.object_id])
    application = apps.add_application(directory, principal, at, [by.object_id])
    added = directory.credential(
        application["id"], apps.SECRET, at, at + timedelta(days=730), "key1", secret=principal.secrets[0]
    )
    application["_signs_in_with"] = added["keyId"]
    _trace(attack, "applications", application["id"])
    _trace(attack, "service_principals", principal.object_id)
    _trace(attack, "credentials", added["keyId"])
    target = audits.other(application["id"], application["displayName"], "Application")
    for activity, where in (("Add application", target), ("Add service principal", audits.target(principal))):
        _audited(attack, life.record(directory, at, activity, life.APPS, by, where, operation="Add", address=address))
    _audited(
        attack, *life.credential_changed(directory, application, by, at + timedelta(seconds=40), added, address=address)
    )


def activate(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Take up a role that the victim is eligible for; without P2 the victim has it already."""
    if directory.licence != "p2":
        return
    by, address = _by(attack, row)
    at, hours = _when(attack, row), 8
    _audited(attack, *life.activated(directory, by, row["role"], at, hours=hours, address=address))
    if at + timedelta(hours=hours) > attack.now:
        wanted = directory.roles[row["role"]]
        eligible = next(
            each
            for each in store.rows(attack.world, "roleEligibilities", attack.world.tenant_id)
            if each["principalId"] == by.object_id and each["roleDefinitionId"] == wanted
        )
        given = directory.assign(row["role"], by, at, until=at + timedelta(hours=hours), activated=eligible["id"])
        _trace(attack, "role_assignments", given["id"])


def assign_role(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Give the accomplice a directory role, for ever; with `eligible`, one to take up when it is wanted."""
    by, address = _by(attack, row)
    taker, at = (
        attack.intruders[row["to"]].principal if row["to"] in attack.intruders else directory.person(row["to"]),
        _when(attack, row),
    )
    eligible = bool(row.get("eligible")) and directory.licence == "p2"
    if eligible:
        given = directory.make_eligible(row["role"], taker, at)
        activity, service = "Add eligible member to role in PIM completed (permanent)", audits.PRIVILEGED
    else:
        given = directory.assign(row["role"], taker, at)
        activity, service = "Add member to role", audits.CORE
    _trace(attack, "role_eligibilities" if eligible else "role_assignments", given["id"])
    change = Change("Role.DisplayName", None, row["role"])
    role = audits.other(directory.roles[row["role"]], row["role"], "Role")
    _audited(
        attack,
        life.record(
            directory,
            at,
            activity,
            life.ROLES,
            by,
            audits.target(taker),
            role,
            changes=(change,),
            service=service,
            operation="Assign",
            address=address,
        ),
    )


def weaken_policy(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Switch a policy off, or except the victim from it."""
    by, address = _by(attack, row)
    policy, at = directory.policies[row["policy"]], _when(attack, row)
    policy["_before"] = {"until": stamp(attack.start), "document": copy.deepcopy(dict(policy))}
    before: Document
    if row.get("state"):
        before = {"state": policy["state"]}
        policy["state"] = row["state"]
    else:
        users = policy["conditions"]["users"]
        before = {"users": copy.deepcopy(users)}
        users["excludeUsers"] = [*users["excludeUsers"], by.object_id]
    policy["modifiedDateTime"] = stamp(at)
    _trace(attack, "policies", policy["id"])
    _audited(attack, life.policy_changed(directory, policy, by, at, before=before, address=address))


def be_refused(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Try to change the directory without the right to."""
    intruder = attack.intruders[row["by"]]
    graph = directory.apps["Microsoft Graph"]
    _audited(
        attack,
        life.record(
            directory,
            _when(attack, row),
            "Add app role assignment to service principal",
            life.APPS,
            intruder.principal,
            audits.target(graph),
            operation="Assign",
            failure="Insufficient privileges to complete the operation.",
        ),
    )


def raise_risk(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """What Identity Protection made of it: detections on the sign-ins, and the person or application at risk."""
    intruder = attack.intruders[row["about"]]
    person = intruder.principal.kind == "User"
    used = tokens(attack, intruder)
    newest = ""
    for number, kind in enumerate(row["detections"]):
        token, first = used[min(number, len(used) - 1)]
        guid = sign_in_rows.identity(token)
        address = intruder.addresses[0]
        details: Document = {"request": guid, "offline": number > 0}
        found = _detected(attack, directory, intruder, kind, row["level"], address, first, **details)
        _trace(attack, "detections", found["id"])
        newest = max(newest, found["detectedDateTime"])
        if person and number == 0:
            risk = {
                "riskLevelDuringSignIn": row["level"],
                "riskLevelAggregated": row["level"],
                "riskState": "atRisk",
                "riskEventTypes": [kind],
                "riskEventTypes_v2": [kind],
            }
            directory.put("signInDetails", guid, risk)
    common: Document = {
        "id": intruder.principal.object_id,
        "isProcessing": False,
        "riskLevel": row["level"],
        "riskState": "atRisk",
        "riskDetail": "none",
        "riskLastUpdatedDateTime": newest,
    }
    if person:
        directory.put("riskyUsers", intruder.principal.object_id, common | {"isDeleted": False})
    else:
        more = {"appId": intruder.principal.app_id, "isEnabled": True, "servicePrincipalType": "Application"}
        directory.put("riskyServicePrincipals", intruder.principal.object_id, common | more)
    _trace(attack, "at_risk", intruder.principal.object_id)


def _detected(
    attack: Attack,
    directory: Directory,
    intruder: Intruder,
    kind: str,
    level: str,
    address: str,
    at: datetime,
    *,
    request: str,
    offline: bool,
) -> Document:
    principal = intruder.principal
    place = sign_in_rows.place(attack.world, address)
    correlation = sign_in_rows.correlation(request)
    found = life.detection(
        directory, principal, at, kind, level, address, place, request=request, correlation=correlation, offline=offline
    )
    if principal.kind == "User":
        return found
    del store.table(attack.world, "riskDetections")[found["id"]]
    for key in ("userId", "userDisplayName", "userPrincipalName", "riskType"):
        del found[key]
    key_id = sign_ins.key_of(attack.world, principal, stamp(at))
    found |= {"servicePrincipalId": principal.object_id, "appId": principal.app_id, "keyIds": [key_id]}
    return directory.put("servicePrincipalRiskDetections", found["id"], found)


STEPS: dict[str, Step] = {
    "enter": enter,
    "register_method": register_method,
    "change_contact": change_contact,
    "add_credential": add_credential,
    "trust_issuer": trust_issuer,
    "consent": consent,
    "invite": invite,
    "create_account": create_account,
    "register_application": register_application,
    "activate": activate,
    "assign_role": assign_role,
    "weaken_policy": weaken_policy,
    "be_refused": be_refused,
    "raise_risk": raise_risk,
}
