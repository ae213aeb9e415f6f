from __future__ import annotations

import asyncio

import pytest

from firebreak.clients.policies.exchange import Call, Reply
from firebreak.clients.policies.governor import Buckets, Governor, classify
from firebreak.settings import ThrottleSettings
from tests.support.tiny_service import FakeTime

SUBSCRIPTION = "33333333-3333-4333-8333-333333333333"
URL = f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/disks/d"


class Service:
    """Counts what arrives and when; answers with the headers it is given, in order."""

    def __init__(self, time: FakeTime, *answers: tuple[int, dict[str, str]]) -> None:
        self.time = time
        self.answers = list(answers)
        self.at: list[float] = []

    async def __call__(self, call: Call) -> Reply:
        self.at.append(self.time.now)
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        return Reply(status, headers, b"")


def governor(time: FakeTime, buckets: Buckets | None = None) -> Governor:
    return Governor(buckets or Buckets(ThrottleSettings(), time.monotonic), sleep=time.sleep, longest_wait_seconds=120)


@pytest.mark.parametrize(
    ("method", "burst", "rate"), [("GET", 250, 25), ("DELETE", 200, 10), ("POST", 200, 10), ("PUT", 200, 10)]
)
async def test_the_burst_goes_at_once_and_the_rest_at_the_refill_rate(method: str, burst: int, rate: int) -> None:
    time = FakeTime()
    service, policy = Service(time), governor(time)
    for _ in range(burst + 3 * rate):
        await policy(Call(method, URL, {}), service)
    assert service.at[burst - 1] == 1000.0
    assert service.at[-1] == pytest.approx(1003.0, abs=0.01)


async def test_classes_and_subscriptions_do_not_slow_each_other() -> None:
    time = FakeTime()
    service, policy = Service(time), governor(time)
    for _ in range(200):
        await policy(Call("DELETE", URL, {}), service)
    await policy(Call("PUT", URL, {}), service)
    await policy(Call("DELETE", URL.replace("3333", "5555"), {}), service)
    assert time.slept == []


async def test_what_the_service_says_is_left_is_believed_both_ways() -> None:
    time = FakeTime()
    header = "x-ms-ratelimit-remaining-subscription-deletes"
    service, policy = Service(time, (200, {header: "2"})), governor(time)
    for _ in range(4):
        await policy(Call("DELETE", URL, {}), service)
    assert len(time.slept) == 1, "two left after the first, so the fourth waits"
    service.answers = [(200, {header: "199"})]
    await policy(Call("DELETE", URL, {}), service)
    before = len(time.slept)
    for _ in range(199):
        await policy(Call("DELETE", URL, {}), service)
    assert len(time.slept) == before


async def test_an_answer_that_took_long_is_not_believed() -> None:
    time = FakeTime()
    policy = governor(time)

    async def slow(call: Call) -> Reply:
        time.now += 30
        return Reply(200, {"x-ms-ratelimit-remaining-subscription-deletes": "0"}, b"")

    await policy(Call("DELETE", URL, {}), slow)
    await policy(Call("DELETE", URL, {}), Service(time))
    assert time.slept == []


async def test_one_429_pauses_the_class_for_everybody() -> None:
    time = FakeTime()
    buckets = Buckets(ThrottleSettings(), time.monotonic)
    service = Service(time, (429, {"Retry-After": "17"}))
    await governor(time, buckets)(Call("DELETE", URL, {}), service)
    await governor(time, buckets)(Call("GET", URL, {}), service)
    assert service.at == [1000.0, 1000.0]
    await governor(time, buckets)(Call("DELETE", URL.replace("disks/d", "disks/e"), {}), service)
    assert service.at[-1] >= 1017.0


async def test_a_providers_429_pauses_only_that_provider() -> None:
    time = FakeTime()
    policy = governor(time)
    headers = {"Retry-After": "30", "x-ms-ratelimit-remaining-resource": "Microsoft.Compute/DeleteVM3Min;0"}
    service = Service(time, (429, headers))
    await policy(Call("DELETE", URL, {}), service)
    await policy(Call("DELETE", URL.replace("Microsoft.Compute", "Microsoft.Network"), {}), service)
    assert time.slept == []
    await policy(Call("DELETE", URL, {}), service)
    assert service.at[-1] == 1030.0


async def test_requests_under_way_are_taken_off_what_is_left() -> None:
    time = FakeTime()
    buckets = Buckets(ThrottleSettings(), time.monotonic)
    policy = governor(time, buckets)
    go = asyncio.Event()

    async def held(call: Call) -> Reply:
        await go.wait()
        return Reply(200, {}, b"")

    waiting = [asyncio.create_task(policy(Call("DELETE", URL, {}), held)) for _ in range(5)]
    await asyncio.sleep(0)
    await policy(Call("DELETE", URL, {}), Service(time, (200, {"x-ms-ratelimit-remaining-subscription-deletes": "6"})))
    assert buckets.take(SUBSCRIPTION, "deletes", "") == 0
    assert buckets.take(SUBSCRIPTION, "deletes", "") > 0
    go.set()
    await asyncio.gather(*waiting)


async def test_a_request_that_fails_gives_its_place_back() -> None:
    time = FakeTime()
    buckets = Buckets(ThrottleSettings(), time.monotonic)

    async def broken(call: Call) -> Reply:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        await governor(time, buckets)(Call("DELETE", URL, {}), broken)
    await governor(time, buckets)(
        Call("DELETE", URL, {}), Service(time, (200, {"x-ms-ratelimit-remaining-subscription-deletes": "1"}))
    )
    assert buckets.take(SUBSCRIPTION, "deletes", "") == 0


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("GET", URL, (SUBSCRIPTION, "reads", "microsoft.compute")),
        ("POST", f"https://x/arm/subscriptions/{SUBSCRIPTION.upper()}?a=1", (SUBSCRIPTION, "writes", "")),
        (
            "DELETE",
            f"{URL}/providers/Microsoft.Authorization/locks/l",
            (SUBSCRIPTION, "deletes", "microsoft.authorization"),
        ),
        ("GET", "https://x/providers/Microsoft.Support/services", ("", "reads", "microsoft.support")),
    ],
)
def test_requests_are_put_into_their_bucket(method: str, url: str, expected: tuple[str, str, str]) -> None:
    assert classify(method, url) == expected
