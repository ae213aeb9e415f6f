"""Facts about how well a subscription and its tenant are protected against the next attack. Each holds its checks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from firebreak.model.check import Checked


class Alerting(Checked, frozen=True, kw_only=True):
    """Who is told of what happens in the subscription. None: not read. All are raw documents of Azure.

    `groups` are action groups (lists of people), `rules` alert rules on the activity log, `contact` the security contact whom Defender for
    Cloud and Microsoft write to; `contact_was_read` tells "there is none" from "not read".
    """

    groups: tuple[dict[str, Any], ...] | None = None
    rules: tuple[dict[str, Any], ...] | None = None
    contact: dict[str, Any] | None = None
    contact_was_read: bool = False


class SpendingAlerts(Checked, frozen=True, kw_only=True):
    """Who is told when money is spent. None: not read. `budgets` and `anomalies` are raw documents of Azure.

    `partner_budget` is the amount of the customer's usage budget in Partner Center, None when there is none; `partner_budget_was_read` tells
    that from "not read". `partner_path` is its path, "" when the customer is not known.
    """

    budgets: tuple[dict[str, Any], ...] | None = None
    anomalies: tuple[dict[str, Any], ...] | None = None
    partner_path: str = ""
    partner_budget: Decimal | None = None
    partner_budget_was_read: bool = False


class DefenderPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One plan of Defender for Cloud. `trial` is what is left of the free trial ("30 days"), "" when nothing is."""

    name: str
    tier: str
    sub_plan: str = ""
    trial: str = ""
    deprecated: bool = False


class ScoreControl(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the secure score: points now and at most, and how many resources it finds wanting."""

    name: str
    current: Decimal
    most: Decimal
    unhealthy: int = 0


class DefenderFacts(Checked, frozen=True, kw_only=True):
    """Defender for Cloud: its plans, and its secure score in points. None: not read. `in_use` counts the resources each plan would watch.

    `prices` are list prices of one unit a month by plan, in `currency`; a plan that is not among them has none that is known.
    """

    plans: tuple[DefenderPlan, ...] | None = None
    score: tuple[Decimal, Decimal] | None = None
    controls: tuple[ScoreControl, ...] | None = None
    in_use: dict[str, int] = msgspec.field(default_factory=dict)
    prices: dict[str, Decimal] = msgspec.field(default_factory=dict)
    currency: str = "USD"


class SignInRules(Checked, frozen=True, kw_only=True):
    """What a sign-in to the tenant has to pass.

    `emergency_people` and `emergency_groups` are object ids of the accounts that must get in when everything else fails, and that new rules
    except. `old_clients` are the old protocols (which know no second factor) that somebody signed in by lately, with how often; None when the
    sign-ins were not read.
    """

    emergency_people: tuple[str, ...] = ()
    emergency_groups: tuple[str, ...] = ()
    old_clients: dict[str, int] | None = None


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """Capacity that is reserved and paid whether machines run in it or not: `count` machines of a size in a region."""

    id: str
    region: str
    size: str
    count: int


class CapacityFacts(Checked, frozen=True, kw_only=True):
    """Capacity reservations of the subscription. None: not read."""

    reservations: tuple[Reservation, ...] | None = None
