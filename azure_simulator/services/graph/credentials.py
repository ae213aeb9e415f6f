"""Secrets and certificates of applications and service principals: what Graph tells of them, and their removal.

A row of the table `graph.credentials` belongs to an object (`_owner`). The row of a client secret that signs in here keeps it as `_secret`,
which is never answered; removing the row takes it from every service principal of the app.
"""

from __future__ import annotations

from typing import Any

from azure_simulator.services.graph.exceptions import GraphBadRequestError
from azure_simulator.services.graph.store import table
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
