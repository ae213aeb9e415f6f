"""P2: in a dry run nothing but reads leaves this process, by whichever door."""

from __future__ import annotations

import httpx
import pytest
from azure.core.rest import HttpRequest

from firebreak.clients.inprocess import HttpxAzureTransport
from firebreak.clients.policies.mode_guard import ARM_READ_POSTS, GRAPH_READ_POSTS, ModeGuard
from firebreak.clients.transports import GuardedAzureTransport, GuardedHttpTransport
from firebreak.errors import ScopeError, WriteRefusedError
from firebreak.model.mode import Mode
from tests.support.tiny_service import BASE, SUBSCRIPTION, TinyService, tiny

S = f"/subscriptions/{SUBSCRIPTION}"
MACHINE = f"{S}/resourceGroups/rg1/providers/Microsoft.Compute/virtualMachines/vm1"
COST_QUERY = f"{S}/providers/Microsoft.CostManagement/query"
NO_WRITES = [Mode.DRY_RUN, Mode.REPLAY]


def guard(mode: Mode = Mode.DRY_RUN) -> ModeGuard:
    return ModeGuard(mode, base=BASE, read_posts=ARM_READ_POSTS, origins=(BASE,))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads_pass_in_every_mode(method: str) -> None:
    for mode in Mode:
        guard(mode).check(method, f"{BASE}{MACHINE}?api-version=2026-04-01", {})


@pytest.mark.parametrize("method", ["PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "get", "QUERY", ""])
def test_every_other_method_is_refused_in_a_dry_run(method: str) -> None:
    with pytest.raises(WriteRefusedError) as caught:
        guard().check(method, f"{BASE}{MACHINE}", {})
    assert caught.value.exit_code == 3
    assert "dry-run" in caught.value.message


@pytest.mark.parametrize(
    "path",
    [
        COST_QUERY,
        COST_QUERY.lower() + "?api-version=2025-03-01",
        f"{S}/resourceGroups/rg1/providers/Microsoft.CostManagement/query",
        "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01",
        f"{S}/providers/Microsoft.Support/checkNameAvailability",
    ],
)
def test_the_few_reading_posts_pass(path: str) -> None:
    guard().check("POST", f"{BASE}{path}", {})


@pytest.mark.parametrize(
    "path",
    [
        f"{MACHINE}/deallocate",
        f"{S}/resourceGroups/rg1/providers/Microsoft.Storage/storageAccounts/a/listKeys",
        f"{S}/providers/Microsoft.Compute/register",
        f"{COST_QUERY}/",
        f"{COST_QUERY}/../../Microsoft.Compute/register",
        f"{COST_QUERY}%2f..%2f..%2fMicrosoft.Compute%2fregister",
        f"{MACHINE}/deallocate?x={COST_QUERY}",
        f"{MACHINE}/deallocate#{COST_QUERY}",
        f"/x{COST_QUERY}",
        f"{S}/resourceGroups/a/b/providers/Microsoft.CostManagement/query",
    ],
)
def test_a_post_that_only_looks_like_a_read_is_refused(path: str) -> None:
    with pytest.raises(WriteRefusedError):
        guard().check("POST", f"{BASE}{path}", {})


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override"])
def test_a_get_that_asks_to_be_another_method_is_refused(name: str) -> None:
    with pytest.raises(WriteRefusedError):
        guard().check("GET", f"{BASE}{MACHINE}", {name: "DELETE"})


def test_graph_lets_get_by_ids_through_and_nothing_else() -> None:
    graph = ModeGuard(Mode.DRY_RUN, base=f"{BASE}/graph", read_posts=GRAPH_READ_POSTS, origins=(BASE,))
    graph.check("POST", f"{BASE}/graph/v1.0/directoryObjects/getByIds", {})
    for path in ("/graph/v1.0/$batch", "/graph/v1.0/users/u/revokeSignInSessions", "/v1.0/directoryObjects/getByIds"):
        with pytest.raises(WriteRefusedError):
            graph.check("POST", f"{BASE}{path}", {})


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x",
        "http://localhost:8443/x",
        "https://localhost/x",
        "https://localhost:8443@evil.example/x",
        "https://user@localhost:8443/x",
        f"{BASE}/x\n",
    ],
)
def test_no_mode_sends_to_another_origin(mode: Mode, url: str) -> None:
    with pytest.raises(ScopeError):
        guard(mode).check("GET", url, {})


