"""Answers about resource providers."""

from __future__ import annotations

from azure_simulator.http import ArmError, Request, Response, page
from azure_simulator.services.providers import models
from azure_simulator.world import Document, World


def list_providers(world: World, request: Request) -> Response:
    subscription = request.params["s"]
    rows = [models.document(world, subscription, name) for name in models.namespaces(world, subscription)]
    return page(world, request, rows)


def get_provider(world: World, request: Request) -> Response:
    return Response(200, _document(world, request))


def register(world: World, request: Request) -> Response:
    held = models.registered(world, request.params["s"])
    if held is not None:
        held.add(request.params["namespace"].lower())
    return Response(200, _document(world, request))


def unregister(world: World, request: Request) -> Response:
    held = models.registered(world, request.params["s"])
    if held is not None:
        held.discard(request.params["namespace"].lower())
    return Response(200, _document(world, request))


def _document(world: World, request: Request) -> Document:
    found = models.document(world, request.params["s"], request.params["namespace"])
    if found is None:
        raise ArmError(
            404, "InvalidResourceNamespace", f"The resource namespace '{request.params['namespace']}' is invalid."
        )
    return found
