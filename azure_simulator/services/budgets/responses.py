"""Answers of the budget API."""

from __future__ import annotations

from azure_simulator.http import Request, Response, page
from azure_simulator.services.budgets import models
from azure_simulator.services.budgets.exceptions import BudgetNotFoundError
from azure_simulator.world import World


def _scope(request: Request) -> str:
    group = request.params.get("g")
    return f"/subscriptions/{request.params['s']}" + (f"/resourceGroups/{group}" if group else "")


def _id(request: Request) -> str:
    """One budget whichever provider names it."""
    return f"{_scope(request)}/providers/Microsoft.Consumption/budgets/{request.params['name']}"


def list_budgets(world: World, request: Request) -> Response:
    """Budgets of exactly this scope, as the API does."""
    prefix = f"{_scope(request)}/providers/microsoft.consumption/budgets/".lower()
    found = [world.budgets[key] for key in world.budgets if key.startswith(prefix)]
    return page(world, request, found, wrap=lambda budget: models.shown(world, budget))


def get_budget(world: World, request: Request) -> Response:
    if _id(request) not in world.budgets:
        raise BudgetNotFoundError(request.params["name"])
    return Response(200, models.shown(world, world.budgets[_id(request)]))


def put_budget(world: World, request: Request) -> Response:
    identity = _id(request)
    before = world.budgets.get(identity)
    if before is not None:
        before.setdefault("_version", 0)
        before.setdefault("eTag", "")
    after = models.checked(world, identity, request.json(), before, if_match=request.headers.get("if-match", ""))
    world.budgets[identity] = after
    return Response(200 if before else 201, models.shown(world, after))


def delete_budget(world: World, request: Request) -> Response:
    if world.budgets.pop(_id(request), None) is None:
        raise BudgetNotFoundError(request.params["name"])
    return Response(200)
