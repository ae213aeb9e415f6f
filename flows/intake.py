"""The intake: a small web service that keeps what is delivered and starts exactly one run for it. `python -m flows.intake --port N`.

Each door authenticates in its own way; an authentic delivery is on the disk before it is answered, and is processed in this process: now, after
a failure again, and after a crash by the next start. `/alerts` takes deliveries that are signed with this installation's key
(`firebreak intake sign`): 202 with the incident's id, also for a second delivery of the same alert; 401, 408, 413 or 422 when it cannot be
taken, 429 when too much comes at once, 503 when it is kept and could not be processed yet.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from firebreak.clients.public_files import PublicFiles
from firebreak.engine import EngineRoom, open_engine_room
from firebreak.errors import AlertError
from firebreak.intake.channels import ALERTS, AZURE_MONITOR, DEFENDER, JSON, PARTNER_CENTER, SENTINEL
from firebreak.intake.documents import read_json
from firebreak.intake.inbox import DONE, KEPT
from firebreak.intake.signature import SIGNATURE_HEADER, TIME_HEADER, why_refused
from firebreak.logs import configure
from firebreak.settings import Settings
from flows.connection import connected_settings
from flows.deliveries import Deliveries, plain
from flows.doorway import Pace, RefusedError, peer, read_body
from flows.hooks import KeyedDoor, PartnerCenterDoor, check_media_type
from flows.intake_metrics import Metrics
from flows.readings import mapping_file, read
from tasks.guidance import instructions
from tasks.registry import load_steps

LOG = logging.getLogger("firebreak.intake")
Door = Callable[[Request], Awaitable[Response]]


class Intake:
    """The doors of one installation, and what is behind them."""

    def __init__(self, settings: Settings, room: EngineRoom, files: PublicFiles) -> None:
        self.settings = settings
        self.deliveries = Deliveries(room, read)
        self.metrics = Metrics(room.store)
        self._key = settings.intake_secret()
        self._partner_center = PartnerCenterDoor(settings, files, room.clock)
        self._keyed = KeyedDoor(settings)
        self._pace = Pace(settings.intake.requests_per_second)

    def door(self, channel: str, open_to: Door) -> Door:
        """A door with what all have in common: pace, answers for what is refused, a log line, a count."""

        async def enter(request: Request) -> Response:
            try:
                self._pace.check(f"{channel} {peer(request)}")
                answer = await open_to(request)
            except SQLAlchemyError:
                LOG.exception("The store cannot be used; %s is to be delivered again.", channel)
                answer = RefusedError(
                    503, "The delivery cannot be kept now.", hint="Come again.", retry_after=10
                ).answer()
            except RefusedError as refused:
                LOG.warning(
                    "%s from %s is refused (%d): %s", channel, peer(request), refused.status, plain(refused.reason)
                )
                answer = refused.answer()
            self.metrics.count(channel, answer.status_code)
            return answer

        return enter

    async def body(self, request: Request) -> bytes:
        """The raw body, within the limits. Raises RefusedError."""
        return await read_body(request, seconds=self.settings.intake.body_seconds)

    async def alerts(self, request: Request) -> Response:
        """A delivery that is signed with this installation's key; answered when its run is started."""
        body = await self.body(request)
        at, signature = request.headers.get(TIME_HEADER), request.headers.get(SIGNATURE_HEADER)
        if reason := why_refused(self._key, body, at, signature, time.time()):
            raise RefusedError(401, reason)
        taken = await self.deliveries.take(ALERTS, body)
        result = await self.deliveries.process(taken.id)
        if result.state == DONE:
            # The same bytes twice at the same moment are processed once, and one of the two answers is told of the new incident.
            is_new = result.is_new and taken.is_new
            answer = {"incident": result.incident, "new": is_new, "flow_run": result.flow_run}
            return JSONResponse(answer, 202)
        # Not the sender's fault when it is only put off: whoever delivers again later finds the same incident.
        raise RefusedError(422 if result.state == KEPT else 503, result.reason, hint=result.hint)

    async def partner_center(self, request: Request) -> Response:
        """A webhook of Partner Center: https://learn.microsoft.com/partner-center/developer/partner-center-webhooks"""
        check_media_type(request)
        body = await self.body(request)
        await self._partner_center.check(request, body)
        return await self.keep(PARTNER_CENTER, body)

    async def keyed(self, request: Request) -> Response:
        """A delivery over one of the channels whose senders show the shared key or a token."""
        check_media_type(request)
        await self._keyed.check(request)
        channel = request.url.path.removeprefix("/hooks/")
        if channel.startswith(JSON) and mapping_file(self.settings, channel.removeprefix(JSON)) is None:
            raise RefusedError(404, "There is no mapping of this name.", hint="See the guide on the intake.")
        return await self.keep(channel, await self.body(request))

    async def keep(self, channel: str, body: bytes) -> Response:
        """Keep an authentic delivery and answer: 202, or 200 when it came before, or 422 when nobody could read it."""
        taken = await self.deliveries.take(channel, body)
        if not taken.is_new:
            return JSONResponse({"delivery": taken.id, "new": False}, 200)
        try:
            read_json(body, channel)
        except AlertError as error:
            await asyncio.to_thread(self.deliveries.inbox.settle, taken.id, KEPT, reason=error.message)
            raise RefusedError(422, error.message, hint=error.hint) from error
        self.deliveries.wake()
        return JSONResponse({"delivery": taken.id, "new": True}, 202)

    async def health(self, _: Request) -> Response:
        """Whether it answers and reads its store; how much waits."""
        try:
            waiting = await asyncio.to_thread(self.deliveries.inbox.waiting)
            oldest = await asyncio.to_thread(self.deliveries.inbox.oldest_seconds)
        except SQLAlchemyError:
            LOG.exception("The store cannot be read.")
            return JSONResponse({"status": "the store cannot be read"}, 503)
        return JSONResponse({"status": "ok", "waiting": waiting.number, "oldest_waiting_seconds": round(oldest, 1)})

    async def prometheus(self, _: Request) -> Response:
        return Response(await asyncio.to_thread(self.metrics.text), media_type="text/plain; version=0.0.4")


