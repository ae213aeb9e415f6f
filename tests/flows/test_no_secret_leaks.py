"""P11 over a whole run: secrets planted in credentials, answers and the alert are in nothing that the run leaves behind.

This is the run in this process; `test_no_secret_leaks_through_prefect.py` does it with real processes.
"""

from __future__ import annotations

import copy
import gzip
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy
from azure.core.credentials import AccessToken

from azure_simulator import AsgiApp, build
from azure_simulator.world import World
from firebreak.audit import verify_bytes
from firebreak.bundle import contents_of, open_bundle, write_bundle
from firebreak.clients.inprocess import in_process
from firebreak.clients.policies.redaction import know_secret
from firebreak.engine import Engine, EngineRoom
from firebreak.engine.pages import write_report
from firebreak.logs import JsonLines, WorkFilter
from firebreak.model.mode import Mode
from tests.flows.room_in_process import PEOPLE, People, PeopleAnswer, engine_room_of, respond_in, writes
from tests.support.canaries import Canaries, spellings
from tests.support.inprocess import SimulatedToken, responder
from tests.support.planted import NOT_ASKED_FOR, PLAYBOOK, Planted, sas, small_world

pytestmark = pytest.mark.timeout(420)
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


class _Token(SimulatedToken):
    """A token of the world, remembered."""

    cloud: Planted

    async def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        token = await super().get_token(*scopes, **more)
        self.cloud.remember(token.token)
        return token


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


@dataclass
class Left:
    """What a run left behind, and what was planted."""

    world: World
    room: EngineRoom
    home: Path
    incident: str
    planted: Canaries
    said: dict[str, str]
    log: list[dict[str, Any]]  # our own lines, as a process writes them with FIREBREAK_LOG_FORMAT=json


class _Kept(logging.Handler):
    """The log of a process: every library's records as they are, ours formatted as `firebreak.logs.configure` does."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[str] = []
        self.ours: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(f"{record.name} {self.format(record)}")
        if record.name.startswith("firebreak"):
            mine = copy.copy(record)
            WorkFilter().filter(mine)
            self.ours.append(json.loads(JsonLines().format(mine)))


@contextmanager
def _logs_kept() -> Iterator[_Kept]:
    handler, root, ours = _Kept(), logging.getLogger(), logging.getLogger("firebreak")
    levels, upwards = (root.level, ours.level), ours.propagate
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    ours.setLevel(logging.DEBUG)
    ours.propagate = True  # a command that another test ran in this process has set up its own log
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
        ours.propagate = upwards


@pytest.fixture(scope="module", params=["small", pytest.param("shipped playbook", marks=pytest.mark.slow)])
def left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    home = tmp_path_factory.mktemp("leaks")
    if request.param == "small":
        world = small_world("crypto-mining", NOW)
        (home / "playbooks").mkdir()
        (home / "playbooks" / "small.yaml").write_text(PLAYBOOK)
    else:
        world = build("crypto-mining", seed=7, now=NOW)
    acting, cloud = responder(world), Planted(world)
    app = cloud.around(AsgiApp(world))

    def token(tenant: str) -> _Token:
        made = _Token(world, acting, tenant or world.tenant_id)
        made.cloud = cloud
        return made

    know_secret(acting.secrets[0])  # as signing in with it does
    with _logs_kept() as kept, engine_room_of(world, home) as opened:
        room = replace(opened, transport=in_process(app, credential=token))
        runtimes: list[_Watched] = []

        def watched(*given: Any) -> _Watched:
            runtimes.append(_Watched(*given))
            return runtimes[-1]

        ran = respond_in(room, world, cloud.alert(), mode=Mode.LIVE, runtime=watched)
        assert ran.state in ("done", "failed")
        assert all(cloud.refused.values()), cloud.refused
        people = {f"TOTP seed of {name}": People(world).seeds[name] for name in PEOPLE}
        planted = Canaries({"client secret": acting.secrets[0], **people, **cloud.secrets()})
        said = {
            "log": "\n".join(kept.all),
            "pages": "\n".join(runtimes[0].pages),
            "progress": "\n".join(ran.runtime.said),
            "json": json.dumps(ran.json, default=str),
        }
        yield Left(world, room, home, ran.incident, planted, said, kept.ours)


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
    left.planted.look_into_database(left.room.settings.database_url)
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
    ended = {r["data"]["action"]: r["data"]["state"] for r in records if r["kind"] == "action.ended"}
    (refused,) = started - set(answered)
    assert refused.startswith("disk.delete:")  # the one whose refusal was planted
    assert ended[refused] in ("refused", "failed")
    assert all(answered.values())
    assert len(set(answered.values())) == len(answered)
    (opened,) = [r for r in records if r["kind"] == "incident.opened"]
    assert len(opened["data"]["correlation_id"]) == 36
    assert verify_bytes(chain, "f").records == len(records) - 1


def test_every_answered_writes_log_line_names_its_incident_and_action(left: Left) -> None:
    """Tied by the request id that the cloud gave: audit log, log lines and the simulator's own request log tell of the same writes."""
    lines = {line["message"].rpartition("(")[2].rstrip(")"): line for line in left.log if " -> " in line["message"]}
    records = [json.loads(line) for line in left.room.audit.exported(left.incident).splitlines()]
    answered = {r["data"]["request_id"]: r["data"]["action"] for r in records if r["kind"] == "action.answered"}
    assert len(answered) > 10
    seen = {(row.method, row.url.partition("?")[0].lower()) for row in writes(left.world)}
    for request_id, action in answered.items():
        line = lines[request_id]
        method, url = line["message"].split()[:2]
        assert (line["incident"], line["action"]) == (left.incident, action)
        assert (method, urlsplit(url).path.lower()) in seen or line["message"].split()[3] == "403"


def test_a_report_over_a_store_that_holds_secrets_shows_none(left: Left, tmp_path: Path) -> None:
    """Pages take secrets out by themselves, also those that an earlier version or another program put into the store."""
    home = tmp_path / "copy"
    shutil.copytree(left.home, home)
    dirty = f"cAnArY-note {sas('cAnArYnOtE/sIg0123456789=')}"
    with engine_room_of(left.world, home) as room:
        with sqlalchemy.create_engine(room.settings.database_url).begin() as database:
            database.execute(sqlalchemy.text("UPDATE journal SET reason = :dirty"), {"dirty": dirty})
        engine = Engine(room, left.incident, None, run_id="")
        page = write_report(engine, int(room.store.values.get(left.incident, "last-round")), "done")
    planted = Canaries({"note": "cAnArYnOtE/sIg0123456789="})
    planted.look("page", page)
    files = list((home / "reports" / left.incident).iterdir())
    for path in files:
        planted.look(path.name, path.read_bytes())
    assert planted.found == []
    shown = {path.suffix for path in files if b"cAnArY-note" in path.read_bytes()}
    assert {".html", ".md", ".json", ".csv"} <= shown
