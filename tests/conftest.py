"""For every test: a clean environment and no network but this machine's own."""

from __future__ import annotations

import os
import socket
from typing import Any

import hypothesis
import pytest

# How long an example takes depends on what else the machine does; what it finds does not.
hypothesis.settings.register_profile("firebreak", deadline=None)
hypothesis.settings.load_profile("firebreak")

# Without an address Prefect starts a server of its own in the background, which outlives the test and slows the next ones.
_NO_SERVER_UNASKED = ("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "false")
os.environ[_NO_SERVER_UNASKED[0]] = _NO_SERVER_UNASKED[1]

_PREFIXES = ("FIREBREAK_", "PREFECT_", "AZURE_", "IDENTITY_", "MSI_", "APP_SECRET")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name.lower() in _PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("FIREBREAK_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
    monkeypatch.setenv(*_NO_SERVER_UNASKED)


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections that leave this machine; a test that tries one fails with the address in its error."""
    real_connect, real_connect_ex = socket.socket.connect, socket.socket.connect_ex

    def checked(address: Any) -> None:
        if isinstance(address, tuple) and str(address[0]) not in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::"):  # noqa: S104
            raise RuntimeError(f"A test tried to reach {address!r}; tests speak to this machine only.")

    def connect(self: socket.socket, address: Any) -> None:
        checked(address)
        return real_connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        checked(address)
        return real_connect_ex(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
