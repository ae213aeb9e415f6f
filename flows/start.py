"""Start, resume and wake runs on a Prefect server: exactly one run per incident, whatever is delivered twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.responses import SetStateStatus
from prefect.context import get_settings_context
from prefect.exceptions import ObjectNotFound
from prefect.input import keyset_from_paused_state

from firebreak.clients.policies.redaction import without_secrets
from firebreak.engine import EngineRoom
from firebreak.errors import ResponseError
from firebreak.model.mode import Mode
from flows.alive import sign, who_is_at

SUSPENDED_AT = "suspended-at"  # the incident's value that says at which question, under which key, its run is suspended
_SUSPENDED: Final = ("Suspended", "Paused")
_WAITING: Final = (*_SUSPENDED, "Scheduled", "Late", "Resuming")
_WAKE_TRIES = 20
_PAGE = 200  # the most that the server gives at once
_WAKE: Final = {"decision": "reject", "code": "000000", "reason": "(the run is woken: its question is no longer asked)"}


class PrefectError(ResponseError):
    """The Prefect server is there but cannot do what is asked."""

    code = "prefect"


@dataclass(frozen=True)
class Started:
    """The incident of an alert and the flow run that responds to it."""

    incident: str
    is_new: bool
    state: str
    flow_run_id: str = ""


@asynccontextmanager
async def prefect_client() -> AsyncIterator[PrefectClient]:
    """Open a client of the Prefect server; what goes wrong on the way is an error with a hint."""
    if not get_settings_context().settings.api.url:
        # Prefect would start a server of its own, which has no deployments and outlives nobody.
        raise PrefectError(
            "No Prefect server runs here, and PREFECT_API_URL names none.",
            hint="Nothing is lost: the incident is kept. Start the services with: firebreak up. Or carry it out here with --local.",
        )
    try:
        async with get_client() as client:
            yield client
    except httpx.HTTPStatusError as error:
        raise PrefectError(
            f"The Prefect server answered {error.response.status_code} to {error.request.method} {error.request.url.path}.",
            hint="Nothing is lost: the incident is kept. See the server's log, then try again.",
        ) from error
    except httpx.HTTPError as error:
        raise PrefectError(
            f"The Prefect server at {get_settings_context().settings.api.url} does not answer ({type(error).__name__}).",
            hint="Nothing is lost: the incident is kept. Start the services with: firebreak up. Or carry it out here with --local.",
        ) from error


async def start_from_alert(
    room: EngineRoom, raw: bytes, *, place: str, requested_by: str, mode: Mode = Mode.LIVE, playbook: str = ""
) -> Started:
    """Open the incident of an alert and start its run; an alert seen before gives the run it already has.

    Raises:
        AlertError, ContentError: the alert or playbook cannot be used.
        PrefectError: no deployment for the playbook; the incident is open and can be started again.
    """
    opened = room.open(raw, place=place, mode=mode, requested_by=requested_by, playbook=playbook)
    run = await start_run(room, opened.incident.id, key=opened.incident.id)
    return Started(opened.incident.id, opened.is_new, opened.state, run)


async def start_run(room: EngineRoom, incident: str, *, key: str) -> str:
    """Create the flow run of an incident and return its id. The same key gives the same run."""
    playbook = room.store.incidents.get(incident).playbook
    async with prefect_client() as client:
        try:
            deployment = await client.read_deployment_by_name(f"respond/{playbook}")
        except ObjectNotFound as error:
            raise PrefectError(
                f"The Prefect server has no deployment respond/{playbook}.",
                hint="Is the runner up? Start it with: firebreak up",
            ) from error
        run = await client.create_flow_run_from_deployment(
            deployment.id, parameters={"incident": incident, "playbook": playbook}, idempotency_key=key, name=incident
        )
    room.store.values.set(incident, "flow_run", str(run.id))
    return str(run.id)


async def resume_incident(room: EngineRoom, incident: str) -> str:
    """Start a further run of an incident that has not ended; it goes on where the last one stopped.

    A run that waits at a gate is the incident's run already: it is returned, and no second one is started.
    """
    last = str(room.store.values.get(incident, "flow_run") or "")
    if last and (state := (await run_state(last))[0]) in _SUSPENDED:
        await _wake_if_answered(room, incident, state)
        return last
    number = int(room.store.values.get(incident, "resumed", 0)) + 1
    room.store.values.set(incident, "resumed", number)
    return await start_run(room, incident, key=f"{incident}-resume-{number}")


async def start_undo(room: EngineRoom, incident: str, number: int) -> tuple[str, bool]:
    """Create the flow run of an open undo and return its id and True; or that of the run that is at it already, and False.

    A run that waits, at the gate or for a runner, is at it, and so is one that gave a sign of life lately. One that is called running and
    is silent may have died with its host: a further one is created, and the lease lets only the newest write.
    """
    key = f"undo-{number}-run"
    last = str(room.store.values.get(incident, key) or "")
    if last:
        state, ended = await run_state(last)
        if is_at_it(state, ended=ended, lives=who_is_at(room, incident, f"undo-{number}") is not None):
            await _wake_if_answered(room, incident, state)
            return last, False
    tries = int(room.store.values.get(incident, f"undo-{number}-runs", 0)) + 1
    room.store.values.set(incident, f"undo-{number}-runs", tries)
    async with prefect_client() as client:
        try:
            deployment = await client.read_deployment_by_name("undo/undo")
        except ObjectNotFound as error:
            raise PrefectError(
                "The Prefect server has no deployment undo/undo.", hint="Is the runner up? Start it with: firebreak up"
            ) from error
        run = await client.create_flow_run_from_deployment(
            deployment.id,
            parameters={"incident": incident, "number": number},
            idempotency_key=f"{incident}-undo-{number}-{tries}",
            name=f"{incident}-undo-{number}",
        )
    room.store.values.set(incident, key, str(run.id))
    room.store.values.set(incident, "flow_run", str(run.id))
    sign(room, incident, f"undo-{number}", str(run.id))  # until it gives its own
    return str(run.id), True


async def start_replay(bundle: str, playbook: str, decide: str) -> str:
    """Create a flow run that replays the bundle at this path, and return its id. Each call makes a run of its own.

    Raises:
        PrefectError: no deployment for replays.
    """
    async with prefect_client() as client:
        try:
            deployment = await client.read_deployment_by_name("replay/replay")
        except ObjectNotFound as error:
            raise PrefectError(
                "The Prefect server has no deployment replay/replay.",
                hint="Is the runner up? Start it with: firebreak up",
            ) from error
        run = await client.create_flow_run_from_deployment(
            deployment.id, parameters={"bundle": bundle, "playbook": playbook, "decide": decide}
        )
    return str(run.id)


async def show_page(run_id: str, key: str, page: str, title: str) -> None:
    """Add a Markdown page to the artifacts of a run that has ended."""
    async with prefect_client() as client:
        wanted = ArtifactCreate(
            key=key, type="markdown", description=title, data=without_secrets(page), flow_run_id=UUID(run_id)
        )
        await client.create_artifact(wanted)


def is_at_it(state: str, *, ended: bool, lives: bool) -> bool:
    """Whether a run in this state of Prefect's goes on with its work by itself or when it is answered. `lives`: it gave a sign of life lately."""
    return state in _WAITING or (not ended and lives)


