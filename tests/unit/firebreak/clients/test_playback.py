"""Recorded answers played back: the same to the clients as when they came, in their order, and never a guess."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from firebreak.clients import Connection, Recorded, connect
from firebreak.clients.playback import Playback, canonical
from firebreak.errors import (
    MissingPermissionError,
    NotRecordedError,
    RemoteError,
    ScopeError,
    UnreachableError,
    WriteRefusedError,
)
from firebreak.evidence import Entry
from firebreak.model.mode import Mode
from firebreak.settings import Settings
from tests.support.tiny_service import BASE, PARTNER, SUBSCRIPTION, TENANT, TinyService, tiny

S = f"/subscriptions/{SUBSCRIPTION}"
DISKS, COSTS = f"{S}/providers/Microsoft.Compute/disks", f"{S}/providers/Microsoft.CostManagement/query"


class Tape:
    """Records what a connection reads, step by step, and plays it back."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.bodies: dict[str, bytes] = {}
        self.step, self.round, self.order = "investigate.inventory", 1, 0

    def keep(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.bodies[digest] = content
        return digest

    async def __call__(self, answer: Recorded) -> None:
        self.order += 1
        self.entries.append(
            Entry(
                at=answer.at,
                step=self.step,
                method=answer.method,
                url=answer.url,
                status=answer.status,
                digest=self.keep(answer.content),
                bytes=len(answer.content),
                content_type=answer.content_type,
                request=self.keep(answer.request) if answer.request else "",
                round=self.round,
                order=self.order,
                failure=answer.failure,
            )
        )

    def playback(self, *stages: str) -> Playback:
        return Playback(self.entries, lambda entry: self.bodies[entry.digest], stages=stages)


@asynccontextmanager
async def replaying(playback: Playback) -> AsyncIterator[Connection]:
    cloud = {"preset": "simulator"} | dict.fromkeys(("resource_manager", "login", "partner_center", "prices"), BASE)
    settings = Settings.as_shaped(
        {"cloud": cloud | {"graph": f"{BASE}/graph"}, "tenant_id": TENANT, "partner_tenant_id": PARTNER},
        settings_home(),
    )
    async with connect(
        settings,
        subscription_id=SUBSCRIPTION,
        mode=Mode.REPLAY,
        correlation_id="",
        transport=playback.transports,
        sleep=never,
        monotonic=lambda: 0.0,
    ) as connection:
        playback.turn_to("investigate.inventory", 1)
        yield connection


def settings_home() -> Any:
    return Settings.load().home


async def never(_: float) -> None:
    raise AssertionError("a replay waits for nothing")


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.fixture(autouse=True)
def _no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a socket was opened")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)


async def test_pages_queries_and_other_services_come_back_as_they_were(tape: Tape) -> None:
    service = TinyService()
    service.answer(
        "GET", DISKS, {"value": [{"id": "a"}], "nextLink": f"{BASE}{DISKS}?api-version=1&$skiptoken=%7B2%7D"}
    )
    service.answer("GET", DISKS, {"value": [{"id": "b"}]})
    service.answer("POST", COSTS, {"properties": {"columns": [], "rows": [[1.25, "x"]], "nextLink": None}})
    service.answer("GET", "/graph/v1.0/users", {"value": [{"id": "u"}]})

    async def read(connection: Connection) -> list[Any]:
        eyes = connection.eyes
        return [
            await eyes.arm.list(DISKS, "1"),
            await eyes.arm.query(COSTS, "2", {"type": "ActualCost"}),
            await eyes.graph.list("/v1.0/users"),
        ]

    async with tiny(service, recorder=tape) as connection:
        then = await read(connection)
    playback = tape.playback()
    async with replaying(playback) as connection:
        assert await read(connection) == then
    assert [row["id"] for row in then[0]] == ["a", "b"]
    assert playback.missing == ()


async def test_what_was_not_recorded_is_told_and_not_guessed(tape: Tape) -> None:
    service = TinyService().answer("GET", DISKS, {"value": []})
    service.answer("POST", COSTS, {"properties": {"columns": [], "rows": []}})
    async with tiny(service, recorder=tape) as connection:
        await connection.eyes.arm.list(DISKS, "1")
        await connection.eyes.arm.query(COSTS, "2", {"type": "ActualCost"})
    playback = tape.playback()
    async with replaying(playback) as connection:
        arm = connection.eyes.arm
        for asking in (
            arm.list(DISKS, "2"),
            arm.get(f"{DISKS}/x", "1"),
            arm.query(COSTS, "2", {"type": "AmortizedCost"}),
            connection.eyes.graph.list("/v1.0/users"),
        ):
            with pytest.raises(NotRecordedError, match=r"was not recorded in round 1"):
                await asking
        playback.turn_to("investigate.inventory", 2)
        with pytest.raises(NotRecordedError, match="round 2"):
            await arm.list(DISKS, "1")
    assert [(one.round, one.method) for one in playback.missing] == [
        (1, "GET"),
        (1, "GET"),
        (1, "POST"),
        (1, "GET"),
        (2, "GET"),
    ]


async def test_failures_are_the_same_failures_and_nothing_is_tried_again(tape: Tape) -> None:
    service = TinyService().answer("GET", DISKS, {"error": {"code": "AuthorizationFailed"}}, status=403)
    service.answer("GET", f"{DISKS}/busy", {"error": {"code": "Busy"}}, status=503)
    service.fails("GET", f"{DISKS}/gone", httpx.ReadError).fails("GET", f"{DISKS}/closed", httpx.ConnectError)
    wanted = ((DISKS, MissingPermissionError), (f"{DISKS}/busy", RemoteError), (f"{DISKS}/gone", RemoteError))
    wanted += ((f"{DISKS}/closed", UnreachableError),)
    said: dict[str, str] = {}
    async with tiny(service, recorder=tape) as connection:
        for path, kind in wanted:
            with pytest.raises(kind) as caught:
                await connection.eyes.arm.get(path, "1")
            said[path] = caught.value.message
    async with replaying(tape.playback()) as connection:
        for path, kind in wanted:
            with pytest.raises(kind) as caught:
                await connection.eyes.arm.get(path, "1")
            assert caught.value.message == said[path]


async def test_a_question_asked_again_gets_the_answers_in_their_order(tape: Tape) -> None:
    service = TinyService().answer("GET", f"{DISKS}/a", {"n": 1}).answer("GET", f"{DISKS}/a", {"n": 2})
    async with tiny(service, recorder=tape) as connection:
        for _ in range(2):
            await connection.eyes.arm.get(f"{DISKS}/a", "1")
    async with replaying(tape.playback()) as connection:
        found = [await connection.eyes.arm.get(f"{DISKS}/a", "1") for _ in range(3)]
    assert found == [{"n": 1}, {"n": 2}, {"n": 2}]


async def test_a_step_that_a_later_run_began_again_gets_that_runs_answers(tape: Tape) -> None:
    service = TinyService().answer("GET", f"{DISKS}/a", {"n": 1}).answer("GET", f"{DISKS}/a", {"n": 2})
    async with tiny(service, recorder=tape) as connection:
        await connection.eyes.arm.get(f"{DISKS}/a", "1")
        tape.order = 0  # the next connection counts anew
        await connection.eyes.arm.get(f"{DISKS}/a", "1")
    async with replaying(tape.playback()) as connection:
        assert await connection.eyes.arm.get(f"{DISKS}/a", "1") == {"n": 2}


async def test_steps_do_not_see_what_was_read_while_actions_were_carried_out(tape: Tape) -> None:
    service = TinyService().answer("GET", f"{DISKS}/a", {"state": "before"})
    service.answer("GET", f"{DISKS}/a", {"state": "after"}).answer("GET", f"{DISKS}/b", {"state": "after"})
    async with tiny(service, recorder=tape) as connection:
        await connection.eyes.arm.get(f"{DISKS}/a", "1")
        tape.step = "contain"
        await connection.eyes.arm.get(f"{DISKS}/a", "1")
        await connection.eyes.arm.get(f"{DISKS}/b", "1")
    playback = tape.playback("contain")
    async with replaying(playback) as connection:
        playback.turn_to("investigate.new_step", 1)  # another reading step may have what a reading step read
        assert await connection.eyes.arm.get(f"{DISKS}/a", "1") == {"state": "before"}
        with pytest.raises(NotRecordedError):
            await connection.eyes.arm.get(f"{DISKS}/b", "1")


async def test_nothing_is_written_and_nothing_leaves_the_subscription(tape: Tape) -> None:
    async with replaying(tape.playback()) as connection:
        for writing in (
            connection.hands.arm.post(f"{DISKS}/a/deallocate", "1"),
            connection.hands.arm.delete(f"{DISKS}/a", "1"),
            connection.hands.graph.patch("/v1.0/users/u", {}, request_id="r"),
            connection.hands.partner_center.post("/v1/x", {}, request_id="r"),
        ):
            with pytest.raises(WriteRefusedError, match="replay"):
                await writing
        with pytest.raises(ScopeError):
            await connection.eyes.arm.get("/subscriptions/44444444-4444-4444-8444-444444444444", "1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://H/subscriptions/A/x?b=1&a=2", "https://h:443/SUBSCRIPTIONS/a/X?A=2&b=1", True),
        ("https://h/providers/X?api-version=1", "https://h/providers/x?api-version=2", False),
        (
            "https://h/subscriptions/a?$filter=name eq 'x'",
            "https://h/subscriptions/a?%24filter=name%20eq%20%27x%27",
            True,
        ),
        ("https://h/subscriptions/a?$filter=X", "https://h/subscriptions/a?$filter=x", False),
        ("https://s.blob.core.windows.net/c/A.vhd", "https://s.blob.core.windows.net/c/a.vhd", False),
        ("https://h/v1.0/users?$top=1", "https://h/v1.0/users", False),
        ("https://h/subscriptions/a%2Fb", "https://h/subscriptions/a%2fb", True),
        ("https://h/subscriptions/a%2Fb", "https://h/subscriptions/a/b", False),
        ("https://h/x/ä b", "https://h/x/%C3%A4%20b", True),
    ],
)
def test_one_spelling_of_an_address(one: str, other: str, same: bool) -> None:
    assert (canonical(one) == canonical(other)) is same
