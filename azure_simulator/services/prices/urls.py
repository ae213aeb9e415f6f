"""Routes of the retail prices API."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.prices import responses

ROUTES: list[Route] = [route("GET", "/prices/api/retail/prices", responses.list_prices, kind="prices")]