async def _wake_if_answered(room: EngineRoom, incident: str, state: str) -> None:
    """Wake a suspended run whose question was answered while nobody could: the server was away, or another run stood in its place."""
    at = room.store.values.get(incident, SUSPENDED_AT)
    if not at or state not in _SUSPENDED:
        return
    view = room.desk.view(at["gate"])
    if view.state not in ("open", "expired") or view.ask != at["ask"]:
        await wake(room, incident)


async def wake(room: EngineRoom, incident: str) -> bool:
    """Resume the suspended run of an incident whose question is no longer the one it asks; False when no run is suspended.

    The form's fields are filled as its schema asks; the run looks at the desk again and reads none of them.
    """
    at = room.store.values.get(incident, SUSPENDED_AT)
    run_id = at["run"] if at else room.store.values.get(incident, "flow_run")
    if not run_id:
        return False
    async with prefect_client() as client:
        await _make_room(client, UUID(str(run_id)))
        for _ in range(_WAKE_TRIES):
            answer = await client.resume_flow_run(
                UUID(str(run_id)), run_input={**_WAKE, "approver": await _somebody(client, UUID(str(run_id)))}
            )
            if answer.status == SetStateStatus.ACCEPT:
                return True
            if answer.status == SetStateStatus.ABORT:
                return False
            await asyncio.sleep(0.5)  # the form's schema is saved just after the state
    return False


