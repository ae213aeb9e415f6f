"""One connection to the clouds: eyes to see with, hands to act with, in one mode, for one subscription.

    async with connect(settings, subscription_id=..., mode=Mode.DRY_RUN, correlation_id=incident.id) as connection:
        disks = await connection.eyes.arm.list(...)
        await connection.hands.arm.delete(...)          # WriteRefusedError: nothing left this process

A connection belongs to one event loop. Connections of one identity share their token buckets and the price list within a process.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from firebreak.clients.arm import ArmRead, ArmWrite
from firebreak.clients.blobs import BlobRead, BlobWrite, StorageHosts
from firebreak.clients.channel import Channel, Signing
from firebreak.clients.credentials import Credentials
from firebreak.clients.graph import GraphRead, GraphWrite, is_partners
from firebreak.clients.hand_over import HandOver, VaultHosts, VaultRead
from firebreak.clients.management import Management
from firebreak.clients.partner_center import PartnerCenterRead, PartnerCenterWrite
from firebreak.clients.policies.exchange import Call, Policy
from firebreak.clients.policies.governor import Buckets, Governor
from firebreak.clients.policies.graph_governor import GraphGovernor
from firebreak.clients.policies.mode_guard import ARM_READ_POSTS, GRAPH_READ_POSTS, ModeGuard
from firebreak.clients.policies.recording import Recorder, Recording
from firebreak.clients.policies.redaction import clean_library_logs
from firebreak.clients.policies.request_ids import RequestIds
from firebreak.clients.policies.request_log import RequestLog
from firebreak.clients.policies.retry import Retry
from firebreak.clients.policies.second_factor import SecondFactor
from firebreak.clients.prices import PriceCache, Prices
from firebreak.clients.scope import Scope
from firebreak.clients.transports import GuardedAzureTransport, GuardedHttpTransport, Transports, network
from firebreak.errors import CredentialError
from firebreak.model.clouds import MaySend
from firebreak.model.mode import Mode
from firebreak.settings import Settings

_STORAGE_SCOPE = "https://storage.azure.com/.default"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class CloudEyes:
    """`Eyes` over the clients of one connection."""

    arm: ArmRead
    graph: GraphRead
    partner_center: PartnerCenterRead
    blobs: BlobRead
    prices: Prices
    vaults: VaultRead
    clock: Callable[[], datetime]
    own_ids: Callable[[], Awaitable[tuple[str, ...]]]

    def now(self) -> datetime:
        return self.clock()

    async def own_principal_ids(self) -> tuple[str, ...]:
        """Object ids of the acting identity in every tenant it signed in to, lower-case.

        Raises:
            CredentialError: the token does not say who it is for, so own access could not be protected.
        """
        return await self.own_ids()


@dataclass(frozen=True)
class CloudHands:
    """`Hands` over the clients of one connection. The type exists in every mode; the transport refuses."""

    arm: ArmWrite
    graph: GraphWrite
    partner_center: PartnerCenterWrite
    blobs: BlobWrite
    secrets: HandOver

    def fenced(self, may_send: MaySend) -> CloudHands:
        """Hands whose every write awaits `may_send` right before it leaves."""
        return CloudHands(
            arm=self.arm.fenced(may_send),
            graph=self.graph.fenced(may_send),
            partner_center=self.partner_center.fenced(may_send),
            blobs=self.blobs.fenced(may_send),
            secrets=self.secrets.fenced(may_send),
        )


@dataclass(frozen=True)
class Connection:
    """What `connect` gives. `management` holds the SDK clients, behind the same guard; `second_factor` what Partner Center said of it."""

    mode: Mode
    eyes: CloudEyes
    hands: CloudHands
    management: Management
    credentials: Credentials
    second_factor: SecondFactor


class _Shared:
    """What connections of one process have in common, by identity: token buckets and prices."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, ...], Buckets] = {}
        self._graph: dict[tuple[str, ...], Buckets] = {}
        self.prices = PriceCache()

    def buckets(self, settings: Settings) -> Buckets:
        own = settings.credential
        key = (
            settings.cloud.resource_manager,
            own.kind,
            own.tenant_id,
            own.client_id,
            repr(settings.operations.throttle),
        )
        with self._lock:
            return self._buckets.setdefault(key, Buckets(settings.operations.throttle, time.monotonic))

    def graph_buckets(self, settings: Settings) -> Buckets:
        """Of a tenant, whoever asks: Identity Protection counts all applications together."""
        limits = settings.operations.graph_throttle
        with self._lock:
            return self._graph.setdefault((settings.cloud.graph, repr(limits)), Buckets(limits, time.monotonic))


