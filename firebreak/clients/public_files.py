"""Small public files from named hosts: certificates that a stranger's request pointed at. Nothing else of the network can be reached through it.

No redirects, no proxies, no credentials; a name that leads to an address that is not public is not connected to, whenever its answer changes: the
address that was checked is the one that is used. With `CloudSettings.partner_certificates` the same paths are fetched below that address instead.
"""

from __future__ import annotations

import ipaddress
import socket
from types import TracebackType
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from firebreak.clients.transports import trust
from firebreak.errors import RejectedError, UnreachableError
from firebreak.settings import Settings

LARGEST = 64 * 1024
SECONDS = 5.0
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")


def is_public(text: str) -> bool:
    """Whether an address is one of the public network, also where it holds another one inside (mapped, NAT64; 6to4 and Teredo never are)."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            address = address.ipv4_mapped
        elif address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        elif address not in _UNICAST or address.sixtofour or address.teredo:
            return False
    return address.is_global and not address.is_multicast


class PublicResolver(AbstractResolver):
    """Resolves names, and gives an error instead of an address that is not public."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self._inner = self._inner or ThreadedResolver()
        found = await self._inner.resolve(host, port, family)
        for one in found:
            if not is_public(one["host"]):
                raise OSError(f"{host} leads to {one['host']}, which is not a public address")
        return found

    async def close(self) -> None:
        if self._inner is not None:
            await self._inner.close()


class PublicFiles:
    """Fetches one small file at a time. An async context manager; belongs to one event loop."""

    def __init__(self, settings: Settings, *, resolver: AbstractResolver | None = None) -> None:
        """Open nothing yet. `resolver` replaces the system's (tests).

        Raises:
            SettingsError: the CA bundle cannot be used.
        """
        self._instead = settings.cloud.partner_certificates
        self._context = trust(settings.cloud.ca_bundle if self._instead else None)
        self._guard = None if self._instead else PublicResolver(resolver)
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str) -> bytes:
        """Return what lies there. The caller has checked that the address is one of those it allows.

        Raises:
            RejectedError: the answer is not 200 (a redirect is not), or too large.
            UnreachableError: no answer in time, or the name leads to an address that is not public.
        """
        where = f"{self._instead}{urlsplit(url).path}" if self._instead else url
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._context, resolver=self._guard, limit=4, force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        try:
            timeout = aiohttp.ClientTimeout(total=SECONDS)
            async with self._session.get(where, allow_redirects=False, timeout=timeout) as answer:
                if answer.status != 200:
                    raise RejectedError(f"{url} answered {answer.status}.", status=answer.status)
                content = b""
                async for chunk in answer.content.iter_chunked(8192):
                    content += chunk
                    if len(content) > LARGEST:
                        raise RejectedError(f"{url} is larger than {LARGEST:,} bytes.", status=answer.status)
                return content
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise UnreachableError(
                f"{url} cannot be fetched ({type(error).__name__}).",
                hint="May this host reach it? See the network's log.",
            ) from error

    async def __aenter__(self) -> PublicFiles:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
