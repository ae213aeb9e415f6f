"""A bundle of a large incident: the mining scenario, its tenant and its log filled up with more of the same, recorded as a dry run by the product.

large_bundle(Path("large.zip"), resources=10_000, events=200_000)
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from azure_simulator import AsgiApp, build
from azure_simulator.clock import stamp
from azure_simulator.world import Document, World
from benchmarks.simulated import settings_of, sleeping
from firebreak.bundle import contents_of, write_bundle
from firebreak.clients.inprocess import in_process
from firebreak.engine import Engine, open_engine_room
from firebreak.model.mode import Mode
from flows.course import respond_to
from flows.replay import QuietRuntime
from tasks.registry import load_steps

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
_HISTORY, _ATTACK = timedelta(days=89), timedelta(days=3)


def large_bundle(place: Path, *, resources: int, events: int) -> Path:
    """Record the incident and write its bundle."""
    world = large_world(resources, events)
    with tempfile.TemporaryDirectory(prefix="firebreak-benchmark-") as folder:
        settings = settings_of(world, home=Path(folder))
        with open_engine_room(settings, load_steps(), clock=world.clock.now) as opened:
            room = replace(
                opened,
                transport=in_process(AsgiApp(world)),
                sleep=sleeping(world),
                monotonic=lambda: world.clock.now().timestamp(),
            )
            alert = json.dumps(next(iter(world.alerts.values()))).encode()
            incident = room.open(alert, place="benchmark", mode=Mode.DRY_RUN, requested_by="benchmark").incident.id

            async def course() -> None:
                async with room.connect(incident) as clouds:
                    await respond_to(Engine(room, incident, clouds, run_id="benchmark"), QuietRuntime(lambda _: None))

            asyncio.run(course())
            return write_bundle(contents_of(room.store, room.evidence, room.audit, incident), place, replace=True)


def large_world(resources: int, events: int) -> World:
    """The scenario with so many resources and events; what is added are copies of the tenant's own work, spread over the days before the attack."""
    world = build("crypto-mining", seed=7, now=NOW)
    chance = Random(7)
    rogue = {name.lower() for name in world.truth["rogue"]}
    models = [world.resources[name] for name in world.resources if name.lower() not in rogue and name.count("/") == 8]
    for number in range(resources - len(world.resources)):
        copied = _copied(models[number % len(models)], number)
        world.resources[copied["id"]] = copied
    quiet = [row for row in world.events if str(row["eventTimestamp"]) < stamp(NOW - _ATTACK)]
    seconds = (_HISTORY - _ATTACK).total_seconds()
    for number in range(events - len(world.events)):
        moment = NOW - _HISTORY + timedelta(seconds=seconds * chance.random())
        world.events.append(_again(quiet[number % len(quiet)], number, moment, chance))
    world.events.sort(key=lambda row: str(row["eventTimestamp"]))
    return world


def _copied(model: Document, number: int) -> Document:
    """The same resource once more, under another name."""
    name = f"{model['name']}-{number}"
    return {**model, "name": name, "id": f"{str(model['id']).rsplit('/', 1)[0]}/{name}"}


def _again(event: Document, number: int, moment: datetime, chance: Random) -> Document:
    """The same operation at another time, as an operation of its own."""
    correlation = f"{chance.getrandbits(32):08x}-0000-4000-8000-{number:012x}"
    return {
        **event,
        "eventDataId": f"{chance.getrandbits(32):08x}-0000-4000-9000-{number:012x}",
        "correlationId": correlation,
        "operationId": correlation,
        "eventTimestamp": stamp(moment),
        "submissionTimestamp": stamp(moment + timedelta(minutes=2)),
    }
