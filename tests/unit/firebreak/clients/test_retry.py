"""The table in `policies/retry.py`, row by row."""

from __future__ import annotations

import random

import pytest

from firebreak.clients.policies.exchange import Call, NoAnswerError, NotSentError, Reply
from firebreak.clients.policies.retry import Retry
from tests.support.tiny_service import FakeTime


class Script:
    """Answers in order: an exception to raise, or (status, headers, body)."""

    def __init__(self, *steps: object) -> None:
        self.steps = list(steps)
        self.calls = 0

    async def __call__(self, call: Call) -> Reply:
        self.calls += 1
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, int):
            step = (step, {}, b"{}")
        assert isinstance(step, tuple)
        status, headers, body = step
        return Reply(status, headers, body)


def policy(time: FakeTime, **changes: float) -> Retry:
    limits = {"attempts": 4, "total_seconds": 600.0, "longest_wait_seconds": 120.0} | changes
    return Retry(sleep=time.sleep, monotonic=time.monotonic, chance=random.Random(1), **limits)  # type: ignore[arg-type]  # noqa: S311 - seeded on purpose


READ = Call("GET", "https://localhost/x", {}, is_read=True)
WRITE = Call("DELETE", "https://localhost/x", {})


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_a_read_is_repeated_on_gateway_answers_and_a_write_is_not(status: int) -> None:
    time, script = FakeTime(), Script(status, status, 200)
    assert (await policy(time)(READ, script)).status == 200
    assert script.calls == 3
    script = Script(status, 200)
    assert (await policy(time)(WRITE, script)).status == status
    assert script.calls == 1


@pytest.mark.parametrize("call", [READ, WRITE], ids=["read", "write"])
@pytest.mark.parametrize("first", [NotSentError("refused"), 429], ids=["not sent", "429"])
async def test_what_surely_had_no_effect_is_repeated(call: Call, first: object) -> None:
    time, script = FakeTime(), Script(first, 200)
    assert (await policy(time)(call, script)).status == 200
    assert script.calls == 2
    assert len(time.slept) == 1


async def test_a_lost_answer_is_asked_for_again_only_when_reading() -> None:
    time, script = FakeTime(), Script(NoAnswerError("reset"), 200)
    assert (await policy(time)(READ, script)).status == 200
    script = Script(NoAnswerError("reset"), 200)
    with pytest.raises(NoAnswerError):
        await policy(time)(WRITE, script)
    assert script.calls == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 301, 400, 403, 404, 409, 412, 501])
async def test_definite_answers_are_returned_at_once(status: int) -> None:
    for call in (READ, WRITE):
        script = Script(status)
        assert (await policy(FakeTime())(call, script)).status == status
        assert script.calls == 1


async def test_an_expired_token_is_renewed_once() -> None:
    for call in (READ, WRITE):
        script = Script(401, 200)
        assert (await policy(FakeTime())(call, script)).status == 200
        script = Script(401)
        assert (await policy(FakeTime())(call, script)).status == 401
        assert script.calls == 2


async def test_attempts_are_bounded_and_the_last_failure_is_told() -> None:
    time, script = FakeTime(), Script(NotSentError("refused"))
    with pytest.raises(NotSentError):
        await policy(time)(WRITE, script)
    assert script.calls == 4
    script = Script(503)
    assert (await policy(time)(READ, script)).status == 503
    assert script.calls == 4


async def test_waits_grow_and_stay_below_their_ceiling() -> None:
    time, script = FakeTime(), Script(503)
    await policy(time, attempts=10)(READ, script)
    assert len(time.slept) == 9
    for wait, ceiling in zip(time.slept, (0.5, 1, 2, 4, 8, 16, 30, 30, 30), strict=True):
        assert ceiling / 2 <= wait <= ceiling


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0.25"}, 0.25),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ms-ratelimit-microsoft.costmanagement-qpu-retry-after": "12"}, 12),
        ({"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "00:00:04"}, 4),
        ({"Retry-After": "Fri, 20 Nov 2026 03:00:09 GMT", "Date": "Fri, 20 Nov 2026 03:00:00 GMT"}, 9),
    ],
)
async def test_the_service_says_how_long_to_wait(headers: dict[str, str], wait: float) -> None:
    time = FakeTime()
    assert (await policy(time)(READ, Script((429, headers, b""), 200))).status == 200
    assert time.slept == [wait]


@pytest.mark.parametrize("header", ["soon", "-5", "nan", "inf", "1e99", ""])
async def test_a_senseless_wait_falls_back_to_the_own_one(header: str) -> None:
    time = FakeTime()
    await policy(time)(READ, Script((429, {"Retry-After": header}, b""), 200))
    assert 0 < time.slept[0] <= 0.5


async def test_a_wait_beyond_the_limit_is_not_waited() -> None:
    time, script = FakeTime(), Script((429, {"Retry-After": "3600"}, b""), 200)
    assert (await policy(time)(READ, script)).status == 429
    assert time.slept == []


async def test_throttling_is_bounded_by_the_deadline_not_by_attempts() -> None:
    time, script = FakeTime(), Script((429, {"Retry-After": "10"}, b""))
    assert (await policy(time, attempts=2, total_seconds=65)(WRITE, script)).status == 429
    assert time.slept == [10] * 6


async def test_a_page_that_is_cut_off_is_asked_for_again_and_never_passes() -> None:
    kind = {"Content-Type": "application/json"}
    script = Script((200, kind, b'{"value": [{"id"'), (200, kind, b'{"value": []}'))
    assert (await policy(FakeTime())(READ, script)).json() == {"value": []}
    with pytest.raises(NoAnswerError, match="cut off"):
        await policy(FakeTime())(READ, Script((200, kind, b'{"value": [{"id"')))
    script = Script((200, kind, b'{"id"'))
    assert (await policy(FakeTime())(WRITE, script)).status == 200
    assert script.calls == 1
