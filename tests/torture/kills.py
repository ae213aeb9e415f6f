"""Kill trials: a run over TLS is killed with SIGKILL, then started again until it ends; once at each journal transition, and at random instants."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from firebreak.execution import Journal
from tests.torture import processes
from tests.torture.databases import Template
from tests.torture.oracle import Oracle
from tests.torture.scene import Scene

SHM = Path("/dev/shm")


@dataclass(frozen=True)
class Trial:
    """How to repeat a trial, and what was wrong with it."""

    part: str
    database: str
    number: int
    killed: int
    problems: tuple[str, ...]
    transitions: int = 0
    effects: int = 0

    @property
    def command(self) -> str:
        return f"python -m tests.torture --part {self.part} --database {self.database} --only {self.number}"


class Arena:
    """A scene, the judge of it, and its store as a template per database: everything that trials share."""

    def __init__(self, scene: Scene, databases: tuple[str, ...]) -> None:
        self.scene, self.oracle = scene, Oracle(scene)
        processes.warm_up()
        self.templates = {kind: Template(scene, kind) for kind in databases}

    def close(self) -> None:
        for template in self.templates.values():
            template.close()


def transition(arena: Arena, database: str, number: int) -> Trial:
    """Kill at a journal transition: numbers 1, 2, 3, ... stand for right before the first, right after it, right before the second, ...

    Number 0 kills nothing and counts the transitions.
    """
    kill = processes.Kill((number + 1) // 2, before=number % 2 == 1)
    return _trial(arena, "transitions", database, number, [kill])


def instant(arena: Arena, database: str, number: int, *, longest: float) -> Trial:
    """Kill at a random instant of the run, sometimes once or twice more while it goes on. The number is the seed."""
    dice = random.Random(number)
    instants = [dice.uniform(0.0, longest)]
    while len(instants) < 3 and dice.random() < 0.3:
        instants.append(dice.uniform(0.0, longest))
    return _trial(arena, "instants", database, number, instants)


def seconds_of_a_run(arena: Arena, database: str) -> float:
    """How long a run takes that nothing disturbs."""
    began = time.monotonic()
    trial = _trial(arena, "transitions", database, 0, [])
    assert not trial.problems, trial.problems
    return time.monotonic() - began


def _trial(arena: Arena, part: str, database: str, number: int, kills: list[processes.Kill] | list[float]) -> Trial:
    scene = arena.scene
    folder = Path(tempfile.mkdtemp(prefix="torture-", dir=SHM if SHM.is_dir() else None))
    problems: list[str] = []
    killed = 0
    try:
        clock = processes.FastClock(scene.world.clock.now())
        name = f"{part[0]}{number}"
        with arena.templates[database].copy(folder, name) as url, processes.azure(scene, clock, folder) as cloud:
            for kill in kills:
                if isinstance(kill, processes.Kill):
                    pid = processes.engine(scene, cloud, clock, url, folder, kill)
                else:
                    pid = processes.engine(scene, cloud, clock, url, folder)
                    time.sleep(kill)
                    os.kill(pid, signal.SIGKILL)
                ended = processes.end_of(pid)
                killed += ended == -signal.SIGKILL
                problems += _troubles(ended, folder)
            problems += _troubles(processes.end_of(processes.engine(scene, cloud, clock, url, folder)), folder)
            verdict = arena.oracle.judge(cloud.get("requests"), [row["id"] for row in cloud.get("state")["resources"]])
            problems += verdict.problems
            problems += _not_told(scene, folder, url)
        counted = folder / "transitions"
        transitions = int(counted.read_text()) if counted.exists() else 0
    except TimeoutError as error:
        problems.append(str(error))
        return Trial(part, database, number, killed, tuple(problems))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Trial(part, database, number, killed, tuple(problems), transitions, sum(verdict.effects.values()))


def _troubles(ended: int, folder: Path) -> list[str]:
    if ended in (0, -signal.SIGKILL):
        return []
    log = folder / "engine.log"
    said = log.read_text().strip().splitlines()[-1] if log.exists() else "nothing"
    return [f"a run ended with {ended}: {said[:300]}"]


def _not_told(scene: Scene, folder: Path, url: str) -> list[str]:
    """Actions of which the store does not say that they ended well, although the cloud was well."""
    from firebreak.audit import AuditLog
    from firebreak.store import Store

    clock = scene.world.clock.now
    with Store.open(url) as store:
        rows = {row.action.id: row for row in Journal(store, AuditLog(store, clock), clock).rows(scene.incident)}
        AuditLog(store, clock).records(scene.incident)  # raises when the chain does not add up
    return [
        f"told as {rows[action.id].state if action.id in rows else 'nothing'}: {action.title}"
        for action in scene.actions
        if action.id not in rows or not rows[action.id].state.is_good
    ]
