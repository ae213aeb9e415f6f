"""What carries requests: the one seam between the clients and the world.

Real network, in-process application and test double are the same thing: a `Transports`. Whatever it hands out is wrapped here, so that
every request passes the mode guard last, then the fence of the run that sends it, and every failure below HTTP becomes `NotSentError` or
`NoAnswerError`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ServiceRequestError, ServiceRequestTimeoutError
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from firebreak.clients.addresses import origin_of
from firebreak.clients.policies.exchange import NoAnswerError, NotSentError
from firebreak.clients.policies.mode_guard import ModeGuard
from firebreak.errors import SettingsError
from firebreak.settings import OperationSettings, Settings

# Shorter than the idle limit of the servers at the other end, so that a request never meets a connection that is just being closed.
_KEEP_ALIVE_SECONDS = 4.0

# Under this name a request carries what is awaited right before it leaves: an option of azure-core, an extension of httpx.
MAY_SEND = "firebreak_may_send"

_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.ServerFingerprintMismatch,
    ssl.SSLCertVerificationError,
    socket.gaierror,
)


@dataclass(frozen=True)
class Transports:
    """Makers of the raw transports, called once per connection. `credential` replaces signing in (None: by settings); it gets the tenant.

    `recorded`: what comes is played back, so that there is nothing to throttle, to repeat, or to record again.
    """

    azure: Callable[[], AsyncHttpTransport[HttpRequest, AsyncHttpResponse]]
    http: Callable[[], httpx.AsyncBaseTransport]
    credential: Callable[[str], AsyncTokenCredential] | None = None
    recorded: bool = False


def network(settings: Settings) -> Transports:
    """The real network with the settings' certificate authorities, timeouts and the environment's proxies.

    Raises:
        SettingsError: the CA bundle cannot be used.
    """
    trusted = trust(settings.cloud.ca_bundle)
    return Transports(
        azure=lambda: aiohttp_transport(trusted, settings.operations),
        http=lambda: httpx.AsyncHTTPTransport(
            verify=trusted,
            limits=httpx.Limits(max_connections=settings.operations.connections, keepalive_expiry=_KEEP_ALIVE_SECONDS),
            retries=0,
        ),
    )


def trust(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return the TLS context: the system's authorities, or only those of `ca_bundle`.

    Raises:
        SettingsError: the file holds no certificates.
    """
    try:
        return ssl.create_default_context(cafile=str(ca_bundle) if ca_bundle else None)
    except (OSError, ssl.SSLError) as exc:
        raise SettingsError(
            f"FIREBREAK_CLOUD__CA_BUNDLE: {ca_bundle} holds no certificates in PEM form.",
            hint="Name the CA's PEM file.",
        ) from exc


def aiohttp_transport(
    trusted: ssl.SSLContext, operations: OperationSettings
) -> AsyncHttpTransport[HttpRequest, AsyncHttpResponse]:
    """Return azure-core's transport over one aiohttp session of ours.

    Ours, because azure-core given a CA file would make a TLS context and so a new connection per request, and because aiohttp by itself
    sends PUT and DELETE a second time when a kept connection breaks: nobody above would know (P3).
    """
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=trusted, limit=operations.connections, keepalive_timeout=_KEEP_ALIVE_SECONDS
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )
    session._retry_connection = False
    return cast(
        "AsyncHttpTransport[HttpRequest, AsyncHttpResponse]",
        _ProxiedTransport(
            session=session,
            session_owner=True,
            connection_timeout=operations.connect_timeout_seconds,
            read_timeout=operations.read_timeout_seconds,
        ),
    )


