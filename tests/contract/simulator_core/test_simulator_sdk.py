"""The real, unmodified Azure SDKs over real TLS: they sign in, read, write, delete and follow long-running operations."""

from __future__ import annotations

import ssl
from datetime import timedelta
from typing import Any

import httpx
import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import ClientSecretCredential
from azure.identity.aio import ClientSecretCredential as AsyncSecretCredential
from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.resource.locks import ManagementLockClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient as AsyncResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient

from azure_simulator.app import call_as
from azure_simulator.server import Running
from azure_simulator.services.locks.exceptions import ScopeLockedError
from azure_simulator.world import Principal, World


@pytest.fixture
def resources(credential: ClientSecretCredential, subscription_id: str, options: dict[str, Any]) -> Any:
    with ResourceManagementClient(credential, subscription_id, **options) as client:
        yield client


def test_subscriptions_tenants_and_locations_are_listed(
    credential: ClientSecretCredential, world: World, subscription_id: str, options: dict[str, Any]
) -> None:
    with SubscriptionClient(credential, **options) as client:
        assert [row.subscription_id for row in client.subscriptions.list()] == [subscription_id]
        assert client.subscriptions.get(subscription_id).state == "Enabled"
        assert [row.tenant_id for row in client.tenants.list()] == [world.tenant_id]
        names = {row.name: row.display_name for row in client.subscriptions.list_locations(subscription_id)}
    assert names["westeurope"] == "West Europe"
    assert len(names) >= 60


def test_a_group_is_created_tagged_and_deleted_with_what_it_holds(
    resources: Any, world: World, subscription_id: str
) -> None:
    world.operation_seconds = 0.5
    group = resources.resource_groups.create_or_update("rg1", {"location": "West Europe", "tags": {"team": "shop"}})
    assert group.location == "westeurope"
    created = resources.resources.begin_create_or_update_by_id(
        f"{group.id}/providers/Microsoft.Web/sites/site1",
        {"location": "westeurope", "properties": {}},
        api_version="2024-11-01",
    ).result()
    assert [row.id for row in resources.resources.list(filter="resourceType eq 'Microsoft.Web/sites'")] == [created.id]
    assert resources.resource_groups.check_existence("rg1")

    deletion = resources.resource_groups.begin_delete("rg1")
    assert not deletion.done()
    world.clock.advance(1)
    deletion.wait(timeout=10)

    assert deletion.status() == "Succeeded"
    assert len(world.groups) == 0
    assert created.id not in world.resources
    assert not resources.resource_groups.check_existence("rg1")
    with pytest.raises(ResourceNotFoundError) as error:
        resources.resource_groups.get("rg1")
    assert error.value.error.code == "ResourceGroupNotFound"


def test_tags_are_merged_on_the_subscription(resources: Any, world: World, subscription_id: str) -> None:
    scope = f"/subscriptions/{subscription_id}"
    world.subscriptions[scope]["tags"] = {"env": "prod"}
    resources.tags.begin_update_at_scope(
        scope, {"operation": "Merge", "properties": {"tags": {"incident": "INC-1"}}}
    ).result()
    assert world.subscriptions[scope]["tags"] == {"env": "prod", "incident": "INC-1"}
    assert resources.tags.get_at_scope(scope).properties.tags["incident"] == "INC-1"


def test_a_lock_stops_deletion_until_it_is_removed(
    resources: Any, credential: ClientSecretCredential, world: World, subscription_id: str, options: dict[str, Any]
) -> None:
    group = resources.resource_groups.create_or_update("rg1", {"location": "westeurope"})
    with ManagementLockClient(credential, subscription_id, **options) as locks:
        locks.management_locks.create_or_update_by_scope(group.id, "keep", {"level": "CanNotDelete", "notes": "INC-1"})
        assert [lock.name for lock in locks.management_locks.list_at_subscription_level()] == ["keep"]
        with pytest.raises(ResourceExistsError) as error:
            resources.resource_groups.begin_delete("rg1")
        assert error.value.error.code == "ScopeLocked"
        assert error.value.error.message == ScopeLockedError(group.id.lower(), "delete", [group.id]).message.replace(
            group.id.lower(), f"/subscriptions/{subscription_id}/resourcegroups/rg1", 1
        )
        assert group.id in world.groups
        locks.management_locks.delete_by_scope(group.id, "keep")
    resources.resource_groups.begin_delete("rg1").wait(timeout=10)
    assert group.id not in world.groups


def test_the_activity_log_shows_what_the_sdk_did(
    resources: Any,
    credential: ClientSecretCredential,
    world: World,
    responder: Principal,
    subscription_id: str,
    options: dict[str, Any],
) -> None:
    resources.resource_groups.create_or_update("rg1", {"location": "westeurope"})
    start = (world.clock.now() - timedelta(days=1)).isoformat()
    with MonitorManagementClient(credential, subscription_id, **options) as monitor:
        events = list(monitor.activity_logs.list(filter=f"eventTimestamp ge '{start}' and resourceGroupName eq 'rg1'"))
        assert [event.status.value for event in events] == ["Succeeded", "Started"]
        assert {event.operation_name.value for event in events} == {
            "Microsoft.Resources/subscriptions/resourceGroups/write"
        }
        assert events[0].caller == responder.object_id
        assert events[0].correlation_id == events[1].correlation_id
        too_old = (world.clock.now() - timedelta(days=91)).isoformat()
        with pytest.raises(HttpResponseError) as error:
            list(monitor.activity_logs.list(filter=f"eventTimestamp ge '{too_old}'"))
    assert error.value.status_code == 400
    assert "more than 90 days in the past" in str(error.value)


