"""Secrets and certificates of applications and service principals: what Graph tells of them, and their removal.

A row of the table `graph.credentials` belongs to an object (`_owner`). The row of a client secret that signs in here keeps it as `_secret`,
which is never answered; removing the row takes it from every service principal of the app.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.services.graph.exceptions import GraphBadRequestError
from azure_simulator.services.graph.store import table
from azure_simulator.services.storage.models import moment
from azure_simulator.world import Document, Principal, World, public

PASSWORD, KEY = "passwordCredentials", "keyCredentials"


def shown(world: World, owner: str, principal: Principal | None = None) -> Document:
    """`passwordCredentials` and `keyCredentials` of an object.

    A service principal of which the directory keeps nothing (in a world made for one test) shows the secrets it signs in with.
    """
    rows = [row for row in table(world, "credentials").values() if row["_owner"] == owner]
    if principal is not None and principal.object_id not in table(world, "servicePrincipals"):
        rows += [
            {
                "keyId": _key_id(world, principal, secret),
                "displayName": f"secret {number}",
                "hint": "",
                "startDateTime": None,
                "endDateTime": None,
                "_kind": PASSWORD,
            }
            for number, secret in enumerate(principal.secrets, start=1)
        ]
    return {kind: [_public(row) for row in rows if row["_kind"] == kind] for kind in (PASSWORD, KEY)}


def remove_password(world: World, owner: str, app_id: str, key_id: str, principal: Principal | None = None) -> None:
    """Remove a secret; whoever signs in with it is refused from now on.

    Raises:
        GraphBadRequestError: the object has no such secret.
    """
    row = table(world, "credentials").get(key_id)
    if row is not None and row["_owner"] == owner and row["_kind"] == PASSWORD:
        del table(world, "credentials")[key_id]
        _forget(world, app_id, str(row.get("_secret") or ""))
        return
    for secret in principal.secrets if principal is not None else ():
        if principal is not None and _key_id(world, principal, secret) == key_id.lower():
            principal.secrets.remove(secret)
            return
    raise GraphBadRequestError(f"No password credential found with keyId '{key_id}'.")


def add_password(world: World, owner: str, app_id: str, given: Any) -> Document:
    """Make a client secret that signs in from now on; what is answered holds it, and never again.

    https://learn.microsoft.com/graph/api/application-addpassword

    Raises:
        GraphBadRequestError: no object, or times that are none.
    """
    wanted = {} if given is None else given
    if not isinstance(wanted, dict):
        raise GraphBadRequestError("'passwordCredential' must be an object.")
    now = world.clock.now()
    try:
        ends = str(wanted.get("endDateTime") or "") or stamp(now + timedelta(days=730))
        if moment(ends) <= now:
            raise GraphBadRequestError("The end date of the credential lies in the past.")
    except ValueError:
        raise GraphBadRequestError(
            "Cannot convert the literal of 'endDateTime' to the expected type 'Edm.DateTimeOffset'."
        ) from None
    key_id = world.chance.guid()
    secret = f"{world.chance.getrandbits(24):06x}~" + b64encode(
        world.chance.getrandbits(192).to_bytes(24, "big")
    ).decode().replace("/", "_").replace("+", ".")
    table(world, "credentials")[key_id] = {
        "keyId": key_id,
        "displayName": wanted.get("displayName"),
        "hint": secret[:3],
        "startDateTime": str(wanted.get("startDateTime") or stamp(now)),
        "endDateTime": ends,
        "_owner": owner,
        "_kind": PASSWORD,
        "_secret": secret,
    }
    for principal in world.principals.values():
        if principal.app_id == app_id:
            principal.secrets.append(secret)
    return _public(table(world, "credentials")[key_id]) | {"secretText": secret}


def keep_keys(world: World, owner: str, wanted: Any) -> None:
    """Remove the certificates of an object that are not among `wanted`.

    Raises:
        GraphBadRequestError: not a list, or one that the object does not have.
    """
    rows = table(world, "credentials")
    held = {key for key, row in rows.items() if row["_owner"] == owner and row["_kind"] == KEY}
    if not isinstance(wanted, list):
        raise GraphBadRequestError("'keyCredentials' must be a list.")
    kept = {str(each.get("keyId") or "").lower() for each in wanted}
    if kept - held:
        raise GraphBadRequestError("A new keyCredential needs its key.")
    for key in held - kept:
        del rows[key]


def _forget(world: World, app_id: str, secret: str) -> None:
    for principal in world.principals.values():
        if principal.app_id == app_id and secret in principal.secrets:
            principal.secrets.remove(secret)


def _key_id(world: World, principal: Principal, secret: str) -> str:
    """Made from the secret, so that it stays the same when others are removed."""
    return world.chance.child(f"key/{principal.object_id}/{secret}").guid()


def _public(row: Document) -> Document:
    shown = public(row) | {"customKeyIdentifier": row.get("customKeyIdentifier")}
    return shown | ({"secretText": None} if row["_kind"] == PASSWORD else {"key": None})
