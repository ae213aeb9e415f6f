"""The compute provider's token buckets."""

from __future__ import annotations

import pytest

LIST = "virtualMachines"


@pytest.fixture
def throttled(cloud):
    cloud.make_vm()
    cloud.world.throttling = True
    return cloud


def test_one_resource_takes_twelve_updates_and_then_waits(throttled):
    answers = [throttled.call("POST", "virtualMachines/vm1/restart") for _ in range(13)]
    assert [a.status for a in answers] == [202] * 12 + [429]
    assert answers[-1].body["error"]["code"] == "OperationNotAllowed"
    assert answers[-1].headers["Retry-After"] == "15"
    throttled.wait(15)
    assert throttled.call("POST", "virtualMachines/vm1/restart").status == 202


def test_another_resource_and_another_policy_have_their_own_bucket(throttled):
    throttled.world.throttling = False
    throttled.make_vm("vm2")
    throttled.world.throttling = True
    for _ in range(12):
        throttled.call("POST", "virtualMachines/vm1/restart")
    assert throttled.call("POST", "virtualMachines/vm2/restart").status == 202
    assert throttled.call("POST", "virtualMachines/vm1/deallocate").status == 202


def test_lists_share_the_subscriptions_bucket_and_say_what_is_left(throttled):
    first = throttled.call("GET", LIST)
    assert (
        first.headers["x-ms-ratelimit-remaining-resource"]
        == "Microsoft.Compute/HighCostGet3Min;899,Microsoft.Compute/HighCostGet30Min;8999"
    )
    for _ in range(899):
        assert throttled.call("GET", LIST).status == 200
    assert throttled.call("GET", LIST).status == 429


def test_nothing_is_counted_while_throttling_is_off(cloud):
    cloud.make_vm()
    assert all(cloud.call("POST", "virtualMachines/vm1/restart").status == 202 for _ in range(20))
