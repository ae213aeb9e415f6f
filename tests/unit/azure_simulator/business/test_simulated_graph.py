"""Graph: partner security alerts and their status, the directory, the error shape, the legacy fraud events beside them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from azure_simulator.world import Principal, World
from tests.unit.azure_simulator.business.conftest import Caller

ALERTS = "/graph/beta/security/partner/securityAlerts"
CUSTOMER, AZURE = "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"


def alert(number: int, status: str = "active", subscription: str = AZURE) -> dict[str, Any]:
    resource = f"/subscriptions/{subscription}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/web-03"
    return {
        "id": f"d8b202fc-000{number}-4000-8000-00000000c00{number}",
        "displayName": "Action required",
        "description": "Connections to a mining pool.",
        "alertType": "CryptoMining",
        "status": status,
        "severity": "high",
        "confidenceLevel": "high",
        "customerTenantId": CUSTOMER,
        "subscriptionId": subscription,
        "valueAddedResellerTenantId": None,
        "catalogOfferId": "MS-AZR-0017G",
        "detectedDateTime": f"2026-11-1{number}T04:09:57.41Z",
        "firstObservedDateTime": "2026-11-01T22:10:03Z",
        "lastObservedDateTime": "2026-11-02T03:58:44Z",
        "resolvedReason": None,
        "resolvedOnDateTime": None,
        "resolvedBy": None,
        "isTest": False,
        "affectedResources": [{"resourceId": resource, "resourceType": "AzureResource"}],
        "activityLogs": [],
        "additionalDetails": {"ConnectionCount": "31", "VM_IP": '[\r\n  "198.51.100.24"\r\n]'},
    }


@pytest.fixture(autouse=True)
def alerts(world: World) -> None:
    for number in range(1, 5):
        row = alert(number, "resolved" if number == 4 else "active")
        world.alerts[row["id"]] = row


def ids(body: Any) -> list[str]:
    return [row["id"][-1] for row in body["value"]]


def test_an_alert_is_answered_whole_with_its_etag(agent: Caller, world: World) -> None:
    answer = agent("GET", f"{ALERTS}/{alert(1)['id']}")
    assert answer.headers["ETag"] == answer.body["@odata.etag"]
    assert {k: v for k, v in answer.body.items() if not k.startswith("@")} == alert(1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("status eq 'active'", ["3", "2", "1"]),
        (f"subscriptionId eq '{AZURE.upper()}' and status eq 'resolved'", ["4"]),
        (f"customerTenantId eq '{AZURE}'", []),
        ("detectedDateTime ge 2026-11-13T00:00:00Z", ["4", "3"]),
        ("detectedDateTime ge 2026-11-12 and detectedDateTime lt 2026-11-13T12:00:00Z", ["3", "2"]),
        ("isTest eq false", ["4", "3", "2", "1"]),
    ],
)
def test_filters(agent: Caller, text: str, found: list[str]) -> None:
    assert ids(agent("GET", f"{ALERTS}?$filter={text}").body) == found


def test_pages_counts_and_selects(agent: Caller) -> None:
    first = agent("GET", f"{ALERTS}?$top=3&$count=true&$select=id,status").body
    assert (first["@odata.count"], ids(first)) == (4, ["4", "3", "2"])
    assert set(first["value"][0]) == {"id", "status"}
    link = urlsplit(first["@odata.nextLink"])
    last = agent("GET", f"{link.path}?{link.query}").body
    assert (ids(last), "@odata.nextLink" in last) == (["1"], False)


def test_errors_have_graphs_shape(agent: Caller) -> None:
    answer = agent("GET", f"{ALERTS}?$filter=description eq 'x'", headers={"client-request-id": "c-1"})
    assert (answer.status, answer.body["error"]["code"]) == (400, "BadRequest")
    inner = answer.body["error"]["innerError"]
    assert (inner["client-request-id"], answer.headers["client-request-id"]) == ("c-1", "c-1")
    assert inner["request-id"] == answer.headers["request-id"]
    assert agent("GET", f"{ALERTS}/nothing").body["error"]["code"] == "Request_ResourceNotFound"
    assert agent("GET", "/graph/v1.0/auditLogs/nothing").status == 404


def test_the_customers_token_sees_no_partner_alert(arm: Caller) -> None:
    answer = arm("GET", ALERTS)
    assert (answer.status, answer.body["error"]["code"]) == (403, "Authorization_RequestDenied")


def test_a_status_moves_forward_and_each_change_is_logged(agent: Caller, world: World) -> None:
    path = f"{ALERTS}/{alert(1)['id']}"
    assert agent("PATCH", path, {"status": "investigating"}).body["status"] == "investigating"
    done = agent("PATCH", path, {"status": "resolved", "resolvedReason": "fraud"}).body
    assert (done["status"], done["resolvedReason"], done["resolvedBy"]) == ("resolved", "fraud", "ada@partner.example")
    assert done["resolvedOnDateTime"] == "2026-11-20T03:00:00.0000000Z"
    moves = [(e["statusFrom"], e["statusTo"]) for e in world.alerts[alert(1)["id"]]["activityLogs"]]
    assert moves == [("active", "investigating"), ("investigating", "resolved")]
    assert agent("PATCH", path, {"status": "active"}).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"status": "resolved"},
        {"status": "resolved", "resolvedReason": "boredom"},
        {"status": "investigating", "resolvedReason": "fraud"},
        {"status": "closed"},
        {"resolvedReason": "fraud"},
        {"status": "investigating", "severity": "low"},
    ],
)
def test_a_wrong_change_changes_nothing(agent: Caller, world: World, body: Any) -> None:
    assert agent("PATCH", f"{ALERTS}/{alert(1)['id']}", body).status == 400
    assert world.alerts[alert(1)["id"]] == alert(1)


def test_if_match_is_honoured(agent: Caller, world: World) -> None:
    path = f"{ALERTS}/{alert(1)['id']}"
    etag = agent("GET", path).headers["ETag"]
    first = agent("PATCH", path, {"status": "investigating"}, headers={"If-Match": etag})
    assert first.status == 200
    assert first.headers["ETag"] != etag
    stale = agent("PATCH", path, {"status": "resolved", "resolvedReason": "fraud"}, headers={"If-Match": etag})
    assert stale.status == 412
    assert world.alerts[alert(1)["id"]]["status"] == "investigating"


@pytest.fixture
def people(world: World) -> dict[str, Principal]:
    rows = {
        "admin": Principal("bbbbbbbb-0000-4000-8000-000000000001", "User", "Bo Admin", upn="bo@contoso.example"),
        "app": Principal("bbbbbbbb-0000-4000-8000-000000000002", "ServicePrincipal", "deployer", app_id="app-9"),
        "group": Principal("bbbbbbbb-0000-4000-8000-000000000003", "Group", "admins"),
        "foreign": Principal("bbbbbbbb-0000-4000-8000-000000000004", "ForeignGroup", "AdminAgents"),
    }
    rows["app"].secrets = ["first-hidden-value", "second-hidden-value"]
    rows["group"].members = [rows["admin"].object_id, rows["app"].object_id]
    rows["foreign"].tenant_id = world.partner_tenant_id
    for row in rows.values():
        row.tenant_id = row.tenant_id or world.tenant_id
        world.principals[row.object_id] = row
    return rows


def test_ids_are_resolved_within_the_tenant(arm: Caller, people: dict[str, Principal]) -> None:
    wanted = {"ids": [p.object_id for p in people.values()] + ["nobody"], "types": []}
    found = {
        row["id"][-1]: row["@odata.type"]
        for row in arm("POST", "/graph/v1.0/directoryObjects/getByIds", wanted).body["value"]
    }
    assert found == {
        "1": "#microsoft.graph.user",
        "2": "#microsoft.graph.servicePrincipal",
        "3": "#microsoft.graph.group",
    }
    users = arm("POST", "/graph/v1.0/directoryObjects/getByIds", wanted | {"types": ["user"]}).body["value"]
    assert [u["userPrincipalName"] for u in users] == ["bo@contoso.example"]


def test_users_apps_groups_and_the_organization(
    arm: Caller, agent: Caller, world: World, people: dict[str, Principal]
) -> None:
    user = "/graph/v1.0/users/BO@contoso.example"
    assert arm("GET", f"{user}?$select=id,accountEnabled").body["accountEnabled"] is True
    assert "accountEnabled" not in arm("GET", user).body
    listed = arm("GET", "/graph/v1.0/users?$filter=startswith(userPrincipalName,'bo')").body["value"]
    assert [u["displayName"] for u in listed] == ["Bo Admin"]
    apps = arm("GET", "/graph/v1.0/servicePrincipals?$filter=appId eq 'app-9'").body["value"]
    assert [a["id"] for a in apps] == [people["app"].object_id]
    assert "hidden-value" not in str(apps)
    members = arm("GET", f"/graph/v1.0/groups/{people['group'].object_id}/members").body["value"]
    assert [m["@odata.type"].rsplit(".", 1)[1] for m in members] == ["user", "servicePrincipal"]
    assert arm("GET", "/graph/v1.0/organization").body["value"][0]["id"] == world.tenant_id
    assert agent("GET", "/graph/v1.0/me").body["userPrincipalName"] == "ada@partner.example"
    assert arm("GET", "/graph/v1.0/me").status == 400


def test_revoked_sessions_and_disabled_people_are_signed_out(
    arm: Caller, agent: Caller, world: World, people: dict[str, Principal]
) -> None:
    admin = people["admin"]
    world.clock.advance(60)
    done = arm("POST", f"/graph/v1.0/users/{admin.object_id}/revokeSignInSessions")
    assert (done.status, done.body["value"]) == (200, True)
    assert admin.sessions_revoked_at == world.clock.now()
    assert arm("PATCH", f"/graph/v1.0/users/{admin.object_id}", {"accountEnabled": False}).status == 204
    victim = Caller(world, admin, world.tenant_id)
    assert victim("GET", "/graph/v1.0/me").status == 401
    assert arm("PATCH", f"/graph/v1.0/users/{admin.object_id}", {"accountEnabled": "no"}).status == 400


def test_a_secret_is_removed_by_its_key_id(arm: Caller, people: dict[str, Principal]) -> None:
    path = f"/graph/v1.0/servicePrincipals/{people['app'].object_id}"
    keys = [c["keyId"] for c in arm("GET", path).body["passwordCredentials"]]
    assert arm("POST", f"{path}/removePassword", {"keyId": keys[0]}).status == 204
    assert people["app"].secrets == ["second-hidden-value"]
    assert [c["keyId"] for c in arm("GET", path).body["passwordCredentials"]] == keys[1:]
    assert arm("POST", f"{path}/removePassword", {"keyId": keys[0]}).status == 400


def test_fraud_events_are_the_same_alerts_in_the_old_shape(agent: Caller, world: World) -> None:
    events = agent("GET", f"/partnercenter/v1/fraudEvents?EventStatus=Active&SubscriptionId={AZURE}").body
    assert isinstance(events, list)
    assert len(events) == 3
    first = events[0]
    assert first["eventId"] == f"{AZURE}_{alert(1)['id']}"
    assert (first["resolvedOn"], first["resolvedReason"]) == ("9999-12-31T23:59:59.9970000", "None")
    assert (first["isTest"], first["hitCount"], first["resourceName"]) == ("false", "31", "web-03")
    assert first["affectedResources"][0]["type"] == "Microsoft.Compute/virtualMachines"
    body = {"EventIds": [first["eventId"]], "EventStatus": "Resolved", "ResolvedReason": "Fraud"}
    changed = agent("POST", f"/partnercenter/v1/fraudEvents/subscription/{AZURE}/status", body).body
    assert [e["eventStatus"] for e in changed] == ["Resolved"]
    assert world.alerts[alert(1)["id"]]["resolvedReason"] == "fraud"
    assert agent("GET", "/partnercenter/v1/fraudEvents?PageSize=2").status == 400
    assert len(agent("GET", "/partnercenter/v1/fraudEvents?PageSize=3&PageNumber=2").body) == 1


def test_an_empty_list_of_fraud_events_changes_all_of_them(agent: Caller, world: World) -> None:
    body = {"EventIds": [], "EventStatus": "Resolved", "ResolvedReason": "Ignore"}
    agent("POST", f"/partnercenter/v1/fraudEvents/subscription/{AZURE}/status", body)
    assert {a["status"] for a in world.alerts.values()} == {"resolved"}
