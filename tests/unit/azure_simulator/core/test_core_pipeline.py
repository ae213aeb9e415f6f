"""The rest of the pipeline: versions, registration, subscription state, headers, long-running operations, the two logs, resources."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

import pytest

from azure_simulator.app import call_as, empty_world
from azure_simulator.clock import stamp
from azure_simulator.events import event
from azure_simulator.faults import Fault
from azure_simulator.services.subscriptions.models import REGIONS
from azure_simulator.world import Principal, World


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("", "MissingApiVersionParameter"),
        ("latest", "InvalidApiVersionParameter"),
        ("2025-4-1", "InvalidApiVersionParameter"),
        ("2099-01-01", "NoRegisteredProviderFound"),
        ("2014-04-01", None),
        ("2026-03-02", None),
        ("2024-10-01-preview", None),
    ],
)
def test_api_versions(send: Any, make_resource: Any, version: str, code: str | None) -> None:
    site = make_resource("Microsoft.Web/sites", "s")
    answer = send("GET", site["id"], version=version)
    assert (answer.status, answer.body.get("error", {}).get("code")) == ((400, code) if code else (200, None))


def test_an_unregistered_provider_is_a_409_even_for_reads(world: World, send: Any, subscription: str) -> None:
    world.registered_providers[subscription.split("/")[2]] = {"microsoft.compute"}
    answer = send("GET", f"{subscription}/providers/Microsoft.Web/sites")
    assert (answer.status, answer.body["error"]["code"]) == (409, "MissingSubscriptionRegistration")
    assert send("POST", f"{subscription}/providers/Microsoft.Web/register", version="2016-02-01").status == 200
    assert send("GET", f"{subscription}/providers/Microsoft.Web/sites").status == 200
    assert world.events[-1]["operationName"]["value"] == "Microsoft.Web/register/action"


def test_a_disabled_subscription_reads_and_deletes_but_does_not_write(
    world: World, send: Any, make_resource: Any, subscription: str
) -> None:
    site = make_resource("Microsoft.Web/sites", "s")
    world.subscriptions[subscription]["state"] = "Disabled"
    refused = send("PATCH", site["id"], {"tags": {}})
    assert (refused.status, refused.body["error"]["code"]) == (409, "ReadOnlyDisabledSubscription")
    assert send("GET", site["id"]).status == 200
    assert send("DELETE", site["id"]).status == 200


def test_headers_follow_a_request(world: World, send: Any) -> None:
    answer = send(
        "GET", "/subscriptions", headers={"x-ms-client-request-id": "c-1", "x-ms-correlation-request-id": "k-1"}
    )
    assert answer.headers["x-ms-client-request-id"] == "c-1"
    assert answer.headers["x-ms-correlation-request-id"] == "k-1"
    assert answer.headers["x-ms-request-id"]
    assert answer.headers["x-ms-routing-request-id"]


def test_paths_match_in_any_case_and_ids_keep_theirs(send: Any, make_resource: Any) -> None:
    site = make_resource("Microsoft.Web/sites", "MySite", "MyGroup")
    assert send("GET", site["id"].upper().replace("/SUBSCRIPTIONS", "/subscriptions")).body["id"] == site["id"]


def test_unknown_paths_and_methods(send: Any, make_resource: Any, subscription: str) -> None:
    make_resource("Microsoft.Web/sites", "s")
    assert send("GET", "/nowhere/at/all").status == 404
    assert send("POST", f"{subscription}/resourcegroups/rg1").status == 405
    missing = send("GET", f"{subscription}/resourceGroups/rg1/providers/Microsoft.Web/sites/none")
    assert (missing.status, missing.body["error"]["code"]) == (404, "ResourceNotFound")
    elsewhere = send("GET", f"{subscription}/resourceGroups/none/providers/Microsoft.Web/sites/none")
    assert (elsewhere.status, elsewhere.body["error"]["code"]) == (404, "ResourceGroupNotFound")


def test_the_request_log_keeps_bodies_of_writes_and_no_tokens(world: World, send: Any, subscription: str) -> None:
    send(
        "PUT",
        f"{subscription}/resourcegroups/rg1",
        {"location": "westus"},
        headers={"x-ms-authorization-auxiliary": "Bearer z"},
    )
    row = world.requests[-1]
    assert (row.method, row.status, json.loads(row.body)) == ("PUT", 201, {"location": "westus"})
    assert "Bearer" not in repr(row)


def test_simulated_people_leave_events_but_no_requests(world: World, owner: Principal, subscription: str) -> None:
    answer = call_as(
        world,
        owner.object_id,
        "PUT",
        f"{subscription}/resourcegroups/rg1",
        {"location": "westus"},
        address="198.51.100.9",
    )
    assert answer.status == 201
    assert world.requests == []
    assert {row["claims"]["ipaddr"] for row in world.events} == {"198.51.100.9"}
    assert {row["caller"] for row in world.events} == {"olivia@contoso.example"}


def test_simulated_people_are_stopped_like_everybody(
    world: World, make_user: Any, owner: Principal, subscription: str
) -> None:
    stranger = make_user("eve")
    path = f"{subscription}/resourcegroups/rg1"
    assert call_as(world, stranger.object_id, "PUT", path, {"location": "westus"}).status == 403
    started = world.clock.now()
    owner.sessions_revoked_at = started + timedelta(seconds=1)
    assert call_as(world, owner.object_id, "PUT", path, {"location": "westus"}, session_started=started).status == 401
    owner.enabled = False
    assert call_as(world, owner.object_id, "PUT", path, {"location": "westus"}).status == 401
    assert len(world.groups) == 0


def test_a_write_is_recorded_as_started_and_succeeded(
    world: World, send: Any, subscription: str, responder: Principal
) -> None:
    send(
        "PUT", f"{subscription}/resourcegroups/rg1", {"location": "westus", "properties": {"adminPassword": "hunter2"}}
    )
    started, ended = world.events
    assert (started["status"]["value"], ended["status"]["value"]) == ("Started", "Succeeded")
    assert (started["eventName"]["value"], ended["subStatus"]["value"]) == ("BeginRequest", "Created")
    assert started["correlationId"] == ended["correlationId"]
    assert started["authorization"]["role"] == "Owner"
    assert json.loads(started["properties"]["requestbody"])["location"] == "westus"
    assert "hunter2" not in json.dumps(world.events)
    assert started["claims"]["appid"] == responder.app_id


def test_a_refused_write_is_recorded_as_failed(world: World, make_user: Any, send: Any, subscription: str) -> None:
    send("PUT", f"{subscription}/resourcegroups/rg1", {"location": "westus"}, who=make_user("eve"))
    assert [(e["status"]["value"], e["subStatus"]["value"]) for e in world.events] == [
        ("Started", ""),
        ("Failed", "Forbidden"),
    ]
    assert "AuthorizationFailed" in world.events[1]["properties"]["statusMessage"]


def test_a_long_operation_is_accepted_then_succeeds(
    world: World, send: Any, make_resource: Any, subscription: str
) -> None:
    make_resource("Microsoft.Web/sites", "s")
    world.operation_seconds = 30
    started = send("DELETE", f"{subscription}/resourceGroups/rg1")
    assert started.status == 202
    assert "Azure-AsyncOperation" not in started.headers
    where = started.headers["Location"].removeprefix(world.base_url)
    assert "/operationresults/" in where
    waiting = send("GET", where)
    assert (waiting.status, waiting.headers["Retry-After"]) == (202, "10")
    assert [e["status"]["value"] for e in world.events] == ["Started", "Accepted"]
    world.clock.advance(31)
    assert send("GET", where).status == 200
    assert [e["status"]["value"] for e in world.events] == ["Started", "Accepted", "Succeeded"]
    assert len(world.resources) == 0
    assert len({e["correlationId"] for e in world.events}) == 1


@pytest.mark.parametrize("name", ["operations", "operationsStatus", "operationStatuses", "OPERATIONS"])
def test_async_status_addresses(world: World, send: Any, make_resource: Any, subscription: str, name: str) -> None:
    make_resource("Microsoft.Web/sites", "s")
    world.operation_seconds = 1
    send("DELETE", f"{subscription}/resourceGroups/rg1")
    operation = next(iter(world.operations.values()))
    where = f"{subscription}/providers/Microsoft.Compute/locations/westus/{name}/{operation.id}"
    body = send("GET", where).body
    assert (body["status"], body["name"], "endTime" in body) == ("InProgress", operation.id, False)
    assert send("GET", f"{where}?monitor=true").status == 202
    world.clock.advance(2)
    body = send("GET", where).body
    assert (body["status"], "endTime" in body) == ("Succeeded", True)
    assert send("GET", f"{where}?monitor=true").status == 200
    assert send("GET", f"{subscription}/operationresults/unknown").status == 404


def test_the_generic_list_filters_and_expands(send: Any, make_resource: Any, subscription: str) -> None:
    make_resource("Microsoft.Web/sites", "shop", tags={"env": "prod"}, _created="2026-11-01T00:00:00.0000000Z")
    make_resource("Microsoft.Web/sites", "xmr", location="eastus", properties={"provisioningState": "Failed"})
    make_resource("Microsoft.Compute/disks", "shop-disk", managedBy="/x", _power="running")
    make_resource("Microsoft.Network/virtualNetworks/subnets", "net/subnets/inner")

    def names(query: str) -> list[str]:
        return [row["name"] for row in send("GET", f"{subscription}/resources?{query}").body["value"]]

    assert names("") == ["shop", "xmr", "shop-disk"]
    assert names("$filter=resourceType eq 'microsoft.web/sites'") == ["shop", "xmr"]
    assert names("$filter=tagName eq 'env' and tagValue eq 'prod'") == ["shop"]
    assert names("$filter=name eq 'xmr' or location eq 'West Europe'") == ["shop", "xmr", "shop-disk"]
    assert names("$filter=substringof('sho', name) and resourceType eq 'Microsoft.Compute/disks'") == ["shop-disk"]
    assert names("$top=1") == ["shop"]
    row = send("GET", f"{subscription}/resources?$expand=createdTime,changedTime,provisioningState").body["value"][0]
    assert row["createdTime"] == "2026-11-01T00:00:00.0000000Z"
    assert row["provisioningState"] == "Succeeded"
    assert "properties" not in row
    assert send("GET", f"{subscription}/resources?$filter=colour eq 'red'").status == 400
    assert names("$filter=substringof('_', name)") == []


def test_resources_of_types_without_a_service_are_kept_as_sent(
    world: World, send: Any, make_resource: Any, subscription: str
) -> None:
    make_resource("Microsoft.Web/sites", "s")
    root = f"{subscription}/resourceGroups/rg1/providers/Contoso.Things/boxes"
    assert send("PUT", f"{root}/a", {"properties": {"depth": 1}}).body["error"]["code"] == "LocationRequired"
    assert send("PUT", f"{root}/a", {"location": "westus", "properties": {"depth": 1}}).status == 201
    assert send("PATCH", f"{root}/a", {"properties": {"width": 2}}).body["properties"] == {
        "depth": 1,
        "width": 2,
        "provisioningState": "Succeeded",
    }
    assert [row["name"] for row in send("GET", f"{subscription}/providers/Contoso.Things/boxes").body["value"]] == ["a"]
    assert (
        send("PUT", f"{root}/missing/lids/x", {"location": "westus"}).body["error"]["code"] == "ParentResourceNotFound"
    )
    assert send("PUT", f"{subscription}/resourceGroups/none/providers/C.T/b/a", {"location": "westus"}).status == 404
    assert send("DELETE", f"{root}/a").status == 200
    assert send("DELETE", f"{root}/a").status == 204


def test_tags_merge_replace_delete(world: World, send: Any, make_resource: Any) -> None:
    site = make_resource("Microsoft.Web/sites", "s", tags={"Env": "prod", "team": "shop"})
    path = f"{site['id']}/providers/Microsoft.Resources/tags/default"

    def change(operation: str, tags: dict[str, str]) -> Any:
        return send("PATCH", path, {"operation": operation, "properties": {"tags": tags}})

    change("Merge", {"env": "test", "incident": "INC-1"})
    assert site["tags"] == {"Env": "test", "team": "shop", "incident": "INC-1"}
    change("Delete", {"team": "shop", "incident": "other"})
    assert site["tags"] == {"Env": "test", "incident": "INC-1"}
    change("Replace", {"a": "b"})
    assert send("GET", path).body["properties"]["tags"] == {"a": "b"}
    assert change("Merge", {f"t{n}": "" for n in range(50)}).status == 400
    assert send("DELETE", path).status == 200
    assert "tags" not in site


def fill(world: World, owner: Principal, count: int) -> None:
    scope = next(iter(world.subscriptions.values()))
    for number in range(count):
        world.events.append(
            event(
                world.chance,
                at=world.clock.now() - timedelta(seconds=count - number),
                operation="Microsoft.Compute/virtualMachines/write",
                resource_id=f"{scope['id']}/resourceGroups/rg{number % 3}/providers/Microsoft.Compute/virtualMachines/vm{number}",
                principal=owner,
                address="203.0.113.7",
                status="Succeeded",
                correlation_id=f"corr-{number}",
                subscription_id=scope["subscriptionId"],
                tenant_id=world.tenant_id,
            )
        )


def test_the_activity_log_is_read_newest_first_by_pages_of_200(
    world: World, owner: Principal, send: Any, subscription: str
) -> None:
    fill(world, owner, 450)
    base = f"{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    path, seen, sizes = f"{base}?$filter=eventTimestamp ge '2026-11-19T00:00:00Z'", [], []
    while path:
        body = send("GET", path, version="2015-04-01").body
        sizes.append(len(body["value"]))
        seen += [row["eventTimestamp"] for row in body["value"]]
        path = unquote_plus(body.get("nextLink", "").removeprefix(world.base_url)).replace(
            "&api-version=2015-04-01", ""
        )
        fill(world, owner, 1)  # what arrives meanwhile does not shift the pages
    assert sizes == [200, 200, 50]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 450


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("eventTimestamp ge '2026-11-20T02:59:55Z'", 5),
        ("eventTimestamp ge 2026-11-20T02:59:55.000000", 5),
        ("eventTimestamp ge 2026-11-20T02:59:50.0000000 and eventTimestamp le 2026-11-20T02:59:55+00:00", 6),
        ("eventTimestamp ge '2026-11-20T03:59:55+01:00'", 5),
        ("eventTimestamp ge '2026-11-19' and resourceGroupName eq 'RG1'", 10),
        ("eventTimestamp ge '2026-11-19' and correlationId eq 'corr-4'", 1),
        ("eventTimestamp ge '2026-11-19' and resourceProvider eq 'microsoft.compute'", 30),
        ("eventTimestamp ge '2026-11-19' and caller eq 'nobody' and eventChannels eq 'Admin, Operation'", 0),
        ("eventTimestamp ge '2026-11-19' and status eq 'Succeeded'", 30),
    ],
)
def test_the_activity_logs_filter(
    world: World, owner: Principal, send: Any, subscription: str, condition: str, count: int
) -> None:
    fill(world, owner, 30)
    path = f"{subscription}/providers/microsoft.insights/eventtypes/management/values?$select=eventTimestamp,caller"
    answer = send("GET", path.replace("?", f"?$filter={condition.replace('+', '%2B')}&"), version="2015-04-01")
    assert len(answer.body["value"]) == count
    assert all(set(row) == {"eventTimestamp", "caller"} for row in answer.body["value"])


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "caller eq 'x'",
        "eventTimestamp ge 'soon'",
        "eventTimestamp ge '2026-01-01'",
        "eventTimestamp ge '2026-11-19' or 1",
    ],
)
def test_a_bad_activity_log_filter_is_refused_in_the_logs_own_shape(
    send: Any, subscription: str, condition: str
) -> None:
    answer = send(
        "GET", f"{subscription}/providers/Microsoft.Insights/eventtypes/management/values?$filter={condition}"
    )
    assert (answer.status, answer.body["Code"]) == (400, "BadRequest")


def test_twenty_thousand_events_are_listed_fast(world: World, owner: Principal, send: Any, subscription: str) -> None:
    fill(world, owner, 20_000)
    path = f"{subscription}/providers/Microsoft.Insights/eventtypes/management/values?$filter=eventTimestamp ge '2026-11-01'"
    send("GET", path)
    before = time.perf_counter()
    for offset in range(0, 20_000, 200):
        assert len(send("GET", f"{path}&$skiptoken={offset}").body["value"]) == 200
    assert time.perf_counter() - before < 2


def test_a_request_is_cheap(world: World, send: Any, subscription: str, make_resource: Any) -> None:
    site = make_resource("Microsoft.Web/sites", "s")
    send("GET", site["id"])
    before = time.perf_counter()
    for _ in range(200):
        send("GET", site["id"])
    assert (time.perf_counter() - before) / 200 < 0.002


def test_the_same_seed_gives_the_same_bytes() -> None:
    def play() -> tuple[list[Any], list[Any]]:
        world = empty_world(datetime(2026, 11, 20, 3, tzinfo=UTC), seed=11)
        who = next(iter(world.principals))
        scope = next(iter(world.subscriptions.values()))["id"]
        answers = [
            call_as(world, who, "PUT", f"{scope}/resourcegroups/g{n}", {"location": "westus"}, headers={})
            for n in range(3)
        ]
        return [(answer.body, answer.headers) for answer in answers], world.events

    assert play() == play()


def test_events_out_of_order_are_answered_in_order(
    world: World, owner: Principal, send: Any, subscription: str
) -> None:
    fill(world, owner, 3)
    path = f"{subscription}/providers/Microsoft.Insights/eventtypes/management/values?$filter=eventTimestamp ge '2026-11-01'"
    send("GET", path)
    late = dict(world.events[0], eventTimestamp=stamp(world.clock.now() - timedelta(days=1)), eventDataId="late")
    world.events.append(late)
    assert send("GET", path).body["value"][-1]["eventDataId"] == "late"


def test_regions_are_real_and_about_sixty() -> None:
    assert 55 <= len(REGIONS) <= 70
    assert {"westeurope", "eastus", "southeastasia"} <= {region.name for region in REGIONS}


def test_what_is_due_may_itself_send_requests(world: World, owner: Principal, send: Any, subscription: str) -> None:
    """Two timers of the same moment that both go through the pipeline, and an operation whose end does."""

    def make(name: str) -> None:
        path = f"{subscription}/resourcegroups/{name}"
        assert call_as(world, owner.object_id, "PUT", path, {"location": "westus"}).status == 201

    world.later(5, lambda: make("a"))
    world.later(5, lambda: make("b"))
    world.on_change.append(lambda what, _: make("c") if what == "group.deleted" else None)
    send("PUT", f"{subscription}/resourcegroups/old", {"location": "westus"})
    world.operation_seconds = 3
    send("DELETE", f"{subscription}/resourcegroups/old")
    world.clock.advance(10)
    world.settle()
    assert [row["name"] for row in world.groups.values()] == ["a", "b", "c"]


@pytest.mark.parametrize("body", [[], "text", 5, {"properties": [1]}])
def test_a_body_that_is_no_object_is_refused(send: Any, subscription: str, body: Any) -> None:
    for path in (
        "resourcegroups/rg1",
        "providers/Microsoft.Authorization/locks/x",
        "providers/Microsoft.Resources/tags/default",
    ):
        answer = send("PUT", f"{subscription}/{path}", body)
        assert (answer.status, answer.body["error"]["code"]) == (400, "InvalidRequestContent")


@pytest.mark.parametrize("query", ["$top=many", "$skiptoken=-1", "$top=²"])
def test_a_wrong_page_is_refused(send: Any, subscription: str, query: str) -> None:
    answer = send("GET", f"{subscription}/resourcegroups?{query}")
    assert (answer.status, answer.body["error"]["code"]) == (400, "InvalidQueryParameterValue")


def test_a_group_is_deleting_while_it_is_being_deleted(world: World, send: Any, subscription: str) -> None:
    send("PUT", f"{subscription}/resourcegroups/rg1", {"location": "westus"})
    world.operation_seconds = 10
    world.faults.append(Fault("fail_operation", method="DELETE", times=1))
    for ending in ("Succeeded", None):
        send("DELETE", f"{subscription}/resourcegroups/rg1")
        assert send("GET", f"{subscription}/resourcegroups/rg1").body["properties"]["provisioningState"] == "Deleting"
        world.clock.advance(11)
        after = send("GET", f"{subscription}/resourcegroups/rg1")
        assert after.body.get("properties", {}).get("provisioningState") == ending
