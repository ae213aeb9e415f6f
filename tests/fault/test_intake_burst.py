"""A burst: 1,000 deliveries about 50 subscriptions over three channels, a third of them again, the intake killed twice meanwhile.

Real processes: the embedded Azure, a Prefect server (no runner: the runs are created and wait), the intake on SQLite. Senders come again when
nobody answers, as real ones do.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from azure_simulator import announcement
from azure_simulator.app import empty_world
from azure_simulator.server import serve
from azure_simulator.services.partner_center import sender, signing
from azure_simulator.world import World
from firebreak.cli.processes import Processes, free_port
from firebreak.cli.services import prefect_environment
from firebreak.engine import open_engine_room
from firebreak.intake.inbox import DONE, Inbox
from firebreak.intake.signature import sign
from firebreak.settings import Settings
from tasks.registry import load_steps
from tests.support.intake import alert

pytestmark = [pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(2400)]
SUBSCRIPTIONS = [f"{number:08x}-3333-4333-8333-333333333333" for number in range(50)]
KEY = "a shared key of this installation"
SENDERS = 16


@dataclass
class Scene:
    """The processes, and what a sender needs to know of them."""

    world: World
    processes: Processes
    environment: dict[str, str]
    api: str
    port: int
    child: Any = None
    kills: list[float] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        return Settings.load(home=Path(self.environment["FIREBREAK_HOME"]))

    def start_intake(self) -> None:
        self.child = self.processes.start("intake", ["flows.intake", "--port", str(self.port)], self.environment)
        self.processes.wait_for("intake", f"{self.address}/health", seconds=120)

    def kill_intake(self) -> None:
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.wait(20)
        self.processes._children = [one for one in self.processes._children if one[1] is not self.child]
        self.kills.append(time.monotonic())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    world = empty_world(datetime.now(UTC).replace(microsecond=0))
    (tmp_path / "azure").mkdir()
    home = tmp_path / "home"
    with serve(world, folder=tmp_path / "azure", throttling=False) as server, Processes(home / "logs") as processes:
        line = announcement.write(world, tmp_path / "azure", server.ca_bundle)
        port = free_port()
        api = f"http://127.0.0.1:{port}/api"
        ours = {
            **{name: str(value) for name, value in line["env"].items()},
            "FIREBREAK_INTAKE__SHARED_KEY": KEY,
            "FIREBREAK_INTAKE__SUBSCRIPTIONS": '["*"]',
            "FIREBREAK_INTAKE__REQUESTS_PER_SECOND": "100000",
        }
        base = {name: value for name, value in os.environ.items() if not name.startswith(("FIREBREAK_", "PREFECT_"))}
        environment = prefect_environment({**base, **ours}, home, api)
        processes.start(
            "prefect-server", ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)], environment
        )
        processes.wait_for("prefect-server", f"{api}/health", seconds=240)
        flow = httpx.post(f"{api}/flows/", json={"name": "respond"}, timeout=60).raise_for_status().json()["id"]
        for playbook in ("compromised-subscription", "review-subscription"):
            body = {"name": playbook, "flow_id": flow, "entrypoint": "flows.respond.respond"}
            reply = httpx.post(f"{api}/deployments/", json=body, timeout=60)
            # A server that has just begun answers 503 for a while; Prefect's own client asks again as well.
            for _ in range(60):
                if reply.status_code != 503:
                    break
                time.sleep(0.5)
                reply = httpx.post(f"{api}/deployments/", json=body, timeout=60)
            reply.raise_for_status()
        found = Scene(world, processes, environment, api, free_port())
        found.start_intake()
        yield found


@dataclass(frozen=True)
class Post:
    """One delivery: where, what, and the id of the alert that must be in the incident of its subscription afterwards."""

    path: str
    body: bytes
    subscription: str
    alert: str


def monitor_alert(number: int, kind: str = "burst") -> Post:
    """An alert of Azure Monitor in the common schema."""
    subscription = SUBSCRIPTIONS[(number * 7) % 50]
    identity = f"/subscriptions/{subscription}/providers/Microsoft.AlertsManagement/alerts/{kind}-{number}"
    essentials = {
        "alertId": identity,
        "alertRule": "Many machines",
        "severity": "Sev1",
        "monitorCondition": "Fired",
        "monitoringService": "Platform",
        "alertTargetIDs": [f"/subscriptions/{subscription}"],
        "firedDateTime": "2026-03-02T04:00:00Z",
    }
    body = json.dumps({"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": essentials}}).encode()
    return Post("/hooks/azure-monitor", body, subscription, identity)


def posts(world: World) -> list[Post]:
    """1,000 deliveries, 667 of them different; Graph lists the alerts that come over `/alerts`, and a third of those are Partner Center's too."""
    found: list[Post] = []
    for number in range(267):
        subscription = SUBSCRIPTIONS[number % 50]
        document = alert(world, f"graph-{number}", subscription)
        found.append(Post("/alerts", json.dumps(document).encode(), subscription, f"graph-{number}"))
    found += [monitor_alert(number) for number in range(267)]
    for number in range(133):
        world.clock.advance(1)
        subscription = SUBSCRIPTIONS[number % 50]
        body = sender.event(world, sender.FRAUD, subscription=subscription)
        found.append(Post("/hooks/partner-center", body, subscription, f"graph-{number % 50}"))
    chance = random.Random(7)  # noqa: S311 - seeded, so that it can be repeated
    found += chance.sample(found, 333)
    chance.shuffle(found)
    return found


