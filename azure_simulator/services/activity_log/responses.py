"""Answers of the activity log."""

from __future__ import annotations

from datetime import timedelta

from azure_simulator.http import Request, Response, page
from azure_simulator.services.activity_log import filters, models
from azure_simulator.services.activity_log.exceptions import BadLogQueryError
from azure_simulator.world import Document, World, public

PAGE_SIZE = 200
DAYS_KEPT = 90
QUERIES_KEPT = 64

CATEGORIES = (
    "Administrative",
    "Security",
    "ServiceHealth",
    "Alert",
    "Recommendation",
    "Policy",
    "Autoscale",
    "ResourceHealth",
)


def list_events(world: World, request: Request) -> Response:
    """Events newest first, 200 a page; `$select` leaves only the chosen fields."""
    query = filters.parse(request.q("$filter"))
    now = world.clock.now()
    if query.start < now - timedelta(days=DAYS_KEPT, minutes=1):
        raise BadLogQueryError(f"The start time cannot be more than {DAYS_KEPT} days in the past.")
    if query.end is not None and query.end < query.start:
        raise BadLogQueryError("The end time must be later than the start time.")
    events = _kept(world, request, query)
    chosen = {name.strip().lower() for name in request.q("$select").split(",") if name.strip()}

    def shown(row: Document) -> Document:
        full = public(row)
        return {key: value for key, value in full.items() if key.lower() in chosen} if chosen else full

    return page(world, request, events, size=PAGE_SIZE, wrap=shown)


def _kept(world: World, request: Request, query: filters.Query) -> list[Document]:
    """The result of a query, kept between its pages so that events that arrive meanwhile do not shift them."""
    subscription = request.params.get("s", "")
    key = f"{subscription}|{request.q('$filter')}"
    kept: dict[str, list[Document]] = world.memory.setdefault("activity_pages", {})
    if request.q("$skiptoken") and key in kept:
        return kept[key]
    events = models.search(world, query, subscription)
    if len(kept) >= QUERIES_KEPT:
        kept.pop(next(iter(kept)))
    kept[key] = events
    return events


def list_categories(_world: World, _request: Request) -> Response:
    return Response(200, {"value": [{"value": name, "localizedValue": name} for name in CATEGORIES]})
