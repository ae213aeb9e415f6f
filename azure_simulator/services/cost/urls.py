"""Routes of Cost Management and of Consumption's usage details, at subscriptions and resource groups."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.cost import responses

SCOPES = ("/subscriptions/{s}", "/subscriptions/{s}/resourceGroups/{g}")
COST = "providers/Microsoft.CostManagement"


def _routes(scope: str) -> list[Route]:
    alert, action = f"{scope}/{COST}/alerts/{{name}}", f"{scope}/{COST}/scheduledActions/{{name}}"
    return [
        route("POST", f"{scope}/{COST}/query", responses.query, "Microsoft.CostManagement/query/read"),
        route("GET", f"{scope}/{COST}/alerts", responses.list_alerts, "Microsoft.CostManagement/alerts/read"),
        route("GET", alert, responses.get_alert, "Microsoft.CostManagement/alerts/read"),
        route("PATCH", alert, responses.patch_alert, "Microsoft.CostManagement/alerts/write"),
        route(
            "GET",
            f"{scope}/{COST}/scheduledActions",
            responses.list_actions,
            "Microsoft.CostManagement/scheduledActions/read",
        ),
        route("GET", action, responses.get_action, "Microsoft.CostManagement/scheduledActions/read"),
        route("PUT", action, responses.put_action, "Microsoft.CostManagement/scheduledActions/write"),
        route("DELETE", action, responses.delete_action, "Microsoft.CostManagement/scheduledActions/delete"),
        route(
            "GET",
            f"{scope}/providers/Microsoft.Consumption/usageDetails",
            responses.list_usage_details,
            "Microsoft.Consumption/usageDetails/read",
        ),
    ]


ROUTES: list[Route] = [entry for scope in SCOPES for entry in _routes(scope)]