def headers(world: World, key: bytes, post: Post) -> dict[str, str]:
    """What proves this delivery."""
    if post.path == "/alerts":
        return sign(key, post.body, int(time.time()))
    if post.path == "/hooks/azure-monitor":
        return {"X-Firebreak-Key": KEY, "Content-Type": "application/json"}
    return signing.sign(world, post.body)


async def deliver_all(scene: Scene, wanted: list[Post]) -> Counter[int]:
    """Send everything, each until it is accepted; the intake is killed after a third and after two thirds."""
    key, waiting, statuses = scene.settings.intake_secret(), list(wanted), Counter[int]()
    accepted, thirds = 0, (asyncio.Event(), asyncio.Event())
    limits = httpx.Limits(max_connections=SENDERS)

    async def one(client: httpx.AsyncClient) -> None:
        nonlocal accepted
        while waiting:
            post = waiting.pop()
            for _ in range(200):
                try:
                    answer = await client.post(
                        f"{scene.address}{post.path}",
                        content=post.body,
                        headers=headers(scene.world, key, post),
                        timeout=60,
                    )
                except httpx.HTTPError:
                    await asyncio.sleep(0.3)
                    continue
                statuses[answer.status_code] += 1
                if answer.status_code in (200, 202):
                    break
                assert answer.status_code == 503, answer.text
                await asyncio.sleep(0.3)
            else:
                raise AssertionError(f"never accepted: {post.path}")
            accepted += 1
            for number, reached in enumerate(thirds, start=1):
                if accepted >= number / 3 * len(wanted):
                    reached.set()

    async def killer() -> None:
        for reached in thirds:
            await reached.wait()
            await asyncio.to_thread(scene.kill_intake)
            await asyncio.to_thread(scene.start_intake)

    async with httpx.AsyncClient(limits=limits) as client:
        await asyncio.gather(killer(), *(one(client) for _ in range(SENDERS)))
    return statuses


async def watch_prefect(api: str, seen: list[float]) -> None:
    """How long the Prefect server takes to answer what its UI asks, every second."""
    async with httpx.AsyncClient(timeout=60) as client:
        while True:
            began = time.monotonic()
            answer = await client.post(f"{api}/flow_runs/filter", json={"limit": 20})
            assert answer.status_code == 200
            seen.append(time.monotonic() - began)
            await asyncio.sleep(1)


def flow_runs(api: str) -> list[dict[str, Any]]:
    """Every flow run that the server has."""
    found: list[dict[str, Any]] = []
    while page := httpx.post(f"{api}/flow_runs/filter", json={"limit": 200, "offset": len(found)}, timeout=60).json():
        found += page
    return found


async def test_a_thousand_alerts_about_fifty_subscriptions_are_fifty_incidents(scene: Scene) -> None:
    wanted = posts(scene.world)
    assert len(wanted) == 1000
    assert len({post.body for post in wanted}) == 667
    latencies: list[float] = []
    watching = asyncio.create_task(watch_prefect(scene.api, latencies))
    began = time.monotonic()
    statuses = await deliver_all(scene, wanted)
    delivered = time.monotonic() - began
    with open_engine_room(scene.settings, load_steps()) as room:
        inbox = Inbox(room.store)
        while inbox.waiting().number:
            assert time.monotonic() - began < 1800, inbox.newest("waiting")[0].reason
            await asyncio.sleep(0.5)
        done = time.monotonic() - began
        watching.cancel()
        incidents = {row.incident.subscription_id: row.incident.id for row in room.store.incidents.list()}
        assert len(room.store.incidents.list()) == 50
        assert sorted(incidents) == SUBSCRIPTIONS
        assert set(inbox.counts()) == {("alerts", DONE), ("azure-monitor", DONE), ("partner-center", DONE)}
        assert sum(inbox.counts().values()) == 667
        joined = {
            (subscription, one.alert_id)
            for subscription, incident in incidents.items()
            for one in room.store.cases.alerts(incident)
        }
        assert {(post.subscription, post.alert) for post in wanted} <= joined
        for incident in incidents.values():
            kinds = Counter(record.kind for record in room.audit.records(incident))
            assert kinds["incident.opened"] == 1
            assert kinds["alert.joined"] == len(room.store.cases.alerts(incident)) - 1
    runs = await asyncio.to_thread(flow_runs, scene.api)
    assert Counter(run["parameters"]["incident"] for run in runs) == Counter(incidents.values())
    assert len(scene.kills) == 2
    print(
        f"\n1,000 deliveries accepted in {delivered:.1f} s ({1000 / delivered:.0f}/s with two restarts), all processed after {done:.1f} s; "
        f"statuses {dict(statuses)}; Prefect answered in at most {max(latencies):.2f} s"
    )
    assert max(latencies) < 10
    rate = await accepted_per_second(scene)
    print(
        f"{rate:.0f} fresh deliveries a second accepted, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    )


async def accepted_per_second(scene: Scene, number: int = 1000) -> float:
    """How many deliveries nobody has seen are kept and answered in a second, over one channel, while the intake processes them."""
    waiting = [monitor_alert(one, "speed") for one in range(number)]

    async def one(client: httpx.AsyncClient) -> None:
        while waiting:
            post = waiting.pop()
            proof = headers(scene.world, b"", post)
            answer = await client.post(f"{scene.address}{post.path}", content=post.body, headers=proof, timeout=60)
            assert answer.status_code == 202, answer.text

    began = time.monotonic()
    async with httpx.AsyncClient() as client:
        await asyncio.gather(*(one(client) for _ in range(32)))
    return number / (time.monotonic() - began)
