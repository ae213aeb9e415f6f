"""P11 over a whole run: secrets planted in credentials, answers and the alert are in nothing that the run leaves behind.

This is the run in this process; `test_no_secret_leaks_through_prefect.py` does it with real processes.
"""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from azure_simulator import AsgiApp, build
from azure_simulator.services.storage.models import keys as storage_keys
from firebreak.audit import verify_bytes
from firebreak.bundle import contents_of, open_bundle, write_bundle
from firebreak.clients.inprocess import in_process
from firebreak.clients.policies.redaction import know_secret
from firebreak.engine import EngineRoom
from firebreak.model.mode import Mode
from tests.flows.room_in_process import PEOPLE, People, PeopleAnswer, alert_bytes, engine_room_of, respond_in
from tests.support.canaries import Canaries, spellings
from tests.support.inprocess import SimulatedToken, responder

pytestmark = pytest.mark.timeout(420)
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
SAS = (
    "https://contoso.blob.core.windows.net/backups/db.bak?sv=2024-11-04&se=2027-01-01&sig=cAnArYsAs%2FsIg0123456789%3D"
)
NOT_ASKED_FOR = "cAnArY-not-asked-for"


class _Token(SimulatedToken):
    """A token of the world, remembered."""

    seen: list[str]

    async def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        token = await super().get_token(*scopes, **more)
        self.seen.append(token.token)
        return token


