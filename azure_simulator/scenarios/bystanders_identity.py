"""Legitimate changes of the directory around the time of an alert that look like an attack's, and a journey. Words of the `identity` list."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.scenarios.attack import Attack
from azure_simulator.scenarios.attack_identity import Step, give_consent
from azure_simulator.scenarios.identity import Directory, accounts, apps, life, places
from azure_simulator.scenarios.identity.signins import Away, Diary
from azure_simulator.services.graph import audits, methods, store


def _moment(attack: Attack, row: dict[str, Any]) -> datetime:
    return attack.now - timedelta(hours=float(row["before"]))


def _alike(attack: Attack, name: str, *values: Any) -> None:
    attack.alike.setdefault(name, []).extend(values)


def travel(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Somebody works abroad for some days, with the own computer and the second factor; the unknown place is noticed and cleared."""
    person, address = directory.person(row["who"]), "2001:db8:ab::9"
    place = places.abroad(directory, address)
    first, last = _moment(attack, row), attack.now
    diary = attack.world.unfilled["graph.signIns"]
    assert isinstance(diary, Diary)
    away = Away(address, first, last)
    habits = tuple(replace(h, away=away, mfa=True) if h.principal is person else h for h in diary.habits)
    attack.world.unfilled["graph.signIns"] = replace(diary, habits=habits)
    found = life.detection(
        directory,
        person,
        first + timedelta(hours=9),
        "unfamiliarFeatures",
        "low",
        address,
        place,
        state="remediated",
        detail="userPassedMFADrivenByRiskBasedPolicy",
    )
    life.cleared(directory, person, first + timedelta(hours=9), found["riskState"], found["riskDetail"])
    _alike(attack, "people", person.object_id)
    _alike(attack, "detections", found["id"])


def new_phone(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Somebody registers the authenticator on a new phone, from the office."""
    person, at = directory.person(row["who"]), _moment(attack, row)
    added = accounts.add_authenticator(directory, person, "Pixel 9", at)
    _alike(attack, "methods", {"user": person.object_id, "id": added["id"], "type": added["@odata.type"]})
    audit = life.record(
        directory,
        at,
        "User registered security info",
        life.USERS,
        person,
        audits.target(person),
        service=audits.METHODS,
        operation="Add",
        details={"AuthenticationMethod": "Authenticator App"},
    )
    _alike(attack, "audits", audit["id"])


def rotate_secret(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """An owner renews the secret of a pipeline, as planned; the pipeline signs in with the new one from then on."""
    application, at = directory.applications[row["of"]], _moment(attack, row)
    by = directory.staff[row["by"]].principal
    principal = directory.staff[row["of"]].principal
    secret = directory.chance.guid() + directory.chance.guid()
    credentials = store.table(attack.world, "credentials")
    old = credentials[application["_signs_in_with"]]
    added = directory.credential(
        application["id"], apps.SECRET, at, at + timedelta(days=365), str(old["displayName"]), secret=secret
    )
    old["endDateTime"] = stamp(at + timedelta(days=14))
    principal.secrets.append(secret)
    apps.sign_in_with(application, added["keyId"], at + timedelta(hours=1))
    _alike(attack, "credentials", added["keyId"])
    _alike(attack, "audits", *(each["id"] for each in life.credential_changed(directory, application, by, at, added)))


def admin_consent(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """An administrator consents to an application that was bought, after taking up the role for it."""
    by, at = directory.staff[row["by"]].principal, _moment(attack, row)
    for audit in life.activated(directory, by, "Global Administrator", at - timedelta(minutes=9), hours=2):
        _alike(attack, "audits", audit["id"])
    for name, values in give_consent(directory, row, by, at, person=None).items():
        _alike(attack, name, *values)


def reset_password(attack: Attack, directory: Directory, row: dict[str, Any]) -> None:
    """Somebody forgot the password and asks the service desk."""
    person, at = directory.person(row["who"]), _moment(attack, row)
    directory.user(person)["lastPasswordChangeDateTime"] = stamp(at)
    method = store.table(attack.world, "methods")[methods.key(person.object_id, methods.PASSWORD_ID)]
    method |= {"createdDateTime": stamp(at), "_created": stamp(at)}
    support = directory.staff["support"].principal
    audit = life.record(
        directory, at, "Reset user password", life.USERS, support, audits.target(person), operation="Reset"
    )
    _alike(attack, "audits", audit["id"])


STEPS: dict[str, Step] = {
    "travel": travel,
    "new_phone": new_phone,
    "rotate_secret": rotate_secret,
    "admin_consent": admin_consent,
    "reset_password": reset_password,
}
