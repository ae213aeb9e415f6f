"""Carries requests into an ASGI application in this process: no socket, no TLS, no port.

    transports = in_process(app, credential=lambda tenant: FixedToken(...))
    async with connect(settings, subscription_id=..., mode=Mode.LIVE, correlation_id=..., transport=transports) as connection: ...

azure-core has no public response class for transports of one's own; the private one is used here and nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any

import httpx
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl
from azure.core.utils import CaseInsensitiveDict

from firebreak.clients.transports import Transports


class _Closed:
    """The "internal response" that azure-core closes when it is done."""

    async def close(self) -> None:
        return None


class _Response(AsyncHttpResponseImpl):
    def __init__(self, request: HttpRequest, answer: httpx.Response) -> None:
        super().__init__(
            request=request,
            internal_response=_Closed(),
            status_code=answer.status_code,
            reason=answer.reason_phrase,
            content_type=answer.headers.get("content-type"),
            headers=CaseInsensitiveDict(dict(answer.headers)),
            stream_download_generator=_no_stream,
        )
        self._content = answer.content


class HttpxAzureTransport(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """An azure-core transport over any httpx transport."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def send(self, request: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - timeouts and TLS options mean nothing in process
        # azure-identity still makes requests of the old class, whose `data` may be a form.
        body = getattr(request, "content", None) or request.data or b""
        payload: dict[str, Any] = {"data": body} if isinstance(body, dict) else {"content": body}
        answer = await self._inner.handle_async_request(
            httpx.Request(request.method, request.url, headers=dict(request.headers), **payload)
        )
        await answer.aread()
        return _Response(request, answer)

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        await self._inner.aclose()

    async def sleep(self, duration: float) -> None:
        await asyncio.sleep(duration)

    async def __aenter__(self) -> HttpxAzureTransport:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


def in_process(app: Any, *, credential: Callable[[str], AsyncTokenCredential] | None = None) -> Transports:
    """Route every host into `app`. `credential` gets a tenant id and returns who signs in there; None signs in by settings."""
    return Transports(
        azure=lambda: HttpxAzureTransport(httpx.ASGITransport(app=app)),
        http=lambda: httpx.ASGITransport(app=app),
        credential=credential,
    )


async def _no_stream(*_: Any, **__: Any) -> AsyncIterator[bytes]:
    raise TypeError("An answer in this process is whole; there is nothing to stream.")
    yield b""