def test_paging_follows_the_absolute_next_link(
    credential: ClientSecretCredential, world: World, subscription_id: str, options: dict[str, Any]
) -> None:
    owner = next(p for p in world.principals.values() if p.kind == "User")
    for number in range(150):
        call_as(
            world,
            owner.object_id,
            "PUT",
            f"/subscriptions/{subscription_id}/resourcegroups/g{number}",
            {"location": "westus"},
        )
    start = (world.clock.now() - timedelta(hours=1)).isoformat()
    with MonitorManagementClient(credential, subscription_id, **options) as monitor:
        events = list(monitor.activity_logs.list(filter=f"eventTimestamp ge '{start}'"))
    assert len(events) == 300
    assert len({event.event_data_id for event in events}) == 300
    pages = [row for row in world.requests if "eventtypes" in row.url]
    assert [row.status for row in pages] == [200, 200]


def test_a_wrong_secret_and_a_disabled_app_are_refused(server: Running, world: World, responder: Principal) -> None:
    def sign_in(secret: str) -> str:
        with ClientSecretCredential(
            world.tenant_id,
            responder.app_id,
            secret,
            authority=server.base_url,
            disable_instance_discovery=True,
            connection_verify=server.ca_bundle,
        ) as one:
            return one.get_token("https://management.azure.com/.default").token

    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        sign_in("wrong")
    assert sign_in("responder-secret")
    responder.enabled = False
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000112"):
        sign_in("responder-secret")
    assert not any("responder-secret" in row.body for row in world.requests)


def test_a_revoked_token_is_challenged_and_a_fresh_one_is_taken(
    resources: Any, server: Running, world: World, responder: Principal
) -> None:
    assert list(resources.resource_groups.list()) == []
    world.clock.advance(5)
    responder.sessions_revoked_at = world.clock.now()
    world.clock.advance(5)
    assert list(resources.resource_groups.list()) == []
    assert [row.status for row in world.requests if "resourcegroups" in row.url] == [200, 401, 200]


@pytest.mark.slow
def test_a_read_of_an_unregistered_provider_makes_the_sdk_register_it(
    resources: Any, world: World, subscription_id: str
) -> None:
    """The SDK waits ten seconds of real time before it looks whether the registration is done."""
    world.registered_providers[subscription_id] = {"microsoft.compute"}
    resources.resource_groups.create_or_update("rg1", {"location": "westeurope"})
    site = f"/subscriptions/{subscription_id}/resourceGroups/rg1/providers/Microsoft.Web/sites/s"
    with pytest.raises(ResourceNotFoundError):
        resources.resources.get_by_id(site, api_version="2024-11-01")
    assert "microsoft.web" in world.registered_providers[subscription_id]
    assert [row.method for row in world.requests if "/register?" in row.url] == ["POST"]


def test_providers_tell_their_api_versions(resources: Any, world: World, subscription_id: str) -> None:
    world.registered_providers[subscription_id] = {"microsoft.compute"}
    compute = resources.providers.get("Microsoft.Compute")
    assert compute.registration_state == "Registered"
    assert all(kind.api_versions for kind in compute.resource_types)
    assert resources.providers.get("Microsoft.Web").registration_state == "NotRegistered"
    resources.providers.register("Microsoft.Web")
    assert resources.providers.get("Microsoft.Web").registration_state == "Registered"


def test_throttling_is_on_and_the_sdk_waits_for_it(resources: Any, world: World, subscription_id: str) -> None:
    for _ in range(250):
        list(resources.resource_groups.list())
    with pytest.raises(HttpResponseError) as error:
        list(resources.resource_groups.list(retry_total=0))
    assert error.value.status_code == 429
    assert error.value.error.code == "SubscriptionRequestsThrottled"
    assert error.value.response.headers["Retry-After"] == "1"
    world.clock.advance(2)
    assert list(resources.resource_groups.list()) == []


def test_control_routes_need_no_token(resources: Any, server: Running, world: World) -> None:
    resources.resource_groups.create_or_update("rg1", {"location": "westeurope"})
    trusted = ssl.create_default_context(cafile=server.ca_bundle)

    def read(path: str, body: Any = None) -> Any:
        with httpx.Client(base_url=server.base_url, verify=trusted) as client:
            return client.request("GET" if body is None else "POST", path, json=body).raise_for_status().json()

    log = read("/_simulator/requests")
    assert {"at", "method", "url", "status"} <= set(log[-1])
    assert log[-1]["method"] == "PUT"
    assert not any("authorization" in row["headers"] for row in log)
    assert [group["name"] for group in read("/_simulator/state")["groups"]] == ["rg1"]
    before = world.clock.now()
    read("/_simulator/clock", {"seconds": 60})
    assert world.clock.now() - before == timedelta(seconds=60)
    assert len(world.requests) == len(log)


async def test_the_asynchronous_sdk_follows_a_group_deletion(
    server: Running, world: World, responder: Principal, subscription_id: str, options: dict[str, Any]
) -> None:
    world.operation_seconds = 0.4
    async with (
        AsyncSecretCredential(
            world.tenant_id,
            responder.app_id,
            "responder-secret",
            authority=server.base_url,
            disable_instance_discovery=True,
            connection_verify=server.ca_bundle,
        ) as signed_in,
        AsyncResourceManagementClient(signed_in, subscription_id, **options) as client,
    ):
        await client.resource_groups.create_or_update("rg1", {"location": "westeurope"})
        assert [group.name async for group in client.resource_groups.list()] == ["rg1"]
        poller = await client.resource_groups.begin_delete("rg1")
        assert not poller.done()
        world.clock.advance(1)
        await poller.wait()
    assert len(world.groups) == 0
