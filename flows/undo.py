"""The flow that takes back what an incident did. Order is in `flows.undo_course`; tasks, gate and artifacts are those of a response."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger, runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from firebreak.approval.requester import filled_in
from firebreak.engine import Engine, Undo, Undoing, open_engine_room
from firebreak.engine.undoing import begin_undo
from firebreak.engine.undos import undo_of
from firebreak.errors import ResponseError
from firebreak.logs import configure, working_on
from firebreak.settings import Settings
from flows.alive import alive
from flows.connection import connected_settings
from flows.respond import PrefectRuntime, failed
from flows.undo_course import take_back
from tasks.guidance import instructions
from tasks.registry import load_steps


def _name() -> str:
    return f"{runtime.flow_run.parameters.get('incident') or 'incident'}-undo"


@flow(name="undo", flow_run_name=_name, persist_result=False, retries=0, log_prints=False)
async def undo(
    incident: str,
    only: list[str] | None = None,
    stages: list[str] | None = None,
    include_attacker: bool = False,
    requested_by: str = "",
    number: int = 0,
) -> State[Any]:
    """Take back what an incident did: plan the inverses, ask, act, prove, report. An undo that is open goes on.

    Args:
        incident: whose changes, e.g. INC-1a2b3c4d. Its response has to have ended.
        only: ids of single actions; empty means all. The ids are in: firebreak incidents show INCIDENT --json
        stages: only what these stages of the playbook did; the stage undo takes back the last undo.
        include_attacker: also start and restore what was judged the attacker's.
        requested_by: your name as enrolled. Whoever asks cannot approve.
        number: leave it at 0. The command line names the undo here that it has asked for; what else is filled in does not count then.
    """
    settings = Settings.load()
    configure(settings.log_format, settings.log_level)
    log = get_run_logger()
    try:
        settings = await connected_settings(settings)
    except ResponseError as error:
        log.error("%s", error)
        return failed(error)
    with open_engine_room(settings, load_steps(), instructions=instructions()) as room:
        wanted = Undo(
            number=0,
            requested_by=filled_in(requested_by),
            asked_at=room.clock(),
            only=tuple(only or ()),
            stages=tuple(stages or ()),
            include_attacker=include_attacker,
        )
        try:
            mode = room.store.incidents.get(incident).mode
            if not mode.may_write:
                return Completed(message=f"{incident} is a {mode} incident: it changed nothing, so nothing is undone.")
            async with room.connect(incident) as clouds:
                engine = Engine(room, incident, clouds, run_id=f"{runtime.flow_run.id}:{runtime.flow_run.run_count}")
                undoing = Undoing(engine, undo_of(room.store, incident, number) or begin_undo(engine, wanted))
                room.store.values.set(incident, f"undo-{undoing.number}-run", str(runtime.flow_run.id))
                room.store.values.set(incident, "flow_run", str(runtime.flow_run.id))
                course = PrefectRuntime(room, incident)
                with working_on(incident=incident):
                    async with alive(room, incident, f"undo-{undoing.number}", str(runtime.flow_run.id)):
                        await course.hand_in_late()
                        state = await take_back(undoing, course)
        except ResponseError as error:
            log.error("%s", error)
            return failed(error)
        except Exception as error:
            log.exception("%s: a mistake in Firebreak ended the undo.", incident)
            return Failed(
                message=f"A mistake in Firebreak ended the undo ({type(error).__name__}); it stays open. The log has the place."
            )
    message = f"{incident}, undo {undoing.number}: {state}"
    return Failed(message=f"{message}; see the report.") if state == "failed" else Completed(message=message)
