"""What the partner may do in its customers' tenants: the old unrestricted kind, and granular relationships that are wide, long, ending or idle."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import listed, shown
from firebreak.analysis.identity.delegation import relationship_of
from firebreak.analysis.partner.judging import Claim
from firebreak.model.check import Check
from firebreak.model.partner import PartnerRelationship

STEP = "investigate.partner_customers"
LIVING = frozenset({"active", "activating", "approved", "expiring"})
ENDABLE = frozenset({"active", "expiring"})
_SOON, _LONG_DAYS = timedelta(days=30), 365
_DAYS = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?", re.IGNORECASE)

UNRESTRICTED = Claim(
    id="no-unrestricted-access",
    row="S98",
    step=STEP,
    title="No customer is administered by the old kind of delegated access, which has no limits",
    advice="Agree on a granular relationship with each of these customers, then remove the old access in Partner Center; no program can.",
)
WIDE = Claim(
    id="relationships-narrow",
    row="S99",
    step=STEP,
    title="No relationship with a customer holds roles that lead to everything",
    advice="Ask the customer for a new relationship with the roles that the work needs, move the groups over, then end this one.",
)
LONG = Claim(
    id="relationships-short",
    row="S99",
    step=STEP,
    title="No relationship lasts longer than a year or renews itself",
    advice="Ask for shorter ones that people renew when they still need them; switch the renewal off.",
)
ENDING = Claim(
    id="relationships-not-ending",
    row="S99",
    step=STEP,
    title="No relationship that is in use ends within a month",
    advice="Ask the customer to approve a new one in time: the end cuts off the work, and the response to an attack with it.",
)
IDLE = Claim(
    id="relationships-used",
    row="S100",
    step=STEP,
    title="Every relationship is given to somebody at the partner",
    advice="End those that nobody needs: start this check with --end-relationship ID, two people approve it.",
)
RELATIONSHIP_CLAIMS = (WIDE, LONG, ENDING, IDLE)


def partner_relationship_of(document: Any, *, groups: int | None) -> PartnerRelationship:
    """A relationship; `groups` is how many of the partner's groups may use it now."""
    common = relationship_of(document, groups=groups)
    return PartnerRelationship(
        id=common.id,
        name=common.name,
        status=common.status,
        customer_id=doc.text(document, "customer", "tenantId").lower(),
        customer=doc.text(document, "customer", "displayName"),
        roles=common.roles,
        wide=common.wide,
        activated_at=common.activated_at,
        ends_at=common.ends_at,
        days=days_of(doc.text(document, "duration")),
        renews=common.renews,
        groups=groups,
    )


def days_of(duration: str) -> int:
    """The days of an ISO 8601 duration such as P730D; 0 for what is none."""
    found = _DAYS.fullmatch(duration.strip())
    years, months, days = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    return years * 365 + months * 30 + days


def unrestricted_check(names: Sequence[str], total: int, why: str) -> Check:
    failed = f"Customers that are: {len(names)} of {total}."
    if why:
        return UNRESTRICTED.partly(names, why, failed=failed)
    return UNRESTRICTED.judged(names, failed=failed, passed=f"None is; customers in all: {total}.")


def relationship_checks(
    relationships: Sequence[PartnerRelationship], *, now: datetime, why_no_groups: str
) -> list[Check]:
    """The checks on relationships that are alive; `why_no_groups` says what of their groups could not be read."""
    living = [one for one in relationships if one.status.lower() in LIVING]
    total = len(living)
    wide = [f"{told(one)}: {listed(one.wide, most=5)}" for one in living if one.wide]
    long = [
        f"{told(one)}: {one.days} days{', renews itself' if one.renews else ''}"
        for one in living
        if one.days > _LONG_DAYS or one.renews
    ]
    ending = [
        f"{told(one)}: ends {one.ends_at:%Y-%m-%d}"
        for one in living
        if one.ends_at and not one.renews and one.ends_at - now <= _SOON and one.groups != 0
    ]
    idle = [f"{told(one)}: given to no group; id {shown(one.id, 80)}" for one in living if is_idle(one)]
    idle_failed = (
        f"Relationships given to nobody: {len(idle)} of {total}. They wait for whoever gets into the partner's tenant."
    )
    return [
        WIDE.judged(
            wide,
            failed=f"Relationships that do: {len(wide)} of {total}.",
            passed=f"None does; relationships in all: {total}.",
        ),
        LONG.judged(
            long,
            failed=f"Relationships that do: {len(long)} of {total}.",
            passed=f"None does; relationships in all: {total}.",
        ),
        ENDING.judged(
            ending,
            failed=f"Relationships that do: {len(ending)} of {total}.",
            passed=f"None does; relationships in all: {total}.",
        ),
        IDLE.partly(idle, why_no_groups, failed=idle_failed)
        if why_no_groups
        else IDLE.judged(idle, failed=idle_failed, passed=f"All are; relationships in all: {total}."),
    ]


def is_idle(one: PartnerRelationship) -> bool:
    return one.groups == 0 and one.status.lower() in ENDABLE


def told(one: PartnerRelationship) -> str:
    """A relationship in a line of evidence."""
    return f"{shown(one.name, 80)} with {shown(one.customer or one.customer_id, 80)}"
