"""Vaults: how they are made, who may use them, and what becomes of deleted ones.

Access policies: https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/update-access-policy (2023-07-01). What `remove` leaves of an
entry of which only some permissions are named is not documented; here the named ones go, and the entry with the last.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.services.compute.documents import region
from azure_simulator.services.key_vault.exceptions import BadVaultRequestError
from azure_simulator.world import Document, Table, World

VAULT = "Microsoft.KeyVault/vaults"
POLICIES = "Microsoft.KeyVault/vaults/accessPolicies"
DELETED = "Microsoft.KeyVault/deletedVaults"
NAME = re.compile(r"(?!.*--)[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]")
_KINDS = ("keys", "secrets", "certificates", "storage")


def deleted_table(world: World) -> Table:
    """Deleted vaults by `/subscriptions/{s}/providers/Microsoft.KeyVault/locations/{l}/deletedVaults/{name}`."""
    return world.table("keyVault.deleted")


def find_vault(world: World, name: str) -> Document | None:
    """The vault of that name; names are unique in the whole cloud."""
    wanted = name.lower()
    return next((v for v in world.resources.of_type(VAULT) if str(v["name"]).lower() == wanted), None)


def uri(world: World, vault: Document) -> str:
    """Where the vault itself is reached."""
    return f"{world.base_url}/vault/{vault['name']}/"


def shown(world: World, vault: Document) -> Document:
    """The vault as answered: its address is this simulator's."""
    answer = {key: value for key, value in vault.items() if not key.startswith("_")}
    return answer | {"properties": answer["properties"] | {"vaultUri": uri(world, vault)}}


def complete(world: World, vault: Document) -> None:
    """Fill in what a request may leave out.

    Raises:
        BadVaultRequestError: 400, no tenant or no SKU.
    """
    properties = vault["properties"]
    if not properties.get("tenantId") or not isinstance(properties.get("sku"), dict):
        raise BadVaultRequestError("The parameter 'properties' needs 'tenantId' and 'sku'.")
    properties.setdefault("accessPolicies", [])
    check_policies(properties["accessPolicies"])
    for name, value in (
        ("enabledForDeployment", False),
        ("enableSoftDelete", True),
        ("softDeleteRetentionInDays", 90),
        ("enableRbacAuthorization", False),
        ("publicNetworkAccess", "Enabled"),
    ):
        properties.setdefault(name, value)
    properties.pop("createMode", None)
    properties["provisioningState"] = "Succeeded"
    properties["vaultUri"] = uri(world, vault)


def check_policies(given: Any) -> list[Document]:
    """Access policies of a body.

    Raises:
        BadVaultRequestError: 400, an entry names nobody or gives nothing.
    """
    if not isinstance(given, list):
        raise BadVaultRequestError("The parameter 'accessPolicies' must be a list.")
    for each in given:
        whole = isinstance(each, dict) and each.get("tenantId") and each.get("objectId")
        if not whole or not isinstance(each.get("permissions"), dict):
            raise BadVaultRequestError("An access policy needs 'tenantId', 'objectId' and 'permissions'.")
    return given


def change_policies(vault: Document, kind: str, given: list[Document]) -> None:
    """`add` joins permissions, `replace` sets those of the named ones, `remove` takes them away."""
    kept: list[Document] = [dict(each) for each in vault["properties"].get("accessPolicies") or []]
    for each in given:
        found = next((one for one in kept if _who(one) == _who(each)), None)
        if kind == "remove":
            if found is not None:
                found["permissions"] = _without(found["permissions"], each["permissions"])
                if not any(found["permissions"].values()):
                    kept.remove(found)
        elif found is None:
            kept.append(dict(each))
        elif kind == "replace":
            found["permissions"] = dict(each["permissions"])
        else:
            found["permissions"] = _joined(found["permissions"], each["permissions"])
    vault["properties"]["accessPolicies"] = kept


def _who(policy: Document) -> tuple[str, ...]:
    return tuple(str(policy.get(name) or "").lower() for name in ("tenantId", "objectId", "applicationId"))


def _joined(held: Document, more: Document) -> Document:
    return {
        kind: [*held.get(kind, ()), *(one for one in more.get(kind) or () if one.lower() not in _low(held.get(kind)))]
        for kind in _KINDS
        if held.get(kind) is not None or more.get(kind) is not None
    }


def _without(held: Document, less: Document) -> Document:
    if not any(less.get(kind) for kind in _KINDS):
        return {}
    return {
        kind: [one for one in held[kind] if one.lower() not in _low(less.get(kind))] for kind in _KINDS if kind in held
    }


def _low(permissions: Any) -> set[str]:
    return {str(one).lower() for one in permissions or ()}


def bury(world: World, vault: Document) -> None:
    """Keep a deleted vault until it is purged."""
    subscription = "/".join(str(vault["id"]).split("/")[:3])
    place = region(str(vault.get("location", "")))
    identity = f"{subscription}/providers/Microsoft.KeyVault/locations/{place}/deletedVaults/{vault['name']}"
    now = world.clock.now()
    days = int(vault["properties"].get("softDeleteRetentionInDays") or 90)
    deleted_table(world)[identity] = {
        "id": identity,
        "name": vault["name"],
        "type": DELETED,
        "properties": {
            "vaultId": vault["id"],
            "location": place,
            "tags": vault.get("tags") or {},
            "deletionDate": stamp(now),
            "scheduledPurgeDate": stamp(now + timedelta(days=days)),
            "purgeProtectionEnabled": bool(vault["properties"].get("enablePurgeProtection")),
        },
        "_vault": vault,
    }


def buried(world: World, name: str) -> Document | None:
    """The deleted vault of that name."""
    return next((row for row in deleted_table(world).values() if row["name"].lower() == name.lower()), None)
