from __future__ import annotations

import json
from decimal import Decimal
from urllib.parse import unquote

import httpx
import pytest

from firebreak.errors import (
    CredentialError,
    MissingPermissionError,
    RejectedError,
    RemoteError,
    ResponseError,
    ScopeError,
    ThrottledError,
    UncertainError,
    UnreachableError,
    WriteRefusedError,
)
from firebreak.model.mode import Mode
from tests.support.tiny_service import BASE, OTHER, SUBSCRIPTION, FakeTime, TinyService, tiny

S = f"/subscriptions/{SUBSCRIPTION}"
DISKS = f"{S}/providers/Microsoft.Compute/disks"
DISK = f"{S}/resourceGroups/rg1/providers/Microsoft.Compute/disks/d1"
COST = f"{S}/providers/Microsoft.CostManagement/query"
GRAPH = "/providers/Microsoft.ResourceGraph/resources"


@pytest.mark.parametrize(
    "path",
    [
        f"/subscriptions/{OTHER}/resourceGroups/rg/providers/Microsoft.Compute/disks/d",
        f"{S}/resourceGroups/rg/../../../subscriptions/{OTHER}",
        f"{S}/resourceGroups/./rg",
        f"{S}//resourceGroups/rg",
        f"{S}/resourceGroups/rg/",
        f"{S}/resourceGroups/rg%2f..",
        f"{S}/resourceGroups/rg?api-version=1",
        f"{S}/resourceGroups/rg#x",
        f"{S}/resourceGroups/rg\\x",
        f"{S}/resourceGroups/rg\n",
        f"{S}/resourceGroups/. ",
        f"{BASE}{S}",
        f"//evil.example{S}",
        "subscriptions/x",
        "/",
        "",
        "/subscriptions/not-a-guid",
        "/providers/Microsoft.Management/managementGroups/g",
        "/providers/Microsoft.Management/managementGroups/g/providers/Microsoft.Authorization/policyDefinitions",
        "/providers/Microsoft.Management/managementGroups/g/providers/Microsoft.Authorization/roleAssignments/r",
        "/providers/Microsoft.Authorization/elevateAccess",
    ],
)
async def test_paths_outside_the_subscription_or_with_tricks_are_refused_unsent(path: str) -> None:
    service = TinyService()
    async with tiny(service) as connection:
        with pytest.raises(ScopeError):
            await connection.eyes.arm.get(path, "1")
        with pytest.raises(ScopeError):
            await connection.eyes.arm.list(path, "1")
        with pytest.raises(ScopeError):
            await connection.hands.arm.delete(path, "1")
    assert service.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/subscriptions",
        "/tenants",
        "/providers/Microsoft.Support/services/s/problemClassifications",
        "/providers/Microsoft.Authorization/policyDefinitions/p",
        "/providers/Microsoft.Management/managementGroups/g/providers/Microsoft.Authorization/policySetDefinitions/p",
        "/providers/Microsoft.Management/managementGroups/g/providers/Microsoft.Authorization/policyDefinitions/p/versions/1.0.0",
    ],
)
async def test_the_listed_paths_above_the_subscription_can_be_read_but_never_written(path: str) -> None:
    service = TinyService().answer("GET", path, {"value": []})
    async with tiny(service) as connection:
        assert await connection.eyes.arm.list(path, "1") == []
        with pytest.raises(ScopeError):
            await connection.hands.arm.put(path, "1", {})
    assert [method for method, _ in service.seen] == ["GET"]


async def test_names_are_quoted_segment_by_segment() -> None:
    name = "möbel & co (x)'+{endpoint}"
    service = TinyService()
    async with tiny(service) as connection:
        assert await connection.eyes.arm.get(f"{S}/resourceGroups/{name}", "2025-04-01") is None
    assert unquote(service.arrived[0].path) == f"{S}/resourceGroups/{name}"
    assert service.arrived[0].query == "api-version=2025-04-01"


