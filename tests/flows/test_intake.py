"""The intake as a web application: what it refuses, with which status, and that a Prefect server that is away loses nothing."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from firebreak.engine import open_engine_room
from firebreak.intake.alerts import LARGEST
from firebreak.intake.poll_log import PollLog
from firebreak.intake.signature import SIGNATURE_HEADER, TIME_HEADER, sign
from firebreak.settings import Settings
from flows.intake import application
from tasks.registry import load_steps

ALERT = {
    "id": "a-1",
    "type": "CryptoMining",
    "title": "Mining",
    "subscriptionId": "33333333-3333-4333-8333-333333333333",
    "customerTenantId": "11111111-1111-4111-8111-111111111111",
}
BODY = json.dumps(ALERT).encode()


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A home of its own, and a Prefect server that is not there."""
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}):
        yield Settings.load(home=tmp_path)


async def deliver(settings: Settings, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    if headers is None:
        headers = sign(settings.intake_secret(), body, int(time.time()))
    app = application(settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        return await client.post("/alerts", content=body, headers=headers)


def incidents(settings: Settings) -> list[str]:
    with open_engine_room(settings, load_steps()) as room:
        return [row.incident.id for row in room.store.incidents.list()]


async def test_only_what_is_signed_now_over_these_bytes_is_taken(settings: Settings) -> None:
    key, now = settings.intake_secret(), int(time.time())
    good = sign(key, BODY, now)
    attempts = [
        (BODY, {}),
        (BODY, {TIME_HEADER: good[TIME_HEADER]}),
        (BODY + b" ", good),
        (BODY, sign(b"another secret of 32 bytes length", BODY, now)),
        (BODY, sign(key, BODY, now - 3600)),
        (BODY, sign(key, BODY, now + 3600)),
        (BODY, {**good, TIME_HEADER: str(now + 1)}),
        (BODY, {**good, TIME_HEADER: "now"}),
        (BODY, {**good, SIGNATURE_HEADER: ""}),
    ]
    for body, headers in attempts:
        answer = await deliver(settings, body, headers)
        assert answer.status_code == 401, (headers, answer.text)
    assert incidents(settings) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"[" * 50_000])
async def test_a_signed_delivery_that_is_no_alert_is_refused_with_a_reason(settings: Settings, body: bytes) -> None:
    answer = await deliver(settings, body)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "hint"}
    assert answer.json()["hint"]
    assert incidents(settings) == []


async def test_a_delivery_that_is_too_large_is_not_read_to_the_end(settings: Settings) -> None:
    assert (await deliver(settings, b"x" * (LARGEST + 1))).status_code == 413
    assert incidents(settings) == []


async def test_without_a_prefect_server_the_alert_is_kept_and_to_be_delivered_again(settings: Settings) -> None:
    answers = [await deliver(settings, BODY), await deliver(settings, BODY)]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert "127.0.0.1:9" in answers[0].json()["error"]
    assert len(incidents(settings)) == 1
    with open_engine_room(settings, load_steps()) as room:
        digest = room.store.incidents.get(incidents(settings)[0]).alert.raw_digest
        assert room.evidence.get(digest) == BODY


async def test_what_cannot_be_kept_is_to_be_delivered_again(settings: Settings) -> None:
    incidents(settings)  # makes the store
    app = application(settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        with sqlite3.connect(settings.home / "firebreak.db") as store:
            store.execute("ALTER TABLE deliveries RENAME TO gone")
        headers = sign(settings.intake_secret(), BODY, int(time.time()))
        answer = await client.post("/alerts", content=BODY, headers=headers)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert "no such table" not in answer.text
        assert (await client.get("/health")).status_code == 503
        with sqlite3.connect(settings.home / "firebreak.db") as store:
            store.execute("ALTER TABLE gone RENAME TO deliveries")
        answer = await client.post("/alerts", content=BODY, headers=headers)
        assert "127.0.0.1:9" in answer.json()["error"]  # kept; only Prefect is not there


async def test_metrics_tell_since_when_a_source_of_alerts_could_not_be_polled(settings: Settings) -> None:
    with open_engine_room(settings, load_steps()) as room:
        log, hour_ago = PollLog(room.store), room.store.clock() - timedelta(hours=1)
        log.looked("graph", until=hour_ago, opens_from=hour_ago)
        log.failed("graph", "429")
        log.failed("audit-records", "403")
    app = application(settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        lines = (await client.get("/metrics")).text.splitlines()
    assert 'firebreak_poll_blind{source="graph"} 1.0' in lines
    assert 'firebreak_poll_blind{source="audit-records"} 1.0' in lines
    (age,) = (line for line in lines if line.startswith("firebreak_poll_age_seconds{"))
    assert 'source="graph"' in age
    assert float(age.split()[-1]) >= 3600


async def test_health_and_metrics_tell_what_waits(settings: Settings) -> None:
    app = application(settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        await client.post("/alerts", content=b"{}", headers=sign(settings.intake_secret(), b"{}", int(time.time())))
        await client.post("/alerts", content=BODY, headers=sign(settings.intake_secret(), BODY, int(time.time())))
        await client.post("/alerts", content=BODY)
        health = (await client.get("/health")).json()
        lines = (await client.get("/metrics")).text.splitlines()
    assert (health["status"], health["waiting"]) == ("ok", 1)
    assert health["oldest_waiting_seconds"] >= 0
    assert 'firebreak_intake_deliveries{channel="alerts",result="kept"} 1.0' in lines
    assert 'firebreak_intake_deliveries{channel="alerts",result="waiting"} 1.0' in lines
    for status in ("401", "422", "503"):
        assert f'firebreak_intake_requests_total{{channel="alerts",status="{status}"}} 1.0' in lines
    assert any(line.startswith("firebreak_intake_oldest_waiting_seconds ") for line in lines)
