"""Events become operations: one per correlation, name and resource, in whatever order they come."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firebreak.analysis.log_review import LogReview
from firebreak.analysis.operations import densest
from firebreak.model.facts import ActivityFacts

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
RG = "/subscriptions/33333333-3333-4333-8333-333333333333/resourceGroups/rg9"
VM = f"{RG}/providers/Microsoft.Compute/virtualMachines"
WRITE = "Microsoft.Compute/virtualMachines/write"


def event(
    number: int,
    status: str,
    *,
    minutes: float = 0,
    correlation: str = "c1",
    name: str = WRITE,
    resource: str = f"{VM}/m1",
    caller: str = "eve@contoso.example",
    address: str = "203.0.113.7",
    sub_status: str = "",
    **more: Any,
) -> dict[str, Any]:
    document = {
        "eventDataId": f"e{number}",
        "operationName": {"value": name},
        "status": {"value": status},
        "subStatus": {"value": sub_status},
        "caller": caller,
        "correlationId": correlation,
        "claims": {"ipaddr": address} if address else {},
        "resourceId": resource,
        "eventTimestamp": (START + timedelta(minutes=minutes)).isoformat().replace("+00:00", "0Z"),
    }
    return document | more


def review(*events: dict[str, Any], window: datetime = START) -> ActivityFacts:
    log = LogReview()
    log.add(events)
    return log.facts(window_start=window)


def test_started_accepted_succeeded_are_one_operation() -> None:
    facts = review(event(1, "Started"), event(2, "Accepted", minutes=1), event(3, "Succeeded", minutes=2))
    assert len(facts.operations) == 1
    assert facts.operations[0].status == "succeeded"
    assert facts.operations[0].event_ids == ("e1", "e2", "e3")
    assert facts.events == 3


def test_the_last_end_counts_and_failure_wins_a_tie() -> None:
    assert review(event(1, "Succeeded"), event(2, "Failed", minutes=1)).operations[0].status == "failed"
    assert review(event(1, "Failed"), event(2, "Succeeded")).operations[0].status == "failed"
    assert review(event(1, "Failed"), event(2, "Succeeded", minutes=1)).operations[0].status == "succeeded"


def test_without_an_end_it_is_only_started() -> None:
    assert review(event(1, "Accepted")).operations[0].status == "started"


def test_names_in_capitals_belong_to_the_same_operation() -> None:
    facts = review(event(1, "Started"), event(2, "Failed", minutes=1, name=WRITE.upper(), resource=f"{VM}/m1".upper()))
    assert [operation.status for operation in facts.operations] == ["failed"]
    assert facts.operations[0].name == WRITE


def test_duplicates_and_order_do_not_matter() -> None:
    events = [
        event(n, status, minutes=n, correlation=f"c{n // 3}", resource=f"{VM}/m{n // 3}")
        for n, status in enumerate(("Started", "Accepted", "Succeeded") * 8)
    ]
    expected = review(*events)
    for seed in range(5):
        shuffled = events * 2
        random.Random(seed).shuffle(shuffled)  # noqa: S311
        log = LogReview()
        for position in range(0, len(shuffled), 7):
            log.add(shuffled[position : position + 7])
        assert log.facts(window_start=START) == expected


def test_a_missing_caller_and_address_come_from_the_correlation_when_it_is_of_one_mind() -> None:
    facts = review(
        event(1, "Succeeded"),
        event(2, "Succeeded", resource=f"{RG}/providers/Microsoft.Network/networkInterfaces/n1", caller="", address=""),
    )
    assert {operation.address for operation in facts.operations} == {"203.0.113.7"}
    torn = review(
        event(1, "Succeeded"),
        event(2, "Succeeded", resource=f"{VM}/m2", caller="bob@contoso.example"),
        event(3, "Succeeded", resource=f"{VM}/m3", caller="", address=""),
    )
    assert next(o for o in torn.operations if o.resource_id.endswith("m3")).caller == ""


def test_the_creator_is_the_first_write_and_an_update_is_not() -> None:
    facts = review(
        event(1, "Succeeded", sub_status="Created"),
        event(2, "Succeeded", minutes=60, correlation="c2", caller="bob@contoso.example", sub_status="OK"),
    )
    assert facts.creators[f"{VM}/m1".lower()].caller == "eve@contoso.example"


def test_an_update_alone_makes_nobody_a_creator() -> None:
    assert review(event(1, "Succeeded", sub_status="OK")).creators == {}


def test_a_failed_write_makes_nobody_a_creator() -> None:
    assert review(event(1, "Started"), event(2, "Failed", minutes=1)).creators == {}


def test_after_a_deletion_the_next_write_is_the_creator() -> None:
    facts = review(
        event(1, "Succeeded", sub_status="Created"),
        event(2, "Succeeded", minutes=5, correlation="c2", name="Microsoft.Compute/virtualMachines/delete"),
        event(3, "Succeeded", minutes=9, correlation="c3", caller="bob@contoso.example"),
    )
    assert facts.creators[f"{VM}/m1".lower()].caller == "bob@contoso.example"


def test_the_window_cuts_operations_but_not_sessions_and_creators() -> None:
    window = START + timedelta(hours=1)
    facts = review(
        event(1, "Succeeded"), event(2, "Succeeded", minutes=90, correlation="c2", resource=f"{VM}/m2"), window=window
    )
    assert len(facts.operations) == 1
    assert len(facts.creators) == 2
    assert facts.sessions[0].operations == 2
    assert facts.sessions[0].operations_before == 1


def test_unreadable_events_are_said() -> None:
    log = LogReview()
    log.add([event(1, "Succeeded"), {"eventDataId": "x"}, "junk"])
    facts = log.facts(window_start=START)
    assert facts.not_looked_at[0].what == "2 events of the activity log"


def test_health_notices_are_nobodys_operations() -> None:
    assert review(event(1, "Succeeded", category={"value": "ResourceHealth"})).operations == ()


def test_densest_counts_within_any_hour() -> None:
    times = [START + timedelta(minutes=m) for m in (0, 50, 59, 61, 200)]
    assert densest(times) == 3
    assert densest([]) == 0


@pytest.mark.parametrize(
    ("answers", "made"),
    [
        # Started is always there and says nothing. What Azure writes for a creation and for an update, at once and in the background.
        ([("Succeeded", "Created (HTTP Status Code: 201)")], True),
        ([("Succeeded", "OK (HTTP Status Code: 200)")], False),
        ([("Accepted", "Created"), ("Succeeded", "OK")], True),
        ([("Accepted", "Accepted (HTTP Status Code: 202)"), ("Succeeded", "OK (HTTP Status Code: 200)")], None),
        ([("Accepted", "Accepted"), ("Succeeded", "Created")], True),
        ([("Accepted", "Accepted"), ("Succeeded", "")], None),
        ([("Accepted", "OK"), ("Succeeded", "OK")], False),
        ([("Accepted", "OK"), ("Succeeded", "")], False),
        ([("Succeeded", "")], None),
        ([], None),
    ],
)
def test_whether_it_made_its_resource_is_told_by_the_answer_to_the_request(
    answers: list[tuple[str, str]], made: bool | None
) -> None:
    events = [event(0, "Started")]
    events += [event(1 + n, status, minutes=1 + n, sub_status=said) for n, (status, said) in enumerate(answers)]
    for order in (events, events[::-1]):
        (operation,) = review(*order).operations
        assert operation.created is made


def test_a_disk_made_in_the_background_has_its_maker_and_a_later_update_of_it_changes_nothing() -> None:
    disk = {"name": "Microsoft.Compute/disks/write", "resource": f"{RG}/providers/Microsoft.Compute/disks/d1"}
    made = [
        event(1, "Started", **disk),
        event(2, "Accepted", minutes=1, sub_status="Accepted", **disk),
        event(3, "Succeeded", minutes=2, sub_status="OK", **disk),
    ]
    other = {**disk, "correlation": "c2", "caller": "ann@contoso.example", "address": "198.51.100.4"}
    updated = [
        event(4, "Started", minutes=30, **other),
        event(5, "Accepted", minutes=31, sub_status="Accepted", **other),
        event(6, "Succeeded", minutes=32, sub_status="OK", **other),
    ]
    facts = review(*made, *updated)
    assert facts.creators[disk["resource"].lower()].caller == "eve@contoso.example"
