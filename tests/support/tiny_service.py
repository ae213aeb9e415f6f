"""A cloud in a few lines: answers by method and path, a log of what arrived, connection faults. For tests of the clients alone.

service = TinyService()
service.answer("GET", "/subscriptions", {"value": []})
service.answer("GET", "/x", status=503), service.answer("GET", "/x", {"ok": True})     # in order; the last one stays
async with tiny(service, mode=Mode.DRY_RUN) as connection: ...
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from azure.core.credentials import AccessToken

from firebreak.clients import Connection, Recorder, connect
from firebreak.clients.inprocess import HttpxAzureTransport
from firebreak.clients.transports import Transports
from firebreak.model.mode import Mode
from firebreak.settings import Settings

BASE = "https://localhost:8443"
SUBSCRIPTION = "33333333-3333-4333-8333-333333333333"
OTHER = "44444444-4444-4444-8444-444444444444"
TENANT = "22222222-2222-4222-8222-222222222222"
PARTNER = "11111111-1111-4111-8111-111111111111"
# {"alg":"none"}.{"oid":"99999999-9999-4999-8999-999999999999"}.
TOKEN = "eyJhbGciOiJub25lIn0.eyJvaWQiOiI5OTk5OTk5OS05OTk5LTQ5OTktODk5OS05OTk5OTk5OTk5OTkifQ.x"


@dataclass
class Arrived:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class TinyService(httpx.AsyncBaseTransport):
    """An httpx transport that is also the service."""

    arrived: list[Arrived] = field(default_factory=list)
    answers: dict[tuple[str, str], list[Any]] = field(default_factory=dict)

    def answer(
        self, method: str, path: str, body: Any = None, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> TinyService:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        xml = content.lstrip(b"\xef\xbb\xbf").startswith(b"<")
        kind = {} if body is None else {"content-type": "application/xml" if xml else "application/json"}
        return self._add(method, path, lambda: httpx.Response(status, headers=kind | (headers or {}), content=content))

    def fails(self, method: str, path: str, error: type[httpx.TransportError]) -> TinyService:
        def fail() -> httpx.Response:
            raise error("broken on purpose")

        return self._add(method, path, fail)

    def _add(self, method: str, path: str, make: Callable[[], httpx.Response]) -> TinyService:
        self.answers.setdefault((method, path.lower()), []).append(make)
        return self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0]
        body = await request.aread()
        self.arrived.append(Arrived(request.method, path, request.url.query.decode(), dict(request.headers), body))
        queue = self.answers.get((request.method, path.lower()))
        if not queue:
            return httpx.Response(404, json={"error": {"code": "ResourceNotFound", "message": f"nothing at {path}"}})
        return (queue.pop(0) if len(queue) > 1 else queue[0])()

    @property
    def seen(self) -> list[tuple[str, str]]:
        return [(row.method, row.path) for row in self.arrived]


class FixedToken:
    """A credential that always gives the same token; `asked` holds the scopes."""

    def __init__(self, tenant: str, asked: list[tuple[str, str]]) -> None:
        self._tenant = tenant
        self._asked = asked

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self._asked.append((self._tenant, scopes[0]))
        return AccessToken(TOKEN, 4_000_000_000)

    async def close(self) -> None:
        return None

    async def __aenter__(self) -> FixedToken:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


@dataclass
class FakeTime:
    """A clock that moves only when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def tiny_settings(**overrides: Any) -> Settings:
    values: dict[str, Any] = {
        "cloud": {
            "preset": "simulator",
            "graph": f"{BASE}/graph",
            "partner_center": f"{BASE}/partnercenter",
            "prices": f"{BASE}/prices",
        },
        "credential": {"tenant_id": TENANT, "partner_tenant_id": PARTNER},
    }
    return Settings.load(**(values | overrides))


def tiny_transports(service: TinyService, asked: list[tuple[str, str]] | None = None) -> Transports:
    log = asked if asked is not None else []
    return Transports(
        azure=lambda: HttpxAzureTransport(service),
        http=lambda: service,
        credential=lambda tenant: FixedToken(tenant, log),
    )


@asynccontextmanager
async def tiny(
    service: TinyService,
    *,
    mode: Mode = Mode.LIVE,
    recorder: Recorder | None = None,
    asked: list[tuple[str, str]] | None = None,
    time: FakeTime | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[Connection]:
    moment = time or FakeTime()
    async with connect(
        settings or tiny_settings(),
        subscription_id=SUBSCRIPTION,
        mode=mode,
        correlation_id="INC-7",
        recorder=recorder,
        transport=tiny_transports(service, asked),
        clock=lambda: datetime(2026, 11, 20, 3, tzinfo=UTC),
        sleep=moment.sleep,
        monotonic=moment.monotonic,
    ) as connection:
        yield connection


def discovery(tenant: str) -> dict[str, str]:
    """What MSAL reads of a tenant before it signs in there."""
    root = f"{BASE}/{tenant}/oauth2/v2.0"
    return {
        "issuer": f"{BASE}/{tenant}/v2.0",
        "authorization_endpoint": f"{root}/authorize",
        "token_endpoint": f"{root}/token",
        "device_authorization_endpoint": f"{root}/devicecode",
    }
