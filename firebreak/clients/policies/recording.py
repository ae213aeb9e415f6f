"""Evidence as it came: each answer to a read is handed to the recorder before anybody uses it (P7).

Writes are not recorded: listKeys, beginGetAccess and addPassword answer secrets, and the journal records writes. Bodies are passed
on byte for byte unless a secret had to be taken out; then `redacted` says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from firebreak.clients.policies.exchange import Call, Reply, Send
from firebreak.clients.policies.redaction import body_without_secrets, shown_url


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to a read. `request` is the body of a read-only POST, empty otherwise."""

    at: datetime
    method: str
    url: str
    status: int
    content: bytes
    request: bytes = b""
    content_type: str = ""
    redacted: bool = False


Recorder = Callable[[Recorded], Awaitable[None]]


class Recording:
    """Hands every whole answer to a read (any status below 500 but 401, 408 and 429) to `recorder`; an error of the recorder fails the read."""

    def __init__(self, recorder: Recorder, clock: Callable[[], datetime]) -> None:
        self._recorder = recorder
        self._clock = clock

    async def __call__(self, call: Call, send: Send) -> Reply:
        reply = await send(call)
        if call.is_read and call.records and reply.status < 500 and reply.status not in (401, 408, 429):
            content, redacted = body_without_secrets(reply.content)
            request, _ = body_without_secrets(call.content)
            await self._recorder(
                Recorded(
                    at=self._clock(),
                    method=call.method,
                    url=shown_url(call.url),
                    status=reply.status,
                    content=content,
                    request=request,
                    content_type=reply.headers.get("Content-Type", ""),
                    redacted=redacted,
                )
            )
        return reply
