"""Reading Graph at length: pages that can be cut off, the index of advanced queries, and the pace of its slow services."""

from __future__ import annotations

import pytest

from firebreak.errors import MissingPermissionError, RejectedError, RemoteError, ThrottledError
from firebreak.model.mode import Mode
from tests.support.tiny_service import BASE, FakeTime, TinyService, tiny

SIGN_INS = "/graph/beta/auditLogs/signIns"
RISKY = "/graph/v1.0/identityProtection/riskyUsers"


def page(number: int) -> dict[str, object]:
    return {"value": [{"id": str(number)}], "@odata.nextLink": f"{BASE}{SIGN_INS}?$skiptoken={number}"}


async def test_a_long_list_can_be_left_after_some_pages() -> None:
    service = TinyService()
    for number in range(3):
        service.answer("GET", SIGN_INS, page(number))
    seen = []
    async with tiny(service, mode=Mode.DRY_RUN) as connection:
        async for rows in connection.eyes.graph.pages("/beta/auditLogs/signIns", {"$top": "1"}):
            seen += [row["id"] for row in rows]
            if len(seen) == 2:
                break
    assert seen == ["0", "1"]
    assert [request.query for request in service.arrived] == ["$top=1", "$skiptoken=0"]


async def test_an_advanced_query_names_its_index_on_every_page() -> None:
    service = TinyService()
    link = f"{BASE}/graph/v1.0/users2?$skiptoken=x"
    service.answer("GET", "/graph/v1.0/users", {"@odata.count": 2, "value": [{"id": "a"}], "@odata.nextLink": link})
    service.answer("GET", "/graph/v1.0/users2", {"value": [{"id": "b"}]})
    async with tiny(service) as connection:
        found = await connection.eyes.graph.list("/v1.0/users", {"$filter": "x"}, eventual=True)
        assert await connection.eyes.graph.list("/v1.0/users2") == [{"id": "b"}]
    assert [row["id"] for row in found] == ["a", "b"]
    first, second, plain = service.arrived
    assert first.query == "$filter=x&$count=true"
    assert first.headers["consistencylevel"] == second.headers["consistencylevel"] == "eventual"
    assert "consistencylevel" not in plain.headers
    assert "$count" not in plain.query


async def test_a_page_that_is_cut_off_never_passes_for_a_short_list() -> None:
    service = TinyService().answer("GET", SIGN_INS, page(0))
    service.answer("GET", SIGN_INS, b'{"value": [{"id": "1"', headers={"content-type": "application/json"})
    async with tiny(service) as connection:
        with pytest.raises(RemoteError, match="cut off"):
            await connection.eyes.graph.list("/beta/auditLogs/signIns")


async def test_a_list_that_is_not_there_is_refused_not_empty() -> None:
    async with tiny(TinyService()) as connection:
        with pytest.raises(RejectedError):
            await connection.eyes.graph.list("/v1.0/nothing")


async def test_a_refusal_carries_the_code_that_tells_licence_from_permission() -> None:
    code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
    service = TinyService().answer("GET", SIGN_INS, {"error": {"code": code, "message": "no premium"}}, status=403)
    async with tiny(service) as connection:
        with pytest.raises(MissingPermissionError) as caught:
            await connection.eyes.graph.list("/beta/auditLogs/signIns")
    assert caught.value.remote_code == code
    assert "P1 or P2" in caught.value.hint


async def test_each_slow_service_has_its_own_pace_and_the_rest_has_none() -> None:
    service, time = TinyService(), FakeTime()
    users = "/graph/v1.0/users"
    for path in (SIGN_INS, RISKY, users):
        service.answer("GET", path, {"value": []})
    async with tiny(service, time=time) as connection:
        graph, start = connection.eyes.graph, time.now
        for _ in range(20):
            await graph.list("/v1.0/users")
        assert time.now == start
        for _ in range(5):
            await graph.list("/beta/auditLogs/signIns")
        assert time.now == start
        for _ in range(3):
            await graph.list("/v1.0/identityProtection/riskyUsers")
        assert time.now - start == pytest.approx(2, abs=0.01)
        for _ in range(2):
            await graph.list("/beta/auditLogs/signIns")
    # Five reports in ten seconds: two seconds brought one back, the next took two more.
    assert time.now - start == pytest.approx(4, abs=0.05)


async def test_identity_protection_rests_after_a_429_that_names_no_wait() -> None:
    service, time = TinyService(), FakeTime()
    service.answer("GET", RISKY, status=429)
    service.answer("GET", RISKY, {"value": [{"id": "u"}]})
    policies = "/graph/v1.0/identity/conditionalAccess/policies"
    service.answer("GET", policies, {"value": []})
    async with tiny(service, time=time) as connection:
        start = time.now
        assert await connection.eyes.graph.list("/v1.0/identityProtection/riskyUsers") == [{"id": "u"}]
        assert time.now - start == pytest.approx(3, abs=0.6)
        await connection.eyes.graph.list("/v1.0/identity/conditionalAccess/policies")
        assert time.now - start >= 4  # the same second of the same tenant


async def test_a_service_that_goes_on_throttling_is_given_up_within_a_minute() -> None:
    service, time = TinyService(), FakeTime()
    service.answer("GET", SIGN_INS, status=429)
    async with tiny(service, time=time) as connection:
        start = time.now
        with pytest.raises(ThrottledError):
            await connection.eyes.graph.list("/beta/auditLogs/signIns")
        assert 20 < time.now - start < 75
