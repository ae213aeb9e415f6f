"""The intake: a small web service that takes a signed alert, keeps its bytes, and starts exactly one run. `python -m flows.intake --port N`.

The signature is `firebreak.intake.signature`'s (`firebreak intake sign` makes one). The answer is 202 with the incident's id, also for a
second delivery of the same alert; 401, 413 or 422 when it cannot be taken, 503 when it is to be delivered again.
"""

from __future__ import annotations

import argparse
import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from firebreak.engine import open_engine_room
from firebreak.errors import AlertError, ResponseError
from firebreak.intake.alerts import LARGEST
from firebreak.intake.signature import SIGNATURE_HEADER, TIME_HEADER, why_refused
from firebreak.logs import configure
from firebreak.settings import Settings
from flows.start import start_from_alert
from tasks.guidance import instructions
from tasks.registry import load_steps


def application(settings: Settings) -> Starlette:
    """The ASGI application."""
    configure(settings.log_format, settings.log_level)
    key = settings.intake_secret()

    async def alerts(request: Request) -> JSONResponse:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return JSONResponse({"error": f"at most {LARGEST} bytes"}, 413)
        at, signature = request.headers.get(TIME_HEADER), request.headers.get(SIGNATURE_HEADER)
        refused = why_refused(key, bytes(body), at, signature, time.time())
        if refused:
            return JSONResponse({"error": refused}, 401)
        try:
            with open_engine_room(settings, load_steps(), instructions=instructions()) as room:
                started = await start_from_alert(room, bytes(body), place="intake", requested_by="intake")
        except AlertError as error:
            return JSONResponse({"error": error.message, "hint": error.hint}, 422)
        except ResponseError as error:
            # Not the sender's fault: whoever delivers again later finds the same incident.
            return JSONResponse({"error": error.message, "hint": error.hint}, 503)
        return JSONResponse({"incident": started.incident, "new": started.is_new, "flow_run": started.flow_run_id}, 202)

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    return Starlette(routes=[Route("/alerts", alerts, methods=["POST"]), Route("/health", health)])


def main() -> None:
    """Serve on 127.0.0.1; put a TLS proxy in front for anything else."""
    parser = argparse.ArgumentParser(description="Take signed alerts and start playbooks.")
    parser.add_argument("--port", type=int, default=4280)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    uvicorn.run(application(Settings.load()), host=given.host, port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
