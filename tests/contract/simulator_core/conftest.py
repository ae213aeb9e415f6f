"""A simulator behind real TLS, and real Azure SDK clients that sign in to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.identity import ClientSecretCredential

from azure_simulator.app import empty_world
from azure_simulator.server import Running, serve
from azure_simulator.world import Principal, World

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    return empty_world(NOW)


@pytest.fixture
def subscription_id(world: World) -> str:
    return str(next(iter(world.subscriptions.values()))["subscriptionId"])


@pytest.fixture
def responder(world: World) -> Principal:
    return next(p for p in world.principals.values() if p.name == "responder")


@pytest.fixture
def server(world: World, tmp_path: Path) -> Iterator[Running]:
    with serve(world, 0, tmp_path) as running:
        yield running


@pytest.fixture
def credential(server: Running, world: World, responder: Principal) -> Iterator[ClientSecretCredential]:
    with ClientSecretCredential(
        world.tenant_id,
        responder.app_id,
        "responder-secret",
        authority=server.base_url,
        disable_instance_discovery=True,
        connection_verify=server.ca_bundle,
    ) as signed_in:
        yield signed_in


@pytest.fixture
def options(server: Running) -> dict[str, Any]:
    """What every management client needs to work against the simulator."""
    return {
        "base_url": server.base_url,
        "credential_scopes": ["https://management.azure.com/.default"],
        "connection_verify": server.ca_bundle,
        "polling_interval": 0.05,
    }
