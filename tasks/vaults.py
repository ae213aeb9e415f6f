"""How steps read and change Key Vaults: the api-version, entries of access policies, and what a network rule lets in.

https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/update-access-policy
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tasks.arm import items_at, text_at

VAULT: Final = "microsoft.keyvault/vaults"
VERSION: Final = "2023-07-01"
_PARTS: Final = ("tenantId", "objectId", "applicationId", "permissions")


def entries(document: Any) -> list[dict[str, Any]]:
    """The access policies of a vault, each with the parts that a request carries."""
    return [
        {part: one[part] for part in _PARTS if one.get(part)}
        for one in items_at(document, "properties", "accessPolicies")
        if isinstance(one, Mapping) and one.get("objectId")
    ]


def same_holder(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two entries are of the same identity, used through the same application."""
    return all(
        str(one.get(part) or "").lower() == str(other.get(part) or "").lower()
        for part in ("tenantId", "objectId", "applicationId")
    )


def entry_like(document: Any, policy: Mapping[str, Any]) -> dict[str, Any] | None:
    """The vault's entry for the same identity, None when it has none."""
    return next((one for one in entries(document) if same_holder(one, policy)), None)


def network_of(document: Any) -> str:
    """From where the vault is reached now, in words."""
    if text_at(document, "properties", "publicNetworkAccess").lower() == "disabled":
        return "reached through private endpoints only"
    if text_at(document, "properties", "networkAcls", "defaultAction").lower() == "deny":
        rules = len(items_at(document, "properties", "networkAcls", "ipRules"))
        return f"reached from {rules} named address ranges and its networks"
    return "reached from every network"
