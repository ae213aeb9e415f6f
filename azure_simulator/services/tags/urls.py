"""Routes of tags, at any scope."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.tags import responses

_T = "{scope...}/providers/Microsoft.Resources/tags/default"

ROUTES: list[Route] = [
    route("GET", _T, responses.get_tags, "Microsoft.Resources/tags/read"),
    route("PUT", _T, responses.put_tags, "Microsoft.Resources/tags/write"),
    route("PATCH", _T, responses.patch_tags, "Microsoft.Resources/tags/write"),
    route("DELETE", _T, responses.delete_tags, "Microsoft.Resources/tags/delete"),
]
