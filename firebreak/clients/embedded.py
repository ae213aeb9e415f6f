"""The network of one embedded Azure and of nothing else: what is sent in earnest in a what-if can reach no other place.

    line = start_simulator(...)                                        # a process of ours; it printed this line
    settings = embedded_settings(settings, line)                       # every address, credential and authority is the world's
    async with connect(settings, ..., mode=Mode.LIVE, transport=only_embedded(settings)) as connection: ...

Three locks, each enough by itself: every service's address has to be the same port of this machine; every request is compared with it before a
connection is made, links and storage accounts included; and TLS trusts the one authority that the world made for itself minutes ago, which no
other server can show. Proxies are not used. The credential is one that the world made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from firebreak.clients.addresses import origin_of
from firebreak.clients.inprocess import HttpxAzureTransport
from firebreak.clients.policies.redaction import shown_url
from firebreak.clients.transports import Transports, trust
from firebreak.errors import ScopeError
from firebreak.settings import CloudSettings, CredentialSettings, Settings

_HERE = ("localhost", "127.0.0.1")
_SERVICES = ("resource_manager", "login", "graph", "partner_center", "prices")
_CREDENTIAL = ("tenant_id", "partner_tenant_id", "client_id", "client_secret")


def embedded_settings(settings: Settings, line: Mapping[str, Any]) -> Settings:
    """Return the settings with every address and credential replaced by those that the embedded Azure announced in `line`.

    Raises:
        ScopeError: one of its addresses is not on this machine, or they are not all the same.
    """
    cloud = CloudSettings(
        preset="simulator",
        **{name: str(line[name]) for name in _SERVICES},
        ca_bundle=line["ca_bundle"],
        storage_suffixes=("embedded.invalid",),
        vault_suffix="embedded.invalid",
    )
    credential = CredentialSettings(kind="client_secret", **{name: str(line[name]) for name in _CREDENTIAL})  # type: ignore[arg-type]
    changed = settings.model_copy(update={"cloud": cloud, "credential": credential})
    _origin(changed)
    return changed


def only_embedded(settings: Settings) -> Transports:
    """Return transports that reach the embedded Azure of `settings` and refuse every other address.

    Raises:
        ScopeError: the settings name a place that is not on this machine, or have no authority of their own.
    """
    origin = _origin(settings)
    trusted = trust(settings.cloud.ca_bundle)

    def http() -> httpx.AsyncBaseTransport:
        limits = httpx.Limits(max_connections=settings.operations.connections)
        return _Pinned(httpx.AsyncHTTPTransport(verify=trusted, trust_env=False, limits=limits), origin)

    def azure() -> AsyncHttpTransport[HttpRequest, AsyncHttpResponse]:
        return HttpxAzureTransport(http())

    return Transports(azure=azure, http=http)


def _origin(settings: Settings) -> tuple[str, str, int]:
    """The one origin of all services."""
    origins = {origin_of(str(getattr(settings.cloud, name))) for name in _SERVICES}
    origin = next(iter(origins))
    if len(origins) > 1 or origin[0] != "https" or origin[1] not in _HERE or origin[2] <= 0:
        raise ScopeError(
            f"A what-if is carried out on the embedded Azure alone, and {settings.cloud.resource_manager} is not it.",
            hint="Nothing was sent. All addresses have to be one https port of this machine.",
        )
    if settings.cloud.ca_bundle is None:
        raise ScopeError(
            "A what-if trusts only the embedded Azure's own certificate authority, and none is named.",
            hint="Nothing was sent.",
        )
    return origin


class _Pinned(httpx.AsyncBaseTransport):
    """Refuses before connecting whatever is not meant for one origin."""

    def __init__(self, inner: httpx.AsyncBaseTransport, origin: tuple[str, str, int]) -> None:
        self._inner, self._origin = inner, origin

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if origin_of(str(request.url)) != self._origin:
            raise ScopeError(
                f"{request.method} {shown_url(str(request.url))} was not sent: it is not the embedded Azure.",
                hint="A what-if reaches nothing else; a recorded address pointed elsewhere.",
            )
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
