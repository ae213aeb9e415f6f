"""A small world with two customers' worth of business data, and a caller that goes through the whole pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from azure_simulator.app import dispatch, empty_world, encode
from azure_simulator.http import Request
from azure_simulator.services.signin.models import issue
from azure_simulator.world import CostRow, Principal, World

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


@dataclass
class Answer:
    """An answer as a client sees it: the body went through JSON."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Caller:
    """Sends requests as one principal with a real token of one tenant. Adds an api-version to ARM requests."""

    world: World
    principal: Principal
    tenant: str

    def __call__(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, token: bool = True
    ) -> Answer:
        parts = urlsplit(path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if not parts.path.lower().startswith(("/graph", "/partnercenter", "/prices")):
            query.setdefault("api-version", "2025-03-01")
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if token:
            sent["authorization"] = f"Bearer {issue(self.world, self.principal, tenant=self.tenant)}"
        raw = b"" if body is None else json.dumps(body).encode()
        response = dispatch(self.world, Request(method, parts.path, query, sent, raw))
        content = encode(response.body)
        return Answer(response.status, json.loads(content) if content else None, response.headers)


@pytest.fixture
def world() -> World:
    return empty_world(NOW)


@pytest.fixture
def scope(world: World) -> str:
    return str(next(iter(world.subscriptions.values()))["id"])


@pytest.fixture
def arm(world: World) -> Caller:
    """The Owner app in the customer's tenant."""
    app = next(p for p in world.principals.values() if p.kind == "ServicePrincipal")
    return Caller(world, app, world.tenant_id)


@pytest.fixture
def agent(world: World) -> Caller:
    """A person of the partner, signed in to the partner's tenant."""
    person = Principal("aaaaaaaa-0000-4000-8000-000000000001", "User", "Ada Agent", upn="ada@partner.example")
    person.tenant_id = world.partner_tenant_id
    world.principals[person.object_id] = person
    return Caller(world, person, world.partner_tenant_id)


@pytest.fixture
def partner_app(world: World, arm: Caller) -> Caller:
    """The Owner app, signed in to the partner's tenant without a user."""
    return Caller(world, arm.principal, world.partner_tenant_id)


@pytest.fixture
def spend(world: World, scope: str) -> Callable[..., None]:
    """Adds cost rows: one per day that ends today, for a resource."""

    def add(
        name: str, cost: str, *, days: int = 1, group: str = "rg-web", service: str = "Virtual Machines", late: int = 0
    ) -> None:
        for back in range(days):
            world.costs.append(
                CostRow(
                    day=(NOW - timedelta(days=back)).date(),
                    resource_id=f"{scope}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}",
                    service=service,
                    region="us east",
                    resource_group=group,
                    cost=Decimal(cost),
                    currency="USD",
                    available_at=NOW + timedelta(hours=late) - timedelta(days=back),
                )
            )

    return add