async def test_requests_carry_the_ids_and_the_token() -> None:
    service = TinyService().answer("GET", DISK, {"id": DISK})
    asked: list[tuple[str, str]] = []
    async with tiny(service, asked=asked) as connection:
        await connection.eyes.arm.get(DISK, "2026-03-02")
        await connection.eyes.arm.get(DISK, "2026-03-02")
        assert await connection.eyes.own_principal_ids() == ("99999999-9999-4999-8999-999999999999",)
    first, second = (row.headers for row in service.arrived)
    assert first["authorization"].startswith("Bearer ")
    assert first["x-ms-correlation-request-id"] == second["x-ms-correlation-request-id"]
    assert first["x-ms-client-request-id"] != second["x-ms-client-request-id"]
    assert {scope for _, scope in asked} == {"https://management.azure.com/.default"}


async def test_a_list_follows_its_links_and_keeps_money_exact() -> None:
    service = TinyService()
    service.answer("GET", DISKS, {"value": [{"n": 1}], "nextLink": f"{BASE}{DISKS}/page2?$skiptoken=a%2Fb"})
    service.answer("GET", f"{DISKS}/page2", b'{"value": [{"n": 0.10}], "nextLink": ""}')
    async with tiny(service) as connection:
        assert await connection.eyes.arm.list(DISKS, "1") == [{"n": 1}, {"n": Decimal("0.10")}]
    assert service.arrived[1].query == "$skiptoken=a%2Fb"


async def test_raw_pages_come_as_they_were_sent() -> None:
    service = TinyService()
    first = b'[{"n": 1.50,  "x": {}}]'
    service.answer("GET", DISKS, b'\xef\xbb\xbf{"value": %b, "nextLink": "%b/2"}' % (first, f"{BASE}{DISKS}".encode()))
    service.answer("GET", f"{DISKS}/2", b'{"nextLink": null, "value": []}')
    async with tiny(service) as connection:
        assert [page async for page in connection.eyes.arm.raw_pages(DISKS, "1")] == [first, b"[]"]


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/subscriptions",
        f"http://localhost:8443{DISKS}",
        f"https://localhost:9999{DISKS}",
        f"https://localhost:8443@evil.example{DISKS}",
        f"{BASE}/subscriptions/{OTHER}/providers/Microsoft.Compute/disks",
        "//evil.example/x",
    ],
)
async def test_a_link_that_leads_elsewhere_is_not_followed(link: str) -> None:
    service = TinyService().answer("GET", DISKS, {"value": [], "nextLink": link})
    async with tiny(service) as connection:
        with pytest.raises(ScopeError):
            await connection.eyes.arm.list(DISKS, "1")
    assert service.seen == [("GET", DISKS)]


@pytest.mark.parametrize(
    "body",
    [
        {"values": []},
        {"value": {}},
        {"value": ["x"]},
        [],
        {"value": [], "nextLink": f"{BASE}{DISKS}"},
        {"value": [], "nextLink": 7},
    ],
)
async def test_what_is_no_list_is_an_error_and_not_an_empty_inventory(body: object) -> None:
    service = TinyService().answer("GET", DISKS, body)
    async with tiny(service) as connection:
        with pytest.raises(RemoteError, match="unreadable"):
            await connection.eyes.arm.list(DISKS, "1")


async def test_absent_is_none_but_an_invisible_subscription_is_an_error() -> None:
    service = TinyService()
    service.answer("GET", DISK, {"error": {"code": "ResourceNotFound", "message": "gone"}}, status=404)
    service.answer("GET", DISKS, {"error": {"code": "ResourceNotFound", "message": "gone"}}, status=404)
    service.answer("GET", S, {"error": {"code": "SubscriptionNotFound", "message": "no"}}, status=404)
    async with tiny(service) as connection:
        assert await connection.eyes.arm.get(DISK, "1") is None
        with pytest.raises(RejectedError):
            await connection.eyes.arm.list(DISKS, "1")
        with pytest.raises(RejectedError, match="SubscriptionNotFound"):
            await connection.eyes.arm.get(S, "1")


