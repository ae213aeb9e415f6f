"""Support: the catalogue, tickets through their long-running operation, and the capitalised error shape."""

from __future__ import annotations

from typing import Any

import pytest

from azure_simulator.world import World
from tests.unit.azure_simulator.business.conftest import Caller

CONTACT = {
    "firstName": "A",
    "lastName": "B",
    "preferredContactMethod": "email",
    "primaryEmailAddress": "soc@contoso.example",
    "preferredTimeZone": "W. Europe Standard Time",
    "country": "NLD",
    "preferredSupportLanguage": "en-US",
}


def named(rows: list[dict[str, Any]], text: str) -> dict[str, Any]:
    return next(row for row in rows if text in row["properties"]["displayName"])


@pytest.fixture
def ticket(arm: Caller) -> dict[str, Any]:
    """The body of a quota ticket, with ids read from the catalogue."""
    service = named(arm("GET", "/providers/Microsoft.Support/services").body["value"], "quotas")
    problem = named(arm("GET", f"{service['id']}/problemClassifications").body["value"], "cores")
    return {
        "properties": {
            "serviceId": service["id"],
            "problemClassificationId": problem["id"],
            "title": "INC-1: reduce vCPU quota after compromise",
            "description": "The subscription was compromised.",
            "severity": "critical",
            "advancedDiagnosticConsent": "Yes",
            "require24X7Response": True,
            "contactDetails": dict(CONTACT),
            "quotaTicketDetails": {
                "quotaChangeRequestVersion": "1.0",
                "quotaChangeRequests": [{"region": "EastUS", "payload": '{"SKU":"NCADS_A100_v4 Series","NewLimit":0}'}],
            },
        }
    }


def test_the_catalogue_needs_a_token_and_no_role(arm: Caller, world: World) -> None:
    world.role_assignments.clear()
    services = arm("GET", "/providers/Microsoft.Support/services")
    assert services.status == 200
    assert arm("GET", "/providers/Microsoft.Support/services", token=False).status == 401
    one = services.body["value"][0]
    assert arm("GET", one["id"]).body["name"] == one["name"]


def test_a_ticket_exists_when_its_operation_has_ended(
    arm: Caller, world: World, scope: str, ticket: dict[str, Any]
) -> None:
    world.operation_seconds = 30
    path = f"{scope}/providers/Microsoft.Support/supportTickets/inc-1"
    started = arm("PUT", path, ticket)
    assert started.status == 202
    assert "/providers/Microsoft.Support/operationsStatus/" in started.headers["Azure-AsyncOperation"]
    assert "/providers/Microsoft.Support/operationResults/" in started.headers["Location"]
    assert arm("GET", path).status == 404
    assert arm("GET", started.headers["Location"]).status == 202
    world.clock.advance(30)
    assert arm("GET", started.headers["Azure-AsyncOperation"]).body["status"] == "Succeeded"
    result = arm("GET", started.headers["Location"]).body
    assert result == arm("GET", path).body
    properties = result["properties"]
    assert (properties["severity"], properties["status"]) == ("Critical", "Open")
    assert properties["contactDetails"]["preferredContactMethod"] == "Email"
    assert properties["serviceLevelAgreement"]["slaMinutes"] == 60
    assert properties["supportTicketId"].isdigit()
    assert properties["problemClassificationDisplayName"].startswith("Compute-VM (cores-vCPUs)")


def test_every_missing_field_is_named_in_the_capitalised_shape(arm: Caller, world: World, scope: str) -> None:
    answer = arm("PUT", f"{scope}/providers/Microsoft.Support/supportTickets/x", {"properties": {"title": "t"}})
    assert answer.status == 400
    error = answer.body["Error"]
    assert set(error) == {"Code", "Message", "Target", "InnerError", "Details"}
    assert [d["Target"] for d in error["Details"]] == [
        "serviceId",
        "problemClassificationId",
        "description",
        "severity",
        "advancedDiagnosticConsent",
        "contactDetails",
    ]
    assert len(world.support_tickets) == 0


@pytest.mark.parametrize(
    ("path", "value", "target"),
    [
        (("severity",), "urgent", "severity"),
        (("contactDetails", "country"), "NL", "contactDetails.country"),
        (("serviceId",), "/providers/Microsoft.Support/services/nope", "serviceId"),
        (("problemClassificationId",), "/nope", "problemClassificationId"),
        (
            ("quotaTicketDetails", "quotaChangeRequests"),
            [{"region": "EastUS", "payload": {"NewLimit": 0}}],
            "quotaTicketDetails.quotaChangeRequests[0].payload",
        ),
        (("quotaTicketDetails",), None, "quotaTicketDetails"),
    ],
)
def test_wrong_values_are_refused(
    arm: Caller, scope: str, ticket: dict[str, Any], path: tuple[str, ...], value: Any, target: str
) -> None:
    place = ticket["properties"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    answer = arm("PUT", f"{scope}/providers/Microsoft.Support/supportTickets/x", ticket)
    assert answer.status == 400
    assert answer.body["Error"]["Target"] == target


def test_a_name_is_used_once(arm: Caller, scope: str, ticket: dict[str, Any]) -> None:
    base = f"{scope}/providers/Microsoft.Support"
    asked = {"name": "inc-1", "type": "Microsoft.Support/supportTickets"}
    assert arm("POST", f"{base}/checkNameAvailability", asked).body["nameAvailable"] is True
    arm("PUT", f"{base}/supportTickets/inc-1", ticket)
    assert arm("POST", f"{base}/checkNameAvailability", asked).body["nameAvailable"] is False
    again = arm("PUT", f"{base}/supportTickets/INC-1", ticket)
    assert (again.status, again.body["Error"]["Code"]) == (409, "ResourceAlreadyExists")
    assert [t["name"] for t in arm("GET", f"{base}/supportTickets").body["value"]] == ["inc-1"]


def test_a_ticket_is_changed_and_written_to(arm: Caller, scope: str, ticket: dict[str, Any]) -> None:
    path = f"{scope}/providers/Microsoft.Support/supportTickets/inc-1"
    arm("PUT", path, ticket)
    changed = arm("PATCH", path, {"severity": "moderate", "status": "closed"})
    assert (changed.body["properties"]["severity"], changed.body["properties"]["status"]) == ("Moderate", "Closed")
    assert arm("GET", f"{path[: path.rindex('/')]}?$filter=status eq 'Open'").body["value"] == []
    assert arm("PUT", f"{path}/communications/m1", {"properties": {"subject": "s"}}).status == 400
    sent = arm(
        "PUT", f"{path}/communications/m1", {"properties": {"subject": "s", "body": "b", "sender": "a@b.example"}}
    )
    assert sent.status == 202
    assert arm("GET", f"{path}/communications/m1").body["properties"]["body"] == "b"
    assert len(arm("GET", f"{path}/communications").body["value"]) == 1


def test_catalogue_ids_differ_between_worlds_so_that_nobody_keeps_them(arm: Caller, world: World) -> None:
    from azure_simulator.app import empty_world
    from azure_simulator.services.support.catalogue import services

    other = empty_world(world.clock.now(), seed=8)
    assert {s["name"] for s in services(world)}.isdisjoint(s["name"] for s in services(other))
    assert services(world) == services(empty_world(world.clock.now(), seed=7))
