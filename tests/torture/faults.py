"""Fault trials: engine and cloud in one process, on a clock that only waiting moves; seeded faults, seeded crashes, then a quiet end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import event

from azure_simulator import AsgiApp
from azure_simulator.faults import Fault
from firebreak.clients.inprocess import in_process
from firebreak.engine import Engine, EngineRoom, open_engine_room
from firebreak.errors import ResponseError
from firebreak.execution import Journal
from firebreak.execution.journal import JournalRow
from firebreak.model.outcome import ActionState
from tasks.registry import load_steps
from tests.support.inprocess import SimulatedToken, responder, settings_for, sleeping
from tests.torture.kills import SHM, Arena, Trial
from tests.torture.oracle import Oracle, had_effect, is_write
from tests.torture.processes import carry_out, end_of, fork
from tests.torture.scene import Scene, approve, place

_WRITES = "POST|PUT|DELETE|PATCH"
_MOST_ROUNDS = 8


class Killed(BaseException):
    """The run is gone: nothing may catch this."""


def fault(arena: Arena, database: str, number: int) -> Trial:
    """One seeded trial, in a process of its own. The number is the seed."""
    folder = Path(tempfile.mkdtemp(prefix="torture-", dir=SHM if SHM.is_dir() else None))
    try:
        with arena.templates[database].copy(folder, f"f{number}") as url:
            ended = end_of(fork(lambda: _child(arena, url, folder, number), folder / "log"))
        found = folder / "result.json"
        if ended or not found.exists():
            last = (folder / "log").read_text().strip().splitlines()[-1:] if (folder / "log").exists() else ["nothing"]
            return Trial("faults", database, number, 0, (f"it ended with {ended}: {last[0][:300]}",))
        result = msgspec.json.decode(found.read_bytes())
        return Trial("faults", database, number, result["killed"], tuple(result["problems"]), 0, result["effects"])
    except TimeoutError as error:
        return Trial("faults", database, number, 0, (str(error),))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def rules(dice: random.Random) -> list[Fault]:
    """Between two and five rules, of all kinds."""
    makers = (
        lambda: Fault(
            "throttle",
            method=dice.choice((".*", _WRITES)),
            rate=dice.uniform(0.05, 0.4),
            retry_after=dice.choice((1, 7, 45, 110)),
        ),
        lambda: Fault(
            "status",
            method=dice.choice((".*", _WRITES, "GET")),
            status=dice.choice((408, 500, 502, 503, 504)),
            rate=dice.uniform(0.05, 0.3),
        ),
        lambda: Fault("status", method=_WRITES, status=dice.choice((403, 409)), rate=dice.uniform(0.02, 0.1)),
        lambda: Fault("drop_before", method=dice.choice((".*", _WRITES)), rate=dice.uniform(0.05, 0.3)),
        lambda: Fault("drop_after", method=_WRITES, rate=dice.uniform(0.05, 0.5)),
        lambda: Fault("error_after", method=_WRITES, status=dice.choice((500, 503)), rate=dice.uniform(0.05, 0.5)),
        lambda: Fault("truncate_page", method="GET", rate=dice.uniform(0.05, 0.3)),
        lambda: Fault("expired_token", rate=dice.uniform(0.02, 0.15)),
        lambda: Fault("fail_operation", method=_WRITES, rate=dice.uniform(0.05, 0.3)),
    )
    return [dice.choice(makers)() for _ in range(dice.randint(2, 5))]


def _child(arena: Arena, url: str, folder: Path, number: int) -> None:
    trial = _FaultTrial(arena.scene, arena.oracle, url, folder, number)
    trial.run()
    result = {"killed": trial.killed, "problems": trial.problems, "effects": trial.effects}
    (folder / "result.json").write_bytes(msgspec.json.encode(result))


class _FaultTrial:
    def __init__(self, scene: Scene, oracle: Oracle, url: str, folder: Path, number: int) -> None:
        self.scene, self.oracle, self.world = scene, oracle, scene.world
        self.dice = random.Random(number)
        self.killed = self.effects = 0
        self.problems: list[str] = []
        acting = responder(self.world)
        self._settings = settings_for(
            self.world, home=folder, database_url=url, approvers_file=scene.home / "approvers.json"
        )
        self._transport = in_process(
            AsgiApp(self.world),
            credential=lambda tenant: SimulatedToken(self.world, acting, tenant or self.world.tenant_id),
        )

    def run(self) -> None:
        world = self.world
        world.requests.clear()
        world.memory["fault_dice"] = self.dice
        world.list_lag_seconds = self.dice.choice((0, 0, 15, 60))
        world.faults[:] = rules(self.dice)
        world.throttling = self.dice.random() < 0.3
        for _ in range(self.dice.choice((0, 1, 1, 2, 3))):
            self._once(kill_at=self.dice.randint(1, 60))
        self._once()
        self._compare()
        world.faults.clear()
        world.list_lag_seconds = 0
        self._until_all_is_done()
        verdict = self._verdict()
        self.effects = sum(verdict.effects.values())
        self.problems += verdict.problems

    def _once(self, *, kill_at: int = 0, attempt: int = 1) -> None:
        with self._room() as room:
            seen = 0

            def committing(_connection: Any) -> None:
                nonlocal seen
                seen += 1
                if seen == kill_at:
                    raise Killed

            event.listen(room.store.engine, "commit", committing)
            try:
                asyncio.run(carry_out(room, self.scene, attempt))
            except Killed:
                self.killed += 1
            except ResponseError:
                pass  # the run says that it cannot go on; the next one may

    def _room(self) -> Any:
        @contextlib.contextmanager
        def opened() -> Any:
            with open_engine_room(self._settings, load_steps(), clock=self.world.clock.now) as room:
                yield replace(
                    room,
                    transport=self._transport,
                    sleep=sleeping(self.world),
                    monotonic=lambda: self.world.clock.now().timestamp(),
                )

        return opened()

    def _verdict(self) -> Any:
        return self.oracle.judge([asdict(row) for row in self.world.requests], list(self.world.resources))

    def _rows(self, room: EngineRoom) -> dict[str, JournalRow]:
        journal = Journal(room.store, room.audit, room.clock)
        return {row.action.id: row for row in journal.rows(self.scene.incident)}

    def _compare(self) -> None:
        """What the run says of each action agrees with what the simulator saw, while the faults still last."""
        effects: dict[str, int] = {}
        for row in (asdict(r) for r in self.world.requests):
            if is_write(row) and had_effect(row):
                key = f"{row['method']} {place(row['url'])}"
                effects[key] = effects.get(key, 0) + 1
        standing = set(self.world.resources)
        with self._room() as room:
            rows = self._rows(room)
        for action in self.scene.actions:
            row = rows.get(action.id)
            happened = effects.get(self.oracle.requests[action.id], 0)
            if row is None or not row.state.is_final:
                continue  # the run could not go on; nothing was told
            gone = action.kind.endswith(".delete") and action.target.lower() not in standing
            if row.state.is_good and not happened and not gone:
                self.problems.append(f"told as {row.state}, but nothing happened: {action.title}")
            if row.state in (ActionState.FAILED, ActionState.REFUSED) and happened:
                self.problems.append(f"told as {row.state} ({row.reason}), but it happened: {action.title}")

    def _until_all_is_done(self) -> None:
        """People approve again what did not end well, as at the gate after a failure, until nothing is left."""
        for attempt in range(1, _MOST_ROUNDS + 1):
            self._once(attempt=attempt)
            with self._room() as room:
                rows = self._rows(room)
                bad = [a for a in self.scene.actions if a.id not in rows or not rows[a.id].state.is_good]
                if not bad:
                    return
                engine = Engine(room, self.scene.incident, None, run_id="people")
                plan = msgspec.structs.replace(self.scene.plan, round=attempt + 1, actions=tuple(bad))
                room.store.plans.save(self.scene.incident, plan)
                approve(room, self.world, engine, plan)
        states = sorted({f"{rows[a.id].state}: {rows[a.id].reason}" for a in bad if a.id in rows})
        self.problems.append(f"{len(bad)} actions never ended well: {states[:3]}")