async def test_a_cost_query_collects_its_pages_by_posting_the_same_body() -> None:
    service = TinyService()
    columns = [{"name": "PreTaxCost", "type": "Number"}]
    service.answer("POST", COST, {"properties": {"columns": columns, "rows": [[1.1]], "nextLink": f"{BASE}{COST}?p=2"}})
    service.answer("POST", COST, {"properties": {"columns": columns, "rows": [[2]], "nextLink": None}})
    async with tiny(service, mode=Mode.DRY_RUN) as connection:
        answer = await connection.eyes.arm.query(COST, "2025-03-01", {"type": "ActualCost"})
    assert answer is not None
    assert answer["properties"]["rows"] == [[Decimal("1.1")], [2]]
    assert [json.loads(row.body) for row in service.arrived] == [{"type": "ActualCost"}] * 2
    assert [row.headers["content-type"] for row in service.arrived] == ["application/json"] * 2


async def test_a_cost_query_without_data_is_none() -> None:
    service = TinyService().answer("POST", COST, status=204)
    async with tiny(service) as connection:
        assert await connection.eyes.arm.query(COST, "2025-03-01", {}) is None


async def test_resource_graph_asks_for_this_subscription_alone_and_follows_its_token() -> None:
    service = TinyService()
    service.answer("POST", GRAPH, {"data": [{"id": "a"}], "count": 1, "$skipToken": "t"})
    service.answer("POST", GRAPH, {"data": [{"id": "b"}], "count": 1})
    query = {"subscriptions": [SUBSCRIPTION], "query": "resources"}
    async with tiny(service, mode=Mode.DRY_RUN) as connection:
        arm = connection.eyes.arm
        answer = await arm.query(GRAPH, "2021-03-01", query)
        for wrong in (
            {},
            {"subscriptions": [OTHER]},
            {"subscriptions": [SUBSCRIPTION, OTHER]},
            query | {"managementGroups": ["g"]},
        ):
            with pytest.raises(ScopeError):
                await arm.query(GRAPH, "2021-03-01", wrong)
    assert answer is not None
    assert answer["data"] == [{"id": "a"}, {"id": "b"}]
    assert json.loads(service.arrived[1].body)["options"] == {"$skipToken": "t"}
    assert len(service.arrived) == 2


@pytest.mark.parametrize(
    "path", [f"{S}/resourceGroups/r/providers/Microsoft.Storage/storageAccounts/a/listKeys", f"{DISK}/beginGetAccess"]
)
async def test_a_reader_cannot_post_what_is_not_a_query_even_in_live_mode(path: str) -> None:
    service = TinyService()
    async with tiny(service, mode=Mode.LIVE) as connection:
        with pytest.raises(WriteRefusedError):
            await connection.eyes.arm.query(path, "1", {})
    assert service.seen == []


async def test_writes_say_where_their_operation_is_followed() -> None:
    operation = f"{BASE}{S}/providers/Microsoft.Compute/locations/l/operations/o?api-version=1"
    service = TinyService()
    service.answer(
        "DELETE",
        DISK,
        status=202,
        headers={"Azure-AsyncOperation": operation, "Location": f"{operation}&m=1", "x-ms-request-id": "r1"},
    )
    service.answer("PUT", DISK, {"id": DISK}, status=201)
    service.answer("POST", f"{DISK}/x", status=202, headers={"Location": "https://evil.example/op"})
    async with tiny(service) as connection:
        arm = connection.hands.arm
        gone = await arm.delete(DISK, "1", {"forceDeletion": "true"})
        assert (gone.status, gone.operation_url, gone.request_id) == (202, operation, "r1")
        assert (await arm.put(DISK, "1", {"a": Decimal("1.5")})).operation_url == ""
        odd = await arm.post(f"{DISK}/x", "1")
        assert odd.operation_url == ""
        assert "evil.example" in odd.note
        with pytest.raises(ScopeError):
            await arm.operation("https://evil.example/op")
    assert service.arrived[1].body == b'{"a":1.5}'
    assert service.arrived[2].body == b""


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (202, None, {"status": "InProgress"}),
        (200, None, {"status": "Succeeded"}),
        (204, None, {"status": "Succeeded"}),
        (200, {"status": "succeeded"}, {"status": "Succeeded"}),
        (200, {"status": "Running"}, {"status": "InProgress"}),
        (
            200,
            {"status": "Failed", "error": {"code": "X"}},
            {"status": "Failed", "error": {"code": "X", "message": ""}},
        ),
        (200, {"id": "x", "properties": {"provisioningState": "Updating"}}, {"status": "InProgress"}),
        (200, {"id": "x", "properties": {}}, {"status": "Succeeded"}),
    ],
)
async def test_operations_are_read_in_both_styles(status: int, body: object, expected: object) -> None:
    path = f"{S}/providers/Microsoft.Compute/locations/l/operations/o"
    service = TinyService().answer("GET", path, body, status=status)
    async with tiny(service) as connection:
        assert await connection.hands.arm.operation(f"{BASE}{path}?api-version=1") == expected


