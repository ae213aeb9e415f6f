"""Partner Center: envelopes, the cancellation of an Azure subscription, the full resource rule, audit records, webhooks."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from azure_simulator.services.partner_center import sender, signing
from azure_simulator.world import Document, World
from tests.support.served import served
from tests.unit.azure_simulator.business.conftest import Caller

PLAN = "44444444-4444-4444-8444-444444444444"
LEGACY = "55555555-5555-4555-8555-555555555555"
V1 = "/partnercenter/v1"


@pytest.fixture
def azure(world: World, scope: str) -> str:
    """The Azure subscription, made the one entitlement of an Azure plan."""
    subscription = scope.rsplit("/", 1)[1]
    world.partner = {
        "organization": {"companyName": "Example Partner", "domain": "partner.example"},
        "customers": {
            world.tenant_id: {
                "profile": {"companyName": "Contoso", "domain": "contoso.example"},
                "relationships": [
                    {
                        "id": "77777777-7777-4777-8777-777777777777",
                        "name": "Reseller",
                        "relationshipType": "is_indirect_cloud_solution_provider_of",
                        "mpnId": "1",
                    }
                ],
                "subscriptions": {
                    PLAN: {
                        "document": {
                            "id": PLAN,
                            "offerId": "DZH318Z0BPS6:0001:DZH318Z0BMXP",
                            "offerName": "Azure plan",
                            "friendlyName": "Azure plan",
                            "status": "active",
                            "autoRenewEnabled": True,
                            "quantity": 1,
                        },
                        "entitlements": {
                            subscription: {
                                "id": subscription,
                                "friendlyName": "Contoso production",
                                "status": "active",
                                "subscriptionId": PLAN,
                            }
                        },
                    },
                    LEGACY: {
                        "document": {
                            "id": LEGACY,
                            "offerId": "MS-AZR-0145P",
                            "friendlyName": "Old",
                            "status": "active",
                            "autoRenewEnabled": True,
                        },
                        "entitlements": {},
                    },
                },
            }
        },
    }
    for number in range(1, 3):
        identity = f"{scope}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm-{number}"
        world.resources[identity] = {
            "id": identity,
            "name": f"vm-{number}",
            "type": "Microsoft.Compute/virtualMachines",
            "location": "eastus",
            "properties": {},
            "_power": "running",
        }
    scale_set = f"{scope}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/vmss"
    world.resources[scale_set] = {
        "id": scale_set,
        "name": "vmss",
        "type": "Microsoft.Compute/virtualMachineScaleSets",
        "location": "eastus",
        "properties": {},
        "_instances": {"0": {"_power": "running"}, "1": {"_power": "stopped"}},
    }
    return subscription


@pytest.fixture
def base(world: World, azure: str) -> str:
    return f"{V1}/customers/{world.tenant_id}"


def powers(world: World, scope: str) -> set[str]:
    machines = [m["_power"] for m in world.resources.of_type("Microsoft.Compute/virtualMachines", scope)]
    for scale_set in world.resources.of_type("Microsoft.Compute/virtualMachineScaleSets", scope):
        machines += [i["_power"] for i in scale_set["_instances"].values()]
    return set(machines)


def test_ids_are_echoed_on_answers_and_on_errors(agent: Caller, base: str) -> None:
    sent = {"MS-RequestId": "r-1", "MS-CorrelationId": "c-1"}
    for path in (base, f"{base}/subscriptions/{PLAN}/azureEntitlements/{LEGACY}"):
        headers = agent("GET", path, headers=sent).headers
        assert (headers["MS-RequestId"], headers["MS-CorrelationId"]) == ("r-1", "c-1")
        assert {"MS-CV", "MS-ServerId"} <= set(headers)


def test_entitlements_are_a_collection_in_the_documented_shape(agent: Caller, base: str, azure: str) -> None:
    answer = agent("GET", f"{base}/subscriptions/{PLAN}/azureEntitlements")
    path = f"{base.removeprefix(V1)}/subscriptions/{PLAN}/azureEntitlements/{azure}"
    assert answer.body["totalCount"] == 1
    assert answer.body["attributes"] == {"objectType": "Collection"}
    assert answer.body["items"] == [
        {
            "id": azure,
            "friendlyName": "Contoso production",
            "status": "active",
            "subscriptionId": PLAN,
            "links": {"self": {"uri": path, "method": "GET", "headers": []}},
        }
    ]


def test_customers_and_the_organization(agent: Caller, world: World, base: str) -> None:
    listed = agent("GET", f"{V1}/customers").body
    assert listed["items"][0]["companyProfile"]["companyName"] == "Contoso"
    assert agent("GET", base).body["relationshipToPartner"] == "reseller"
    assert agent("GET", f"{base}/relationships").body["totalCount"] == 1
    assert agent("GET", f"{V1}/profiles/organization").body["companyName"] == "Example Partner"


def test_the_continuation_token_travels_in_a_header(agent: Caller, world: World, base: str) -> None:
    for number in range(3):
        world.partner["customers"][f"2b2b2b2b-000{number}-4000-8000-000000000002"] = {"profile": {}}
    first = agent("GET", f"{V1}/customers?size=3").body
    assert (len(first["items"]), first["totalCount"]) == (3, 4)
    following = first["links"]["next"]
    token = {h["key"]: h["value"] for h in following["headers"]}
    second = agent("GET", V1 + following["uri"], headers=token).body
    assert len(second["items"]) == 1
    assert "next" not in second["links"]
    without = agent("GET", V1 + following["uri"]).body
    assert without["items"] == first["items"]


def test_mfa_is_told_in_a_header_of_app_and_user_calls_only(
    agent: Caller, partner_app: Caller, world: World, base: str
) -> None:
    asked = {"ValidateMfa": "true"}
    assert agent("GET", base, headers=asked).headers["isMfaCompliant"] == "true"
    world.partner_mfa = False
    assert agent("GET", base, headers=asked).headers["isMfaCompliant"] == "false"
    assert "isMfaCompliant" not in agent("GET", base).headers
    assert "isMfaCompliant" not in partner_app("GET", base, headers=asked).headers


def test_app_only_tokens_are_refused_where_the_documents_say_so(partner_app: Caller, base: str) -> None:
    refused = partner_app("GET", f"{V1}/profiles/organization")
    assert (refused.status, refused.body["code"]) == (403, "900329")
    assert partner_app("GET", f"{base}/subscriptions").status == 200


def test_the_customers_own_token_is_refused(arm: Caller, base: str) -> None:
    refused = arm("GET", f"{base}/subscriptions")
    assert (refused.status, refused.body["code"]) == (403, "900308")


def test_a_cancellation_is_active_at_first_and_stops_everything_later(
    agent: Caller, world: World, scope: str, base: str, azure: str
) -> None:
    path = f"{base}/subscriptions/{PLAN}/azureEntitlements/{azure}"
    answer = agent("POST", f"{path}/cancel", {"cancellationReason": "compromise"})
    assert (answer.status, answer.body["status"]) == (200, "active")
    assert set(answer.body) == {"id", "friendlyName", "status", "subscriptionId", "links"}
    world.clock.advance(19)
    assert agent("GET", path).body["status"] == "active"
    assert powers(world, scope) == {"running", "stopped"}
    world.clock.advance(1)
    assert agent("GET", path).body["status"] == "inactive"
    assert world.subscriptions[scope]["state"] == "Disabled"
    assert powers(world, scope) == {"deallocated"}
    back = agent("POST", f"{path}/reactivate")
    assert back.status == 202
    world.clock.advance(20)
    assert agent("GET", path).body["status"] == "active"
    assert world.subscriptions[scope]["state"] == "Enabled"


def test_how_long_a_cancellation_takes_is_a_switch_of_the_world(
    agent: Caller, world: World, base: str, azure: str
) -> None:
    world.entitlement_seconds = 600
    path = f"{base}/subscriptions/{PLAN}/azureEntitlements/{azure}"
    agent("POST", f"{path}/cancel", {"cancellationReason": "compromise"})
    world.clock.advance(599)
    assert agent("GET", path).body["status"] == "active"
    world.clock.advance(1)
    assert agent("GET", path).body["status"] == "inactive"


def test_the_same_request_id_is_the_same_request(agent: Caller, world: World, base: str, azure: str) -> None:
    path = f"{base}/subscriptions/{PLAN}/azureEntitlements/{azure}/cancel"
    body = {"cancellationReason": "compromise"}
    first = agent("POST", path, body, headers={"MS-RequestId": "r-1"})
    retry = agent("POST", path, body, headers={"MS-RequestId": "r-1"})
    assert (retry.status, retry.body) == (first.status, first.body)
    other = agent("POST", path, body, headers={"MS-RequestId": "r-2"})
    assert (other.status, other.body["code"]) == (409, "900278")
    assert len(world.partner["auditRecords"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [({"cancellationReason": "abuse"}, 400, "900307"), ({}, 400, "800002"), (None, 400, "800002")],
)
def test_a_wrong_reason_or_no_body(agent: Caller, base: str, azure: str, body: Any, status: int, code: str) -> None:
    answer = agent("POST", f"{base}/subscriptions/{PLAN}/azureEntitlements/{azure}/cancel", body)
    assert (answer.status, answer.body["code"]) == (status, code)
    if code == "900307":
        assert answer.body == {
            "code": "900307",
            "description": "Cancellation reason 'abuse' is invalid.",
            "data": [],
            "source": "PartnerFD",
        }


def test_wrong_ids_have_their_own_codes(agent: Caller, base: str, azure: str) -> None:
    def refusal(path: str) -> tuple[int, str]:
        answer = agent("GET", path)
        return answer.status, answer.body["code"]

    assert refusal(f"{base}/subscriptions/{PLAN}/azureEntitlements/{LEGACY}") == (404, "800111")
    assert refusal(f"{base}/subscriptions/{azure}") == (404, "800005")
    assert refusal(f"{V1}/customers/{LEGACY}") == (403, "900159")
    assert refusal(f"{V1}/customers/contoso") == (400, "800002")


def test_a_plan_with_active_subscriptions_is_not_suspended(agent: Caller, base: str) -> None:
    path = f"{base}/subscriptions/{PLAN}"
    whole = agent("GET", path).body
    answer = agent("PATCH", path, whole | {"status": "suspended"}, headers={"If-Match": whole["attributes"]["etag"]})
    assert (answer.status, answer.body["code"]) == (403, "900115")


def test_a_partial_body_resets_what_it_leaves_out_and_an_old_etag_is_refused(agent: Caller, base: str) -> None:
    path = f"{base}/subscriptions/{LEGACY}"
    before = agent("GET", path).body
    etag = before["attributes"]["etag"]
    assert agent("PATCH", path, before | {"status": "suspended"}).body["code"] == "2055"
    changed = agent("PATCH", path, {"id": LEGACY, "status": "active"}, headers={"If-Match": etag})
    assert (changed.status, changed.body["autoRenewEnabled"], changed.body["friendlyName"]) == (200, False, "")
    assert agent("PATCH", path, before, headers={"If-Match": etag}).body["code"] == "2055"
    fresh = agent("GET", path).body
    done = agent("PATCH", path, fresh | {"status": "suspended"}, headers={"If-Match": fresh["attributes"]["etag"]})
    assert done.body["status"] == "suspended"
    again = agent(
        "PATCH",
        path,
        done.body | {"friendlyName": "x"},
        headers={"If-Match": done.body["attributes"]["etag"]},
    )
    assert again.body["code"] == "800091"


def test_spending_budget_and_usage(agent: Caller, base: str, spend: Any) -> None:
    spend("web-1", "12.5")
    changed = agent("PATCH", f"{base}/usagebudget", {"Amount": 500, "Attributes": {"ObjectType": "SpendingBudget"}})
    assert changed.body["amount"] == 500
    assert agent("GET", f"{base}/usagebudget").body["amount"] == 500
    summary = agent("GET", f"{base}/usagesummary").body
    assert (summary["totalCost"], summary["currencyCode"], summary["budget"]["amount"]) == (12.5, "USD", 500)


def test_writes_are_in_the_audit_records(agent: Caller, world: World, base: str, azure: str) -> None:
    agent(
        "POST",
        f"{base}/subscriptions/{PLAN}/azureEntitlements/{azure}/cancel",
        {"cancellationReason": "compromise"},
    )
    records = agent("GET", f"{V1}/auditrecords?startDate=2026-11-19&endDate=2026-11-20").body["items"]
    assert [(r["operationType"], r["userPrincipalName"]) for r in records] == [
        ("cancel_azure_entitlement", "ada@partner.example")
    ]
    other = '{"Field":"CustomerId","Value":"nobody","Operator":"equals"}'
    assert agent("GET", f"{V1}/auditrecords?startDate=2026-11-19&filter={other}").body["items"] == []
    assert agent("GET", f"{V1}/auditrecords?startDate=2026-01-01").status == 400
    identity = world.partner["auditRecords"][0]["id"]
    single = agent("GET", f"/partnercenter/auditactivity/v1/auditrecords/{identity}")
    assert single.body["customerName"] == "Contoso"


def test_a_partner_has_one_webhook_registration(agent: Caller, world: World, base: str) -> None:
    path = "/partnercenter/webhooks/v1/registration"
    wanted = {
        "WebhookUrl": "https://ir.example.com/hook",
        "WebhookEvents": ["azure-fraud-event-detected", "test-created"],
    }
    assert "azure-fraud-event-detected" in agent("GET", f"{path}/events").body
    assert agent("GET", path).status == 404
    assert agent("POST", path, wanted | {"WebhookUrl": "http://ir.example.com"}).status == 400
    assert agent("POST", path, wanted).status == 200
    assert agent("POST", path, wanted).status == 409
    assert agent("PUT", path, wanted | {"WebhookUrl": "https://other.example.com/hook"}).status == 200
    assert agent("GET", path).body["WebhookUrl"] == "https://other.example.com/hook"
    sent = [agent("POST", f"{path}/validationEvents") for _ in range(3)]
    assert [a.status for a in sent] == [200, 200, 429]
    assert set(sent[2].body) == {"statusCode", "message"}
    world.clock.advance(61)
    assert agent("POST", f"{path}/validationEvents").status == 200


def test_a_validation_event_goes_out_signed_and_tells_each_attempt(
    agent: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_PAUSE_SECONDS", 0.0)
    arrived: list[tuple[dict[str, str], bytes]] = []

    async def hook(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = (await receive())["body"]
        arrived.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
        status = 500 if len(arrived) == 1 else 202
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"not yet" if status == 500 else b"{}"})

    path = "/partnercenter/webhooks/v1/registration"
    wanted = {"WebhookUrl": "https://ir.example.com/hook", "WebhookEvents": ["test-created"]}
    assert agent("POST", path, wanted | {"SignatureTokenToMsSignatureHeader": True}).status == 200
    with served(hook, lifespan="off") as address:
        world.tunnels["https://ir.example.com"] = address
        identity = agent("POST", f"{path}/validationEvents").body["correlationId"]
        result = _completed(agent, f"{path}/validationEvents/{identity}")
    assert [(one["responseCode"], one["responseMessage"]) for one in result["results"]] == [
        ("InternalServerError", "not yet"),
        ("Accepted", ""),
    ]
    headers, body = arrived[-1]
    assert json.loads(body)["ResourceUri"].endswith(f"/validationEvents/{identity}")
    signature = base64.b64decode(headers["x-ms-signature"].removeprefix("Signature "))
    key = signing.signers(world).signer.key.public_key()
    key.verify(signature, body, padding.PKCS1v15(), hashes.SHA256())


def test_nothing_is_sent_to_another_machine(agent: Caller, world: World) -> None:
    path = "/partnercenter/webhooks/v1/registration"
    agent("POST", path, {"WebhookUrl": "https://ir.example.com/hook", "WebhookEvents": ["test-created"]})
    identity = agent("POST", f"{path}/validationEvents").body["correlationId"]
    (only,) = _completed(agent, f"{path}/validationEvents/{identity}")["results"]
    assert only["systemError"]
    assert "tunnel" in only["responseMessage"]


def _completed(agent: Caller, path: str) -> Document:
    deadline = time.monotonic() + 60
    while (found := agent("GET", path).body)["status"] != "completed":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_partner_center_refuses_a_person_without_a_second_factor_when_it_is_told_to(
    agent: Caller, world: World
) -> None:
    world.partner_mfa, world.mfa_required = False, True
    answer = agent("GET", f"{V1}/customers")
    assert (answer.status, answer.body["code"]) == (401, "900421")
    world.partner_mfa = True
    assert agent("GET", f"{V1}/customers").status == 200
    world.partner_role_missing = True
    assert agent("GET", f"{V1}/customers").body["code"] == "900308"


def test_an_unknown_path_is_refused_in_partner_centers_shape(agent: Caller, base: str) -> None:
    answer = agent("GET", f"{V1}/nothing/here")
    assert answer.status == 404
    assert set(answer.body) == {"code", "description", "data", "source"}
