"""The simulator over TLS, in a thread of its own, for clients that want a real socket.

with serve(world, port=0, folder=Path("...")) as server:
    requests.get(f"{server.base_url}/metadata/endpoints", verify=server.ca_bundle)
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from azure_simulator import tls
from azure_simulator.app import AsgiApp
from azure_simulator.world import World

# Makes another ASGI application of one.
Around = Callable[[Any], Any]


class StartError(RuntimeError):
    """The server could not listen or did not come up."""


class _QuietServer(uvicorn.Server):
    """Leaves signals to the process that owns it, and does not wait for idle clients when it ends."""

    def __init__(self, config: uvicorn.Config, transports: dict[tuple[str, int], asyncio.Transport]) -> None:
        super().__init__(config)
        self._transports = transports

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for transport in list(self._transports.values()):
            transport.abort()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Running:
    """A server that listens. `base_url` is also the world's; `ca_bundle` the file clients must trust."""

    def __init__(self, world: World, port: int, folder: Path, around: Around | None = None) -> None:
        self.world = world
        certificates = tls.write(folder)
        self.ca_bundle = str(certificates.ca)
        self._sockets = _listen(port)
        self.port: int = self._sockets[0].getsockname()[1]
        self.base_url = world.base_url = f"https://localhost:{self.port}"
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}
        transports = self._transports

        class Protocol(H11Protocol):
            """Knows every connection by its peer, so that a fault can break it."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                self._peer: tuple[str, int] = transport.get_extra_info("peername")[:2]
                transports[self._peer] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self._peer, None)
                super().connection_lost(exc)

        config: dict[str, Any] = {
            "http": Protocol,
            "ssl_certfile": str(certificates.certificate),
            "ssl_keyfile": str(certificates.key),
            "log_level": "warning",
            "access_log": False,
            "lifespan": "on",
            "ws": "none",
            "timeout_keep_alive": 75,
            "timeout_graceful_shutdown": 2,
        }
        app: Any = AsgiApp(world, abort=self._abort)
        self._server = _QuietServer(uvicorn.Config(around(app) if around else app, **config), transports)
        self._thread = threading.Thread(target=self._run, name="azure-simulator", daemon=True)

    def start(self, *, timeout_seconds: float = 15) -> Running:
        """Start listening.

        Raises:
            StartError: it was not up within the time.
        """
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(timeout_seconds / 0.01)):
            if self._server.started:
                return self
            if not self._thread.is_alive():
                break
            waited.wait(0.01)
        self.close()
        raise StartError(f"The simulator did not start on port {self.port} within {timeout_seconds} seconds.")

    def close(self) -> None:
        """Stop listening and end the thread; does nothing the second time."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        for listening in self._sockets:
            listening.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=self._sockets))

    def _abort(self, peer: tuple[str, int]) -> None:
        transport = self._transports.get(peer)
        if transport is not None:
            transport.abort()

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(
    world: World, port: int = 0, folder: Path = Path(), *, throttling: bool = True, around: Around | None = None
) -> Running:
    """Start a server for the world on localhost; `folder` receives the certificates. Port 0 picks a free one. `around` makes another
    ASGI application of the world's, for those who want to watch or change what passes.

    Raises:
        StartError: the port is taken or the server did not come up.
    """
    world.throttling = throttling
    return Running(world, port, folder, around).start()


def _listen(port: int) -> list[socket.socket]:
    """Sockets on 127.0.0.1 and, where there is IPv6, ::1, on the same port. The protocol is named because asyncio switches Nagle's
    algorithm off only then; with it every answer costs 40 ms."""
    first = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        first.bind(("127.0.0.1", port))
    except OSError as exc:
        first.close()
        raise StartError(
            f"Port {port} on 127.0.0.1 cannot be used: {exc}. Choose another, or 0 for a free one."
        ) from exc
    found = [first]
    if socket.has_ipv6:
        second = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            second.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            second.bind(("::1", first.getsockname()[1]))
            found.append(second)
        except OSError:
            second.close()
    return found
