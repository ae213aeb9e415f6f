"""The course without a Prefect server: for dry runs, for scripts, and for a machine that has nothing else."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable

from firebreak.approval import GateWatch
from firebreak.engine import Engine, EngineRoom, Question, Undo, Undoing
from firebreak.engine.undoing import begin_undo, check_request
from firebreak.errors import LeaseLostError, ResponseError, WaitingError
from firebreak.logs import configure
from firebreak.model.mode import Mode
from firebreak.model.plan import UNDO, Plan
from flows.alive import SILENT_SECONDS, alive, who_is_at
from flows.course import respond_to
from flows.undo_course import plan_undo, take_back

POLL_SECONDS = 0.5


class LocalRuntime:
    """Steps run here and now; a gate is answered with `firebreak gates` from another terminal, or this process ends and is started again."""

    def __init__(self, room: EngineRoom, say: Callable[[str], None], *, wait: bool) -> None:
        self._room, self._say, self._wait = room, say, wait

    async def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:  # noqa: ARG002 - the name is for task runs
        await work()

    async def ask(self, question: Question) -> None:
        view = question.view
        undo = view.stage == UNDO
        then = f"firebreak incidents undo {view.incident}" if undo else f"firebreak respond --incident {view.incident}"
        if not self._wait:
            raise WaitingError(
                f"{view.incident} waits at gate {view.id}.",
                hint=f"Read it: firebreak gates show {view.id}. Then: firebreak gates approve {view.id} ... and {then}",
            )
        watch = GateWatch(self._room.store, self._room.desk, self._room.audit)
        while True:
            watch.look()  # nobody else may be watching the time here
            now = self._room.desk.view(view.id)
            if now.state != "open" or now.ask != view.ask:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def show(self, key: str, page: str, title: str) -> None:
        """Pages are in the report and in `firebreak gates show`; nothing to do here."""

    async def show_table(self, key: str, rows: list[dict[str, str]], title: str) -> None:
        """Tables are for the Prefect UI; the report holds the same facts."""

    def say(self, text: str) -> None:
        self._say(text)


async def undo_here(room: EngineRoom, incident: str, wanted: Undo, say: Callable[[str], None], *, wait: bool) -> Undo:
    """Take back in this process what an incident did; return the undo as it ended.

    Raises:
        WaitingError: the gate waits and `wait` is false.
        LeaseLostError: another run is at this undo.
        ResponseError: it cannot go on; it stays open.
    """
    configure(room.settings.log_format, room.settings.log_level)
    asked = begin_undo(Engine(room, incident, None, run_id=""), wanted)
    key, run = f"undo-{asked.number}", f"local-{uuid.uuid4()}"
    if other := who_is_at(room, incident, key):
        raise LeaseLostError(
            f"Run {other[0]} is at undo {asked.number} of {incident}, last heard of at {other[1]:%H:%M:%S} UTC; no second one is started.",
            hint=f"Wait until it ends; after {SILENT_SECONDS:.0f} s of silence the same command goes on with it.",
        )
    async with alive(room, incident, key, run), room.connect(incident) as clouds:
        undoing = Undoing(Engine(room, incident, clouds, run_id=run), asked)
        await take_back(undoing, LocalRuntime(room, say, wait=wait))
        return undoing.undo


async def try_undo_here(room: EngineRoom, incident: str, wanted: Undo, say: Callable[[str], None]) -> Plan:
    """Look and plan an undo without asking or changing anything; return the plan, which is not kept.

    Raises:
        GuardRailError: the response has not ended.
        ContentError: the request names actions or stages that the incident does not have.
        ResponseError: the subscription cannot be read.
    """
    check_request(Engine(room, incident, None, run_id=""), wanted)
    async with room.connect(incident, mode=Mode.DRY_RUN) as clouds:
        engine = Engine(room, incident, clouds, run_id=f"local-{uuid.uuid4()}")
        trial = Undoing(engine, wanted, trial=True)
        return await plan_undo(trial, LocalRuntime(room, say, wait=False))


async def respond_here(room: EngineRoom, incident: str, say: Callable[[str], None], *, wait: bool) -> str:
    """Carry out the incident's playbook in this process; return its state.

    Raises:
        WaitingError: a gate waits and `wait` is false.
        ResponseError: the run cannot go on.
    """
    configure(room.settings.log_format, room.settings.log_level)
    try:
        async with room.connect(incident) as clouds:
            engine = Engine(room, incident, clouds, run_id=f"local-{uuid.uuid4()}")
            return await respond_to(engine, LocalRuntime(room, say, wait=wait))
    except WaitingError:
        raise
    except ResponseError as error:
        room.fail(incident, error)
        raise
