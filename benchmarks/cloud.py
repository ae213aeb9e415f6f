"""An embedded Azure in a process of its own, over TLS, with N running machines and N unattached disks and nothing else.

with running(200, throttled=False) as cloud: ...     # cloud["resource_manager"], cloud["ca_bundle"], ...
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure_simulator.app import call_as, empty_world, endpoints
from azure_simulator.clock import Clock
from azure_simulator.server import serve
from azure_simulator.world import World

GROUP = "rg-rogue"
REGION = "westeurope"
SIZE = "Standard_D2s_v5"
_MACHINE_VERSION, _DISK_VERSION = "2026-04-01", "2026-03-02"


@contextmanager
def running(resources: int, *, throttled: bool) -> Iterator[dict[str, Any]]:
    """Start the cloud and yield where it is reached and who signs in; it ends with the block.

    Raises:
        RuntimeError: it did not come up.
    """
    with tempfile.TemporaryDirectory(prefix="firebreak-benchmark-") as folder:
        command = [sys.executable, "-m", "benchmarks.cloud", str(resources), str(int(throttled)), folder]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise RuntimeError("The embedded Azure did not start; its own message stands above.")
            yield json.loads(line)
        finally:
            process.communicate("end\n", timeout=30)


def filled(resources: int) -> World:
    """A world in real time with N running machines and N unattached disks, made through its own API."""
    now = datetime.now(UTC)
    world = empty_world(now)
    owner = next(p.object_id for p in world.principals.values() if p.kind == "User")
    scope = next(iter(world.subscriptions))
    group = f"{scope}/resourceGroups/{GROUP}"
    _put(world, owner, f"{group}?api-version=2025-04-01", {"location": REGION})
    compute = f"{group}/providers/Microsoft.Compute"
    disk = {
        "location": REGION,
        "sku": {"name": "Standard_LRS"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32},
    }
    machine = {"location": REGION, "properties": {"hardwareProfile": {"vmSize": SIZE}, "priority": "Spot"}}
    for number in range(resources):
        _put(world, owner, f"{compute}/disks/disk-{number:04}?api-version={_DISK_VERSION}", disk)
        _put(world, owner, f"{compute}/virtualMachines/vm-{number:04}?api-version={_MACHINE_VERSION}", machine)
    world.settle()
    world.clock = Clock(now, real_time=True)
    return world


def _put(world: World, owner: str, path: str, body: dict[str, Any]) -> None:
    answer = call_as(world, owner, "PUT", path, body)
    if answer.status >= 300:
        raise RuntimeError(f"The benchmark's cloud refused PUT {path}: {answer.status} {answer.body}")


def main(resources: str, throttled: str, folder: str) -> None:
    """Serve until a line, or the end of the input, comes."""
    world = filled(int(resources))
    identity = next(p for p in world.principals.values() if p.kind == "ServicePrincipal")
    with serve(world, 0, Path(folder), throttling=bool(int(throttled))) as server:
        line = {
            **endpoints(world),
            "ca_bundle": server.ca_bundle,
            "tenant_id": world.tenant_id,
            "partner_tenant_id": world.partner_tenant_id,
            "subscription_id": next(iter(world.subscriptions.values()))["subscriptionId"],
            "client_id": identity.app_id,
            "client_secret": identity.secrets[0],
        }
        print(json.dumps(line), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main(*sys.argv[1:])
