"""The httpx side: one channel per service (Graph, Partner Center, prices, blobs), with the same policies and the same guard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import httpx

from firebreak.clients.failures import error_below
from firebreak.clients.policies.exchange import Call, NoAnswerError, NotSentError, Policy, Reply, chained
from firebreak.clients.transports import MAY_SEND
from firebreak.settings import OperationSettings

USER_AGENT = "firebreak/0.1"


class Signing:
    """Puts a bearer token on each attempt; `token` decides for whom, by the call."""

    def __init__(self, token: Callable[[Call], Awaitable[str]]) -> None:
        self._token = token

    async def __call__(self, call: Call, send: Callable[[Call], Awaitable[Reply]]) -> Reply:
        call.headers["Authorization"] = f"Bearer {await self._token(call)}"
        return await send(call)


class Channel:
    """Sends calls to one service; any status is returned. Redirects are never followed, cookies never kept."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport, policies: Sequence[Policy], operations: OperationSettings
    ) -> None:
        self._transport = transport
        self._timeout = httpx.Timeout(
            operations.read_timeout_seconds, connect=operations.connect_timeout_seconds, pool=operations.total_seconds
        ).as_dict()
        self._send = chained(policies, self._last)

    async def send(self, call: Call) -> Reply:
        """Send one call.

        Raises:
            UnreachableError, UncertainError, RemoteError, CredentialError, WriteRefusedError, ScopeError.
        """
        call.headers.setdefault("User-Agent", USER_AGENT)
        try:
            return await self._send(call)
        except (NotSentError, NoAnswerError) as exc:
            raise error_below(call, exc) from exc

    async def close(self) -> None:
        await self._transport.aclose()

    async def _last(self, call: Call) -> Reply:
        request = httpx.Request(
            call.method,
            call.url,
            headers=dict(call.headers),
            content=call.content,
            extensions={"timeout": self._timeout, MAY_SEND: call.may_send},
        )
        answer = await self._transport.handle_async_request(request)
        return Reply(answer.status_code, answer.headers, await answer.aread(), native=answer)
