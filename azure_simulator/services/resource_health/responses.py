"""Answers of Microsoft.ResourceHealth."""

from __future__ import annotations

from datetime import UTC, datetime

from azure_simulator import odata
from azure_simulator.http import Request, Response, page
from azure_simulator.services.resource_health import models
from azure_simulator.services.resource_health.exceptions import EventNotFoundError, InvalidEventQueryError
from azure_simulator.world import World


def list_events(world: World, request: Request) -> Response:
    """Events by `queryStartTime` (month/day/year, of the last update) and `$filter` on eventType, status and title."""
    found = world.table(models.EVENTS).below(
        f"/subscriptions/{request.params['s']}/providers/Microsoft.ResourceHealth/events"
    )
    if given := request.q("queryStartTime"):
        try:
            start = datetime.strptime(given, "%m/%d/%Y").replace(tzinfo=UTC)
        except ValueError as exc:
            raise InvalidEventQueryError(f"'{given}' is not a date of the form month/day/year.") from exc
        found = [event for event in found if models.updated_since(event, start)]
    if request.q("$filter"):
        try:
            fits = odata.parse(request.q("$filter"), known={"eventType", "status", "title"})
        except ValueError as exc:
            raise InvalidEventQueryError(f"Invalid $filter: {exc}") from exc
        found = [event for event in found if fits(event["properties"])]
    return page(world, request, found, wrap=models.shown)


def get_event(world: World, request: Request) -> Response:
    identity = (
        f"/subscriptions/{request.params['s']}/providers/Microsoft.ResourceHealth/events/{request.params['name']}"
    )
    if identity not in world.table(models.EVENTS):
        raise EventNotFoundError(request.params["name"])
    return Response(200, models.shown(world.table(models.EVENTS)[identity]))
