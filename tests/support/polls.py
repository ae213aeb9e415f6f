"""An engine room whose Azure is in this process, signed in to Partner Center with a user's token as the secure application model gives one.

with polling_room(folder) as place:
    raise_alert(place.world)                       # Graph and the audit records tell of it; no webhook is sent
    reports = asyncio.run(poll_once(place.room))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from azure_simulator import AsgiApp
from azure_simulator.app import empty_world
from azure_simulator.services.partner_center import raising
from azure_simulator.world import Principal, World
from firebreak.clients.inprocess import in_process
from firebreak.engine import EngineRoom, open_engine_room
from firebreak.settings import Settings
from flows import deliveries
from tasks.guidance import instructions
from tasks.registry import load_steps
from tests.flows.room_in_process import People
from tests.support.inprocess import SimulatedToken, responder, settings_for, sleeping

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)


@dataclass
class Place:
    """A world, a room that polls it, and the incidents whose runs were started."""

    world: World
    room: EngineRoom
    started: list[str] = field(default_factory=list)
    app_only: bool = False

    @property
    def subscription(self) -> str:
        return str(next(iter(self.world.subscriptions.values()))["subscriptionId"])

    def asked(self, part: str) -> list[str]:
        """URLs of the requests that hold this text."""
        return [row.url for row in self.world.requests if part in row.url]


def raise_alert(world: World, *places: str, subscription: str = "", **more: Any) -> dict[str, Any]:
    """Let Microsoft raise an alert now, in Graph and the audit records unless one is named."""
    body = {"subscription_id": subscription, "in": list(places) or list(raising.PLACES)}
    alert: dict[str, Any] = raising.post(world, body).body
    alert.update(more)
    return alert


class _OnBehalf(SimulatedToken):
    """A person's token for Partner Center unless the place is app-only, the responder's own for everything else."""

    def __init__(self, places: list[Place], world: World, principal: Principal, tenant_id: str) -> None:
        super().__init__(world, principal, tenant_id)
        self._places = places

    async def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        if "partnercenter" not in scopes[0] or self._places[0].app_only:
            return await super().get_token(*scopes, **more)
        person = next(one for one in self._world.principals.values() if one.kind == "User")
        return await SimulatedToken(self._world, person, self._tenant_id).get_token(*scopes, **more)


@contextmanager
def polling_room(folder: Path, monkeypatch: pytest.MonkeyPatch, **poll: Any) -> Iterator[Place]:
    """An installation of a partner with one customer's subscription; runs are noted instead of started."""
    world = empty_world(NOW)
    acting = responder(world)
    folder.mkdir(parents=True, exist_ok=True)
    settings: Settings = settings_for(world, home=folder, approvers_file=People(world).write(folder), poll=poll)
    places: list[Place] = []
    transports = in_process(
        AsgiApp(world), credential=lambda tenant: _OnBehalf(places, world, acting, tenant or world.tenant_id)
    )
    with open_engine_room(settings, load_steps(), instructions=instructions(), clock=world.clock.now) as opened:
        opened.store.clock = world.clock.now
        room = replace(
            opened, transport=transports, sleep=sleeping(world), monotonic=lambda: world.clock.now().timestamp()
        )
        place = Place(world, room)
        places.append(place)

        async def start_run(room: EngineRoom, incident: str, *, key: str) -> str:
            assert key == incident
            place.started.append(incident)
            room.store.values.set(incident, "flow_run", f"run-of-{incident}")
            return f"run-of-{incident}"

        monkeypatch.setattr(deliveries, "start_run", start_run)
        yield place
