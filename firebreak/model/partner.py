"""What a check of the partner's own tenant produces: checks, and the little beside them that its actions are planned from.

Like the other facts (`firebreak.model.facts`) they say what was not looked at. Names stand as the directory has them: hostile text.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from firebreak.model.check import Checked


class ScorePoint(msgspec.Struct, frozen=True, kw_only=True):
    """Microsoft's security score at one time: `met` of `asked` requirements."""

    at: datetime
    score: Decimal
    met: int = 0
    asked: int = 0


class PartnerScore(Checked, frozen=True, kw_only=True):
    """The score that Microsoft gives the partner; None: not read. `history` is Microsoft's own, the oldest first."""

    score: Decimal | None = None
    highest: Decimal | None = None
    history: tuple[ScorePoint, ...] = ()


class PartnerAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An enabled account of the partner's tenant. None stands for what was not read.

    `is_sync`: it synchronises the directory, and nothing can ask it for a second factor. `is_agent`: member of the admin agents. `roles` are
    template ids of directory roles that it holds for good, lower-case.
    """

    id: str
    upn: str
    name: str = ""
    is_sync: bool = False
    is_agent: bool = False
    roles: tuple[str, ...] = ()
    registered: bool | None = None
    capable: bool | None = None
    licences: tuple[str, ...] | None = None


class PartnerAccounts(Checked, frozen=True, kw_only=True):
    """Everybody who can sign in to the partner's tenant; None: not read."""

    accounts: tuple[PartnerAccount, ...] | None = None
    agents_read: bool = False


class PartnerCalls(Checked, frozen=True, kw_only=True):
    """What Partner Center says of the second factor behind calls."""


class ShutOut(msgspec.Struct, frozen=True, kw_only=True):
    """An account that security defaults would lock out, and why."""

    upn: str
    why: str


class PartnerSignIns(Checked, frozen=True, kw_only=True):
    """Sign-ins without a second factor, since `since`. `were_read` is False when the log was refused, in whole or in part.

    `shut_out` are accounts whose way to sign in stops working when security defaults are switched on.
    """

    since: datetime
    were_read: bool = False
    shut_out: tuple[ShutOut, ...] = ()


class PartnerFederation(Checked, frozen=True, kw_only=True):
    """Domains whose people sign in elsewhere; None: not read."""

    domains: tuple[str, ...] | None = None


class PartnerPolicies(Checked, frozen=True, kw_only=True):
    """Security defaults and what else asks for a second factor. `enforced` are names of access policies that are switched on; None: not read."""

    security_defaults: bool | None = None
    enforced: tuple[str, ...] | None = None


class PartnerRelationship(msgspec.Struct, frozen=True, kw_only=True):
    """A granular delegated relationship with a customer. `groups` are the partner's groups that may use it; None: not read."""

    id: str
    name: str
    status: str
    customer_id: str
    customer: str
    roles: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()
    activated_at: datetime | None = None
    ends_at: datetime | None = None
    days: int = 0
    renews: bool = False
    groups: int | None = None


class PartnerCustomers(Checked, frozen=True, kw_only=True):
    """What the partner may do in its customers' tenants; None: not read."""

    relationships: tuple[PartnerRelationship, ...] | None = None
    unrestricted: tuple[str, ...] | None = None


class PartnerLicences(Checked, frozen=True, kw_only=True):
    """Whether the admin agents have what protects them: the premium licence, roles for a while, policies by risk."""


class SecureModel(Checked, frozen=True, kw_only=True):
    """How this installation itself signs in."""


class PartnerSummary(Checked, frozen=True, kw_only=True):
    """What the single checks come to."""
