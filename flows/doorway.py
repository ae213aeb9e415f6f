"""The intake's doorway: how a body is taken from a stranger. Size, time and pace are limited before anything is read or checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from firebreak.intake.alerts import LARGEST

_MOST_PEERS = 10_000


class RefusedError(Exception):
    """A request that is answered with an error: `status`, `reason` for the sender and the log, `hint`, seconds after which to come again."""

    def __init__(self, status: int, reason: str, *, hint: str = "", retry_after: int = 0) -> None:
        super().__init__(reason)
        self.status, self.reason, self.hint, self.retry_after = status, reason, hint, retry_after

    def answer(self) -> JSONResponse:
        """The response."""
        body = {"error": self.reason} | ({"hint": self.hint} if self.hint else {})
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        # What was not read to its end is not read further.
        if self.status in (408, 413, 429):
            headers["Connection"] = "close"
        return JSONResponse(body, self.status, headers)


@dataclass
class Pace:
    """Token buckets by name: two seconds' worth at once, then `per_second`."""

    per_second: float
    monotonic: Callable[[], float] = time.monotonic
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)

    def check(self, name: str) -> None:
        """Take one token.

        Raises:
            RefusedError: 429, none is left.
        """
        now, full = self.monotonic(), self.per_second * 2
        if len(self._left) > _MOST_PEERS:
            self._left.clear()
        left, since = self._left.get(name, (full, now))
        left = min(full, left + (now - since) * self.per_second)
        if left < 1:
            raise RefusedError(429, "Too many requests.", hint="Come again in a second.", retry_after=1)
        self._left[name] = (left - 1, now)


async def read_body(request: Request, *, seconds: float) -> bytes:
    """Return the raw body.

    Raises:
        RefusedError: 413, it is larger than an alert may be; 408, it did not come in time; 400, it broke off or its content is packed.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedError(415, "The body is packed.", hint="Send it without Content-Encoding.")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 12 or int(declared) > LARGEST):
        raise RefusedError(413, f"at most {LARGEST} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    raise RefusedError(413, f"at most {LARGEST} bytes")
    except TimeoutError:
        raise RefusedError(408, f"The body did not come within {seconds:g} seconds.") from None
    except ClientDisconnect:
        raise RefusedError(400, "The body broke off.") from None
    return bytes(body)


def peer(request: Request) -> str:
    """Where the request comes from: the address of the connection, which behind a proxy is the proxy's."""
    return request.client.host if request.client else ""
