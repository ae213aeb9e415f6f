"""Whole runs of the course in this process: the real engine room and steps, a simulated cloud without sockets, people on its clock.

with engine_room_of(world, home) as room:
    ran = respond_in(room, world, alert_bytes(world))
writes(world)           # what the simulator was asked to change, from its own request log
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyotp

from azure_simulator import AsgiApp
from azure_simulator.world import LoggedRequest, World
from firebreak.approval import Answer
from firebreak.clients.inprocess import in_process
from firebreak.engine import Engine, EngineRoom, Question, gather, open_engine_room
from firebreak.model.mode import Mode
from firebreak.report.dossier import Dossier, run_json
from flows.course import respond_to
from tasks.guidance import instructions
from tasks.registry import load_steps
from tests.support.inprocess import SimulatedToken, responder, settings_for, sleeping

CODE_SECONDS = 30
PEOPLE = ("ada@contoso.example", "grace@contoso.example")
READ_POSTS = ("/listkeys", "/query", "/providers/microsoft.costmanagement/query", "/getbyids", "/$batch")


@dataclass
class People:
    """Two enrolled approvers with authenticators on the world's clock; a used code makes them wait for the next one."""

    world: World
    seeds: dict[str, str] = field(
        default_factory=lambda: {name: base64.b32encode(name.encode().ljust(20)[:20]).decode() for name in PEOPLE}
    )
    last_step: dict[str, int] = field(default_factory=dict)

    def code(self, name: str) -> str:
        """The newest code of this person that was not used yet; moves the clock on when there is none."""
        step = int(self.world.clock.now().timestamp()) // CODE_SECONDS
        if step <= self.last_step.get(name, 0):
            self.world.clock.advance(CODE_SECONDS * (self.last_step[name] - step + 1))
            step = self.last_step[name] + 1
        self.last_step[name] = step
        return pyotp.TOTP(self.seeds[name]).at(step * CODE_SECONDS)

    def write(self, folder: Path) -> Path:
        file = folder / "approvers.json"
        rows = [{"name": n, "roles": ["responder", "lead"], "totp_secret": s} for n, s in self.seeds.items()]
        file.write_text(json.dumps(rows))
        return file


Decide = Callable[[Question], str]


# Their gates may be skipped, so that compute never waits for them: most runs answer them all the same.
OF_THE_DIRECTORY = ("close-doors", "evict")


def approve_or_skip(question: Question) -> str:
    """What most runs answer: yes to all that has to be done, no to the optional last resorts."""
    return "skip" if question.view.optional and question.view.stage not in OF_THE_DIRECTORY else "approve"


@dataclass
class PeopleAnswer:
    """A runtime whose gates are answered at once by the next person who has not approved yet."""

    room: EngineRoom
    people: People
    decide: Decide = approve_or_skip
    asked: list[Question] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    reason: str = "exercise"

    async def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        await work()

    async def ask(self, question: Question) -> None:
        self.asked.append(question)
        view = question.view
        name = next(p for p in self.people.seeds if p not in {a.approver for a in view.approvals})
        answer = Answer(
            approver=name,
            code=self.people.code(name),
            decision=self.decide(question),
            plan_digest=question.plan.digest,
            reason=self.reason,
            confirm=view.confirm,
        )
        self.room.desk.answer(view.id, answer, ask=view.ask)

    async def show(self, key: str, page: str, title: str) -> None:
        assert page.strip(), key

    async def show_table(self, key: str, rows: list[dict[str, str]], title: str) -> None:
        assert rows, key

    def say(self, text: str) -> None:
        self.said.append(text)


@dataclass(frozen=True)
class Ran:
    """How a run ended: the incident's state, everything gathered about it, its JSON, and what was asked."""

    incident: str
    state: str
    dossier: Dossier
    json: dict[str, Any]
    runtime: PeopleAnswer


@contextmanager
def engine_room_of(world: World, home: Path, **more: Any) -> Iterator[EngineRoom]:
    """The engine room of a fresh home, connected to the world without sockets and living on its clock; `more` are settings of its own."""
    home.mkdir(parents=True, exist_ok=True)
    settings = settings_for(world, home=home, approvers_file=People(world).write(home), **more)
    acting = responder(world)
    transports = in_process(
        AsgiApp(world), credential=lambda tenant: SimulatedToken(world, acting, tenant or world.tenant_id)
    )
    with open_engine_room(settings, load_steps(), instructions=instructions(), clock=world.clock.now) as room:
        yield replace(
            room, transport=transports, sleep=sleeping(world), monotonic=lambda: world.clock.now().timestamp()
        )


def alert_bytes(world: World) -> bytes:
    """The alert that the partner's Graph reports, as it would be delivered."""
    return json.dumps(next(iter(world.alerts.values()))).encode()


def respond_in(
    room: EngineRoom,
    world: World,
    alert: bytes,
    *,
    mode: Mode = Mode.LIVE,
    decide: Decide = approve_or_skip,
    runtime: Callable[[EngineRoom, People, Decide], PeopleAnswer] = PeopleAnswer,
) -> Ran:
    """Open the alert's incident and carry its playbook out to the end."""
    opened = room.open(alert, place="test", mode=mode, requested_by="intake")
    return go_on(room, world, opened.incident.id, decide=decide, runtime=runtime)


def go_on(
    room: EngineRoom,
    world: World,
    incident: str,
    *,
    decide: Decide = approve_or_skip,
    runtime: Callable[[EngineRoom, People, Decide], PeopleAnswer] = PeopleAnswer,
) -> Ran:
    """Start a run of an incident, as a new process would."""
    course_runtime = runtime(room, People(world), decide)

    async def course() -> tuple[str, Dossier]:
        async with room.connect(incident) as clouds:
            engine = Engine(room, incident, clouds, run_id=f"test-{incident}")
            state = await respond_to(engine, course_runtime)
            return state, gather(engine, int(room.store.values.get(incident, "last-round", 1)))

    state, dossier = asyncio.run(course())
    return Ran(incident, state, dossier, run_json(dossier), course_runtime)


def is_write(row: LoggedRequest) -> bool:
    """Whether a request was to change something: not a GET or HEAD, not signing in, not one of the few POSTs that only read."""
    path = row.url.split("?")[0].lower()
    return row.method not in ("GET", "HEAD") and row.service != "login" and not path.endswith(READ_POSTS)


def writes(world: World, since: int = 0) -> list[LoggedRequest]:
    """The requests that were to change something, in order."""
    return [row for row in world.requests[since:] if is_write(row)]
