"""What is carried out in a what-if can reach the embedded Azure and nothing else, whatever a bundle, a link or a setting says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.rest import HttpRequest

from azure_simulator import empty_world, tls
from azure_simulator.server import serve
from firebreak.clients.embedded import embedded_settings, only_embedded
from firebreak.errors import ScopeError
from firebreak.settings import Settings

HERE = "https://localhost:8443"


def line(folder: Path, **more: str) -> dict[str, Any]:
    tls.write(folder)
    names = ("resource_manager", "login", "graph", "partner_center", "prices")
    ids = {"tenant_id": "t", "partner_tenant_id": "p", "client_id": "c", "client_secret": "s"}
    return {**dict.fromkeys(names, HERE), **ids, "ca_bundle": str(next(folder.glob("ca*.pem"))), **more}


@pytest.mark.parametrize("name", ["resource_manager", "login", "graph", "partner_center", "prices"])
@pytest.mark.parametrize(
    "place", ["https://management.azure.com", "https://localhost:9999", "https://localhost.example:8443"]
)
def test_an_address_that_is_not_this_machines_one_port_is_refused(tmp_path: Path, name: str, place: str) -> None:
    with pytest.raises(ScopeError):
        embedded_settings(Settings.load(), line(tmp_path, **{name: place}))


def test_settings_of_any_other_cloud_are_refused() -> None:
    with pytest.raises(ScopeError):
        only_embedded(Settings.load())
    with pytest.raises(ScopeError, match="certificate authority"):
        only_embedded(Settings.load(cloud={"preset": "simulator"}))


def test_nothing_of_the_settings_before_is_left(tmp_path: Path) -> None:
    before = Settings.load(
        credential={"kind": "client_secret", "client_secret": "real", "client_id": "real", "tenant_id": "real"}
    )
    after = embedded_settings(before, line(tmp_path))
    assert after.credential.client_secret is not None
    assert after.credential.client_secret.get_secret_value() == "s"
    assert "core.windows.net" not in after.cloud.storage_suffixes


@pytest.mark.parametrize(
    "url",
    [
        "https://management.azure.com/subscriptions",
        "https://localhost:8444/",
        "http://localhost:8443/",
        "https://localhost:8443@evil.example/",
        "https://account.blob.core.windows.net/vhds",
    ],
)
async def test_no_request_to_another_place_leaves(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr("socket.socket.connect", refuse)
    transports = only_embedded(embedded_settings(Settings.load(), line(tmp_path)))
    http, azure = transports.http(), transports.azure()
    with pytest.raises(ScopeError):
        await http.handle_async_request(httpx.Request("PUT", url))
    with pytest.raises(ScopeError):
        await azure.send(HttpRequest("PUT", url))
    await http.aclose()
    await azure.close()


async def test_a_server_with_another_authority_is_not_spoken_to(tmp_path: Path) -> None:
    """Even at the right address: only the world itself has a certificate of the world's authority."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with serve(empty_world(now=datetime.now(UTC)), 0, tmp_path / "a") as server:
        names = ("resource_manager", "login", "graph", "partner_center", "prices")
        given = line(tmp_path / "b", **dict.fromkeys(names, server.base_url))
        http = only_embedded(embedded_settings(Settings.load(), given)).http()
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await http.handle_async_request(httpx.Request("GET", f"{server.base_url}/_simulator/health"))
        await http.aclose()
        right = {**given, "ca_bundle": server.ca_bundle}
        http = only_embedded(embedded_settings(Settings.load(), right)).http()
        answer = await http.handle_async_request(httpx.Request("GET", f"{server.base_url}/_simulator/health"))
        assert answer.status_code == 200
        await http.aclose()
