"""Prefect events of ours, for automations: `firebreak.gate.*`, `firebreak.incident.*`, `firebreak.alert.*`, `firebreak.watch.looked`.

An event about a notice has an id made from what it tells, and the Prefect server takes an id once, so a teller that died half-way leaves
no second one.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, Final

from prefect.events import Event, RelatedResource, Resource
from prefect.events.clients import get_events_client
from prefect.types import DateTime

from firebreak.approval import GateView
from firebreak.approval.notices import ABOUT_GATES, Notice
from firebreak.engine import EngineRoom
from firebreak.report.hostile import plain

_SECONDS: Final = 20
LOOKED: Final = "firebreak.watch.looked"
TOLD: Final = "firebreak.gate.told"
WAITING: Final = "firebreak.gate.waiting"
_WATCH: Final = "firebreak.watch"


async def tell_prefect(room: EngineRoom, notice: Notice, view: GateView | None, people: list[str]) -> None:
    """Emit the event of a notice; `view` is its gate, `people` those who may answer there."""
    family = "gate" if notice.kind in ABOUT_GATES else "incident" if notice.incident else "alert"
    name = f"firebreak.{family}.{notice.kind}"
    payload: dict[str, Any] = {"incident": notice.incident, "text": plain(notice.text, 400)}
    title = notice.about
    if notice.incident:
        incident = room.store.incidents.get(notice.incident)
        payload |= {"playbook": incident.playbook, "subscription": incident.subscription_id}
    if view is not None:
        title = plain(view.title, 120)
        payload |= {
            "gate": view.id,
            "stage": view.stage,
            "question": view.ask,
            "plan_digest": view.plan_digest,
            "roles": list(view.roles),
            "people": people,
            "required": view.required,
            "approved_by": [approval.approver for approval in view.approvals],
            "escalated": view.escalated,
            "expires_at": f"{view.expires_at:%Y-%m-%dT%H:%M:%SZ}",
        }
    await _emit(
        Event(
            id=uuid.uuid5(uuid.NAMESPACE_URL, f"firebreak:{notice.key}"),
            occurred=DateTime.fromisoformat(notice.at.isoformat()),
            event=name,
            resource=Resource(
                {"prefect.resource.id": f"firebreak.{family}.{notice.about}", "prefect.resource.name": title}
            ),
            related=_related(room, notice.incident),
            payload=payload,
        )
    )


async def tell_prefect_that_people_know(notice: Notice) -> None:
    """Emit that a channel took what there was to tell about a gate; an automation misses it when none did."""
    resource = Resource({"prefect.resource.id": f"firebreak.gate.{notice.about}"})
    await _emit(Event(event=TOLD, resource=resource, payload={"notice": notice.kind}))


async def tell_prefect_that_gates_are_watched() -> None:
    """Emit a sign of life of the watcher; an automation misses it when nobody watches."""
    await _emit(Event(event=LOOKED, resource=Resource({"prefect.resource.id": _WATCH})))


async def _emit(event: Event) -> None:
    async with asyncio.timeout(_SECONDS), get_events_client(checkpoint_every=1) as client:
        await client.emit(event)


def _related(room: EngineRoom, incident: str) -> list[RelatedResource]:
    if not incident:
        return []
    found = [("incident", f"firebreak.incident.{incident}")]
    if run := room.store.values.get(incident, "flow_run"):
        found.append(("flow-run", f"prefect.flow-run.{run}"))
    return [RelatedResource({"prefect.resource.id": name, "prefect.resource.role": role}) for role, name in found]
