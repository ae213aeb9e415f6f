"""The embedded Azure: an emulator of the control plane that unmodified Azure clients accept.

It stands alone: it imports nothing of Firebreak. State lives in a `World`; services are folders with the same four files
(*urls, responses, models, exceptions*); the pipeline in `azure_simulator.pipeline` does what Azure does to every request: log, faults,
sign-in, api-version, throttling, RBAC, locks, policy, activity log. Time is the world's clock, ids and chance come from its seed.

    from azure_simulator import build, AsgiApp
    world = build("crypto-mining", seed=7, now=datetime(2026, 11, 20, 3, tzinfo=UTC))
    app = AsgiApp(world)           # in process, for httpx.ASGITransport; `azure_simulator.server` serves it over TLS
    world.resources["/subscriptions/..."]["properties"]
    world.requests[-1]             # the request log
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure_simulator.app import AsgiApp, call_as, dispatch, empty_world, endpoints
    from azure_simulator.world import World

__all__ = ["AsgiApp", "build", "call_as", "dispatch", "empty_world", "endpoints"]


def build(
    scenario: str = "crypto-mining", *, seed: int = 7, now: datetime, scale: int = 1, real_time: bool = False
) -> World:
    """Build a scenario's world as it is at `now`, an aware time. The same arguments give the same world, byte for byte."""
    from azure_simulator.scenarios import build_world

    world: World = build_world(scenario, seed=seed, now=now, scale=scale, real_time=real_time)
    return world


def __getattr__(name: str) -> Any:
    if name in __all__:
        from azure_simulator import app

        return getattr(app, name)
    raise AttributeError(f"module 'azure_simulator' has no attribute {name!r}")
