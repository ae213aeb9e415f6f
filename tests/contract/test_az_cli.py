"""The real `az` command works against the simulator, by the recipe of docs/guide/az-cli.md.

Looks for the CLI in the virtual environment that AZ_VENV names, else in `.az-venv` of the checkout; installs nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from azure_simulator import announcement, build
from azure_simulator.server import Running, serve

AZ = Path(os.environ.get("AZ_VENV", str(Path(__file__).parents[2] / ".az-venv"))) / "bin" / "az"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not AZ.exists(), reason=f"no Azure CLI at {AZ}: see docs/guide/az-cli.md, or set AZ_VENV"),
]

Az = Callable[..., Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    world = build(
        "crypto-mining", seed=7, now=datetime.now(UTC).replace(minute=0, second=0, microsecond=0), real_time=True
    )
    with serve(world, 0, tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture(scope="module")
def run(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `az` with a configuration of its own."""
    environment = {
        **os.environ,
        "AZURE_CONFIG_DIR": str(tmp_path_factory.mktemp("az")),
        "REQUESTS_CA_BUNDLE": server.ca_bundle,
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_CORE_ONLY_SHOW_ERRORS": "true",
        "AZURE_CORE_NO_COLOR": "true",
    }

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(AZ), *arguments, "-o", "json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call


@pytest.fixture(scope="module")
def az(server: Running, run: Callable[..., subprocess.CompletedProcess[str]]) -> Az:
    """The CLI, signed in as the responder; answers what it printed, as JSON."""

    def call(*arguments: str) -> Any:
        done = run(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    identity = announcement.responder(server.world)
    call("cloud", "register", "-n", "simulator", "--endpoint-resource-manager", server.base_url)
    call("cloud", "set", "-n", "simulator")
    signed_in = call(
        "login",
        "--service-principal",
        "-u",
        identity.app_id,
        "-p",
        identity.secrets[0],
        "--tenant",
        server.world.tenant_id,
    )
    assert [row["id"] for row in signed_in] == [row["subscriptionId"] for row in server.world.subscriptions.values()]
    return call


def test_inventory_agrees_with_the_world(az: Az, server: Running) -> None:
    world = server.world
    assert {row["id"] for row in az("group", "list")} == {row["id"] for row in world.groups.values()}
    machines = world.resources.of_type("Microsoft.Compute/virtualMachines")
    listed = az("vm", "list", "-d")
    assert {row["vmId"] for row in listed} == {row["properties"]["vmId"] for row in machines}
    assert {row["powerState"] for row in listed} >= {"VM running"}
    disks = world.resources.of_type("Microsoft.Compute/disks")
    ids = [row["id"].lower() for row in az("resource", "list", "--resource-type", "Microsoft.Compute/disks")]
    assert sorted(ids) == sorted(row["id"].lower() for row in disks)
    group = disks[0]["id"].split("/")[4]
    here = [row for row in disks if row["id"].split("/")[4].lower() == group.lower()]
    assert len(az("disk", "list", "-g", group)) == len(here)


def test_who_has_access_is_named_through_the_simulated_graph(az: Az, server: Running) -> None:
    rows = az("role", "assignment", "list", "--all")
    assert len(rows) == len(server.world.role_assignments)
    people = {one.upn for one in server.world.principals.values() if one.kind == "User" and one.upn}
    assert people & {row["principalName"] for row in rows}
    assert {"Owner", "Reader"} <= {row["roleDefinitionName"] for row in rows}


def test_the_activity_log_is_read(az: Az, server: Running) -> None:
    events = az("monitor", "activity-log", "list", "--offset", "24h", "--max-events", "50")
    assert len(events) == 50
    known = {row["eventDataId"] for row in server.world.events}
    assert {row["eventDataId"] for row in events} <= known


def test_a_machine_is_deallocated_and_a_disk_deleted(az: Az, server: Running) -> None:
    world = server.world
    locked = {lock["id"].split("/providers/Microsoft.Authorization")[0].lower() for lock in world.locks.values()}

    def is_free(row: dict[str, Any]) -> bool:
        return not any(row["id"].lower().startswith(scope) for scope in locked)

    machine = next(
        m
        for m in world.resources.of_type("Microsoft.Compute/virtualMachines")
        if is_free(m) and m["_power"] == "running"
    )
    az("vm", "deallocate", "--ids", machine["id"])
    assert world.resources[machine["id"]]["_power"] == "deallocated"
    view = az("vm", "get-instance-view", "--ids", machine["id"])
    assert "PowerState/deallocated" in [row["code"] for row in view["instanceView"]["statuses"]]

    disk = next(
        d
        for d in world.resources.of_type("Microsoft.Compute/disks")
        if is_free(d) and d["properties"]["diskState"] == "Unattached"
    )
    az("disk", "delete", "--ids", disk["id"], "--yes")
    assert disk["id"] not in world.resources
    done = [row["operationName"]["value"] for row in world.events if row["status"]["value"] == "Succeeded"][-2:]
    assert done == ["Microsoft.Compute/virtualMachines/deallocate/action", "Microsoft.Compute/disks/delete"]


def test_a_lock_is_respected(az: Az, run: Callable[..., subprocess.CompletedProcess[str]], server: Running) -> None:
    az("group", "create", "-n", "rg-az", "-l", "westeurope")
    az("lock", "create", "-n", "keep", "-g", "rg-az", "--lock-type", "CanNotDelete")
    refused = run("group", "delete", "-n", "rg-az", "--yes")
    assert refused.returncode == 1
    assert "ScopeLocked" in refused.stderr
    az("lock", "delete", "-n", "keep", "-g", "rg-az")
    az("group", "delete", "-n", "rg-az", "--yes")
    assert not any(row["name"] == "rg-az" for row in server.world.groups.values())
