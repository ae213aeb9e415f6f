"""Routes of budgets: Microsoft.Consumption and Microsoft.CostManagement, at subscriptions and resource groups."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.budgets import responses


def _routes(scope: str, provider: str) -> list[Route]:
    everything = f"{scope}/providers/{provider}/budgets"
    one = everything + "/{name}"
    return [
        route("GET", everything, responses.list_budgets, f"{provider}/budgets/read"),
        route("GET", one, responses.get_budget, f"{provider}/budgets/read"),
        route("PUT", one, responses.put_budget, f"{provider}/budgets/write"),
        route("DELETE", one, responses.delete_budget, f"{provider}/budgets/delete"),
    ]


ROUTES: list[Route] = [
    entry
    for scope in ("/subscriptions/{s}", "/subscriptions/{s}/resourceGroups/{g}")
    for provider in ("Microsoft.Consumption", "Microsoft.CostManagement")
    for entry in _routes(scope, provider)
]
