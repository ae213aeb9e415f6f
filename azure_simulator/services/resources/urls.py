"""Routes of resource groups and generic resources."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.resources import group_responses as groups
from azure_simulator.services.resources import responses

_G = "/subscriptions/{s}/resourcegroups"
_P = "Microsoft.Resources/subscriptions/resourceGroups"

ROUTES: list[Route] = [
    route("GET", _G, groups.list_groups),
    route("GET", f"{_G}/{{name}}", groups.get_group, f"{_P}/read"),
    route("HEAD", f"{_G}/{{name}}", groups.head_group, f"{_P}/read"),
    route("PUT", f"{_G}/{{name}}", groups.put_group, f"{_P}/write"),
    route("PATCH", f"{_G}/{{name}}", groups.patch_group, f"{_P}/write"),
    route("DELETE", f"{_G}/{{name}}", groups.delete_group, f"{_P}/delete"),
    route(
        "GET",
        "/subscriptions/{s}/resources",
        responses.list_resources,
        "Microsoft.Resources/subscriptions/resources/read",
    ),
    route("GET", f"{_G}/{{group}}/resources", responses.list_resources, f"{_P}/resources/read"),
    route("GET", "{id...}", responses.get_by_id, "{type}/read"),
    route("HEAD", "{id...}", responses.head_by_id, "{type}/read"),
    route("PUT", "{id...}", responses.put_by_id, "{type}/write"),
    route("PATCH", "{id...}", responses.patch_by_id, "{type}/write"),
    route("DELETE", "{id...}", responses.delete_by_id, "{type}/delete"),
]
