"""Routes of the activity log."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.activity_log import responses

_E = "providers/Microsoft.Insights/eventtypes/management/values"
_READ = "Microsoft.Insights/eventtypes/values/read"

ROUTES: list[Route] = [
    route("GET", f"/subscriptions/{{s}}/{_E}", responses.list_events, _READ),
    route("GET", f"/{_E}", responses.list_events),
    route("GET", "/providers/Microsoft.Insights/eventcategories", responses.list_categories),
]
