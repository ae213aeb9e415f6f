"""A world with one group, and a way to call it as its owner."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from azure_simulator.app import call_as, empty_world
from azure_simulator.http import Response
from azure_simulator.world import Document, World

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


@dataclass
class Cloud:
    """The world, its subscription and group, and the owner who calls it."""

    world: World
    subscription: str
    group: str
    owner: str
    told: list[tuple[str, str]] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """Call a path below the group (`disks/d1` is Microsoft.Compute's), or an absolute one."""
        if not path.startswith("/"):
            path = f"{self.group}/providers/{path if path.startswith('Microsoft.') else f'Microsoft.Compute/{path}'}"
        return call_as(self.world, self.owner, method, path, body, headers=headers)

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's document as a client would get it: through JSON."""
        response = self.call(method, path, body)
        assert response.status < 400, response.body
        return json.loads(json.dumps(response.body))

    def error(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and code of a refusal."""
        response = self.call(method, path, body)
        assert response.status >= 400, response
        return response.status, response.body["error"]["code"]

    def stored(self, path: str) -> Document:
        """The stored document behind a path."""
        namespace = path if path.startswith("Microsoft.") else f"Microsoft.Compute/{path}"
        return self.world.resources[f"{self.group}/providers/{namespace}"]

    def has(self, path: str) -> bool:
        return f"{self.group}/providers/Microsoft.Compute/{path}" in self.world.resources

    def wait(self, seconds: float) -> None:
        """Let time pass and what is due happen."""
        self.world.clock.advance(seconds)
        self.world.settle()

    def make_vm(self, name: str = "vm1", size: str = "Standard_D2s_v5", **properties: Any) -> Document:
        """A running machine with an OS disk, made through the API."""
        body = {
            "location": "westeurope",
            "properties": {
                "hardwareProfile": {"vmSize": size},
                "storageProfile": {"osDisk": {"createOption": "FromImage"}},
            }
            | properties,
        }
        assert self.call("PUT", f"virtualMachines/{name}", body).status == 201
        return self.stored(f"virtualMachines/{name}")

    def make_scale_set(self, name: str = "vmss1", capacity: int = 3, **properties: Any) -> Document:
        """A Uniform scale set with running instances."""
        body = {
            "location": "westeurope",
            "sku": {"name": "Standard_D2s_v5", "capacity": capacity},
            "properties": properties,
        }
        assert self.call("PUT", f"virtualMachineScaleSets/{name}", body).status == 201
        return self.stored(f"virtualMachineScaleSets/{name}")


@pytest.fixture
def make_cloud() -> Callable[[], Cloud]:
    return _cloud


@pytest.fixture
def cloud() -> Cloud:
    return _cloud()


def _cloud() -> Cloud:
    world = empty_world(NOW, 7)
    subscription = next(iter(world.subscriptions.values()))["subscriptionId"]
    group = f"/subscriptions/{subscription}/resourceGroups/rg-app"
    world.groups[group] = {
        "id": group,
        "name": "rg-app",
        "type": "Microsoft.Resources/resourceGroups",
        "location": "westeurope",
        "properties": {"provisioningState": "Succeeded"},
    }
    owner = next(p.object_id for p in world.principals.values() if p.kind == "User")
    made = Cloud(world, subscription, group, owner)
    listener: Callable[[str, Document], None] = lambda what, document: made.told.append((what, document["name"]))  # noqa: E731
    world.on_change.append(listener)
    return made
