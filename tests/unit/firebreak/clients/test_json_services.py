"""Graph and Partner Center: paging, headers, tenants, error shapes."""

from __future__ import annotations

import base64
import json

import httpx
import pytest

from firebreak.clients.partner_center import camel
from firebreak.errors import (
    CredentialError,
    MissingPermissionError,
    RejectedError,
    RemoteError,
    ScopeError,
    SecondFactorError,
    ThrottledError,
    UncertainError,
)
from firebreak.model.mode import Mode
from tests.support.tiny_service import BASE, PARTNER, TENANT, FakeTime, TinyService, tiny

ENTITLEMENTS = "/v1/customers/c/subscriptions/s/azureEntitlements"
PC = "/partnercenter"


async def test_the_path_decides_whose_token_is_used() -> None:
    service, asked = TinyService(), list[tuple[str, str]]()
    async with tiny(service, asked=asked) as connection:
        for path in (
            "/v1.0/users/u",
            "/beta/security/partner/securityAlerts/a",
            "/v1.0/tenantRelationships/delegatedAdminRelationships/d",
        ):
            assert await connection.eyes.graph.get(path) is None
        assert await connection.eyes.partner_center.get("/v1/profiles/organization") is None
    graph = "https://graph.microsoft.com/.default"
    assert asked == [
        (TENANT, graph),
        (PARTNER, graph),
        (PARTNER, graph),
        (PARTNER, "https://api.partnercenter.microsoft.com/.default"),
    ]


async def test_graph_lists_follow_their_link_on_the_same_host_only() -> None:
    service = TinyService()
    service.answer(
        "GET",
        "/graph/v1.0/users",
        {"value": [{"id": "a"}], "@odata.nextLink": f"{BASE}/graph/v1.0/users2?$skiptoken=x"},
    )
    service.answer("GET", "/graph/v1.0/users2", {"value": [{"id": "b"}]})
    service.answer("GET", "/graph/v1.0/groups", {"value": [], "@odata.nextLink": "https://evil.example/"})
    async with tiny(service) as connection:
        assert await connection.eyes.graph.list("/v1.0/users", {"$filter": "a eq 'b c'"}) == [{"id": "a"}, {"id": "b"}]
        with pytest.raises(ScopeError):
            await connection.eyes.graph.list("/v1.0/groups")
    assert service.arrived[0].query == "$filter=a%20eq%20'b%20c'"


async def test_names_are_read_in_a_dry_run_by_the_reading_post() -> None:
    service = TinyService().answer("POST", "/graph/v1.0/directoryObjects/getByIds", {"value": [{"id": "a"}]})
    async with tiny(service, mode=Mode.DRY_RUN) as connection:
        assert await connection.eyes.graph.names_of(["a", "b"]) == [{"id": "a"}]
    assert json.loads(service.arrived[0].body) == {"ids": ["a", "b"]}


@pytest.mark.parametrize(
    "path",
    [
        "/users",
        "/v2.0/users",
        "/v1.0/users/../x",
        "/v1.0//users",
        "/v1.0/users?x=1",
        "/v1.0/a%2fb",
        "v1.0/users",
        "/v1.0/users#",
    ],
)
async def test_graph_paths_with_tricks_are_refused_unsent(path: str) -> None:
    service = TinyService()
    async with tiny(service) as connection:
        with pytest.raises(ScopeError):
            await connection.eyes.graph.get(path)
        with pytest.raises(ScopeError):
            await connection.hands.graph.post(path, None, request_id="r")
    assert service.seen == []


async def test_a_429_without_a_wait_is_backed_off_and_one_with_a_wait_obeyed() -> None:
    service, time = TinyService(), FakeTime()
    service.answer("GET", "/graph/v1.0/users/u", status=429)
    service.answer("GET", "/graph/v1.0/users/u", status=429, headers={"Retry-After": "9"})
    service.answer("GET", "/graph/v1.0/users/u", {"id": "u"})
    async with tiny(service, time=time) as connection:
        assert await connection.eyes.graph.get("/v1.0/users/u") == {"id": "u"}
    assert 0 < time.slept[0] <= 0.5
    assert time.slept[1] == 9


async def test_partner_center_pages_need_the_links_headers() -> None:
    service = TinyService()
    link = {"next": {"uri": "/customers?size=1&seekOperation=Next", "method": "GET", "headers": [
        {"key": "MS-ContinuationToken", "value": "AAAA"}, {"key": "Authorization", "value": "Bearer evil"}, {"key": "X-HTTP-Method-Override", "value": "DELETE"}]}}  # fmt: skip
    service.answer(
        "GET", f"{PC}/v1/customers", {"Items": [{"Id": "a", "CompanyProfile": {"TenantId": "t"}}], "Links": link}
    )
    service.answer("GET", f"{PC}/v1/customers", {"items": [{"id": "b"}], "links": {}})
    async with tiny(service, mode=Mode.DRY_RUN) as connection:
        found = await connection.eyes.partner_center.list("/v1/customers")
    assert found == [{"id": "a", "companyProfile": {"tenantId": "t"}}, {"id": "b"}]
    first, second = service.arrived
    assert second.headers["ms-continuationtoken"] == "AAAA"
    assert second.query == "size=1&seekOperation=Next"
    assert "evil" not in second.headers["authorization"]
    assert "x-http-method-override" not in second.headers
    assert first.headers["ms-contract-version"] == "v1"
    assert first.headers["x-locale"] == "en-US"
    assert first.headers["ms-requestid"] != second.headers["ms-requestid"]
    assert first.headers["ms-correlationid"] == second.headers["ms-correlationid"]


