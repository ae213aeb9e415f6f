"""What the operator says is good at a customer: pipelines, break-glass accounts, the partner's offices.

A name alone says little, since a stolen identity has the same one; an address says more, and both together most. Nothing on the list clears
a session of what it did: an entry gives points against, like every other reason, and is shown with them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from firebreak.analysis.documents import shown
from firebreak.analysis.evidence import Clue, Kind, Work, clue
from firebreak.errors import ContentError

EVERY_CUSTOMER = "*"
_BOTH, _ADDRESS, _NAME = -45, -25, -15


class KnownGood(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry: at `customers` (tenant or subscription ids, or `*`), `identities` working from `addresses` are `what`.

    Identities are callers, object ids or client ids, in any case. Addresses are single ones or networks, as in 203.0.113.0/24. An entry
    that names no identity speaks for everybody at its addresses; one that names no address for its identities anywhere.
    """

    customers: tuple[str, ...]
    what: str
    identities: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def speaks_at(self, customer: Collection[str]) -> bool:
        """Whether the entry holds for a customer, given the lower-case ids of tenant and subscription."""
        return any(one == EVERY_CUSTOMER or one.lower() in customer for one in self.customers)

    def points_for(self, work: Work) -> int:
        """Points, negative, or 0 where the entry is not about the session."""
        session = work.session
        names = {session.caller.lower(), session.principal_id.lower(), session.app_id.lower()} - {""}
        named = any(one.lower() in names for one in self.identities)
        there = _within(session.address, self.addresses)
        if self.identities and self.addresses:
            return _BOTH if named and there else 0
        return _NAME if named else _ADDRESS if there else 0


def known_good(listed: Sequence[Any], customer: Iterable[str]) -> tuple[KnownGood, ...]:
    """The entries that hold for a customer.

    Raises:
        ContentError: an entry is no such thing; it is named by its place in the list.
    """
    ids = {one.lower() for one in customer if one}
    found = []
    for place, entry in enumerate(listed, 1):
        try:
            made = msgspec.convert(entry, KnownGood)
            for address in made.addresses:
                ipaddress.ip_network(address, strict=False)
        except (msgspec.ValidationError, ValueError) as error:
            raise ContentError(
                f"Entry {place} of known_good of investigate.attribution cannot be used: {error}.",
                hint="It wants customers, what, and identities or addresses; see docs/guide/attribution.md.",
            ) from error
        if made.speaks_at(ids):
            found.append(made)
    return tuple(found)


def known_good_clues(entries: Sequence[KnownGood], work: Work) -> list[Clue]:
    """What the list says for a session: its strongest entry."""
    points, what = min(((entry.points_for(work), entry.what) for entry in entries), default=(0, ""))
    if not points:
        return []
    matched = {_BOTH: "by its name and its address", _ADDRESS: "by its address", _NAME: "by its name alone"}[points]
    return [clue(Kind.CONTEXT, points, f"On the operator's list of what is good here, {matched}: {shown(what)}.")]


def _within(address: str, networks: Iterable[str]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(one, strict=False) for one in networks)
