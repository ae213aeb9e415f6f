"""One debug line per attempt: method, address, status, milliseconds. No header, no body, no secret."""

from __future__ import annotations

import logging
import time

from firebreak.clients.policies.exchange import Call, NoAnswerError, NotSentError, Reply, Send
from firebreak.clients.policies.redaction import shown_url

_LOG = logging.getLogger("firebreak.clients")


class RequestLog:
    async def __call__(self, call: Call, send: Send) -> Reply:
        if not _LOG.isEnabledFor(logging.DEBUG):
            return await send(call)
        started = time.monotonic()
        try:
            reply = await send(call)
        except (NotSentError, NoAnswerError) as exc:
            _LOG.debug("%s %s failed: %s", call.method, shown_url(call.url), type(exc).__name__)
            raise
        spent = (time.monotonic() - started) * 1000
        _LOG.debug(
            "%s %s -> %s in %.0f ms (%s)", call.method, shown_url(call.url), reply.status, spent, reply.request_id
        )
        return reply
