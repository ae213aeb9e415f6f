"""The clients against the simulator: in this process, and over TLS with real sign-in and real sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from azure_simulator.app import empty_world, endpoints
from azure_simulator.faults import Fault
from azure_simulator.server import serve
from azure_simulator.world import World
from firebreak.clients import connect, doctor
from firebreak.clients.inprocess import in_process
from firebreak.errors import CredentialError, RemoteError, UncertainError, UnreachableError, WriteRefusedError
from firebreak.model.mode import Mode
from firebreak.settings import Settings
from tests.support.inprocess import (
    CORRELATION_ID,
    AsgiApp,
    responder,
    sent,
    settings_for,
    simulated,
    sleeping,
    subscription_of,
)

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    return empty_world(NOW)


def group_of(world: World, name: str = "rg1") -> str:
    return f"/subscriptions/{subscription_of(world)}/resourceGroups/{name}"


@pytest.mark.parametrize("signs_in", [False, True], ids=["handed a token", "signs in"])
async def test_reads_and_writes_arrive_as_the_responder(world: World, signs_in: bool) -> None:
    async with simulated(world, signs_in=signs_in) as connection:
        made = await connection.hands.arm.put(group_of(world), "2025-04-01", {"location": "westeurope"})
        assert made.status == 201
        (group,) = await connection.eyes.arm.list(
            f"/subscriptions/{subscription_of(world)}/resourcegroups", "2025-04-01"
        )
        assert group["name"] == "rg1"
        assert await connection.eyes.own_principal_ids() == (responder(world).object_id,)
        assert connection.eyes.now() == NOW
    arm = [row for row in world.requests if row.service == "arm"]
    assert {row.principal for row in arm} == {responder(world).object_id}
    assert {row.headers["x-ms-correlation-request-id"] for row in arm} == {CORRELATION_ID}


@pytest.mark.parametrize("mode", [Mode.DRY_RUN, Mode.REPLAY])
async def test_without_the_right_to_write_the_simulator_sees_reads_only(world: World, mode: Mode) -> None:
    async with simulated(world, mode=mode) as connection:
        with pytest.raises(WriteRefusedError):
            await connection.hands.arm.put(group_of(world), "2025-04-01", {"location": "westeurope"})
        with pytest.raises(WriteRefusedError):
            await connection.management.compute.virtual_machines.begin_deallocate("rg1", "vm1")
        await connection.eyes.arm.list("/subscriptions", "2022-12-01")
    assert [method for method, _ in sent(world)] == ["GET"]
    assert len(world.groups) == 0


async def test_a_write_whose_answer_is_lost_is_sent_once_and_called_uncertain(world: World) -> None:
    world.faults.append(Fault(kind="drop_after", method="PUT"))
    async with simulated(world) as connection:
        with pytest.raises(UncertainError):
            await connection.hands.arm.put(group_of(world), "2025-04-01", {"location": "westeurope"})
        assert len(sent(world, "PUT")) == 1
        assert await connection.eyes.arm.get(group_of(world), "2025-04-01") is not None


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="throttle", times=1, retry_after=3),
        Fault(kind="drop_before", method="GET", times=2),
        Fault(kind="truncate_page", method="GET", times=1),
        Fault(kind="status", method="GET", status=503, times=2),
        Fault(kind="expired_token", times=1),
    ],
    ids=lambda fault: fault.kind,
)
async def test_reads_get_through_passing_trouble(world: World, fault: Fault) -> None:
    world.faults.append(fault)
    async with simulated(world) as connection:
        assert len(await connection.eyes.arm.list("/subscriptions", "2022-12-01")) == 1
    assert len(sent(world, "GET")) == (fault.times or 0) + 1


async def test_a_throttled_burst_stays_under_the_published_buckets(world: World) -> None:
    world.throttling = True
    async with simulated(world) as connection:
        await asyncio.gather(
            *(
                connection.hands.arm.put(group_of(world, f"rg{n}"), "2025-04-01", {"location": "westeurope"})
                for n in range(230)
            )
        )
    assert len(world.groups) == 230
    assert [row for row in world.requests if row.status == 429] == []
    assert (world.clock.now() - NOW).total_seconds() == pytest.approx(3, abs=0.5)


async def test_the_doctor_tells_a_wrong_secret_from_a_healthy_cloud(world: World) -> None:
    # The simulated clock stands still; the doctor speaks to it over its own sign-in.
    healthy = await doctor(settings_for(world), transport=in_process(AsgiApp(world)))
    assert {check.name: check.ok for check in healthy} == dict.fromkeys([check.name for check in healthy], True), (
        healthy
    )
    settings = settings_for(world)
    wrong = settings.credential.model_copy(update={"client_secret": type(settings.credential.client_secret)("wrong")})  # type: ignore[call-arg,misc]
    checks = {
        c.name: c
        for c in await doctor(settings.model_copy(update={"credential": wrong}), transport=in_process(AsgiApp(world)))
    }
    assert not checks["sign-in"].ok
    assert "client secret is wrong" in checks["sign-in"].hint
    assert "wrong" not in checks["sign-in"].detail.split("AADSTS")[0]
    assert checks["subscriptions"].detail == "Not tried."
    assert {method for method, _ in sent(world)} == {"GET"}


@pytest.fixture
def over_tls(world: World, tmp_path: Path) -> Iterator[tuple[World, Path]]:
    with serve(world, port=0, folder=tmp_path) as server:
        yield world, Path(str(server.ca_bundle))


def tls_settings(world: World, ca_bundle: Path, secret: str = "") -> Settings:
    acting = responder(world)
    return Settings.load(
        cloud={"preset": "simulator", **endpoints(world), "ca_bundle": str(ca_bundle)},
        credential={
            "kind": "client_secret",
            "tenant_id": world.tenant_id,
            "client_id": acting.app_id,
            "client_secret": secret or acting.secrets[0],
        },
    )


async def test_the_real_transport_signs_in_reads_and_writes(over_tls: tuple[World, Path]) -> None:
    world, ca_bundle = over_tls
    async with connect(
        tls_settings(world, ca_bundle), subscription_id=subscription_of(world), mode=Mode.LIVE, correlation_id="INC-7"
    ) as connection:
        assert (await connection.hands.arm.put(group_of(world), "2025-04-01", {"location": "westeurope"})).status == 201
        assert (
            len(await connection.eyes.arm.list(f"/subscriptions/{subscription_of(world)}/resourcegroups", "2025-04-01"))
            == 1
        )
        assert await connection.eyes.own_principal_ids() == (responder(world).object_id,)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
async def test_a_broken_kept_connection_never_makes_the_transport_send_a_write_twice(
    over_tls: tuple[World, Path], method: str
) -> None:
    """aiohttp by itself repeats PUT and DELETE when a kept connection breaks before the answer."""
    world, ca_bundle = over_tls
    async with connect(
        tls_settings(world, ca_bundle), subscription_id=subscription_of(world), mode=Mode.LIVE, correlation_id="INC-7"
    ) as connection:
        arm = connection.hands.arm
        await arm.put(group_of(world), "2025-04-01", {"location": "westeurope"})
        world.faults.append(Fault(kind="drop_after", method=method))
        sending = {
            "PUT": lambda: arm.put(group_of(world, "rg2"), "2025-04-01", {"location": "westeurope"}),
            "DELETE": lambda: arm.delete(group_of(world), "2025-04-01"),
            "POST": lambda: arm.post(
                f"/subscriptions/{subscription_of(world)}/providers/Microsoft.Batch/register", "2021-04-01"
            ),
        }
        with pytest.raises(UncertainError):
            await sending[method]()
    assert len([url for _, url in sent(world, method) if "rg2" in url or method != "PUT"]) == 1


async def test_a_wrong_secret_a_wrong_ca_and_a_closed_port_are_told_apart(
    over_tls: tuple[World, Path], tmp_path: Path
) -> None:
    world, ca_bundle = over_tls
    subscription = subscription_of(world)

    async def read(settings: Settings) -> None:
        async with connect(
            settings, subscription_id=subscription, mode=Mode.LIVE, correlation_id="INC-7", sleep=sleeping(world)
        ) as connection:
            await connection.eyes.arm.list("/subscriptions", "2022-12-01")

    with pytest.raises(CredentialError, match="client secret is wrong"):
        await read(tls_settings(world, ca_bundle, secret="hunter2"))
    system = ssl.get_default_verify_paths().cafile
    if system:
        with pytest.raises(UnreachableError, match="not signed by a trusted authority"):
            await read(tls_settings(world, Path(system)))
    settings = tls_settings(world, ca_bundle)
    closed = settings.model_copy(
        update={"cloud": settings.cloud.model_copy(update={"resource_manager": "https://localhost:1"})}
    )
    with pytest.raises(UnreachableError, match="connection was refused"):
        await read(closed)


async def test_a_truncated_answer_over_the_wire_is_an_error_in_the_end(over_tls: tuple[World, Path]) -> None:
    world, ca_bundle = over_tls
    world.faults.append(Fault(kind="truncate_page", method="GET"))
    async with connect(
        tls_settings(world, ca_bundle),
        subscription_id=subscription_of(world),
        mode=Mode.LIVE,
        correlation_id="INC-7",
        sleep=sleeping(world),
    ) as connection:
        with pytest.raises(RemoteError):
            await connection.eyes.arm.list("/subscriptions", "2022-12-01")
    assert len(sent(world, "GET")) == 5
