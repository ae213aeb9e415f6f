"""The ports of the clouds: what steps are given to see with (`Eyes`) and to act with (`Hands`).

Reading and writing are different types: a reading step is never handed something that writes. The implementations are in
`firebreak.clients`; tests hand in the same ones over the simulator's in-process transport.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from firebreak.model.step import Sent

# Awaited right before a request leaves; what it raises keeps the request here.
MaySend = Callable[[], Awaitable[None]]


class ArmReader(Protocol):
    """Azure Resource Manager, reads only. `path` is absolute (`/subscriptions/...`); ids with tricks raise `ScopeError`.

    All raise AccessError, RemoteError or UnreachableError of `firebreak.errors`. `get` of something absent returns None.
    """

    @property
    def subscription_id(self) -> str: ...

    async def get(
        self, path: str, api_version: str, params: Mapping[str, str] | None = None
    ) -> dict[str, Any] | None: ...

    def pages(
        self, path: str, api_version: str, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[list[dict[str, Any]]]: ...

    def raw_pages(self, path: str, api_version: str, params: Mapping[str, str] | None = None) -> AsyncIterator[bytes]:
        """The same pages, each as the JSON text of its list: for long lists of which little counts."""
        ...

    async def list(
        self, path: str, api_version: str, params: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]: ...

    async def query(self, path: str, api_version: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """A read that is a POST (cost query, Resource Graph, listKeys is not one); only allow-listed paths."""
        ...


class ArmWriter(Protocol):
    """Azure Resource Manager, one write a call. Raises `UncertainError` when the request may have had effect."""

    async def put(self, path: str, api_version: str, body: Mapping[str, Any]) -> Sent: ...
    async def patch(self, path: str, api_version: str, body: Mapping[str, Any]) -> Sent: ...
    async def post(
        self,
        path: str,
        api_version: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Sent: ...
    async def delete(self, path: str, api_version: str, params: Mapping[str, str] | None = None) -> Sent: ...
    async def operation(self, operation_url: str) -> dict[str, Any]:
        """Status of a long-running operation: `{"status": "InProgress|Succeeded|Failed|Canceled", "error": {...}?}`."""
        ...


class JsonReader(Protocol):
    """Partner Center or Graph, reads. `path` as in the vendor's documents (`/v1/customers/...`, `/beta/security/...`)."""

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any] | None: ...
    async def list(self, path: str, params: Mapping[str, str] | None = None) -> list[dict[str, Any]]: ...


class PartnerReader(JsonReader, Protocol):
    """Partner Center, reads. `second_factor` asks once whether a second factor stands behind the sign-in; None: it did not say."""

    async def second_factor(self) -> bool | None: ...


class GraphReader(JsonReader, Protocol):
    """Graph, reads. `pages` yields page after page, so that a long list can be cut off; `eventual` asks for the index of advanced queries."""

    def pages(
        self, path: str, params: Mapping[str, str] | None = None, *, eventual: bool = False
    ) -> AsyncIterator[list[dict[str, Any]]]: ...


class JsonWriter(Protocol):
    """Partner Center or Graph, one write a call. `request_id` makes a retry idempotent where the service honours it."""

    async def post(self, path: str, body: Mapping[str, Any] | None, *, request_id: str) -> Sent: ...
    async def patch(self, path: str, body: Mapping[str, Any], *, request_id: str, etag: str = "") -> Sent: ...


class GraphWriter(JsonWriter, Protocol):
    """Graph, one write a call. `delete` of something that is gone is an error, as everything else that Graph refuses."""

    async def delete(self, path: str, *, request_id: str) -> Sent: ...


class BlobReader(Protocol):
    """The storage data plane of page blobs. `endpoint` is the account's `primaryEndpoints.blob`.

    Each returned blob: `{"name", "container", "url", "size", "leased", "etag", "created_at", "blob_type"}`.
    """

    async def page_blobs(self, endpoint: str) -> list[dict[str, Any]]: ...
    async def blob(self, url: str) -> dict[str, Any] | None: ...


class BlobWriter(Protocol):
    async def snapshot(self, url: str) -> Sent: ...
    async def delete(self, url: str, etag: str) -> Sent: ...


class VaultReader(Protocol):
    """Key vaults, without values: which versions a secret has, with their tags and times."""

    async def versions(self, vault: str, name: str) -> list[dict[str, Any]]: ...


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """A new secret of an application, and the secret of a vault that it is handed over into.

    `application` is its Graph path; `marker` names the secret there, so that one nobody was given is known by it; `ends_at` is ISO 8601.
    """

    application: str
    marker: str
    ends_at: str
    vault: str
    name: str
    tags: dict[str, str] = {}


class SecretMaker(Protocol):
    """Makes secrets that nobody sees. Neither returns one, and no error names one."""

    async def renew(self, wanted: Renewal, *, request_id: str) -> Sent:
        """Make a secret and hand it over into the vault; what was made and not handed over before under the same marker goes first."""
        ...

    async def retire(self, holders: Sequence[str], key_id: str, *, request_id: str) -> Sent:
        """Remove a secret from whichever of the objects holds it."""
        ...


class PriceReader(Protocol):
    async def machine_per_hour(self, region: str, size: str, *, spot: bool, windows: bool) -> Decimal | None:
        """Retail price per hour in `currency`, None when not listed."""
        ...

    async def disk_per_month(self, region: str, sku: str, size_gb: int) -> Decimal | None: ...

    async def defender_per_month(self, product: str, meter: str, regions: Collection[str]) -> Decimal | None:
        """Retail price of one unit of a plan of Defender for a month: the dearest of these regions, None when not listed."""
        ...

    @property
    def currency(self) -> str: ...


class Eyes(Protocol):
    """Everything a step may read with. `now()` is the time as of which things are read: in a round, when the round began."""

    @property
    def arm(self) -> ArmReader: ...

    @property
    def graph(self) -> GraphReader: ...

    @property
    def partner_center(self) -> PartnerReader: ...

    @property
    def blobs(self) -> BlobReader: ...

    @property
    def prices(self) -> PriceReader: ...

    @property
    def vaults(self) -> VaultReader: ...

    def now(self) -> datetime: ...

    async def own_principal_ids(self) -> tuple[str, ...]:
        """Object ids of the acting identity, from the token's claims."""
        ...


class Hands(Protocol):
    """Everything a changing step may act with."""

    @property
    def arm(self) -> ArmWriter: ...

    @property
    def graph(self) -> GraphWriter: ...

    @property
    def partner_center(self) -> JsonWriter: ...

    @property
    def blobs(self) -> BlobWriter: ...

    @property
    def secrets(self) -> SecretMaker: ...

    def fenced(self, may_send: MaySend) -> Hands:
        """Return hands that await `may_send` before each request that writes, its repetitions included: after every wait for throttling
        or a token, when nothing but the connection is left between the request and the cloud."""
        ...
