"""Whose a subscription is, among the customers that this installation responds for: asked of Resource Manager in each customer's tenant.

    tenant = await customer_of(room, subscription)       # for alerts that name no customer
    seen = await subscriptions_of(room, tenant)          # what the identity sees there

Alerts of Microsoft's partner lists name the customer. Those of Azure Monitor, Defender, Sentinel and Cost Management do not.
"""

from __future__ import annotations

from typing import Final

import msgspec

from firebreak.engine.looking import looking
from firebreak.engine.room import EngineRoom
from firebreak.errors import AlertError, RemoteError, ResponseError, ScopeError
from firebreak.model.ids import guid

NOBODY: Final = "00000000-0000-4000-8000-000000000000"  # for what belongs to no subscription, none is in reach
_SUBSCRIPTIONS: Final = "2022-12-01"


class SeenSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription that the identity sees in a customer's tenant, and the tenant whose it is, as Azure says."""

    id: str
    home_tenant: str


async def subscriptions_of(room: EngineRoom, tenant: str) -> tuple[list[SeenSubscription], list[str]]:
    """What the identity sees in a customer's tenant, and what of it cannot be read as a subscription.

    Raises:
        SettingsError, CredentialError, AccessError, RemoteError: the tenant cannot be asked.
    """
    found, problems = [], []
    async with looking(room, NOBODY, tenant=tenant) as eyes:
        for row in await eyes.arm.list("/subscriptions", _SUBSCRIPTIONS):
            try:
                one = guid(str(row.get("subscriptionId", "")), "subscription")
            except ScopeError as error:
                problems.append(error.message)
            else:
                found.append(SeenSubscription(id=one, home_tenant=str(row.get("tenantId") or tenant).lower()))
    return found, problems


async def customer_of(room: EngineRoom, subscription: str) -> str:
    """The customer's tenant through which a subscription is reached. With one customer it is that one, and nobody is asked.

    Raises:
        AlertError: no customer has it, or several see it and it belongs to none of them.
        RemoteError: no customer that could be asked has it, and some could not be asked.
    """
    tenants = room.settings.customer_tenants
    if len(tenants) == 1:
        return tenants[0]
    through: dict[str, str] = {}
    silent: list[str] = []
    for tenant in tenants:
        try:
            seen, _ = await subscriptions_of(room, tenant)
        except ResponseError as error:
            silent.append(f"{tenant}: {error.message}")
            continue
        if (home := next((one.home_tenant for one in seen if one.id == subscription.lower()), None)) is not None:
            through[tenant] = home
    at_home = [tenant for tenant, home in through.items() if tenant == home]
    if at_home or len(through) == 1:
        return (at_home or list(through))[0]
    if through:
        raise AlertError(
            f"The subscription {subscription} is seen in the tenants of {len(through)} customers and belongs to none of them.",
            hint="List the customer whose it is: see the setting customers.",
        )
    if silent:
        raise RemoteError(
            f"No customer that could be asked has the subscription {subscription}; not asked: {'; '.join(silent)}",
            hint="It is asked again.",
        )
    raise AlertError(
        f"None of {len(tenants)} customers has the subscription {subscription}, or the identity has no role in it.",
        hint="See the setting customers, and firebreak doctor.",
    )
