"""Evidence as it came: each answer to a read is handed to the recorder before anybody uses it (P7).

What is recorded is what the reader got after all retries, failures included (a 503 that stayed, no answer at all): a replay must be able to
tell "could not be read then" from "was never asked". Writes are not recorded: listKeys, beginGetAccess and addPassword answer secrets, and
the journal records writes. Bodies are passed on byte for byte unless a secret had to be taken out; then `redacted` says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from firebreak.clients.policies.exchange import Call, NoAnswerError, NotSentError, Reply, Send
from firebreak.clients.policies.redaction import body_without_secrets, recorded_url, shown


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to a read. `request` is the body of a read-only POST, empty otherwise.

    `status` is 0 when no answer came, and `failure` then begins with "not sent" or "no answer".
    """

    at: datetime
    method: str
    url: str
    status: int
    content: bytes
    request: bytes = b""
    content_type: str = ""
    redacted: bool = False
    failure: str = ""


Recorder = Callable[[Recorded], Awaitable[None]]


class Recording:
    """Hands every answer to a read to `recorder`, whatever its status; an error of the recorder fails the read."""

    def __init__(self, recorder: Recorder, clock: Callable[[], datetime]) -> None:
        self._recorder = recorder
        self._clock = clock

    async def __call__(self, call: Call, send: Send) -> Reply:
        if not (call.is_read and call.records):
            return await send(call)
        try:
            reply = await send(call)
        except (NotSentError, NoAnswerError) as error:
            kind = "not sent" if isinstance(error, NotSentError) else "no answer"
            await self._record(call, Reply(0, {}, b""), f"{kind}: {shown(str(error), 200)}")
            raise
        await self._record(call, reply)
        return reply

    async def _record(self, call: Call, reply: Reply, failure: str = "") -> None:
        content, redacted = body_without_secrets(reply.content)
        request, _ = body_without_secrets(call.content)
        await self._recorder(
            Recorded(
                at=self._clock(),
                method=call.method,
                url=recorded_url(call.url),
                status=reply.status,
                content=content,
                request=request,
                content_type=reply.headers.get("Content-Type", ""),
                redacted=redacted,
                failure=failure,
            )
        )