class _ProxiedTransport(AioHttpTransport):  # type: ignore[misc] # azure-core exports it untyped
    """Honours HTTPS_PROXY and NO_PROXY, decided once per host; aiohttp's own way asks a thread for .netrc on each request."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._proxies: dict[str, str] = {}

    async def send(self, request: Any, *, stream: bool = False, proxies: Any = None, **config: Any) -> Any:
        proxy = self._proxy_for(request.url)
        if proxy:
            config["proxy"] = proxy
        return await super().send(request, stream=stream, proxies=proxies, **config)

    def _proxy_for(self, url: str) -> str:
        scheme, host, _ = origin_of(url)
        if host not in self._proxies:
            self._proxies[host] = "" if proxy_bypass(host) else getproxies().get(scheme, "")
        return self._proxies[host]


class GuardedAzureTransport(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """The last stop of every azure-core pipeline, SDK methods included: mode guard, attempt limit, failures named."""

    def __init__(
        self, inner: AsyncHttpTransport[HttpRequest, AsyncHttpResponse], guard: ModeGuard, *, attempt_seconds: float
    ) -> None:
        self._inner = inner
        self._guard = guard
        self._attempt_seconds = attempt_seconds

    async def send(self, request: Any, **kwargs: Any) -> Any:
        self._guard.check(request.method, request.url, request.headers)
        if may_send := kwargs.pop(MAY_SEND, None):
            await may_send()
        try:
            async with asyncio.timeout(self._attempt_seconds):
                return await self._inner.send(request, **kwargs)
        except TimeoutError as exc:
            raise NoAnswerError(f"no whole answer within {self._attempt_seconds:g} s") from exc
        except AzureError as exc:
            raise _named(exc) from exc
        except httpx.TransportError as exc:
            raise _named_http(exc) from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise NoAnswerError(f"the connection broke ({type(exc).__name__})") from exc

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()

    async def sleep(self, duration: float) -> None:
        await asyncio.sleep(duration)

    async def __aenter__(self) -> GuardedAzureTransport:
        await self.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


class GuardedHttpTransport(httpx.AsyncBaseTransport):
    """The last stop of every httpx client: the same guard, the same two failures."""

    def __init__(self, inner: httpx.AsyncBaseTransport, guard: ModeGuard, *, attempt_seconds: float) -> None:
        self._inner = inner
        self._guard = guard
        self._attempt_seconds = attempt_seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._guard.check(request.method, str(request.url), request.headers)
        if may_send := request.extensions.pop(MAY_SEND, None):
            await may_send()
        try:
            async with asyncio.timeout(self._attempt_seconds):
                response = await self._inner.handle_async_request(request)
                await response.aread()
        except TimeoutError as exc:
            raise NoAnswerError(f"no whole answer within {self._attempt_seconds:g} s") from exc
        except (httpx.TransportError, httpx.DecodingError) as exc:
            raise _named_http(exc) from exc
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


def _named(exc: AzureError) -> Exception:
    """azure-core calls every aiohttp failure but a few a "request error"; only those before the connection stood are "not sent"."""
    inner = exc.inner_exception or exc.__cause__
    never = isinstance(exc, ServiceRequestTimeoutError) or isinstance(inner, _NOT_SENT)
    if never or (isinstance(exc, ServiceRequestError) and inner is None):
        return NotSentError(reason_of(inner or exc))
    return NoAnswerError(reason_of(inner or exc))


def _named_http(exc: httpx.TransportError | httpx.DecodingError) -> Exception:
    before = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)
    return NotSentError(reason_of(exc)) if isinstance(exc, before) else NoAnswerError(reason_of(exc))


def reason_of(exc: BaseException) -> str:
    """What went wrong in a few words, by kind: texts of libraries may hold addresses with secrets."""
    seen: BaseException | None = exc
    text = ""
    while seen is not None:
        text = str(seen)
        if isinstance(seen, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in text:
            return "its TLS certificate is not signed by a trusted authority"
        if isinstance(seen, ssl.SSLError):
            return "the TLS handshake failed"
        if isinstance(seen, socket.gaierror | aiohttp.ClientConnectorDNSError) or "Name or service not known" in text:
            return "its name does not resolve"
        if isinstance(seen, ConnectionRefusedError) or "onnection refused" in text:
            return "the connection was refused"
        if isinstance(seen, TimeoutError | httpx.TimeoutException):
            return "it did not answer in time"
        seen = seen.__cause__ or seen.__context__
    return f"the connection broke ({type(exc).__name__})"