async def test_a_page_that_comes_again_is_an_error_not_an_endless_list() -> None:
    link = {"next": {"uri": "/customers?seekOperation=Next", "headers": []}}
    service = TinyService().answer("GET", f"{PC}/v1/customers", {"items": [], "links": link})
    async with tiny(service) as connection:
        with pytest.raises(RemoteError, match="never end"):
            await connection.eyes.partner_center.list("/v1/customers")
    assert len(service.arrived) == 2


async def test_a_write_carries_the_callers_key_and_is_not_repeated_by_itself() -> None:
    cancel = f"{PC}{ENTITLEMENTS}/e/cancel"
    service = TinyService().fails("POST", cancel, httpx.ReadTimeout).answer("POST", cancel, {"id": "e"}, status=202)
    async with tiny(service) as connection:
        partner = connection.hands.partner_center
        with pytest.raises(UncertainError):
            await partner.post(f"{ENTITLEMENTS}/e/cancel", {"cancellationReason": "compromise"}, request_id="action-1")
        sent = await partner.post(
            f"{ENTITLEMENTS}/e/cancel", {"cancellationReason": "compromise"}, request_id="action-1"
        )
    assert sent.status == 202
    first, second = service.arrived
    assert first.headers["ms-requestid"] == second.headers["ms-requestid"]


async def test_an_update_names_the_version_it_changes() -> None:
    service = TinyService().answer("PATCH", f"{PC}/v1/customers/c/subscriptions/s", {"id": "s"})
    async with tiny(service) as connection:
        await connection.hands.partner_center.patch(
            "/v1/customers/c/subscriptions/s", {"status": "suspended"}, request_id="r", etag='"e1"'
        )
    assert service.arrived[0].headers["if-match"] == '"e1"'


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (401, {"code": "900421", "description": "no MFA"}, SecondFactorError, "MFA"),
        (401, {"code": "900420", "description": "audience"}, CredentialError, "audience"),
        (403, {"code": "900308", "description": "role"}, MissingPermissionError, "role"),
        (403, {"code": "900159", "description": "none"}, RejectedError, "relationship"),
        (400, {"code": 900307, "description": "invalid reason"}, RejectedError, "900307"),
        (409, {"code": "900278", "description": "pending"}, RejectedError, "24 hours"),
        (
            429,
            {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds."},
            ThrottledError,
            "Try again in 57",
        ),
        (400, {"Error": {"Code": "X1", "Message": "capital"}}, RejectedError, "X1: capital"),
        (400, {"Code": "BadRequest", "Message": "old start"}, RejectedError, "BadRequest: old start"),
        (400, ["odd"], RejectedError, "400"),
    ],
)
async def test_error_bodies_of_every_shape_are_understood(
    status: int, body: object, kind: type[Exception], told: str
) -> None:
    service = TinyService().answer(
        "POST", f"{PC}{ENTITLEMENTS}/e/cancel", body, status=status, headers={"Retry-After": "3600"}
    )
    async with tiny(service) as connection:
        with pytest.raises(kind, match=told):
            await connection.hands.partner_center.post(f"{ENTITLEMENTS}/e/cancel", {}, request_id="r")


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        ('{"access_token":{"acrs":{"essential":true,"values":["p1"]}}}', SecondFactorError),
        ('{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}', CredentialError),
    ],
)
async def test_a_challenge_for_a_stronger_sign_in_is_told_from_one_for_a_newer_token(
    claims: str, kind: type[Exception]
) -> None:
    asked = base64.b64encode(claims.encode()).decode()
    challenge = {"WWW-Authenticate": f'Bearer realm="", error="insufficient_claims", claims="{asked}"'}
    body = {"error": {"code": "InvalidAuthenticationToken", "message": "A claims challenge has to be met."}}
    service = TinyService().answer("POST", f"{PC}{ENTITLEMENTS}/e/cancel", body, status=401, headers=challenge)
    async with tiny(service) as connection:
        with pytest.raises(CredentialError) as caught:
            await connection.hands.partner_center.post(f"{ENTITLEMENTS}/e/cancel", {}, request_id="r")
    assert type(caught.value) is kind


def test_keys_are_read_without_regard_to_their_first_letter() -> None:
    assert camel({"Id": 1, "Items": [{"OfferId": "x", "offerId": "y"}]}) == {"id": 1, "items": [{"offerId": "y"}]}
