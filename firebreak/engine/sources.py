"""Where alerts are polled: Graph's partner security alerts, FraudEvents, Partner Center's audit records, cost alerts. Reads only.

    look = await look_at_graph(room, since=None)     # all that it lists; None: without a limit of time
    look.rows, look.problems                         # a problem means: not looked at, or not to the end. Never "nothing there".

https://learn.microsoft.com/graph/api/partner-security-partnersecurityalert-list-securityalerts
https://learn.microsoft.com/partner-center/developer/get-fraud-events
https://learn.microsoft.com/rest/api/cost-management/alerts/list
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from firebreak.clients import CloudEyes
from firebreak.engine.customers import NOBODY, subscriptions_of
from firebreak.engine.looking import looking
from firebreak.engine.room import EngineRoom
from firebreak.errors import RejectedError, ResponseError, ScopeError
from firebreak.model.ids import guid

_COST_ALERTS = "2024-08-01"
_PAGE: Final = 100
# Partner Center refuses a start more than 90 days ago; a day is left for clocks that differ.
_RECORDS: Final = timedelta(days=89)

Row = dict[str, Any]


@dataclass
class Look:
    """What a source listed, as far as it could be read; `problems` are sentences with what to do."""

    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def look_at_graph(room: EngineRoom, since: datetime | None) -> Look:
    """The partner's security alerts that were detected since then, whatever their status; None: all that are not resolved.

    Which properties can be filtered by is not documented: where Graph refuses, everything is read, and it is the caller's to choose.
    What came before a page that could not be read is kept.
    """
    path = f"{room.settings.operations.alerts_api}/security/partner/securityAlerts"
    wanted = f"detectedDateTime ge {since:%Y-%m-%dT%H:%M:%SZ}" if since else "status ne 'resolved'"
    look = Look()
    async with _asking(room, look) as eyes:
        try:
            await _pages(eyes, path, {"$filter": wanted}, look)
        except RejectedError as error:
            if error.status not in (400, 501):
                raise
            look.rows.clear()
            await _pages(eyes, path, None, look)
    return look


async def look_at_fraud_events(room: EngineRoom) -> Look:
    """Every fraud event that is not resolved. The answer is a bare list, a page at a time until one is short."""
    look = Look()
    async with _asking(room, look) as eyes:
        for status in ("Active", "Investigating"):
            seen: set[str] = set()
            for number in range(1, room.settings.operations.max_pages + 1):
                page = {"EventStatus": status, "PageSize": str(_PAGE), "PageNumber": str(number)}
                rows = await eyes.partner_center.list("/v1/fraudEvents", page)
                fresh = [row for row in rows if str(row.get("eventId")) not in seen]
                look.rows += fresh
                seen |= {str(row.get("eventId")) for row in fresh}
                # A service that does not know pages answers with the same one for ever.
                if len(rows) < _PAGE or not fresh:
                    break
    return look


async def look_at_audit_records(room: EngineRoom, since: datetime) -> Look:
    """The partner's audit records since that day; 89 days at most are kept for asking. There is no filter by operation."""
    now, look = room.clock(), Look()
    first = max(since, now - _RECORDS)
    async with _asking(room, look) as eyes:
        asked = {"startDate": f"{first:%Y-%m-%d}", "endDate": f"{now:%Y-%m-%d}"}
        look.rows += await eyes.partner_center.list("/v1/auditrecords", asked)
    return look


async def look_at_cost_alerts(room: EngineRoom) -> Look:
    """The cost alerts of every subscription of every customer that this installation responds for; one that cannot be read is a problem of its own.

    The rows name no customer: each gets a key `customerTenantId`.
    """
    look, read = Look(), set[str]()
    tenants = await _customers(room, look)
    for tenant in tenants:
        for subscription in await _subscriptions(room, tenant, look, alone=len(tenants) == 1):
            if subscription not in read:
                read.add(subscription)
                await _cost_alerts_of(room, tenant, subscription, look)
    named = {one for one in room.settings.intake.subscriptions if one != "*"}
    if unseen := sorted(named - read) if len(tenants) > 1 and not look.problems else []:
        look.problems.append(f"No customer's tenant shows the subscriptions {', '.join(unseen[:5])}.")
    return look


async def _cost_alerts_of(room: EngineRoom, tenant: str, subscription: str, look: Look) -> None:
    path = f"/subscriptions/{subscription}/providers/Microsoft.CostManagement/alerts"
    part = Look()
    async with _asking(room, part, subscription, tenant=tenant) as eyes:
        part.rows += await eyes.arm.list(path, _COST_ALERTS)
    # With one customer there is nothing to say.
    more = {"customerTenantId": tenant} if tenant != room.settings.credential.tenant_id.lower() else {}
    look.rows += [{**row, **more} for row in part.rows]
    look.problems += [f"Subscription {subscription}: {problem}" for problem in part.problems]


async def _customers(room: EngineRoom, look: Look) -> tuple[str, ...]:
    """The tenants of those that the settings name, and with `poll.all_customers` of all that Partner Center lists."""
    tenants = dict.fromkeys(room.settings.customer_tenants)
    if room.settings.poll.all_customers:
        async with _asking(room, look) as eyes:
            for row in await eyes.partner_center.list("/v1/customers"):
                try:
                    tenants[guid(str(row.get("id", "")), "customer")] = None
                except ScopeError as error:
                    look.problems.append(error.message)
    return tuple(tenants)


async def _subscriptions(room: EngineRoom, tenant: str, look: Look, *, alone: bool) -> list[str]:
    """Those of a customer that the settings name; where they name none or `*`, those that the identity sees in the customer's tenant."""
    named = [one for one in room.settings.intake.subscriptions if one != "*"]
    if named and alone and "*" not in room.settings.intake.subscriptions:
        return named
    try:
        seen, problems = await subscriptions_of(room, tenant)
    except ResponseError as error:
        look.problems.append(str(error) if alone else f"Customer {tenant}: {error}")
        return []
    look.problems += problems
    return [one.id for one in seen if room.settings.intake.may_respond_for(one.id, unless_listed=True)]


async def _pages(eyes: CloudEyes, path: str, params: dict[str, str] | None, look: Look) -> None:
    async for page in eyes.graph.pages(path, params):
        look.rows += page


@asynccontextmanager
async def _asking(
    room: EngineRoom, look: Look, subscription: str = NOBODY, *, tenant: str = ""
) -> AsyncIterator[CloudEyes]:
    """Eyes on a connection that can write nothing; what goes wrong is told in the look, and the other sources go on."""
    try:
        async with looking(room, subscription, tenant=tenant) as eyes:
            yield eyes
    except ResponseError as error:
        look.problems.append(str(error))