@pytest.mark.parametrize(
    ("status", "code", "reading", "writing"),
    [
        (400, "BadRequest", RejectedError, RejectedError),
        (401, "ExpiredAuthenticationToken", CredentialError, CredentialError),
        (403, "AuthorizationFailed", MissingPermissionError, MissingPermissionError),
        (403, "RequestDisallowedByPolicy", RejectedError, RejectedError),
        (409, "ScopeLocked", RejectedError, RejectedError),
        (429, "SubscriptionRequestsThrottled", ThrottledError, ThrottledError),
        (500, "InternalServerError", RemoteError, UncertainError),
        (503, "ServiceUnavailable", RemoteError, UncertainError),
        (307, "", RejectedError, RejectedError),
    ],
)
async def test_refusals_become_errors_that_say_what_was_asked(
    status: int, code: str, reading: type[ResponseError], writing: type[ResponseError]
) -> None:
    service = TinyService()
    headers = {"x-ms-request-id": "req-1"} | ({"Retry-After": "3600"} if status == 429 else {})
    body = {"error": {"code": code, "message": "told\r\n\x1b[31mso " + "x" * 5000}}
    for method in ("GET", "DELETE"):
        service.answer(method, DISK, body, status=status, headers=headers)
    async with tiny(service) as connection:
        with pytest.raises(reading) as read:
            await connection.eyes.arm.get(DISK, "1")
        with pytest.raises(writing) as write:
            await connection.hands.arm.delete(DISK, "1")
    assert type(read.value) is reading
    assert type(write.value) is writing
    for error in (read.value, write.value):
        assert DISK in error.message
        assert code in error.message
        assert "req-1" in error.message
        assert error.hint
        assert error.message.isprintable()
        assert len(error.message) < 1000
    assert [m for m, _ in service.seen].count("DELETE") == (2 if status == 401 else 1)


@pytest.mark.parametrize(
    ("failure", "reading", "writing", "sent"),
    [
        (httpx.ConnectError, UnreachableError, UnreachableError, 5),
        (httpx.ConnectTimeout, UnreachableError, UnreachableError, 5),
        (httpx.ReadTimeout, RemoteError, UncertainError, 1),
        (httpx.ReadError, RemoteError, UncertainError, 1),
        (httpx.WriteError, RemoteError, UncertainError, 1),
        (httpx.RemoteProtocolError, RemoteError, UncertainError, 1),
    ],
)
async def test_a_write_whose_answer_never_came_is_uncertain_and_not_repeated(
    failure: type[httpx.TransportError], reading: type[ResponseError], writing: type[ResponseError], sent: int
) -> None:
    service, time = TinyService(), FakeTime()
    service.fails("GET", DISK, failure).fails("DELETE", DISK, failure)
    async with tiny(service, time=time) as connection:
        with pytest.raises(reading) as caught:
            await connection.eyes.arm.get(DISK, "1")
        assert type(caught.value) is reading
        with pytest.raises(writing):
            await connection.hands.arm.delete(DISK, "1")
    assert [m for m, _ in service.seen].count("DELETE") == sent
    assert [m for m, _ in service.seen].count("GET") == 5


async def test_secrets_in_refusals_are_not_told() -> None:
    service = TinyService().answer(
        "DELETE",
        DISK,
        {
            "error": {
                "code": "X",
                "message": "https://a.blob/x?sv=1&sig=abc%2Bdef client_secret=hunter2 AccountKey=k== Bearer eyJhbGciOi.eyJvaWQ.sig",
            }
        },
        status=400,
    )
    async with tiny(service) as connection:
        with pytest.raises(RejectedError) as caught:
            await connection.hands.arm.delete(DISK, "1")
    for secret in ("abc%2Bdef", "hunter2", "k==", "eyJhbGciOi"):
        assert secret not in str(caught.value)
