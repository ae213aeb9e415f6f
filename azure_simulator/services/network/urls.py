"""Routes of Microsoft.Network."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.compute.documents import patcher, paths, simple_routes
from azure_simulator.services.network import models, responses


def _routes(kind: str) -> list[Route]:
    _, _, one = paths(kind)
    return [
        *simple_routes(kind, changes=False),
        route("PUT", one, responses.put(kind), f"{kind}/write"),
        route("PATCH", one, patcher(kind), f"{kind}/write"),
        route("DELETE", one, responses.delete(kind), f"{kind}/delete"),
    ]


ROUTES: list[Route] = [
    *_routes(models.INTERFACE),
    *_routes(models.PUBLIC_ADDRESS),
    *_routes(models.VIRTUAL_NETWORK),
    *_routes(models.SECURITY_GROUP),
    *_routes(models.LOAD_BALANCER),
]
