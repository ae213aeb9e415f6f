"""`firebreak watch`: look again at subscriptions whose incident was closed."""

from __future__ import annotations

import asyncio
from typing import Any

import typer

from firebreak.cli.output import Json, print_json, safe, say, stdout
from firebreak.cli.rooms import connected_settings, engine_room
from firebreak.cli.services import find_services, use_services
from firebreak.errors import ContentError


def watch(
    incident: str = typer.Option("", help="Only what was closed with this incident (default: all that are watched)."),
    as_json: bool = Json,
) -> None:
    """Look once at subscriptions whose incident ended within the days of FIREBREAK_AFTERCARE__DAYS; what came back opens an incident.

    Nothing is changed in Azure by looking. Exit code 2 when something came back, 1 when something could not be looked at. The runner of firebreak up
    and the deployment watch-closed do the same on a schedule.
    """
    from flows.aftercare import is_blind, lines_of, summary, watch_once

    settings = connected_settings()
    if not settings.aftercare.days:
        raise ContentError("Nothing is watched after closure.", hint="Set FIREBREAK_AFTERCARE__DAYS, such as 30.")
    services = find_services(settings.home)
    if services:
        use_services(services)
    with engine_room(settings) as room:
        if incident:
            room.store.incidents.get(incident)
        look = asyncio.run(watch_once(room, incident=incident, start=services is not None))
    if as_json:
        print_json(_json(look, is_blind(look)))
    else:
        for line in lines_of(look):
            stdout.print(safe(line, 600))
        stdout.print(safe(summary(look)))
    if look.reopened and services is None:
        for name in look.reopened.values():
            say(f"No Prefect server was found; go on with: firebreak respond --incident {name}")
    if look.reopened:
        raise typer.Exit(2)
    if is_blind(look):
        raise typer.Exit(1)


def _json(look: Any, blind: bool) -> dict[str, Any]:
    """The look for machines, with stable keys."""
    return {
        "looked": not blind,
        "watched": [
            {
                "incident": one.incident,
                "subscription_id": one.subscription_id,
                "closed_at": one.closed_at.isoformat(),
                "reopened_as": look.reopened.get(one.incident, ""),
                "signs": [
                    {
                        "kind": str(s.kind),
                        "text": s.text,
                        "at": s.at.isoformat() if s.at else None,
                        "event_ids": list(s.event_ids),
                    }
                    for s in one.signs
                ],
                "not_looked_at": [{"what": n.what, "why": n.why} for n in one.not_looked_at],
            }
            for one in look.watched
        ],
        "waiting": list(look.waiting),
    }