_SHARED = _Shared()


@asynccontextmanager
async def connect(
    settings: Settings,
    *,
    subscription_id: str,
    mode: Mode,
    correlation_id: str,
    recorder: Recorder | None = None,
    transport: Transports | None = None,
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Connection]:
    """Open the clients of one incident. Nothing is sent, and nobody signs in, before the first request.

    `recorder` gets every answer to a read. `transport` replaces the network. `clock` is the run's time, `sleep` and `monotonic` serve retries
    and throttling.

    Raises:
        SettingsError: the CA bundle or a secret reference cannot be used.
        ScopeError: `subscription_id` is not a GUID.
    """
    clean_library_logs()
    scope = Scope(subscription_id)
    transports = transport or network(settings)
    cloud, operations = settings.cloud, settings.operations
    buckets = _SHARED.buckets(settings) if transport is None else Buckets(operations.throttle, monotonic)
    graph_buckets = (
        _SHARED.graph_buckets(settings) if transport is None else Buckets(operations.graph_throttle, monotonic)
    )
    # Who records reads the prices anew: an answer that was kept from another incident would be missing in the evidence of this one.
    prices = _SHARED.prices if transport is None and recorder is None else PriceCache()

    def policies(names: tuple[str, str], *last: Policy | None) -> list[Policy]:
        if transports.recorded:
            return [policy for policy in last if isinstance(policy, Signing)]
        found: list[Policy] = [RequestIds(correlation_id, names=names)]
        if recorder:
            found.append(Recording(recorder, clock))
        found.append(
            Retry(
                attempts=operations.attempts,
                total_seconds=operations.total_seconds,
                longest_wait_seconds=operations.longest_wait_seconds,
                sleep=sleep,
                monotonic=monotonic,
            )
        )
        found.append(RequestLog())
        return [*found, *(policy for policy in last if policy)]

    async with AsyncExitStack() as stack:
        credentials = Credentials(settings, transports)
        stack.push_async_callback(credentials.close)

        def channel(
            guard: ModeGuard, names: tuple[str, str], signing: Signing | None, outer: Policy | None = None
        ) -> Channel:
            inner: httpx.AsyncBaseTransport = transports.http()
            guarded = GuardedHttpTransport(inner, guard, attempt_seconds=operations.attempt_timeout_seconds)
            made = Channel(guarded, policies(names, outer, signing), operations)
            stack.push_async_callback(made.close)
            return made

        def graph_tenant(call: Call) -> str:
            own = settings.credential
            return own.partner_tenant if is_partners(call.url, cloud.graph) else own.tenant_id

        async def graph_token(call: Call) -> str:
            return await (await credentials.for_tenant(graph_tenant(call))).bearer(f"{cloud.graph_audience}/.default")

        async def partner_token(_: Call) -> str:
            source = await credentials.for_tenant(settings.credential.partner_tenant)
            return await source.bearer(f"{cloud.partner_center_audience}/.default")

        async def storage_token(_: Call) -> str:
            return await (await credentials.for_tenant(settings.credential.tenant_id)).bearer(_STORAGE_SCOPE)

        async def vault_token(_: Call) -> str:
            source = await credentials.for_tenant(settings.credential.tenant_id)
            return await source.bearer(f"https://{cloud.vault_suffix}/.default")

        arm_scope = f"{cloud.audience}/.default"
        guard = ModeGuard(
            mode, base=cloud.resource_manager, read_posts=ARM_READ_POSTS, origins=(cloud.resource_manager,)
        )
        management = Management(
            base=cloud.resource_manager,
            scope=arm_scope,
            subscription_id=scope.subscription_id,
            credential=await credentials.for_tenant(settings.credential.tenant_id),
            transport=GuardedAzureTransport(
                transports.azure(), guard, attempt_seconds=operations.attempt_timeout_seconds
            ),
            policies=policies(
                ("x-ms-client-request-id", "x-ms-correlation-request-id"),
                Governor(buckets, sleep=sleep, longest_wait_seconds=operations.longest_wait_seconds),
            ),
        )
        stack.push_async_callback(management.close)
        graph = channel(
            ModeGuard(mode, base=cloud.graph, read_posts=GRAPH_READ_POSTS, origins=(cloud.graph,)),
            ("client-request-id", ""),
            Signing(graph_token),
            GraphGovernor(
                graph_buckets,
                cloud.graph,
                tenant_of=graph_tenant,
                sleep=sleep,
                longest_wait_seconds=operations.longest_wait_seconds,
            ),
        )
        second_factor = SecondFactor()
        asks_for_it = settings.credential.kind == "secure_application_model"
        partner = channel(
            ModeGuard(mode, origins=(cloud.partner_center,)),
            ("MS-RequestId", "MS-CorrelationId"),
            Signing(partner_token),
            second_factor if asks_for_it else None,
        )
        price_list = channel(ModeGuard(mode, origins=(cloud.prices,)), ("x-ms-client-request-id", ""), None)
        storage = channel(ModeGuard(mode), ("x-ms-client-request-id", ""), Signing(storage_token))
        # A cloud that is not one of Microsoft's (the embedded one, a test double) serves storage beside Resource Manager.
        own = () if cloud.is_known_authority else (cloud.resource_manager,)
        hosts = StorageHosts(cloud.storage_suffixes, own)
        vault_hosts = VaultHosts(cloud.vault_suffix, own)
        vault = channel(ModeGuard(mode), ("x-ms-client-request-id", ""), Signing(vault_token))
        vaults = VaultRead(vault, vault_hosts, max_pages=operations.max_pages)
        directory = GraphRead(
            graph, cloud.graph, max_pages=operations.max_pages, patience=operations.graph_read_seconds
        )
        changes = GraphWrite(graph, cloud.graph)

        async def own_ids() -> tuple[str, ...]:
            await (await credentials.for_tenant(settings.credential.tenant_id)).bearer(arm_scope)
            if not credentials.principal_ids:
                raise CredentialError(
                    "The token for Azure Resource Manager does not name its identity (claim oid).",
                    hint="Without it, own access could not be kept out of a plan. Use a credential with Entra ID tokens.",
                )
            return credentials.principal_ids

        yield Connection(
            mode=mode,
            eyes=CloudEyes(
                arm=ArmRead(management, scope, max_pages=operations.max_pages),
                graph=directory,
                partner_center=PartnerCenterRead(partner, cloud.partner_center, max_pages=operations.max_pages),
                blobs=BlobRead(storage, hosts, max_pages=operations.max_pages),
                prices=Prices(price_list, cloud.prices, currency=operations.currency, cache=prices),
                vaults=vaults,
                clock=clock,
                own_ids=own_ids,
            ),
            hands=CloudHands(
                arm=ArmWrite(management, scope),
                graph=changes,
                partner_center=PartnerCenterWrite(partner, cloud.partner_center),
                blobs=BlobWrite(storage, hosts),
                secrets=HandOver(directory, changes, graph, cloud.graph, vault, vaults, vault_hosts),
            ),
            management=management,
            credentials=credentials,
            second_factor=second_factor,
        )