def is_wake(given: Mapping[str, Any]) -> bool:
    """Whether what a run was resumed with is `wake`'s and no person's answer."""
    return all(given.get(name) == value for name, value in _WAKE.items())


async def answer_under(run_id: str, key: str) -> dict[str, Any] | None:
    """What a person answered to the suspension of a run under this key, None when nobody did."""
    async with prefect_client() as client:
        try:
            found = await client.read_flow_run_input(UUID(run_id), f"suspended-{key}-response")
        except ObjectNotFound:
            return None
    given = json.loads(found)
    return None if not isinstance(given, dict) or is_wake(given) else given


async def time_of_answer(run_id: str, key: str) -> datetime | None:
    """When the server took what a person answered to the suspension of a run under this key, by its clock; None when it cannot say."""
    name = f"suspended-{key}-response"
    async with prefect_client() as client:
        found = await client.filter_flow_run_input(UUID(run_id), name, 10, set())
    return next((one.created for one in found if one.key == name), None)


async def forget_answer(run_id: str, key: str) -> None:
    """Delete what a person answered to the suspension of a run under this key; nothing happens when nothing is there.

    Raises:
        PrefectError: the server does not do it.
    """
    async with prefect_client() as client:
        try:
            await client.delete_flow_run_input(UUID(run_id), f"suspended-{key}-response")
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise


async def _somebody(client: PrefectClient, run_id: UUID) -> str:
    """A name that the form of a suspended run offers: the server takes no other."""
    state = (await client.read_flow_run(run_id)).state
    if state is None or not state.is_paused():
        return "nobody"
    try:
        schema = json.loads(await client.read_flow_run_input(run_id, keyset_from_paused_state(state)["schema"]))
    except ObjectNotFound:
        return "nobody"
    return str((schema["properties"]["approver"].get("enum") or ["nobody"])[0])


async def _make_room(client: PrefectClient, run_id: UUID) -> None:
    """Remove an answer that somebody wrote where the run still waits for one: the server cannot resume over it.

    Nothing is lost: a resume writes the answer as it ends the wait, so one that lies there before came past the form.
    """
    run = await client.read_flow_run(run_id)
    if run.state and run.state.is_paused() and (keys := run.state.state_details.run_input_keyset):
        try:
            await client.delete_flow_run_input(run_id, keys["response"])
        except (ObjectNotFound, httpx.HTTPStatusError) as error:
            if isinstance(error, httpx.HTTPStatusError) and error.response.status_code != HTTPStatus.NOT_FOUND:
                raise


async def states_of_runs(run_ids: Sequence[str]) -> dict[str, str]:
    """The state's name of each of these flow runs that the server has."""
    found: dict[str, str] = {}
    async with prefect_client() as client:
        for start in range(0, len(run_ids), _PAGE):
            wanted = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(one) for one in run_ids[start : start + _PAGE]]))
            for run in await client.read_flow_runs(flow_run_filter=wanted, limit=_PAGE):
                found[str(run.id)] = str(run.state.name) if run.state else "Unknown"
    return found


async def run_state(run_id: str) -> tuple[str, bool]:
    """The state's name of a flow run, and whether it has ended."""
    async with prefect_client() as client:
        run = await client.read_flow_run(UUID(run_id))
    return (str(run.state.name), run.state.is_final()) if run.state else ("Unknown", False)
