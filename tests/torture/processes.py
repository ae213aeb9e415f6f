"""Cheap processes: everything is imported and prepared once, and each trial forks what it needs from that.

The simulator of a trial and each of its engines are processes of their own, so SIGKILL takes nothing with it but the engine. They share a clock
that runs faster than the wall's, so that waiting half a minute for a lost request costs a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import os
import signal
import ssl
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import event

from azure_simulator.app import endpoints
from azure_simulator.server import Running
from firebreak.engine import Engine, EngineRoom, open_engine_room
from tasks.registry import load_steps
from tests.support.inprocess import settings_for
from tests.support.patience import Patience
from tests.torture.scene import Scene

FASTER = 20.0
_PATIENCE_SECONDS = 120.0


class FastClock:
    """A clock for several processes: it starts at `start` and runs `FASTER` times as fast as the machine's."""

    def __init__(self, start: datetime) -> None:
        self._start, self._origin = start, time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._origin) * FASTER

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / FASTER)


@dataclass(frozen=True)
class Azure:
    """A simulator process, seen from outside."""

    cloud: dict[str, str]
    ca_bundle: str

    def get(self, name: str) -> Any:
        trusted = ssl.create_default_context(cafile=self.ca_bundle)
        answer = httpx.get(f"{self.cloud['resource_manager']}/_simulator/{name}", verify=trusted, timeout=60)
        return answer.raise_for_status().json()


def fork(work: Callable[[], None], log: Path) -> int:
    """Run `work` in a child and return its process id. The child ends with 0, or with 1 and a traceback in `log`."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    try:
        work()
    except BaseException:  # noqa: BLE001 - the child must not go on as its parent
        log.write_text(traceback.format_exc())
        os._exit(1)
    os._exit(0)


def end_of(pid: int, seconds: float = _PATIENCE_SECONDS) -> int:
    """Wait for a child; return its exit code, or minus the signal that ended it. `seconds` are those of a free machine.

    Raises:
        TimeoutError: it did not end; it is killed then.
    """
    patience = Patience(seconds)
    while patience.lasts():
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise TimeoutError(f"A process did not end within {seconds:.0f} s.")


@contextmanager
def azure(scene: Scene, clock: FastClock, folder: Path) -> Iterator[Azure]:
    """The scene's cloud as a process that serves it over TLS; its log begins empty."""
    reading, writing = os.pipe()

    def serve() -> None:
        os.close(reading)
        world = scene.world
        world.clock = clock  # type: ignore[assignment]
        world.requests.clear()
        server = Running(world, 0, folder).start()
        line = {"cloud": endpoints(world), "ca_bundle": server.ca_bundle}
        os.write(writing, json.dumps(line).encode() + b"\n")
        signal.pause()

    pid = fork(serve, folder / "simulator.log")
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            line = pipe.readline()
        if not line:
            raise RuntimeError((folder / "simulator.log").read_text())
        yield Azure(**json.loads(line))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def engine(scene: Scene, cloud: Azure, clock: FastClock, url: str, folder: Path, kill: Kill | None = None) -> int:
    """Fork a run of the incident against the cloud; return its process id."""

    def work() -> None:
        settings = settings_for(
            scene.world,
            home=folder,
            database_url=url,
            approvers_file=scene.home / "approvers.json",
            cloud={"preset": "simulator", **cloud.cloud, "ca_bundle": cloud.ca_bundle},
        )
        with open_engine_room(settings, load_steps(), clock=clock.now) as room:
            there = replace(room, sleep=clock.sleep, monotonic=clock.monotonic)
            if kill:
                kill.arm(there)
            asyncio.run(carry_out(there, scene))
            if kill:
                (folder / "transitions").write_text(str(kill.seen))

    return fork(work, folder / "engine.log")


async def carry_out(room: EngineRoom, scene: Scene, attempt: int = 1) -> None:
    """One run of the incident's act, as the course does it: nothing when it was done before."""
    async with room.connect(scene.incident) as clouds:
        engine = Engine(room, scene.incident, clouds, run_id=f"run-{os.getpid()}-{time.monotonic_ns()}")
        stage = engine.playbook.stage(scene.stage)
        if not engine.has_acted(stage, attempt):
            await engine.acting(stage, attempt, scene.number, lambda _: None)()
            engine.note_acted(stage, attempt)


class Kill:
    """SIGKILL at the n-th commit that moves the journal: right before it (`before`), or right after it. n = 0 only counts."""

    def __init__(self, number: int, *, before: bool) -> None:
        self.number, self.before, self.seen = number, before, 0

    def arm(self, room: EngineRoom) -> None:
        moved: set[int] = set()
        done: set[int] = set()

        def executed(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith(("UPDATE journal SET", "INSERT INTO journal ")):
                moved.add(id(connection.connection.dbapi_connection))

        def committing(connection: Any) -> None:
            key = id(connection.connection.dbapi_connection)
            if key not in moved:
                return
            moved.discard(key)
            self.seen += 1
            if self.seen == self.number:
                if self.before:
                    os.kill(os.getpid(), signal.SIGKILL)
                done.add(key)

        def returned(dbapi_connection: Any, _record: Any) -> None:
            if id(dbapi_connection) in done:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(room.store.engine, "before_cursor_execute", executed)
        event.listen(room.store.engine, "commit", committing)
        event.listen(room.store.engine, "checkin", returned)


def warm_up() -> None:
    """Import what a run would import on its way, so that every fork has it already."""
    for name in ("azure.identity.aio", "azure.mgmt.compute.aio", "azure.mgmt.resource.resources.aio", "psycopg"):
        importlib.import_module(name)
    gc.freeze()
