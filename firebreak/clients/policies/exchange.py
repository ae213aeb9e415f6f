"""One request and its answer, as the policies see them, whichever HTTP library carries them.

`Call` goes in, `Reply` comes out, `NotSentError` and `NoAnswerError` say how it failed below HTTP. A policy is an async callable
`(call, send) -> reply`; `chained` puts several around a sender.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

import msgspec

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class NotSentError(Exception):
    """No connection came about: the server has not seen the request. The text says why, without secrets."""


class NoAnswerError(Exception):
    """The request left and no whole answer came: it may have had effect."""


@dataclass(slots=True)
class Call:
    """A request on its way. `headers` is live: what a policy sets is sent.

    `is_read` is by intent (GET, HEAD and the few read-only POSTs): it decides about retries and recording, never about the mode.
    `patience` is how many seconds it may take with all its repetitions, 0 for as long as the settings say.
    `may_send` is awaited by the transport each time the request is about to leave; what it raises keeps it here.
    """

    method: str
    url: str
    headers: MutableMapping[str, str]
    content: bytes = b""
    is_read: bool = False
    records: bool = True
    patience: float = 0.0
    may_send: Callable[[], Awaitable[None]] | None = None


@dataclass(slots=True)
class Reply:
    """An answer. `headers` are looked up without regard to case. `native` is the library's own response."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    native: Any = None
    _document: Any = field(default=..., repr=False)

    def json(self) -> Any:
        """Return the body as JSON, numbers with a fraction as `Decimal`; None for an empty body. Decoded once.

        Raises:
            ValueError: it is not JSON (`msgspec.DecodeError` is one).
        """
        if self._document is ...:
            self._document = decode(self.content) if self.content.strip() else None
        return self._document

    @property
    def request_id(self) -> str:
        for name in ("x-ms-request-id", "request-id", "MS-RequestId"):
            if value := self.headers.get(name, ""):
                return value[:100]
        return ""


Send = Callable[[Call], Awaitable[Reply]]


class Policy(Protocol):
    async def __call__(self, call: Call, send: Send) -> Reply: ...


def chained(policies: Sequence[Policy], last: Send) -> Send:
    """Return a sender that goes through `policies` in order and ends at `last`."""
    send = last
    for policy in reversed(policies):
        send = _bound(policy, send)
    return send


def _bound(policy: Policy, send: Send) -> Send:
    async def step(call: Call) -> Reply:
        return await policy(call, send)

    return step


def decode(content: bytes) -> Any:
    """Parse JSON; fractions become `Decimal`, so that money stays exact. A byte order mark is tolerated.

    Raises:
        ValueError: not JSON.
    """
    return _DECODER.decode(without_mark(content))


def without_mark(content: bytes) -> bytes:
    """A body without the byte order mark that some services begin theirs with."""
    return content.removeprefix(b"\xef\xbb\xbf")


def encode(value: Any) -> bytes:
    return _ENCODER.encode(value)
