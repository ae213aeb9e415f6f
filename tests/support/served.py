"""An ASGI application behind a real socket, in a thread of its own.

with served(application(settings)) as address: httpx.post(f"{address}/alerts", ...)
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, Literal

import uvicorn


@contextlib.contextmanager
def served(app: Any, *, lifespan: Literal["on", "off"] = "on") -> Iterator[str]:
    """Serve on a free port of 127.0.0.1; the application's lifespan, if it has one, is the context's."""

    class Quiet(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    server = Quiet(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan=lifespan, timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run, name="served", daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive(), "The application did not start."
            assert time.monotonic() < deadline, "The application did not start in time."
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
