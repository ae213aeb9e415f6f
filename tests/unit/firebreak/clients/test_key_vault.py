"""The key of the seals from Key Vault: asked with the machine's own identity, of this vault alone, also from within an event loop."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

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