class _Echo:
    """The simulator, with answers that repeat what was sent: every list of budgets is refused with the request's own token in the body."""

    def __init__(self, app: Any) -> None:
        self._app, self.refused = app, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or "/budgets" not in scope["path"].lower():
            await self._app(scope, receive, send)
            return
        self.refused += 1
        sent = next(value for name, value in scope["headers"] if name.lower() == b"authorization").decode()
        message = f"The client with Authorization: {sent} (raw {sent.split()[1]}) may not; see {SAS}"
        body = json.dumps({"error": {"code": "AuthorizationFailed", "message": message}}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Watched(PeopleAnswer):
    """Keeps every page and table that was shown."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.pages: list[str] = []

    async def ask(self, question: Any) -> None:
        self.pages.append(question.page)
        await super().ask(question)

    async def show(self, key: str, page: str, title: str) -> None:
        self.pages.append(f"{title}\n{page}")

    async def show_table(self, key: str, rows: list[dict[str, str]], title: str) -> None:
        self.pages.append(json.dumps([title, rows]))


class Left:
    """What a run left behind, and what was planted."""

    def __init__(self, room: EngineRoom, home: Path, planted: Canaries, said: dict[str, str], incident: str) -> None:
        self.room, self.home, self.planted, self.said, self.incident = room, home, planted, said, incident


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    home = tmp_path_factory.mktemp("leaks")
    world = build("service-principal-abuse", seed=7, now=NOW)
    tokens: list[str] = []
    acting = responder(world)
    for document in world.resources.values():
        if str(document.get("type", "")).lower() == "microsoft.compute/virtualmachines":
            document.setdefault("tags", {})["backup"] = SAS
            document["properties"].setdefault("osProfile", {})["customData"] = "cAnArYcUsToMdAtA0123456789=="
    accounts = [d for d in world.resources.values() if "storageaccounts" in str(d.get("type", "")).lower()]
    planted = {
        "client secret": acting.secrets[0],
        "SAS signature": "cAnArYsAs/sIg0123456789=",
        "custom data": "cAnArYcUsToMdAtA0123456789==",
        "password in the alert": "cAnArYpAsSwOrD0123456789",
        **{f"TOTP seed of {name}": People(world).seeds[name] for name in PEOPLE},
        **{f"storage key {n}": key for n, account in enumerate(accounts) for key in storage_keys(world, account)},
    }
    echo = _Echo(AsgiApp(world))

    def token(tenant: str) -> _Token:
        made = _Token(world, acting, tenant or world.tenant_id)
        made.seen = tokens
        return made

    alert = json.loads(alert_bytes(world))
    alert |= {"password": planted["password in the alert"], "customerNote": NOT_ASKED_FOR}
    know_secret(acting.secrets[0])  # as signing in with it does
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.name} {self.format(record)}")

    handler, root = Keep(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    ours, was = logging.getLogger("firebreak"), logging.getLogger("firebreak").level
    ours.setLevel(logging.DEBUG)
    try:
        with engine_room_of(world, home) as opened:
            room = replace(opened, transport=in_process(echo, credential=token))
            runtime: list[_Watched] = []
            from tests.flows import room_in_process

            original = room_in_process.PeopleAnswer
            room_in_process.PeopleAnswer = lambda *given: runtime.append(_Watched(*given)) or runtime[-1]  # type: ignore[assignment,misc]
            try:
                ran = respond_in(room, world, json.dumps(alert).encode(), mode=Mode.LIVE)
            finally:
                room_in_process.PeopleAnswer = original  # type: ignore[misc]
            assert ran.state == "done"
            assert tokens
            planted |= {
                f"token {n}": value for n, value in enumerate([tokens[0], tokens[len(tokens) // 2], tokens[-1]])
            }
            said = {
                "log": "\n".join(lines),
                "pages": "\n".join(runtime[0].pages),
                "progress": "\n".join(ran.runtime.said),
                "json": json.dumps(ran.json, default=str),
            }
            assert echo.refused
            yield Left(room, home, Canaries(planted), said, ran.incident)
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        ours.setLevel(was)


def test_the_planted_secrets_are_found_where_they_are() -> None:
    """Else the tests below could not fail."""
    planted = Canaries({"key": 'a/b+c&"d~secret'})
    for way in spellings('a/b+c&"d~secret'):
        planted.look("plain", b"before " + way + b" after")
    planted.look("packed", gzip.compress(b'x a/b+c&"d~secret y'))
    assert len(planted.found) == len(spellings('a/b+c&"d~secret')) + 1


def test_no_secret_is_in_anything_that_is_shown_or_logged(left: Left) -> None:
    for place, text in left.said.items():
        assert text, place
        left.planted.look(place, text)
    assert left.planted.found == []
    assert all(NOT_ASKED_FOR not in text for text in left.said.values())


def test_no_secret_is_in_any_file_of_the_home(left: Left) -> None:
    """Database with its write-ahead log, evidence unpacked, reports. The alert's bytes are kept as they came (P12), and the approvers' file is the operator's."""
    left.planted.found.clear()
    raw = left.room.store.incidents.raw_alert_digest(left.incident)
    files = [p for p in left.home.rglob("*") if p.is_file() and p.name != "approvers.json" and raw not in p.name]
    assert {".db", ".gz", ".html", ".jsonl"} <= {p.suffix for p in files}
    for path in files:
        left.planted.look(str(path.relative_to(left.home)), path.read_bytes())
    assert left.planted.looked_at > 100
    assert left.planted.found == []


def test_no_secret_is_in_the_bundle_and_it_verifies(left: Left, tmp_path: Path) -> None:
    left.planted.found.clear()
    room = left.room
    path = write_bundle(contents_of(room.store, room.evidence, room.audit, left.incident), tmp_path / "b.zip")
    left.planted.look("bundle", path.read_bytes())
    assert left.planted.found == []
    with open_bundle(path) as bundle:
        assert bundle.verify().records > 50
        assert {entry.round for entry in bundle.evidence} >= {1, 2}
        assert {part.round for part in bundle.head.rounds} >= {1, 2}
        assert bundle.head.own_principal_ids
        assert bundle.head.rounds[0].settings["currency"]
        assert any(entry.status == 403 and entry.redacted for entry in bundle.evidence)
        assert bundle.plans


def test_the_audit_log_ties_every_answered_write_to_the_clouds_own_id(left: Left) -> None:
    chain = left.room.audit.exported(left.incident)
    records = [json.loads(line) for line in chain.splitlines()]
    started = {r["data"]["action"] for r in records if r["kind"] == "action.started"}
    answered = {r["data"]["action"]: r["data"]["request_id"] for r in records if r["kind"] == "action.answered"}
    assert started
    assert set(answered) == started
    assert all(answered.values())
    assert len(set(answered.values())) == len(answered)
    (opened,) = [r for r in records if r["kind"] == "incident.opened"]
    assert len(opened["data"]["correlation_id"]) == 36
    assert verify_bytes(chain, "f").records == len(records) - 1
