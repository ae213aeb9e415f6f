"""Keys that an intruder asked for, and vaults whose doors they opened: what lets somebody in without an account. No value of a key is ever in here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from firebreak.model.facts import Facts


class KeyHolder(msgspec.Struct, frozen=True, kw_only=True):
    """A resource of which the attacker was told keys, links or passwords.

    `kind` is its resource type in lower case, `called` what was told, in words. `caller`, `address`, `at` and `event_ids` are of the newest time,
    and `at` is when it was last told. `made` maps the name of a key to when it was made, "" where Azure does not tell; it is empty for
    what Firebreak does not make anew. `created` identifies a storage account. `users` are others who were told the same keys lately.
    """

    id: str
    kind: str
    called: str
    at: datetime
    caller: str = ""
    address: str = ""
    event_ids: tuple[str, ...] = ()
    region: str = ""
    created: str = ""
    made: dict[str, str] = {}
    switched_off: bool = False
    users: tuple[str, ...] = ()
    is_attackers: bool = False


class ListedKeys(Facts, frozen=True, kw_only=True):
    """All of them, sorted by id."""

    items: tuple[KeyHolder, ...] = ()


class VaultDoor(msgspec.Struct, frozen=True, kw_only=True):
    """An access policy that the attacker gave in a vault and that stands there now.

    `policy` is the entry as Azure keeps it: tenantId, objectId, permissions. `named`: the log tells that the attacker's request named this
    identity; else the identity is the attacker's own.
    """

    vault_id: str
    principal_id: str
    policy: dict[str, Any]
    at: datetime
    caller: str = ""
    address: str = ""
    event_ids: tuple[str, ...] = ()
    named: bool = False


class VaultDeed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the attacker did to a vault and that a person has to see to. `state` is how it stands now, `todo` what is to be done."""

    vault_id: str
    what: str
    at: datetime
    state: str = ""
    todo: str = ""
    caller: str = ""
    address: str = ""
    event_ids: tuple[str, ...] = ()


class Vaults(Facts, frozen=True, kw_only=True):
    """The doors and deeds, sorted. `reachable` are vaults whose contents an identity of the attacker's may have read, by id, with whom."""

    doors: tuple[VaultDoor, ...] = ()
    deeds: tuple[VaultDeed, ...] = ()
    reachable: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    regions: dict[str, str] = msgspec.field(default_factory=dict)
