"""The engine's connection to a simulated cloud, without sockets.

world = build("crypto-mining", seed=7, now=...)
async with simulated(world, mode=Mode.LIVE) as connection:
    await connection.hands.arm.post(...)
sent(world, "POST")          # the simulator's own log, as method and URL
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from azure.core.credentials import AccessToken

from azure_simulator.app import AsgiApp, endpoints
from azure_simulator.services.signin import models as signin
from azure_simulator.world import Principal, World
from firebreak.clients import Connection, Recorder, connect
from firebreak.clients.inprocess import in_process
from firebreak.model.mode import Mode
from firebreak.settings import Settings

CORRELATION_ID = "aaaaaaaa-0000-4000-8000-000000000001"


class SimulatedToken:
    """Signs in as a principal of the world, without the token endpoint."""

    def __init__(self, world: World, principal: Principal, tenant_id: str) -> None:
        self._world = world
        self._principal = principal
        self._tenant_id = tenant_id

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        token = signin.issue(
            self._world, self._principal, tenant=self._tenant_id, audience=scopes[0].removesuffix("/.default")
        )
        # The world's clock is not the machine's: asking anew each time keeps the two apart.
        return AccessToken(token, 0)

    async def close(self) -> None:
        return None

    async def __aenter__(self) -> SimulatedToken:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


def responder(world: World) -> Principal:
    """The service principal that Firebreak acts as: the first one with a client secret."""
    return next(p for p in world.principals.values() if p.kind == "ServicePrincipal" and p.secrets)


def settings_for(world: World, **overrides: Any) -> Settings:
    """Settings that point at the world and sign in as its responder."""
    acting = responder(world)
    cloud = {"preset": "simulator", **endpoints(world)}
    credential = {
        "kind": "client_secret",
        "tenant_id": world.tenant_id,
        "partner_tenant_id": world.partner_tenant_id,
        "client_id": acting.app_id,
        "client_secret": acting.secrets[0],
    }
    return Settings.load(**({"cloud": cloud, "credential": credential} | overrides))


def subscription_of(world: World) -> str:
    """The world's first subscription."""
    return str(next(iter(world.subscriptions.values()))["subscriptionId"])


def sleeping(world: World) -> Callable[[float], Awaitable[None]]:
    """A sleep that moves the world's clock instead of waiting; sleepers side by side share the time that passes."""

    async def sleep(seconds: float) -> None:
        due = world.clock.now().timestamp() + seconds
        await asyncio.sleep(0)
        if (short := due - world.clock.now().timestamp()) > 0:
            world.clock.advance(short)
        await asyncio.sleep(0)

    return sleep


@asynccontextmanager
async def simulated(
    world: World,
    *,
    mode: Mode = Mode.LIVE,
    subscription_id: str = "",
    recorder: Recorder | None = None,
    settings: Settings | None = None,
    signs_in: bool = False,
    correlation_id: str = CORRELATION_ID,
) -> AsyncIterator[Connection]:
    """Connect to the world in this process. `signs_in` goes through the world's token endpoint instead of being handed tokens."""
    acting = responder(world)
    transports = in_process(
        AsgiApp(world),
        credential=None if signs_in else lambda tenant: SimulatedToken(world, acting, tenant or world.tenant_id),
    )
    async with connect(
        settings or settings_for(world),
        subscription_id=subscription_id or subscription_of(world),
        mode=mode,
        correlation_id=correlation_id,
        recorder=recorder,
        transport=transports,
        clock=world.clock.now,
        sleep=sleeping(world),
        monotonic=lambda: world.clock.now().timestamp(),
    ) as connection:
        yield connection


def sent(world: World, *methods: str) -> list[tuple[str, str]]:
    """Method and URL of the requests the simulator saw, without signing in; all methods when none are named."""
    return [
        (row.method, row.url)
        for row in world.requests
        if row.service != "login" and (not methods or row.method in methods)
    ]
