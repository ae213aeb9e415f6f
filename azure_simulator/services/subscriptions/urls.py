"""Routes of subscriptions, tenants and locations."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.subscriptions import responses

ROUTES: list[Route] = [
    route("GET", "/subscriptions", responses.list_subscriptions),
    route("GET", "/subscriptions/{s}", responses.get_subscription),
    route(
        "GET",
        "/subscriptions/{s}/locations",
        responses.list_locations,
        "Microsoft.Resources/subscriptions/locations/read",
    ),
    route("GET", "/tenants", responses.list_tenants),
]
