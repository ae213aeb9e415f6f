"""Routes of Microsoft.ResourceHealth at a subscription."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.resource_health import responses

BASE = "/subscriptions/{s}/providers/Microsoft.ResourceHealth/events"

ROUTES: list[Route] = [
    route("GET", BASE, responses.list_events, "Microsoft.ResourceHealth/events/read"),
    route("GET", f"{BASE}/{{name}}", responses.get_event, "Microsoft.ResourceHealth/events/read"),
]
