"""The connection block with a real Prefect server: configured there, used by a command that signs in, its secrets in nothing that is told or kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from firebreak.cli.processes import Processes, free_port
from firebreak.cli.services import prefect_environment
from firebreak.errors import SettingsError, UnreachableError
from firebreak.settings import Settings
from flows.connection import FirebreakConnection, connected_settings
from tests.support.canaries import Canaries
from tests.support.partner import SECRET, Partnership, partnership

pytestmark = [pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(900)]
NAME = "production"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Partnership]:
    with partnership(tmp_path) as found:
        yield found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address of the API, and the home of its database and logs."""
    home = tmp_path / "prefect-home"
    with Processes(home / "logs") as processes:
        port = free_port()
        api = f"http://127.0.0.1:{port}/api"
        env = prefect_environment(os.environ, home, api)
        processes.start(
            "prefect-server", ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)], env
        )
        processes.wait_for("prefect-server", f"{api}/health", seconds=300)
        with temporary_settings({PREFECT_API_URL: api}):
            yield api, home


async def test_a_block_of_the_ui_signs_in_and_tells_no_secret(
    place: Partnership, server: tuple[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    api, home = server
    place.consent()
    credential = place.settings().credential
    await FirebreakConnection.aregister_type_and_schema()
    block = FirebreakConnection(
        kind="secure_application_model",
        tenant_id=credential.tenant_id,
        partner_tenant_id=credential.partner_tenant_id,
        client_id=credential.client_id,
        client_secret=SecretStr(SECRET),
        refresh_token=SecretStr(f"file:{place.token_file}"),
    )
    await block.asave(NAME)
    environment = {
        name: value for name, value in place.environment().items() if not name.startswith("FIREBREAK_CREDENTIAL__")
    }
    shown = subprocess.run(  # noqa: ASYNC221 - nothing else runs in this loop
        [sys.executable, "-m", "firebreak.cli.main", "credentials", "show", "--json"],
        env={
            **os.environ,
            **environment,
            "PREFECT_API_URL": api,
            "FIREBREAK_CONNECTION_BLOCK": NAME,
            "FIREBREAK_LOG_LEVEL": "debug",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    checks = {check["name"]: check for check in json.loads(shown.stdout)}
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "ada@partner.example" in checks["sign-in"]["detail"]
    assert checks["second factor"]["ok"]

    tokens = {f"refresh token {number}": token for number, token in enumerate(place.world.grants)}
    canaries = Canaries({"client secret": SECRET, **tokens})
    canaries.look("output", shown.stdout + shown.stderr + "".join(capfd.readouterr()))
    told = httpx.post(f"{api}/block_documents/filter", json={}, timeout=60)  # noqa: ASYNC210 - nothing else runs in this loop
    canaries.look("what the API tells", told.raise_for_status().text)
    assert NAME in told.text
    canaries.look_into_database(f"sqlite:///{home / 'prefect' / 'prefect.db'}")
    canaries.look_into_database(place.settings().database_url)
    for file in sorted(home.glob("logs/*")):
        canaries.look(file.name, file.read_bytes())
    assert canaries.looked_at > 20
    assert canaries.found == []


async def test_a_block_that_is_not_there_and_a_server_that_is_not_are_told_apart(server: tuple[str, Path]) -> None:
    with pytest.raises(SettingsError, match="'elsewhere', which is not there"):
        await connected_settings(Settings.load(connection_block="elsewhere"))
    with (
        temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}),
        pytest.raises(UnreachableError, match="does not answer"),
    ):
        await connected_settings(Settings.load(connection_block="elsewhere"))
