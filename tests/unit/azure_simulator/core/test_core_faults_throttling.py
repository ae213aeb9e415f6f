"""Faults on purpose and the published token buckets."""

from __future__ import annotations

import httpx
import pytest

from azure_simulator.app import AsgiApp
from azure_simulator.faults import ConnectionDropped, Fault
from azure_simulator.services.signin.models import issue
from azure_simulator.world import Principal, World


@pytest.fixture
def client(world: World, responder: Principal) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(AsgiApp(world)),
        base_url=world.base_url,
        params={"api-version": "2025-04-01"},
        headers={"Authorization": f"Bearer {issue(world, responder)}"},
    )


@pytest.mark.parametrize(("kind", "happened"), [("drop_before", False), ("drop_after", True)])
async def test_a_dropped_connection_is_a_transport_error_before_or_after_the_effect(
    world: World, client: httpx.AsyncClient, subscription: str, kind: str, happened: bool
) -> None:
    world.faults.append(Fault(kind, method="PUT", url="/resourcegroups/rg1", times=1))  # type: ignore[arg-type]
    with pytest.raises(httpx.TransportError):
        await client.put(f"{subscription}/resourcegroups/rg1", json={"location": "westus"})
    assert (len(world.groups) == 1) is happened
    assert (world.requests[-1].status, world.requests[-1].fault) == (0, kind)
    again = await client.put(f"{subscription}/resourcegroups/rg1", json={"location": "westus"})
    assert again.status_code == (200 if happened else 201)


async def test_an_error_after_the_effect(world: World, client: httpx.AsyncClient, subscription: str) -> None:
    world.faults.append(Fault("error_after", method="PUT", status=504))
    answer = await client.put(f"{subscription}/resourcegroups/rg1", json={"location": "westus"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "GatewayTimeout")
    assert len(world.groups) == 1


async def test_status_throttle_and_expired_token_have_no_effect(
    world: World, client: httpx.AsyncClient, subscription: str
) -> None:
    world.faults[:] = [
        Fault("status", status=503, times=1),
        Fault("throttle", retry_after=7, times=1),
        Fault("expired_token", times=1),
    ]
    answers = [await client.put(f"{subscription}/resourcegroups/rg1", json={"location": "westus"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 429, 401, 201]
    assert "retry-after" not in answers[0].headers
    assert answers[1].headers["retry-after"] == "7"
    assert answers[2].json()["error"]["code"] == "ExpiredAuthenticationToken"
    assert [row.fault for row in world.requests] == ["status", "throttle", "expired_token", ""]


async def test_a_truncated_page_is_not_json(world: World, client: httpx.AsyncClient, subscription: str) -> None:
    world.faults.append(Fault("truncate_page", url="/resourcegroups", times=1))
    answer = await client.get(f"{subscription}/resourcegroups")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        answer.json()
    assert int(answer.headers["content-length"]) > len(answer.content)


async def test_a_failed_operation_has_no_effect_and_says_so(
    world: World, client: httpx.AsyncClient, subscription: str
) -> None:
    world.operation_seconds = 5
    await client.put(f"{subscription}/resourcegroups/rg1", json={"location": "westus"})
    world.faults.append(Fault("fail_operation", method="DELETE"))
    started = await client.delete(f"{subscription}/resourcegroups/rg1")
    world.clock.advance(6)
    ended = await client.get(started.headers["location"])
    assert (ended.status_code, ended.json()["error"]["code"]) == (409, "InternalExecutionError")
    assert len(world.groups) == 1
    assert world.events[-1]["status"]["value"] == "Failed"


def test_schedules_skip_every_and_times(world: World) -> None:
    rule = Fault("status", url="/x", skip=1, every=2, times=2)
    assert [rule.applies(world, "GET", "/x") for _ in range(9)] == [
        False,
        False,
        True,
        False,
        True,
        False,
        False,
        False,
        False,
    ]
    assert not rule.applies(world, "GET", "/y")


def test_a_rate_is_seeded(world: World) -> None:
    def draw() -> list[bool]:
        world.memory.pop("fault_dice", None)
        rule = Fault("status", rate=0.3)
        return [rule.applies(world, "GET", "/x") for _ in range(200)]

    first = draw()
    assert 30 < sum(first) < 90
    assert draw() == first


async def test_faults_are_set_over_http(world: World, client: httpx.AsyncClient, subscription: str) -> None:
    set_ = await client.post(
        "/_simulator/faults", json=[{"kind": "status", "status": 500, "url": "/locations", "times": 1}]
    )
    assert set_.json()[0]["kind"] == "status"
    assert (await client.get(f"{subscription}/locations")).status_code == 500
    assert (await client.get("/_simulator/faults")).json()[0]["used"] == 1
    for wrong in ({"kind": "melt"}, {"url": "x"}, {"kind": "status", "colour": 1}, {"kind": "status", "url": "("}):
        refused = await client.post("/_simulator/faults", json=[wrong])
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidFault")
    assert (await client.delete("/_simulator/faults")).status_code == 204
    assert world.faults == []


def test_a_dropped_connection_is_what_http_clients_catch() -> None:
    assert issubclass(ConnectionDropped, httpx.TransportError)


async def test_buckets_are_per_class_and_refill_with_time(
    world: World, client: httpx.AsyncClient, subscription: str
) -> None:
    world.throttling = True
    path = f"{subscription}/resourcegroups/rg1"
    codes = [(await client.put(path, json={"location": "westus"})).status_code for _ in range(203)]
    assert codes == [201, *[200] * 199, 429, 429, 429]
    refused = await client.put(path, json={"location": "westus"})
    assert refused.json()["error"]["code"] == "SubscriptionRequestsThrottled"
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-ms-ratelimit-remaining-subscription-writes"] == "0"
    read = await client.get(path)
    assert read.headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
    world.clock.advance(1)
    codes = [(await client.put(path, json={"location": "westus"})).status_code for _ in range(12)]
    assert codes == [*[200] * 10, 429, 429]
    world.clock.advance(3600)
    answer = await client.put(path, json={"location": "westus"})
    assert answer.headers["x-ms-ratelimit-remaining-subscription-writes"] == "199"


async def test_buckets_are_per_principal(
    world: World, client: httpx.AsyncClient, subscription: str, owner: Principal
) -> None:
    world.throttling = True
    for _ in range(251):
        last = await client.get(f"{subscription}/locations")
    assert last.status_code == 429
    other = await client.get(f"{subscription}/locations", headers={"Authorization": f"Bearer {issue(world, owner)}"})
    assert other.status_code == 200
