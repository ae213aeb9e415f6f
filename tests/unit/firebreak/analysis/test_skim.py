"""The quick way through a log gives what the slow way gives, and steps aside for what it does not know."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from benchmarks.review import count_alone, events
from firebreak.analysis.logs import reviewed
from firebreak.analysis.operations import LogReview
from firebreak.analysis.skim import Seen

DECODER = msgspec.json.Decoder(list[Seen])


def by_quick_way(found: list[dict[str, Any]]) -> LogReview:
    log = LogReview(strict=False)
    assert log.skim(DECODER.decode(json.dumps(found)))
    return log


def by_slow_way(found: list[dict[str, Any]]) -> LogReview:
    log = LogReview(strict=False)
    log.add(found)
    return log


def plain(log: LogReview) -> Any:
    activity, findings = reviewed(log)
    without = [
        msgspec.structs.replace(one, properties={k: v for k, v in one.properties.items() if k != "message"})
        for one in activity.operations
    ]
    return msgspec.to_builtins([without, activity.sessions, activity.callers, findings])


def test_both_ways_agree_on_everyday_work_and_on_an_attack() -> None:
    found = list(events(3000))
    grant = json.loads(json.dumps(found[-5]))
    grant["operationName"]["value"] = "Microsoft.Authorization/roleAssignments/write"
    grant["eventDataId"] = "grant"
    grant["properties"]["requestbody"] = json.dumps(
        {"properties": {"roleDefinitionId": "/x/8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "principalId": "P1"}}
    )
    opened = json.loads(json.dumps(grant))
    opened["operationName"]["value"] = "MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/SECURITYRULES/WRITE"
    rule = {"access": "Allow", "direction": "Inbound", "sourceAddressPrefix": "*", "destinationPortRange": "22"}
    opened["properties"]["requestbody"] = json.dumps({"properties": rule})
    opened["eventDataId"], opened["status"]["value"] = "opened", "Failed"
    found += [grant, opened]
    quick, slow = plain(by_quick_way(found)), plain(by_slow_way(found))
    assert quick == slow
    assert any("grant" in finding["event_ids"] for finding in quick[3])


@pytest.mark.parametrize(
    "change", [{"operationName": {"value": None}}, {"eventDataId": ""}, {"resourceId": ""}, {"properties": []}]
)
def test_a_page_with_an_unknown_form_goes_the_slow_way_as_a_whole(change: dict[str, Any]) -> None:
    found = [*events(3), {**next(events(1)), **change}]
    log = LogReview(strict=False)
    if not log.skim(DECODER.decode(json.dumps(found))):
        assert log.events == 0
    else:
        assert log.events == 4


def test_the_floor_of_the_benchmark_counts_every_event(tmp_path: Any) -> None:
    path = tmp_path / "log.json"
    path.write_bytes(msgspec.json.encode({"value": list(events(900))}))
    assert count_alone(path) == 900
