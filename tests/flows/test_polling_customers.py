"""One installation of a partner with several customers: each is asked with the credential for its own tenant, and one that fails stops no other."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azure_simulator.app import assign
from azure_simulator.faults import Fault
from azure_simulator.services.authorization import builtin as roles
from azure_simulator.services.partner_center import sender
from azure_simulator.world import World
from firebreak.engine.customers import customer_of
from firebreak.errors import AlertError, RemoteError
from firebreak.intake.channels import ALERTS, DEFENDER, PARTNER_CENTER
from firebreak.settings import CustomerSettings
from flows.deliveries import Deliveries
from flows.polling import PollReport, is_blind, poll_once
from flows.readings import read
from tests.flows.room_in_process import go_on
from tests.support.inprocess import responder
from tests.support.polls import Place, polling_room, raise_alert

FABRIKAM, LITWARE = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
FABRIKAMS, LITWARES = "bbbbbbbb-2222-4222-8222-222222222222", "cccccccc-2222-4222-8222-222222222222"


def add_customer(world: World, tenant: str, subscription: str) -> None:
    """A customer of the partner with one subscription, in which the responder has a role."""
    row = copy.deepcopy(next(iter(world.subscriptions.values())))
    scope = f"/subscriptions/{subscription}"
    world.subscriptions[scope] = {**row, "id": scope, "subscriptionId": subscription, "tenantId": tenant}
    assign(world, responder(world), roles.OWNER, scope)
    plan = {
        "document": {"id": tenant, "offerId": "DZH318Z0BPS6:0001"},
        "entitlements": {subscription: {"id": subscription}},
    }
    world.partner.setdefault("customers", {})[tenant] = {"profile": {}, "subscriptions": {tenant: plan}}


def add_cost_alert(world: World, subscription: str) -> None:
    identity = f"/subscriptions/{subscription}/providers/Microsoft.CostManagement/alerts/a1"
    definition = {"type": "Budget", "category": "Cost", "criteria": "CostThresholdExceeded"}
    properties = {"definition": definition, "status": "Active", "creationTime": "2026-03-02T05:00:00Z"}
    world.table("costmanagement.alerts")[identity] = {"id": identity, "name": "a1", "properties": properties}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with polling_room(tmp_path / "home", monkeypatch) as found:
        for tenant, subscription in ((FABRIKAM, FABRIKAMS), (LITWARE, LITWARES)):
            add_customer(found.world, tenant, subscription)
        listed = tuple(CustomerSettings(tenant_id=one, name=one[:4]) for one in (FABRIKAM, LITWARE))
        object.__setattr__(found.room.settings, "customers", listed)
        yield found


def poll(place: Place) -> dict[str, PollReport]:
    return {report.poll.source: report for report in asyncio.run(poll_once(place.room))}


def opened(place: Place) -> dict[str, str]:
    """The customer's tenant of each incident, by subscription."""
    alerts = [row.incident.alert for row in place.room.store.incidents.list()]
    assert len({one.subscription_id for one in alerts}) == len(alerts)
    return {one.subscription_id: one.customer_tenant_id for one in alerts}


def test_cost_alerts_of_every_customer_are_taken_with_the_customer_whose_they_are(place: Place) -> None:
    for subscription in (place.subscription, FABRIKAMS, LITWARES):
        add_cost_alert(place.world, subscription)
    report = poll(place)["cost-alerts"]
    assert report.poll.looked
    assert opened(place) == {place.subscription: place.world.tenant_id, FABRIKAMS: FABRIKAM, LITWARES: LITWARE}
    assert poll(place)["cost-alerts"].opened == ()
    assert len(place.started) == 3


def test_a_customer_that_cannot_be_asked_is_named_and_stops_no_other(place: Place) -> None:
    for subscription in (place.subscription, FABRIKAMS, LITWARES):
        add_cost_alert(place.world, subscription)
    broken = CustomerSettings(
        tenant_id=FABRIKAM, name="Fabrikam", connection_block="fabrikam", problem="No such block."
    )
    object.__setattr__(place.room.settings, "customers", (broken, CustomerSettings(tenant_id=LITWARE)))
    polled = poll(place)
    (problem,) = polled["cost-alerts"].poll.problems
    assert "Fabrikam" in problem
    assert "No such block." in problem
    assert is_blind(list(polled.values()))
    assert set(opened(place)) == {place.subscription, LITWARES}


def test_a_subscription_of_one_customer_that_refuses_stops_no_other(place: Place) -> None:
    for subscription in (place.subscription, FABRIKAMS, LITWARES):
        add_cost_alert(place.world, subscription)
    url = f"{FABRIKAMS}/providers/Microsoft.CostManagement/alerts"
    place.world.faults.append(Fault("status", status=403, method="GET", url=url))
    (problem,) = poll(place)["cost-alerts"].poll.problems
    assert FABRIKAMS in problem
    assert set(opened(place)) == {place.subscription, LITWARES}


def test_only_subscriptions_that_are_listed_are_asked_wherever_they_are(place: Place) -> None:
    for subscription in (place.subscription, FABRIKAMS, LITWARES):
        add_cost_alert(place.world, subscription)
    listed = place.room.settings.intake.model_copy(update={"subscriptions": (FABRIKAMS,)})
    object.__setattr__(place.room.settings, "intake", listed)
    poll(place)
    assert opened(place) == {FABRIKAMS: FABRIKAM}
    assert [url for url in place.asked("CostManagement/alerts") if FABRIKAMS not in url] == []


