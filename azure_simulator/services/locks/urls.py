"""Routes of management locks, at any scope."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.locks import responses

_L = "{scope...}/providers/Microsoft.Authorization/locks"
_P = "Microsoft.Authorization/locks"

ROUTES: list[Route] = [
    route("GET", _L, responses.list_locks, f"{_P}/read"),
    route("GET", f"{_L}/{{name}}", responses.get_lock, f"{_P}/read"),
    route("PUT", f"{_L}/{{name}}", responses.put_lock, f"{_P}/write"),
    route("DELETE", f"{_L}/{{name}}", responses.delete_lock, f"{_P}/delete"),
]
