"""The key of the seals from Key Vault: asked with the machine's own identity, of this vault alone, also from within an event loop."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from firebreak.clients.refresh_token_store import VaultStore
from firebreak.clients.secrets import reveal_now
from firebreak.errors import CredentialError, SettingsError
from firebreak.settings import Settings

KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
ADDRESS = "https://seals.vault.azure.net/secrets/approvers"


class Identity(BaseHTTPRequestHandler):
    """The endpoint through which Azure gives a machine its tokens."""

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        known = self.headers["X-IDENTITY-HEADER"] == "machine" and asked["resource"] == ["https://vault.azure.net"]
        body = {"access_token": "machine-token", "expires_on": "4000000000", "resource": "x", "token_type": "Bearer"}
        self.send_response(200 if known else 403)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Identity) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_port}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "machine")
        yield
        server.shutdown()


class Vault:
    def __init__(self, status: int = 200) -> None:
        self.status, self.asked = status, list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self.status, json={"value": KEY, "id": ADDRESS})


def seal_key(vault: Vault, home: Path, reference: str = f"keyvault:{ADDRESS}") -> bytes:
    settings = Settings.load(home=home, secret_key=reference)
    transport = httpx.MockTransport(vault)
    return settings.seal_key(lambda secret, name: reveal_now(secret, name, settings, transport=transport))


async def test_the_key_is_read_with_the_machines_identity(identity: None, tmp_path: Path) -> None:
    vault = Vault()
    assert seal_key(vault, tmp_path) == KEY.encode()
    (request,) = vault.asked
    assert str(request.url).startswith(ADDRESS + "?api-version=")
    assert request.headers["Authorization"] == "Bearer machine-token"
    assert not (tmp_path / "secret.key").exists()


def test_a_vault_that_refuses_is_told_and_no_key_is_made_instead(identity: None, tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="403"):
        seal_key(Vault(403), tmp_path)
    assert not (tmp_path / "secret.key").exists()


def test_no_vault_of_somebody_else_is_asked(identity: None, tmp_path: Path) -> None:
    vault = Vault()
    with pytest.raises(SettingsError):
        seal_key(vault, tmp_path, "keyvault:https://seals.vault.azure.net.evil.example/secrets/approvers")
    assert vault.asked == []


def test_what_is_no_reference_to_a_vault_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALS", KEY)
    (tmp_path / "key").write_text(KEY)
    for reference in (KEY, "env:SEALS", f"file:{tmp_path / 'key'}"):
        assert reveal_now(SecretStr(reference), "FIREBREAK_SECRET_KEY", Settings.load(home=tmp_path)) == KEY


class Versions:
    """A vault that keeps versions: what was set last is what is read."""

    def __init__(self, value: str, status: int = 200) -> None:
        self.value, self.status, self.set = value, status, list[dict[str, Any]]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer machine-token"
        if request.method == "PUT":
            if self.status != 200:
                return httpx.Response(self.status, json={"error": {"code": "Forbidden", "message": "no"}})
            body = json.loads(request.content)
            self.set.append(body)
            self.value = body["value"]
        return httpx.Response(200, json={"value": self.value, "id": ADDRESS, "attributes": {"created": 1_900_000_000}})


def vault_store(vault: Versions) -> VaultStore:
    transport = lambda: httpx.MockTransport(vault)  # noqa: E731 - a new one for each request, as the network's
    return VaultStore(SecretStr(f"keyvault:{ADDRESS}"), Settings.load(), transport)


async def test_a_renewed_refresh_token_is_a_new_version_with_its_end(identity: None) -> None:
    vault = Versions("first-token")
    store = vault_store(vault)
    assert await store.replace("first-token", "second-token") == "second-token"
    (made,) = vault.set
    assert made["value"] == "second-token"
    days = (made["attributes"]["exp"] - time.time()) / 86_400
    assert 89 < days <= 90
    assert await store.read() == "second-token"
    assert await store.renewed_at() == datetime(2030, 3, 17, 17, 46, 40, tzinfo=UTC)
    # A consent that was given meanwhile stays.
    vault.value = "of-a-new-consent"
    assert await store.replace("second-token", "third-token") == "of-a-new-consent"
    assert len(vault.set) == 1


async def test_a_vault_that_may_not_be_written_names_the_role_and_no_token(identity: None) -> None:
    store = vault_store(Versions("first-token", status=403))
    with pytest.raises(CredentialError, match="answered 403") as caught:
        await store.replace("first-token", "second-token")
    assert "Secrets Officer" in caught.value.hint
    assert "second-token" not in str(caught.value)
    versioned = SecretStr(f"keyvault:{ADDRESS}/{'a' * 32}")
    with pytest.raises(CredentialError, match="one version"):
        await VaultStore(versioned, Settings.load(), lambda: httpx.MockTransport(Versions("x"))).put("y")
