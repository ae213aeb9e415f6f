"""Deliveries that must open nothing: each is answered with its status and reason, kept when it is authentic, and starts no run."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from firebreak.clients import public_files
from firebreak.engine import EngineRoom
from firebreak.intake import partner_certificates
from flows import deliveries as module
from flows.intake import application
from tests.flows.bad_deliveries import (
    AUDIENCE,
    HOOK,
    KEY,
    KEYED,
    PARTNER_CENTER,
    Bad,
    certificates,
    public_key,
)
from tests.support.intake import Installation, installation
from tests.support.served import served

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
CASES = (*PARTNER_CENTER, *KEYED)
_FOLDER = "/webhook-certificates/cert/"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running intake; the storage account beside it also holds what must not be believed."""
    held: list[Installation] = []

    def around(app: Any) -> Any:
        async def answer(scope: Any, receive: Any, send: Send) -> None:
            name = scope.get("path", "").removeprefix(_FOLDER)
            files = certificates(held[0]).files if held and scope.get("path", "").startswith(_FOLDER) else {}
            if held and scope.get("path", "").endswith("/discovery/v2.0/keys"):
                files = {name: json.dumps({"keys": [public_key(held[0])]}).encode()}
            if name == "slow.cer" and files:
                await asyncio.sleep(3)
            if name == "redirect.cer" and files:
                headers = [(b"location", b"https://localhost/cert/good.cer"), (b"content-length", b"0")]
                await send({"type": "http.response.start", "status": 302, "headers": headers})
                await send({"type": "http.response.body", "body": b""})
            elif name in files:
                length = str(len(files[name])).encode()
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
                await send({"type": "http.response.body", "body": files[name]})
            else:
                await app(scope, receive, send)

        return answer

    async def start_run(_: EngineRoom, incident: str, *, key: str) -> str:
        held[0].started.append(incident)
        return "run"

    folder = tmp_path_factory.mktemp("bad")
    intake = {"body_seconds": 2, "shared_key": KEY, "entra_audience": AUDIENCE}
    with pytest.MonkeyPatch.context() as patch, installation(folder, around=around, **intake) as found:
        mappings = found.settings.home / "intake"
        mappings.mkdir(parents=True)
        shutil.copy(Path(__file__).parents[1] / "data" / "intake" / "siem.yaml", mappings)
        patch.setattr(module, "start_run", start_run)
        patch.setattr(partner_certificates, "_FETCHES", 10_000)
        held.append(found)
        certificates(found)
        with served(application(found.settings)) as found.address:
            yield found


@pytest.fixture(autouse=True)
def nothing_is_opened(place: Installation) -> Iterator[None]:
    """Whatever a test delivers."""
    yield
    assert place.incidents() == []
    assert place.started == []


def test_the_table_is_long_enough() -> None:
    assert len({(case.name, case.path) for case in CASES}) == len(CASES) >= 100


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_delivery(
    place: Installation, case: Bad, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case.fetched_within:
        monkeypatch.setattr(public_files, "SECONDS", case.fetched_within)
    before = len(place.deliveries())
    body, headers = case.build(place)
    with caplog.at_level(logging.WARNING, "firebreak.intake"):
        answer = place.post(case.path, body, headers)
        assert answer.status_code == case.status, answer.text
        if not case.kept:
            assert re.search(case.reason, answer.json()["error"])
            assert len(place.deliveries()) == before
            logged = [record.getMessage() for record in caplog.records]
            assert any(re.search(case.reason, line) for line in logged), logged
            return
        (kept,) = [one for one in place.deliveries() if one.body == body]
        kept = place.until(kept.id, lambda one: one.state == case.kept and bool(one.reason))
    assert (kept.state, kept.incident) == (case.kept, "")
    assert re.search(case.reason, kept.reason), kept.reason
    again = place.post(case.path, body, headers)
    assert (again.status_code, again.json()["new"]) == (200, False)


def _raw(place: Installation, *pieces: bytes) -> bytes:
    """Send pieces over a bare socket and return what comes back."""
    parts = urlsplit(place.address)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10) as line:
        for piece in pieces:
            line.sendall(piece)
        line.shutdown(socket.SHUT_WR) if pieces[-1] == b"" else None
        return line.recv(4000)


def test_a_body_that_does_not_come_is_not_waited_for(place: Installation) -> None:
    head = f"POST {HOOK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    assert _raw(place, head.encode(), b'{"Even').startswith(b"HTTP/1.1 408")


def test_a_body_that_breaks_off_is_no_delivery(place: Installation) -> None:
    head = f"POST {HOOK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    answer = _raw(place, head.encode(), b'{"Even', b"")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


def test_a_body_that_says_it_is_huge_is_not_read(place: Installation) -> None:
    head = f"POST {HOOK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    assert _raw(place, head.encode()).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_refused(place: Installation, method: str) -> None:
    assert _raw(place, f"{method} {HOOK} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).startswith(b"HTTP/1.1 405")
