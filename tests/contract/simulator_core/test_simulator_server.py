"""The simulator as a process and as a socket: what it prints, how it ends, and how its connections break."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from azure_simulator.faults import Fault
from azure_simulator.server import Running, StartError, serve
from azure_simulator.services.signin.models import issue
from azure_simulator.world import Principal, World


@pytest.fixture
def client(server: Running, world: World, responder: Principal) -> Any:
    trusted = ssl.create_default_context(cafile=server.ca_bundle)
    headers = {"Authorization": f"Bearer {issue(world, responder)}"}
    with httpx.Client(
        base_url=server.base_url, verify=trusted, headers=headers, params={"api-version": "2025-04-01"}
    ) as one:
        yield one


@pytest.mark.parametrize(("kind", "happened"), [("drop_before", False), ("drop_after", True)])
def test_a_dropped_connection_is_a_reset_without_an_answer(
    client: httpx.Client, world: World, subscription_id: str, kind: str, happened: bool
) -> None:
    world.faults.append(Fault(kind, method="PUT", times=1))  # type: ignore[arg-type]
    path = f"/subscriptions/{subscription_id}/resourcegroups/rg1"
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.put(path, json={"location": "westus"})
    assert (len(world.groups) == 1) is happened
    assert client.put(path, json={"location": "westus"}).status_code == (200 if happened else 201)


def test_a_truncated_page_breaks_off(client: httpx.Client, world: World, subscription_id: str) -> None:
    world.faults.append(Fault("truncate_page", url="/locations", times=1))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"/subscriptions/{subscription_id}/locations")
    assert client.get(f"/subscriptions/{subscription_id}/locations").status_code == 200


def test_the_certificate_is_checked(server: Running) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(server.base_url, verify=ssl.create_default_context())


def test_both_loopback_addresses_are_answered(server: Running) -> None:
    trusted = ssl.create_default_context(cafile=server.ca_bundle)
    for host in ("localhost", "127.0.0.1"):
        answer = httpx.get(f"https://{host}:{server.port}/_simulator/health", verify=trusted)
        assert answer.json()["status"] == "ok"


def test_a_taken_port_is_named(server: Running, world: World, tmp_path: Path) -> None:
    with pytest.raises(StartError, match=str(server.port)):
        serve(world, server.port, tmp_path / "second")


def test_keys_are_readable_by_the_owner_only(server: Running, tmp_path: Path) -> None:
    assert (tmp_path / "server.key").stat().st_mode & 0o077 == 0


def test_the_process_prints_one_line_serves_and_ends_cleanly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "azure_simulator", "--json", "--seed", "3", "--folder", str(tmp_path)]
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert {
            "resource_manager",
            "login",
            "graph",
            "partner_center",
            "prices",
            "ca_bundle",
            "tenant_id",
            "subscription_id",
            "client_id",
            "client_secret",
            "alert_file",
            "approvers",
            "env",
        } <= set(line)
        trusted = ssl.create_default_context(cafile=line["ca_bundle"])
        with httpx.Client(base_url=line["resource_manager"], verify=trusted) as client:
            token = client.post(
                f"/{line['tenant_id']}/oauth2/v2.0/token",
                data={
                    "grant_type": "client_credentials",
                    "client_id": line["client_id"],
                    "client_secret": line["client_secret"],
                    "scope": "https://management.azure.com/.default",
                },
            ).json()["access_token"]
            found = client.get(
                "/subscriptions", params={"api-version": "2022-12-01"}, headers={"Authorization": f"Bearer {token}"}
            ).json()
            state = client.get("/_simulator/state").json()
        assert line["subscription_id"] in [row["subscriptionId"] for row in found["value"]]
        assert state["machines"]
        assert {row["powerState"] for row in state["machines"]} >= {"running"}
        assert json.loads(Path(line["alert_file"]).read_text())["subscriptionId"] == line["subscription_id"]
        approvers = json.loads(Path(line["env"]["FIREBREAK_APPROVERS_FILE"]).read_text())
        assert [row["name"] for row in approvers] == ["alice@partner.example", "bob@partner.example"]
        assert approvers[0]["roles"] == ["responder", "lead"]
        assert len(pyotp.TOTP(approvers[0]["totp_secret"]).now()) == 6
        assert line["env"]["FIREBREAK_CLOUD__RESOURCE_MANAGER"] == line["resource_manager"]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors == ""


def test_a_wrong_scenario_is_an_error_with_exit_code_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "azure_simulator", "--scenario", "nonsense", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "nonsense" in done.stderr
    assert "Traceback" not in done.stderr