def application(settings: Settings) -> Starlette:
    """The ASGI application. Its lifespan opens the store and processes what waits."""
    configure(settings.log_format, settings.log_level)
    opened: list[Intake] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with open_engine_room(settings, load_steps(), instructions=instructions()) as room:
            async with PublicFiles(settings) as files:
                intake = Intake(settings, room, files)
                async with intake.deliveries:
                    opened.append(intake)
                    yield
                    opened.clear()

    def routed(path: str, channel: str, name: str) -> Route:
        async def endpoint(request: Request) -> Response:
            intake = opened[0]
            return await intake.door(channel, getattr(intake, name))(request)

        return Route(path, endpoint, methods=["POST"])

    async def health(request: Request) -> Response:
        return await opened[0].health(request)

    async def metrics(request: Request) -> Response:
        return await opened[0].prometheus(request)

    routes = [
        routed("/alerts", ALERTS, "alerts"),
        routed("/hooks/partner-center", PARTNER_CENTER, "partner_center"),
        *(routed(f"/hooks/{one}", one, "keyed") for one in (AZURE_MONITOR, DEFENDER, SENTINEL)),
        routed("/hooks/json/{name}", "json", "keyed"),
        Route("/health", health),
        Route("/metrics", metrics),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def main() -> None:
    """Serve on 127.0.0.1; put a TLS proxy in front for anything else."""
    parser = argparse.ArgumentParser(description="Take alerts that are delivered and start playbooks.")
    parser.add_argument("--port", type=int, default=4280)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    settings = asyncio.run(connected_settings())
    uvicorn.run(application(settings), host=given.host, port=given.port, log_level="warning", lifespan="on")


if __name__ == "__main__":
    main()