def test_every_customer_of_partner_center_is_asked_where_the_setting_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with polling_room(tmp_path / "all", monkeypatch, all_customers=True) as place:
        add_customer(place.world, FABRIKAM, FABRIKAMS)
        add_cost_alert(place.world, FABRIKAMS)
        poll(place)
        assert opened(place) == {FABRIKAMS: FABRIKAM}


def test_partner_alerts_of_every_customer_open_incidents_that_are_looked_at_in_their_tenant(place: Place) -> None:
    for subscription in (place.subscription, FABRIKAMS):
        raise_alert(place.world, "graph", subscription=subscription)
    poll(place)
    assert opened(place) == {place.subscription: place.world.tenant_id, FABRIKAMS: FABRIKAM}

    async def look(incident: str) -> Any:
        async with place.room.connect(incident) as clouds:
            return await clouds.eyes.arm.get(f"/subscriptions/{clouds.eyes.arm.subscription_id}", "2022-12-01")

    for incident in place.started:
        # A token of another customer's tenant is refused by Resource Manager: InvalidAuthenticationTokenTenant.
        found = asyncio.run(look(incident))
        assert found["tenantId"] == place.room.store.incidents.get(incident).alert.customer_tenant_id


@pytest.mark.slow
def test_a_response_for_another_customer_is_carried_out_in_its_tenant(place: Place) -> None:
    raise_alert(place.world, "graph", subscription=FABRIKAMS)
    poll(place)
    (incident,) = place.started
    began = len(place.world.requests)
    ran = go_on(place.room, place.world, incident)
    assert ran.state in ("done", "stopped")
    urls = [row for row in place.world.requests[began:] if "/subscriptions/" in row.url.lower()]
    asked = [row for row in urls if "/customers/" not in row.url]  # Partner Center's subscriptions are others
    # A token for another tenant than the subscription's gets 401 InvalidAuthenticationTokenTenant.
    assert {row.url.lower().split("/subscriptions/")[1][:36] for row in asked} == {FABRIKAMS}
    assert 401 not in {row.status for row in asked}
    assert place.room.store.values.get(incident, "settings-1")["tenant_id"] == FABRIKAM


def test_an_alert_of_an_own_program_that_names_no_customer_is_resolved_as_well(place: Place) -> None:
    body = f'{{"id": "own-1", "type": "manual", "title": "x", "subscriptionId": "{LITWARES}"}}'.encode()

    async def deliver() -> None:
        kept = Deliveries(place.room, read)
        await kept.process((await kept.take(ALERTS, body)).id)

    asyncio.run(deliver())
    assert opened(place) == {LITWARES: LITWARE}


@pytest.mark.parametrize(("subscription", "tenant"), [(FABRIKAMS, FABRIKAM), (LITWARES, LITWARE)])
def test_an_alert_that_names_no_customer_is_resolved_to_whose_subscription_it_is(
    place: Place, subscription: str, tenant: str
) -> None:
    listed = place.room.settings.intake.model_copy(update={"subscriptions": ("*",)})
    object.__setattr__(place.room.settings, "intake", listed)
    body = (
        f'{{"AlertType": "VM_X", "AlertDisplayName": "x", "SystemAlertId": "s-{subscription}", "Status": "New",'
        f' "TimeGeneratedUtc": "2026-03-02T05:00:00Z", "ResourceIdentifiers":'
        f' [{{"Type": "AzureResource", "AzureResourceId": "/subscriptions/{subscription}/resourceGroups/g"}}]}}'
    ).encode()

    async def deliver() -> None:
        kept = Deliveries(place.room, read)
        await kept.process((await kept.take(DEFENDER, body)).id)

    asyncio.run(deliver())
    assert opened(place) == {subscription: tenant}


def test_an_event_that_graph_cannot_confirm_is_about_the_customer_whose_subscription_it_is(place: Place) -> None:
    listed = place.room.settings.intake.model_copy(update={"subscriptions": (LITWARES,)})
    object.__setattr__(place.room.settings, "intake", listed)
    place.world.faults.append(Fault("status", status=403, method="GET", url="security/partner/securityAlerts"))
    body = sender.event(place.world, sender.FRAUD, subscription=LITWARES)

    async def deliver() -> None:
        kept = Deliveries(place.room, read)
        await kept.process((await kept.take(PARTNER_CENTER, body)).id)

    asyncio.run(deliver())
    assert opened(place) == {LITWARES: LITWARE}


def test_nobodys_subscription_is_refused_and_not_while_somebody_could_not_be_asked(place: Place) -> None:
    nobodys = "99999999-9999-4999-8999-999999999999"
    with pytest.raises(AlertError, match="None of 3 customers"):
        asyncio.run(customer_of(place.room, nobodys))
    broken = CustomerSettings(tenant_id=FABRIKAM, connection_block="fabrikam", problem="No such block.")
    object.__setattr__(place.room.settings, "customers", (broken,))
    with pytest.raises(RemoteError, match="No such block"):
        asyncio.run(customer_of(place.room, nobodys))
