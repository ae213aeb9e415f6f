"""What is put onto a real Prefect server for people to be told: the automations as declared, and what `firebreak notify` says of the channels."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from prefect.settings import PREFECT_API_URL, temporary_settings

from firebreak.settings import Settings
from flows.automations import put_automations, silent_runs, untold_gates, unwatched_gates
from flows.events import tell_prefect_that_gates_are_watched
from flows.heartbeat import SILENT_SECONDS
from flows.start import prefect_client
from tests.flows.endpoints import HOOK, UI, prefect_server
from tests.flows.stack import until
from tests.support.console import calling
from tests.support.receivers import HttpReceiver, http_receiver

pytestmark = [pytest.mark.flows, pytest.mark.timeout(600)]

BROKEN, NOBODYS = "custom-webhook/broken", "slack-webhook/nobody-made-it"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prefect_server(tmp_path_factory.mktemp("prefect-server")) as api:
        yield api


@pytest.fixture(autouse=True)
def _of_this_server(server: str) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: server}):
        yield


@pytest.fixture
def hook(server: str) -> Iterator[HttpReceiver]:
    """An endpoint with a block, beside a block whose endpoint refuses everything."""
    with http_receiver() as good, http_receiver() as bad:
        bad.status = 403
        for place, receiver in ((HOOK, good), (BROKEN, bad)):
            name = place.partition("/")[2]
            said = {"title": "{{subject}}", "text": "{{body}}"}
            CustomWebhookNotificationBlock(name=name, url=receiver.url, json_data=said).save(name, overwrite=True)
        yield good


def settings(home: Path, *channels: str) -> Settings:
    return Settings.load(home=home, notify={"channels": channels, "ui_url": UI})


def automations(server: str) -> dict[str, dict[str, Any]]:
    """Those of the server by name; two of one name are a failure."""
    found = httpx.post(f"{server}/automations/filter", json={}, timeout=60).raise_for_status().json()
    assert len({one["name"] for one in found}) == len(found)
    return {one["name"]: one for one in found}


def test_automations_are_put_once_corrected_and_follow_the_channels(
    server: str, hook: HttpReceiver, tmp_path: Path
) -> None:
    silent, untold, unwatched = (one.name for one in (silent_runs(), untold_gates([], UI), unwatched_gates([], UI)))
    for _ in range(2):
        names, missing = asyncio.run(put_automations(settings(tmp_path, HOOK, NOBODYS)))
        assert (names, missing) == ([silent, untold, unwatched], [NOBODYS])
    there = automations(server)
    assert sorted(there) == sorted(names)
    assert [len(there[name]["actions"]) for name in names] == [1, 1, 1]
    assert there[silent]["trigger"]["match_related"] == {"prefect.resource.id": ["prefect.tag.firebreak"]}
    changed = {key: there[silent][key] for key in ("name", "description", "enabled", "trigger", "actions")}
    changed["trigger"] = {**changed["trigger"], "within": 31.0}
    httpx.put(f"{server}/automations/{there[silent]['id']}", json=changed, timeout=60).raise_for_status()
    httpx.post(f"{server}/automations/", json=changed, timeout=60).raise_for_status()
    asyncio.run(put_automations(settings(tmp_path)))
    there = automations(server)
    assert list(there) == [silent]
    assert there[silent]["trigger"]["within"] == SILENT_SECONDS


def test_the_command_tries_every_channel_and_says_which_took_it(
    server: str, hook: HttpReceiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", server)
    monkeypatch.setenv("FIREBREAK_NOTIFY__CHANNELS", f'["{BROKEN}", "{HOOK}"]')
    monkeypatch.setenv("FIREBREAK_NOTIFY__URGENT", f'["{HOOK}", "{NOBODYS}"]')
    run = calling(monkeypatch, capsys)
    code, said, _ = run("notify", "test", "--json")
    assert code == 1
    assert json.loads(said) == [
        {"channel": BROKEN, "ok": False, "problem": "Answered with status 403."},
        {"channel": HOOK, "ok": True, "problem": ""},
        {"channel": NOBODYS, "ok": False, "problem": "The Prefect server has no such notification block."},
    ]
    assert [received.json["title"] for received in hook.received] == ["Firebreak: test message"]
    code, said, _ = run("notify", "setup", "--json")
    assert code == 1
    assert json.loads(said)["missing_blocks"] == [NOBODYS]
    assert len(json.loads(said)["automations"]) == 3


@pytest.mark.slow  # the server looks for what did not happen every few seconds
def test_the_server_itself_calls_when_no_channel_was_told_of_a_gate(server: str, hook: HttpReceiver) -> None:
    asyncio.run(put_watching_for(timedelta(seconds=10)))
    waiting = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "firebreak.gate.waiting",
        "resource": {"prefect.resource.id": "firebreak.gate.INC-1a2b3c4d.contain.1"},
    }
    httpx.post(f"{server}/events", json=[waiting], timeout=60).raise_for_status()
    until("the call", lambda: hook.received, seconds=60)
    assert hook.received[0].json["title"] == "Firebreak: a gate waits and no channel took the message"


@pytest.mark.slow  # likewise
def test_the_server_itself_calls_when_nobody_watches_the_gates_any_more(server: str, hook: HttpReceiver) -> None:
    patience = timedelta(seconds=12)
    asyncio.run(put_watching_for(patience, unwatched_gates))
    watched_until = time.monotonic() + 2 * patience.total_seconds()
    while time.monotonic() < watched_until:
        asyncio.run(tell_prefect_that_gates_are_watched())  # as the watcher does after each look
        time.sleep(2)
    assert hook.received == []  # nobody is called while somebody watches
    until("the call", lambda: hook.received, seconds=120)
    assert hook.received[0].json["title"] == "Firebreak: nobody watches the gates"
    assert "firebreak up" in hook.received[0].json["text"]


async def put_watching_for(patience: timedelta, declare: Callable[..., AutomationCore] = untold_gates) -> None:
    """The automation as it is declared, with less patience."""
    async with prefect_client() as client:
        block = await client.read_block_document_by_name("siem", "custom-webhook")
        declared = declare([block.id], UI)
        assert isinstance(declared.trigger, EventTrigger)
        quicker = declared.trigger.model_copy(update={"within": patience})
        name = f"quick {declared.name}"
        await client.create_automation(declared.model_copy(update={"name": name, "trigger": quicker}))
