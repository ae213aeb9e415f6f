"""Tell people what there is to tell about gates: a Prefect event that automations can act on, and a line in the log.

Events are `firebreak.gate.waiting`, `.reminder`, `.escalated`, `.expired` and `.pre_authorised`. Each has an id made from what it tells,
and the Prefect server takes an id once, so a teller that died half-way leaves no second one.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from prefect.events import Event, RelatedResource, Resource
from prefect.events.clients import get_events_client
from prefect.types import DateTime

from firebreak.approval import GateView, Notice, notices
from firebreak.engine import EngineRoom
from firebreak.report.hostile import plain
from flows.start import SUSPENDED_AT, wake

_SECONDS = 20


async def tell_people(room: EngineRoom, warn: Callable[[str], None]) -> int:
    """Tell every notice that nobody has told, and return how many. What cannot be told now stays for the next teller."""
    told = 0
    for notice in notices.claim(room.store):
        view = room.desk.view(notice.gate)
        if _is_overtaken(notice, view):
            notices.note_told(room.store, notice)
            continue
        try:
            if notice.kind in (notices.ESCALATED, notices.EXPIRED):
                await _ask_anew(room, view)
            await asyncio.wait_for(_emit(room, notice, view), _SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever Prefect's client raises: a gate must not fail because it cannot be told
            warn(f"Gate {notice.gate}: {notice.kind} could not be told ({type(error).__name__}); tried again later.")
            continue
        notices.note_told(room.store, notice)
        told += 1
        if notice.kind != notices.WAITING:
            warn(f"Gate {notice.gate}: {plain(notice.text, 400)}")
    return told


def _is_overtaken(notice: Notice, view: GateView) -> bool:
    """Whether a notice says what is no longer true, such as a question that was answered meanwhile."""
    if notice.kind == notices.PRE_AUTHORISED:
        return False
    return view.state not in ("open", "expired") or (notice.kind == notices.WAITING and notice.number != view.ask)


async def _ask_anew(room: EngineRoom, view: GateView) -> None:
    """Let the suspended run show the new question's form, unless it shows it already."""
    at = room.store.values.get(view.incident, SUSPENDED_AT) or {}
    if (at.get("gate"), at.get("ask")) != (view.id, view.ask):
        await wake(room, view.incident)


async def _emit(room: EngineRoom, notice: Notice, view: GateView) -> None:
    incident = room.store.incidents.get(view.incident)
    people = room.approvers.who_may_answer(view.roles, incident)
    run = room.store.values.get(view.incident, "flow_run")
    related = [
        RelatedResource(
            {"prefect.resource.id": f"firebreak.incident.{view.incident}", "prefect.resource.role": "incident"}
        )
    ]
    if run:
        related.append(
            RelatedResource({"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.role": "flow-run"})
        )
    event = Event(
        id=uuid.uuid5(uuid.NAMESPACE_URL, f"firebreak:{notice.key}"),
        occurred=DateTime.fromisoformat(notice.at.isoformat()),
        event=f"firebreak.gate.{notice.kind}",
        resource=Resource(
            {"prefect.resource.id": f"firebreak.gate.{notice.gate}", "prefect.resource.name": plain(view.title, 120)}
        ),
        related=related,
        payload={
            "gate": view.id,
            "incident": view.incident,
            "playbook": incident.playbook,
            "subscription": incident.subscription_id,
            "stage": view.stage,
            "question": view.ask,
            "text": plain(notice.text, 400),
            "plan_digest": view.plan_digest,
            "roles": list(view.roles),
            "people": [person.name for person in people],
            "required": view.required,
            "approved_by": [approval.approver for approval in view.approvals],
            "escalated": view.escalated,
            "expires_at": f"{view.expires_at:%Y-%m-%dT%H:%M:%SZ}",
        },
    )
    async with get_events_client(checkpoint_every=1) as client:
        await client.emit(event)
