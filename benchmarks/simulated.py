"""What benchmarks need to work on a simulated world in this process: settings that sign in to it, and a sleep that moves its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from azure_simulator import endpoints
from azure_simulator.world import World
from firebreak.settings import Settings


def settings_of(world: World, **more: Any) -> Settings:
    """Settings that point at the world and sign in as its responder; `more` are further ones, such as `home`."""
    acting = next(p for p in world.principals.values() if p.kind == "ServicePrincipal" and p.secrets)
    return Settings.load(
        cloud={"preset": "simulator", **endpoints(world)},
        credential={
            "kind": "client_secret",
            "tenant_id": world.tenant_id,
            "partner_tenant_id": world.partner_tenant_id,
            "client_id": acting.app_id,
            "client_secret": acting.secrets[0],
        },
        **more,
    )


def sleeping(world: World) -> Callable[[float], Awaitable[None]]:
    """A sleep that moves the world's clock instead of waiting."""

    async def sleep(seconds: float) -> None:
        world.clock.advance(seconds)
        await asyncio.sleep(0)

    return sleep
