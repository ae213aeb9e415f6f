"""Partial reads: what failed is said, what is a mistake of ours is not hidden."""

from __future__ import annotations

import asyncio

import pytest

from firebreak.errors import MissingPermissionError, RejectedError, UnreachableError, WriteRefusedError
from tasks.reading import Notes, each, why


async def failing(error: Exception) -> str:
    raise error


@pytest.mark.parametrize("error", [MissingPermissionError("no"), RejectedError("no"), UnreachableError("no")])
async def test_a_refused_read_is_noted_and_gives_the_default(error: Exception) -> None:
    notes = Notes()
    assert await notes.attempt("locks", failing(error), "default") == "default"
    assert [note.what for note in notes.all] == ["locks"]


@pytest.mark.parametrize("error", [ValueError("a mistake"), WriteRefusedError("a promise"), asyncio.CancelledError()])
async def test_mistakes_promises_and_cancellation_pass_through(error: Exception) -> None:
    with pytest.raises(type(error)):
        await Notes().attempt("locks", failing(error), "default")


def test_a_reason_holds_no_request_id() -> None:
    error = RejectedError("GET /x was rejected with 409 Conflict: no. (request 5ab0ae0e-c47b)")
    assert why(error) == "rejected: GET /x was rejected with 409 Conflict: no."


async def test_many_reads_keep_their_order_and_their_limit() -> None:
    running, most = 0, 0

    async def one(value: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return value * 2

    assert await each(one, range(40), at_once=3) == [value * 2 for value in range(40)]
    assert most == 3


async def test_when_one_fails_the_others_end_and_the_error_comes_as_it_is() -> None:
    ended: list[int] = []

    async def one(value: int) -> int:
        if value == 1:
            raise RejectedError("no")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(value)
        return value

    with pytest.raises(RejectedError):
        await each(one, range(3))
    assert sorted(ended) == [0, 2]


def test_a_long_address_does_not_hide_what_was_answered() -> None:
    address = f"https://management.azure.com/subscriptions/{'x' * 300}?$filter={'y' * 300}"
    told = why(
        MissingPermissionError(f"GET {address} was refused with 403 AuthorizationFailed: no right. (request 1-2).")
    )
    assert told.startswith("missing_permission: GET https://management.azure.com/subscriptions/xxx")
    assert "was refused with 403 AuthorizationFailed: no right" in told
    assert len(told) <= 300


def test_what_partner_center_says_in_digits_comes_with_what_to_do() -> None:
    error = MissingPermissionError(
        "GET x was refused with 403 900308: no.", remote_code="900308", hint="A role is missing."
    )
    assert why(error).endswith("A role is missing.")
