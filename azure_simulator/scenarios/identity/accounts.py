"""Everybody who has an account: contact data, devices, methods, groups and directory roles."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.scenarios.identity import tenant
from azure_simulator.scenarios.identity.directory import Directory
from azure_simulator.services.graph import methods
from azure_simulator.world import Document, Principal

_DEPARTMENTS = {
    "cto": "Management",
    "finance": "Finance",
    "auditor": "Finance",
    "support": "Service desk",
    "security": "Security",
}
_COMPUTERS = (
    ("Windows 11", "Edge 144.0.0", "Azure AD joined"),
    ("Windows 11", "Edge 144.0.0", "Azure AD joined"),
    ("Windows 11", "Chrome 143.0.0", "Hybrid Azure AD joined"),
    ("MacOs", "Safari 18.3", "Azure AD registered"),
    ("Linux", "Firefox 146.0", ""),
)
_PHONES = ("iPhone 15", "iPhone 14", "Pixel 8", "Galaxy S24", "Fairphone 5")
# Number ranges that are reserved for fiction.
_NUMBERS = {"US": "+1 2025550{:03}", "CA": "+1 6135550{:03}", "AU": "+61 491570{:03}", "GB": "+44 7700900{:03}"}


def enrol(directory: Directory, names: dict[str, Any]) -> None:
    """Give every person of the tenant a profile and methods, and add those who do not work in Azure."""
    _hire_others(directory, names)
    titles = {row["key"]: row["title"] for row in names["people"]}
    for actor in directory.people():
        department = _DEPARTMENTS.get(actor.key, "Technology")
        _profile(directory, actor.principal, titles[actor.key], department)
    for number, (title, department) in enumerate(directory.material["staff"], start=1):
        _profile(directory, directory.accounts[f"staff-{number}"], title, department)
    _special(directory)
    _register_methods(directory)
    _groups(directory)


def _hire_others(directory: Directory, names: dict[str, Any]) -> None:
    taken = {actor.principal.name for actor in directory.people()}
    domain = directory.staff.company.domain
    for number in range(1, len(directory.material["staff"]) + 1):
        name = ""
        while not name or name in taken:
            name = f"{directory.chance.choice(names['first_names'])} {directory.chance.choice(names['last_names'])}"
        taken.add(name)
        upn = f"{name.lower().replace(' ', '.')}@{domain}"
        directory.accounts[f"staff-{number}"] = directory.add("User", name, upn=upn)


def _profile(directory: Directory, principal: Principal, title: str, department: str) -> Document:
    chance, company = directory.chance, directory.staff.company
    joined = directory.ago(200, 1400)
    changed = directory.ago(35, 300)
    first, last = principal.name.lower().split(" ")[0], principal.name.lower().split(" ")[-1]
    system, browser, trust = chance.choice(_COMPUTERS)
    initials = "".join(part[0] for part in principal.name.split(" ")).upper()
    return directory.put(
        "users",
        principal.object_id,
        {
            "jobTitle": title,
            "department": department,
            "officeLocation": company.country,
            "preferredLanguage": "en-US",
            "mobilePhone": _number(directory) if chance.random() < 0.8 else None,
            "businessPhones": [_number(directory)] if chance.random() < 0.5 else [],
            "otherMails": [f"{first}.{last}@mail.example"] if chance.random() < 0.5 else [],
            "proxyAddresses": [f"SMTP:{principal.upn}"],
            "createdDateTime": stamp(joined),
            "lastPasswordChangeDateTime": stamp(max(changed, joined)),
            "assignedLicenses": [{"disabledPlans": [], "skuId": tenant.main_sku(directory)}],
            "usageLocation": company.country,
            "country": company.country,
            "city": directory.material["places"][company.country][0][0],
            "_device": {
                "deviceId": chance.guid() if trust else "",
                "displayName": f"{company.short.upper()}-{initials}{chance.randrange(100, 999)}" if trust else "",
                "operatingSystem": system,
                "browser": browser,
                "isCompliant": bool(trust),
                "isManaged": bool(trust),
                "trustType": trust,
            },
            "_phone": chance.choice(_PHONES),
        },
    )


def _number(directory: Directory) -> str:
    pattern = _NUMBERS.get(directory.staff.company.country, _NUMBERS["GB"])
    return pattern.format(directory.chance.randrange(100, 999))


def _special(directory: Directory) -> None:
    """Accounts that are not a person at work: for emergencies, of a machine, of outsiders, of somebody who left."""
    chance, company = directory.chance, directory.staff.company
    second = directory.add("User", "Emergency Access 2", upn=f"ea-admin-02@{company.domain}")
    directory.accounts |= {"emergency-1": directory.staff.break_glass, "emergency-2": second}
    for key in ("emergency-1", "emergency-2"):
        set_up = directory.ago(900, 200)
        _bare(directory, directory.accounts[key], set_up, {"passwordPolicies": "DisablePasswordExpiration"})
    printer = directory.add("User", "Scan to mail", upn=f"scan@{company.domain}")
    directory.accounts["printer"] = printer
    _bare(
        directory,
        printer,
        directory.ago(1100, 300),
        {"jobTitle": "Printer, ground floor", "passwordPolicies": "DisablePasswordExpiration, DisableStrongPassword"},
    )
    for number, (name, mail) in enumerate(
        (("Noah Lindqvist", "noah.lindqvist"), ("Maya Ferreira", "maya.ferreira")), start=1
    ):
        guest = directory.add("User", name, upn=f"{mail}_consulting.example#EXT#@{company.domain}")
        directory.accounts[f"guest-{number}"] = guest
        invited = directory.ago(120, 300)
        _bare(
            directory,
            guest,
            invited,
            {
                "mail": f"{mail}@consulting.example",
                "userType": "Guest",
                "creationType": "Invitation",
                "externalUserState": "Accepted",
                "externalUserStateChangeDateTime": stamp(invited + timedelta(hours=3 + 40 * chance.random())),
                "otherMails": [f"{mail}@consulting.example"],
            },
        )
    leaver = directory.add("User", "Robin Castor", upn=f"robin.castor@{company.domain}")
    leaver.enabled = False
    directory.accounts["leaver"] = leaver
    _bare(directory, leaver, directory.ago(700, 300), {"jobTitle": "Developer", "department": "Technology"})


def _bare(directory: Directory, principal: Principal, created: datetime, more: Document) -> None:
    document: Document = {
        "createdDateTime": stamp(created),
        "lastPasswordChangeDateTime": stamp(created + timedelta(minutes=5)),
        "usageLocation": directory.staff.company.country,
    }
    directory.put("users", principal.object_id, document | more)


def add_method(
    directory: Directory, principal: Principal, kind: str, created: datetime, details: Document, *, identity: str = ""
) -> Document:
    """Register a method of one of the kinds below /authentication; returns its row.

    The date is told where Graph tells it: not for a phone, an e-mail or a one-time-code application.
    """
    told = kind not in (methods.PHONE, methods.EMAIL, "softwareOathMethods")
    guid = identity or directory.chance.guid()
    document: Document = {
        "@odata.type": methods.KINDS[kind],
        "id": guid,
        **details,
        "createdDateTime": stamp(created) if told else None,
        "_user": principal.object_id,
        "_created": stamp(created),
    }
    return directory.put("methods", methods.key(principal.object_id, guid), document)


def add_password(directory: Directory, principal: Principal) -> None:
    changed = datetime.fromisoformat(directory.user(principal)["lastPasswordChangeDateTime"][:26] + "+00:00")
    add_method(directory, principal, methods.PASSWORD, changed, {"password": None}, identity=methods.PASSWORD_ID)


def add_phone(
    directory: Directory, principal: Principal, number: str, created: datetime, kind: str = "mobile"
) -> Document:
    details = {"phoneNumber": number, "phoneType": kind, "smsSignInState": "notAllowedByPolicy"}
    return add_method(directory, principal, methods.PHONE, created, details, identity=methods.PHONE_IDS[kind])


def add_authenticator(directory: Directory, principal: Principal, phone: str, created: datetime) -> Document:
    details = {"displayName": phone, "deviceTag": "SoftwareTokenActivated", "phoneAppVersion": "6.8.28"}
    return add_method(directory, principal, "microsoftAuthenticatorMethods", created, details)


def _register_methods(directory: Directory) -> None:
    """Nearly everybody has the authenticator, some a phone or an e-mail beside it; a few have a password alone."""
    chance = directory.chance
    people = [
        *(actor.principal for actor in directory.people()),
        *(p for k, p in directory.accounts.items() if k.startswith("staff-")),
    ]
    without = {directory.staff["auditor"].principal.object_id, directory.accounts["staff-8"].object_id}
    for principal in people:
        add_password(directory, principal)
        if principal.object_id in without:
            continue
        row = directory.user(principal)
        since = directory.ago(60, 500)
        add_authenticator(directory, principal, row["_phone"], since)
        if row["mobilePhone"] and chance.random() < 0.7:
            add_phone(directory, principal, row["mobilePhone"], since)
        if row["otherMails"] and chance.random() < 0.6:
            add_method(
                directory,
                principal,
                methods.EMAIL,
                since,
                {"emailAddress": row["otherMails"][0]},
                identity=methods.EMAIL_ID,
            )
        if row["_device"]["operatingSystem"] == "Windows 11" and chance.random() < 0.5:
            device = {"displayName": row["_device"]["displayName"], "keyStrength": "normal"}
            add_method(directory, principal, "windowsHelloForBusinessMethods", directory.ago(60, 300), device)
    for key in ("security", "platform-lead"):
        _security_key(directory, directory.staff[key].principal, f"{key} key", directory.ago(150, 200))
    for key in ("emergency-1", "emergency-2"):
        add_password(directory, directory.accounts[key])
        for place in ("safe", "vault"):
            _security_key(directory, directory.accounts[key], f"{place} {key[-1]}", directory.ago(400, 200))
    add_password(directory, directory.accounts["printer"])
    add_password(directory, directory.accounts["leaver"])
    for key in ("guest-1", "guest-2"):
        add_authenticator(directory, directory.accounts[key], chance.choice(_PHONES), directory.ago(100, 100))


def _security_key(directory: Directory, principal: Principal, name: str, created: datetime) -> Document:
    details = {
        "displayName": name,
        "aaGuid": "2fc0579f-8113-47ea-b116-bb5a8db9202a",
        "model": "YubiKey 5 Series with NFC",
        "attestationCertificates": [f"{directory.chance.getrandbits(160):040x}"],
        "attestationLevel": "attested",
    }
    return add_method(directory, principal, "fido2Methods", created, details)


def _groups(directory: Directory) -> None:
    """Groups for licences, for exceptions to policies, for a role, and one that holds another."""
    staff = directory.staff
    everybody = [
        *(a.principal.object_id for a in staff.people()),
        *(p.object_id for k, p in directory.accounts.items() if k.startswith("staff-")),
    ]
    rows: tuple[tuple[str, str, str, list[str], bool], ...] = (
        ("licences", "grp-m365-licences", "Everybody with a mailbox.", everybody, False),
        (
            "emergency",
            "grp-ca-emergency-access",
            "Excluded from every policy.",
            [directory.accounts[k].object_id for k in ("emergency-1", "emergency-2")],
            False,
        ),
        (
            "mfa-exceptions",
            "grp-ca-mfa-exceptions",
            "For the time until a new phone arrives. Reviewed each quarter.",
            [staff["auditor"].principal.object_id],
            False,
        ),
        (
            "security",
            "grp-security-readers",
            "Holds Security Reader.",
            [staff["security"].principal.object_id, staff["auditor"].principal.object_id],
            True,
        ),
        (
            "engineering",
            "grp-engineering",
            "All who build.",
            [
                staff.groups["platform"].object_id,
                *(
                    staff[k].principal.object_id
                    for k in ("lead-developer", "developer-1", "developer-2", "developer-3", "developer-4")
                ),
            ],
            False,
        ),
    )
    for key, name, description, members, assignable in rows:
        group = directory.add("Group", name)
        group.members = members
        directory.groups[key] = group
        directory.put(
            "groups",
            group.object_id,
            {
                "createdDateTime": stamp(directory.ago(400, 600)),
                "description": description,
                "isAssignableToRole": assignable or None,
            },
        )


def empower(directory: Directory) -> None:
    """Directory roles: with P2 most are eligible, without it they are always on."""
    staff = directory.staff
    for key in ("emergency-1", "emergency-2"):
        directory.assign("Global Administrator", directory.accounts[key], directory.ago(820, 100))
    standing = (
        ("Security Administrator", staff["security"].principal),
        ("Helpdesk Administrator", staff["support"].principal),
        ("Billing Administrator", staff["finance"].principal),
        ("Global Reader", staff["auditor"].principal),
        ("Security Reader", directory.groups["security"]),
        ("Reports Reader", staff["monitoring"].principal),
    )
    for role, principal in standing:
        directory.assign(role, principal, directory.ago(200, 400))
    wanted = (
        ("Global Administrator", "cto"),
        ("Global Administrator", "platform-lead"),
        ("Privileged Role Administrator", "platform-lead"),
        ("User Administrator", "support"),
        ("Conditional Access Administrator", "security"),
        ("Application Administrator", "platform-1"),
        ("Cloud Application Administrator", "lead-developer"),
        ("Exchange Administrator", "platform-2"),
    )
    for role, key in wanted:
        principal, since = staff[key].principal, directory.ago(150, 200)
        if directory.licence == "p2":
            directory.make_eligible(role, principal, since, days=0 if directory.chance.random() < 0.5 else 730)
        else:
            directory.assign(role, principal, since)