@pytest.mark.parametrize("mode", NO_WRITES)
async def test_every_hand_is_refused_and_nothing_arrives(mode: Mode) -> None:
    service = TinyService()
    async with tiny(service, mode=mode) as connection:
        hands = connection.hands
        blob = "https://acct.blob.core.windows.net/vhds/a.vhd"
        for attempt in (
            hands.arm.put(MACHINE, "2026-04-01", {"location": "x"}),
            hands.arm.patch(MACHINE, "2026-04-01", {}),
            hands.arm.post(f"{MACHINE}/deallocate", "2026-04-01"),
            hands.arm.delete(MACHINE, "2026-04-01"),
            hands.graph.post("/v1.0/users/u/revokeSignInSessions", None, request_id="r"),
            hands.graph.patch("/v1.0/users/u", {"accountEnabled": False}, request_id="r"),
            hands.partner_center.post("/v1/customers/c/x/cancel", {}, request_id="r"),
            hands.partner_center.patch("/v1/customers/c", {}, request_id="r"),
            hands.blobs.snapshot(blob),
            hands.blobs.delete(blob, '"e"'),
        ):
            with pytest.raises(WriteRefusedError):
                await attempt
    assert service.seen == []


@pytest.mark.parametrize("mode", NO_WRITES)
async def test_the_sdks_own_methods_are_refused_too(mode: Mode) -> None:
    service = TinyService()
    async with tiny(service, mode=mode) as connection:
        sdk = connection.management
        with pytest.raises(WriteRefusedError):
            await sdk.compute.virtual_machines.begin_deallocate("rg1", "vm1")
        with pytest.raises(WriteRefusedError):
            await sdk.compute.disks.begin_delete("rg1", "d1")
        with pytest.raises(WriteRefusedError):
            await sdk.resources.resource_groups.begin_delete("rg1")
        with pytest.raises(WriteRefusedError):
            await sdk.resources.providers.register("Microsoft.Compute")
        with pytest.raises(WriteRefusedError):
            await sdk.monitor.action_groups.delete("rg1", "g1")
        for client in (sdk.compute, sdk.resources):
            with pytest.raises(WriteRefusedError):
                await client.send_request(HttpRequest("DELETE", f"{BASE}{MACHINE}?api-version=2026-04-01"))
    assert service.seen == []


async def test_an_unregistered_provider_is_never_registered_by_itself() -> None:
    for mode in Mode:
        service = TinyService()
        service.answer(
            "GET",
            MACHINE,
            {"error": {"code": "MissingSubscriptionRegistration", "message": "not registered"}},
            status=409,
        )
        async with tiny(service, mode=mode) as connection:
            answer = await connection.management.compute.send_request(
                HttpRequest("GET", f"{BASE}{MACHINE}?api-version=1")
            )
        assert answer.status_code == 409
        assert service.seen == [("GET", MACHINE)]


async def test_the_guard_holds_below_the_sdks_default_policies() -> None:
    """A client built with the SDK's own policies (registration, redirects, retries) over our transport still cannot write."""
    from azure.mgmt.resource.resources.aio import ResourceManagementClient

    from tests.support.tiny_service import FixedToken

    group = f"{S}/resourcegroups/rg1"
    service = TinyService()
    service.answer(
        "GET",
        group,
        {
            "error": {
                "code": "MissingSubscriptionRegistration",
                "message": "The subscription is not registered to use namespace 'Microsoft.Compute'.",
            }
        },
        status=409,
    )
    service.answer("GET", f"{S}/resourcegroups/rg2", status=307, headers={"Location": f"{BASE}{MACHINE}/deallocate"})
    transport = GuardedAzureTransport(HttpxAzureTransport(service), guard(), attempt_seconds=5)
    client = ResourceManagementClient(
        FixedToken("t", []), SUBSCRIPTION, base_url=BASE, credential_scopes=["https://x/.default"], transport=transport
    )
    with pytest.raises(WriteRefusedError):
        await client.resource_groups.get("rg1")
    with pytest.raises(WriteRefusedError):
        await client.send_request(HttpRequest("POST", f"{BASE}{S}/resourcegroups/rg2?api-version=1"))
    assert {method for method, _ in service.seen} == {"GET"}
    await client.close()


async def test_redirects_are_not_followed_by_the_http_clients() -> None:
    service = TinyService()
    service.answer("GET", "/graph/v1.0/users", status=307, headers={"Location": "https://evil.example/steal"})
    async with tiny(service, mode=Mode.LIVE) as connection:
        with pytest.raises(Exception, match="Redirects are never followed"):
            await connection.eyes.graph.list("/v1.0/users")
    assert service.seen == [("GET", "/graph/v1.0/users")]


async def test_an_httpx_client_over_the_guarded_transport_cannot_write_even_by_redirect() -> None:
    service = TinyService()
    service.answer("GET", "/a", status=302, headers={"Location": "https://evil.example/b"})
    async with httpx.AsyncClient(
        transport=GuardedHttpTransport(service, guard(), attempt_seconds=5), follow_redirects=True
    ) as client:
        with pytest.raises(WriteRefusedError):
            await client.post(f"{BASE}/a", content=b"x")
        with pytest.raises(ScopeError):
            await client.get(f"{BASE}/a")
    assert service.seen == [("GET", "/a")]
