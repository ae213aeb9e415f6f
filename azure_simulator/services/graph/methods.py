"""How people prove who they are: their registered methods, and the report on registration, which is behind.

A row of the table `graph.methods` is one method of one person (`_user`), in the shape Graph answers it. When it was registered is told only
where Graph tells it (a phone, for one, has no date); the simulator keeps it as `_created`.
"""

from __future__ import annotations

from datetime import timedelta

from azure_simulator.chance import Chance
from azure_simulator.clock import stamp
from azure_simulator.services.graph import roles
from azure_simulator.services.graph.permissions import groups_of
from azure_simulator.services.graph.store import rows, table
from azure_simulator.world import Document, Principal, World, public

PASSWORD, PHONE, EMAIL = "passwordMethods", "phoneMethods", "emailMethods"
# The collection below /authentication -> the type of its members.
KINDS = {
    PASSWORD: "#microsoft.graph.passwordAuthenticationMethod",
    PHONE: "#microsoft.graph.phoneAuthenticationMethod",
    EMAIL: "#microsoft.graph.emailAuthenticationMethod",
    "fido2Methods": "#microsoft.graph.fido2AuthenticationMethod",
    "microsoftAuthenticatorMethods": "#microsoft.graph.microsoftAuthenticatorAuthenticationMethod",
    "softwareOathMethods": "#microsoft.graph.softwareOathAuthenticationMethod",
    "temporaryAccessPassMethods": "#microsoft.graph.temporaryAccessPassAuthenticationMethod",
    "windowsHelloForBusinessMethods": "#microsoft.graph.windowsHelloForBusinessAuthenticationMethod",
}
PASSWORD_ID = "28c10230-6103-485e-b985-444c60001490"
EMAIL_ID = "3ddfcfc8-9383-446f-83cc-3ab9be4be18f"
PHONE_IDS = {
    "mobile": "3179e48a-750b-4051-897c-87b9720928f7",
    "alternateMobile": "b6332ec1-7057-4abe-9331-3d72feddfe41",
    "office": "e37fc753-ff3b-4958-9484-eaa9425c82bc",
}
# How the registration report calls them.
_REPORTED = {
    "#microsoft.graph.emailAuthenticationMethod": "email",
    "#microsoft.graph.fido2AuthenticationMethod": "passKeyDeviceBound",
    "#microsoft.graph.microsoftAuthenticatorAuthenticationMethod": "microsoftAuthenticatorPush",
    "#microsoft.graph.softwareOathAuthenticationMethod": "softwareOneTimePasscode",
    "#microsoft.graph.temporaryAccessPassAuthenticationMethod": "temporaryAccessPass",
    "#microsoft.graph.windowsHelloForBusinessAuthenticationMethod": "windowsHelloForBusiness",
}
_PHONES = {"mobile": "mobilePhone", "alternateMobile": "alternateMobilePhone", "office": "officePhone"}
_SECOND_FACTORS = {
    "mobilePhone",
    "alternateMobilePhone",
    "officePhone",
    "passKeyDeviceBound",
    "microsoftAuthenticatorPush",
    "softwareOneTimePasscode",
    "windowsHelloForBusiness",
}
_PASSWORDLESS = {"passKeyDeviceBound", "windowsHelloForBusiness"}
_PREFERRED = (("microsoftAuthenticatorPush", "push"), ("softwareOneTimePasscode", "oath"), ("mobilePhone", "sms"))
REPORT_EVERY = timedelta(hours=24)


def of(world: World, user: Principal) -> list[Document]:
    """Every method of a person. Somebody of whom the directory keeps nothing has a password."""
    found = [row for row in table(world, "methods").values() if row["_user"] == user.object_id]
    if found or user.object_id in table(world, "users"):
        return found
    return [
        {
            "@odata.type": KINDS[PASSWORD],
            "id": PASSWORD_ID,
            "password": None,
            "createdDateTime": None,
            "_user": user.object_id,
        }
    ]


def key(user: str, method: str) -> str:
    """The key of a row: ids of phones, e-mails and passwords are the same for everybody."""
    return f"{user}/{method}"


def registration(world: World, user: Principal, tenant: str) -> Document:
    """The report's row of a person: what was registered when the report was last made, some hours ago."""
    offset = Chance(f"{world.seed}/registration/{user.object_id}").random()
    now = world.clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    made = midnight + REPORT_EVERY * offset
    if made > now:
        made -= REPORT_EVERY
    reported = [_reported(row) for row in of(world, user) if str(row.get("_created") or "") <= stamp(made)]
    names = list(dict.fromkeys(name for name in reported if name))
    strong = _SECOND_FACTORS & set(names)
    guest = "#ext#" in user.upn.lower()
    enough = len([name for name in names if name not in ("temporaryAccessPass", "windowsHelloForBusiness")]) >= 2
    return {
        "id": user.object_id,
        "userPrincipalName": user.upn,
        "userDisplayName": user.name,
        "userType": "guest" if guest else "member",
        "isAdmin": _is_admin(world, user, tenant),
        "isSsprRegistered": enough,
        "isSsprEnabled": not guest,
        "isSsprCapable": enough and not guest,
        "isMfaRegistered": bool(strong),
        "isMfaCapable": bool(strong),
        "isPasswordlessCapable": bool(_PASSWORDLESS & set(names)),
        "methodsRegistered": names,
        "isSystemPreferredAuthenticationMethodEnabled": True,
        "systemPreferredAuthenticationMethods": [],
        "userPreferredMethodForSecondaryAuthentication": next(
            (how for name, how in _PREFERRED if name in names), "none"
        ),
        "lastUpdatedDateTime": stamp(made),
    }


def _reported(row: Document) -> str:
    if row["@odata.type"] == KINDS[PHONE]:
        return _PHONES[row["phoneType"]]
    return _REPORTED.get(row["@odata.type"], "")


def _is_admin(world: World, user: Principal, tenant: str) -> bool:
    holders = {user.object_id, *groups_of(world, user.object_id)}
    return any(row["principalId"] in holders for row in roles.assignments(world, tenant)) or any(
        row["principalId"] in holders for row in rows(world, "roleEligibilities", tenant)
    )


def shown(row: Document) -> Document:
    return public(row)
