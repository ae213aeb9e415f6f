"""The doctor signs in to each further customer with the one consent, over real sockets, and says who does not let it in."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from azure_simulator.app import assign
from azure_simulator.services.authorization import builtin as roles
from firebreak.cli.doctor import _customer
from firebreak.clients import Check
from tests.support.partner import Partnership, partnership

FABRIKAM, LITWARE = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
FABRIKAMS = "bbbbbbbb-2222-4222-8222-222222222222"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Partnership]:
    with partnership(tmp_path) as found:
        found.consent()
        row = copy.deepcopy(next(iter(found.world.subscriptions.values())))
        scope = f"/subscriptions/{FABRIKAMS}"
        found.world.subscriptions[scope] = {**row, "id": scope, "subscriptionId": FABRIKAMS, "tenantId": FABRIKAM}
        found.world.partner["customers"][FABRIKAM] = {"profile": {}}
        yield found


def check(place: Partnership, tenant: str) -> Check:
    settings = place.settings(customers=[{"tenant_id": tenant, "name": "Fabrikam"}])

    async def checked() -> Check:
        found = await _customer(settings, settings.customers[0])
        await asyncio.sleep(
            0.25
        )  # until connections over TLS have said goodbye: a loop that ends before leaves sockets open
        return found

    return asyncio.run(checked())


def test_a_customer_is_signed_in_to_with_the_one_consent_and_its_subscriptions_are_counted(place: Partnership) -> None:
    without = check(place, FABRIKAM)
    assert (without.ok, "no subscription is seen" in without.detail) == (False, True), without
    assign(place.world, place.agent, roles.OWNER, f"/subscriptions/{FABRIKAMS}")
    found = check(place, FABRIKAM)
    assert (found.name, found.ok) == ("customer Fabrikam", True)
    assert f"tenant {FABRIKAM}; 1 subscription" in found.detail


def test_a_tenant_that_does_not_know_us_is_named_with_what_to_do(place: Partnership) -> None:
    refused = check(place, LITWARE)
    assert not refused.ok
    assert LITWARE in refused.detail
    assert refused.hint
