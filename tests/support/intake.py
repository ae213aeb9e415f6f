"""An intake beside an embedded Azure that signs webhooks, with real sockets on both sides.

`Installation` has the home, the settings and what the simulator announced; `started` are the incidents whose runs were started.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from azure_simulator import announcement
from azure_simulator.app import empty_world
from azure_simulator.server import serve
from azure_simulator.services.partner_center import sender, signing
from azure_simulator.world import World
from firebreak.engine import EngineRoom, open_engine_room
from firebreak.intake.inbox import WAITING, Delivery, Inbox
from firebreak.settings import PREFIX, Settings
from firebreak.store import Store
from tasks.registry import load_steps

CUSTOMER = "22222222-2222-4222-8222-222222222222"


@dataclass
class Installation:
    """One installation and its Azure."""

    world: World
    settings: Settings
    environment: dict[str, str] = field(default_factory=dict)
    address: str = ""
    started: list[str] = field(default_factory=list)
    store: Store | None = None

    @property
    def subscription(self) -> str:
        return str(next(iter(self.world.subscriptions.values()))["subscriptionId"])

    def event(self, name: str = sender.FRAUD, *, subscription: str = "") -> bytes:
        """A fresh event: no two have the same bytes."""
        self.world.clock.advance(1)
        return sender.event(self.world, name, subscription=subscription or self.subscription)

    def signed(self, body: bytes, **more: Any) -> dict[str, str]:
        return signing.sign(self.world, body, **more)

    def post(
        self, path: str, body: bytes, headers: Mapping[str, str] | list[tuple[str, str]] | None = None
    ) -> httpx.Response:
        return httpx.post(f"{self.address}{path}", content=body, headers=headers, timeout=30)

    @contextlib.contextmanager
    def room(self) -> Iterator[EngineRoom]:
        with open_engine_room(self.settings, load_steps()) as room:
            yield room

    @property
    def inbox(self) -> Inbox:
        assert self.store is not None
        return Inbox(self.store)

    def deliveries(self) -> list[Delivery]:
        return self.inbox.newest(limit=10_000)

    def delivery(self, identity: str) -> Delivery:
        found = self.inbox.get(identity)
        assert found is not None
        return found

    def until(self, identity: str, holds: Callable[[Delivery], bool], *, seconds: float = 60) -> Delivery:
        """The delivery as soon as this holds of it."""
        deadline = time.monotonic() + seconds
        while not holds(found := self.delivery(identity)):
            assert time.monotonic() < deadline, f"{found.state}: {found.reason}"
            time.sleep(0.02)
        return found

    def settled(self, identity: str) -> Delivery:
        """The delivery as soon as it waits no longer."""
        return self.until(identity, lambda one: one.state != WAITING)

    def incidents(self) -> list[str]:
        assert self.store is not None
        return [row.incident.id for row in self.store.incidents.list()]


def alert(world: World, identity: str, subscription: str, **more: Any) -> dict[str, Any]:
    """Put an alert into the world that Graph then lists."""
    document = {
        "id": identity,
        "displayName": "Crypto mining",
        "alertType": "CryptoMining",
        "status": "active",
        "severity": "high",
        "customerTenantId": CUSTOMER,
        "subscriptionId": subscription,
        "detectedDateTime": "2026-03-02T04:00:00Z",
        "isTest": False,
        "affectedResources": [],
        "activityLogs": [],
        "additionalDetails": {},
        **more,
    }
    world.alerts[identity] = document
    return document


@contextlib.contextmanager
def installation(folder: Path, *, around: Callable[[Any], Any] | None = None, **intake: Any) -> Iterator[Installation]:
    """An Azure with one subscription and one alert, and the settings of an installation that responds for it."""
    world = empty_world(datetime.now(UTC).replace(microsecond=0))
    alert(world, "alert-1", next(iter(world.subscriptions.values()))["subscriptionId"])
    (folder / "azure").mkdir(parents=True)
    with serve(world, folder=folder / "azure", throttling=False, around=around) as server:
        line = announcement.write(world, folder / "azure", server.ca_bundle)
        settings = Settings.load(home=folder / "home", **_nested(line["env"], intake))
        environment = {**line["env"], "FIREBREAK_HOME": str(settings.home)}
        with Store.open(settings.database_url) as store:
            yield Installation(world, settings, environment, store=store)


def _nested(env: Mapping[str, str], intake: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in env.items():
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        if key:
            found.setdefault(section, {})[key] = value
        else:
            found[section] = value
    found.setdefault("credential", {})
    found["intake"] = {"requests_per_second": 100_000, **found.get("intake", {}), **intake}
    return json.loads(json.dumps(found))
