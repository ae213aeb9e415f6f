"""Routes of resource providers."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.providers import responses

_P = "/subscriptions/{s}/providers"

ROUTES: list[Route] = [
    route("GET", _P, responses.list_providers, "Microsoft.Resources/subscriptions/providers/read"),
    route("GET", f"{_P}/{{namespace}}", responses.get_provider, "Microsoft.Resources/subscriptions/providers/read"),
    route("POST", f"{_P}/{{namespace}}/register", responses.register, "{namespace}/register/action"),
    route("POST", f"{_P}/{{namespace}}/unregister", responses.unregister, "{namespace}/unregister/action"),
]
