"""The quick way through a log gives what the slow way gives, and steps aside for what it does not know."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from benchmarks.activity_log import events
from benchmarks.review import count_alone, missed, write
from firebreak.analysis.log_files import review_file
from firebreak.analysis.log_review import LogReview
from firebreak.analysis.logs import reviewed
from firebreak.analysis.ruleset import RuleSet
from firebreak.analysis.sigma import read_rules
from firebreak.analysis.skim import Seen
from firebreak.analysis.suspects import suspects

EVERYDAY = list(events(20, attack=False))
DECODER = msgspec.json.Decoder(list[Seen])


def by_quick_way(found: list[dict[str, Any]]) -> LogReview:
    log = LogReview(strict=False)
    assert log.skim(DECODER.decode(json.dumps(found))) == []
    return log


def by_slow_way(found: list[dict[str, Any]]) -> LogReview:
    log = LogReview(strict=False)
    log.add(found)
    return log


def plain(log: LogReview) -> Any:
    activity, findings = reviewed(log)
    return msgspec.to_builtins([activity.facts(), findings])


def test_both_ways_agree_on_everyday_work_and_on_an_attack() -> None:
    found = list(events(3000))
    grant = json.loads(json.dumps(found[4]))
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
    assert any("grant" in finding["event_ids"] for finding in quick[1])


@pytest.mark.parametrize(
    "change",
    [
        {"operationName": {"value": None}},
        {"operationName": "Microsoft.Web/sites/write"},
        {"eventDataId": ""},
        {"resourceId": ""},
        {"properties": []},
        {"claims": []},
        {"caller": 7},
        {"status": 5},
    ],
)
def test_an_event_of_unknown_form_is_left_for_the_slow_way_and_the_others_are_not(change: dict[str, Any]) -> None:
    found = [*EVERYDAY[:3], {**EVERYDAY[3], **change}, EVERYDAY[4]]
    log = LogReview(strict=False)
    assert log.skim(DECODER.decode(json.dumps(found))) == [3]
    assert log.events == 4
    log.add_left(len(found), {3: found[3]})
    assert log.events == 5


def test_a_rule_that_looks_at_more_than_a_body_has_its_events_read_the_slow_way() -> None:
    title = "Somebody of that puid"
    rule = f"""
title: {title}
id: 11111111-2222-4333-8444-555555555555
level: high
logsource: {{product: azure, service: activitylogs}}
detection:
  selection: {{operationName: {EVERYDAY[0]["operationName"]["value"]}, claims.appid: "*"}}
  condition: selection
"""
    rules, problems = read_rules({"own.yml": rule})
    assert not problems
    own = RuleSet(rules)
    other = next(one for one in EVERYDAY if one["operationName"] != EVERYDAY[0]["operationName"])
    log = LogReview(own, strict=False)
    assert log.skim(DECODER.decode(json.dumps([other, EVERYDAY[0]]))) == [1]
    assert log.events == 1
    log.add_left(2, {1: EVERYDAY[0]})
    assert log.events == 2
    assert [finding.title for finding in reviewed(log)[1]] == [title]


def test_a_file_in_which_events_of_unknown_form_are_among_others_is_read_as_the_slow_way_reads_it() -> None:
    odd: list[dict[str, Any]] = [
        {"claims": []},
        {"status": 5},
        {"caller": 7},
        {"operationName": "Microsoft.Web/sites/write"},
        {"eventTimestamp": "2026-10-30T10:00:00"},
        {"resourceId": ""},
        {"properties": []},
        {"correlationId": None},
        {"category": [1]},
        {"httpRequest": "{}"},
    ]
    found = list(events(200))
    for place, change in enumerate(odd):
        found[19 * place + 5] |= change
    slow = LogReview(strict=False)
    slow.add(found)
    for text in (json.dumps({"value": found}), "\n".join(map(json.dumps, found))):
        log = LogReview(strict=False)
        review_file(io.BytesIO(text.encode()), "log", log)
        assert plain(log) == plain(slow)


def test_a_time_without_a_zone_is_left_for_the_slow_way() -> None:
    found = [EVERYDAY[0], {**EVERYDAY[1], "eventTimestamp": "2026-10-30T10:00:00"}]
    log = LogReview(strict=False)
    assert log.skim(DECODER.decode(json.dumps(found))) == [1]


def told_with(name: str, request: dict[str, Any], number: int) -> dict[str, Any]:
    """An event whose request is that body, on a resource of its own."""
    told = json.loads(json.dumps(EVERYDAY[0]))
    told["operationName"]["value"], told["eventDataId"] = name, f"event-{number}"
    told["correlationId"] = f"00000000-0000-4000-8000-{number:012}"
    told["resourceId"] += f"-{number}"
    told["properties"]["requestbody"] = json.dumps(request)
    return told


def test_bodies_that_differ_in_what_they_name_alone_are_told_alike_and_others_are_not() -> None:
    name = "Microsoft.Storage/storageAccounts/write"
    bodies = [
        {"id": "/one", "name": "one", "properties": {"allowBlobPublicAccess": False}},
        {"id": "/two", "Name": "two", "properties": {"allowBlobPublicAccess": True}},
        {"id": "/three", "name": "three", "properties": {"allowBlobPublicAccess": True}},
    ]
    found = [told_with(name, body, number) for number, body in enumerate(bodies)]
    quick, slow = by_quick_way(found).operations(), by_slow_way(found).operations()
    matched = {one.event_ids[0]: set(one.matched or ()) for one in quick}
    assert matched == {one.event_ids[0]: set(one.matched or ()) for one in slow}
    assert matched["event-1"] == matched["event-2"] != matched["event-0"]


def test_a_rule_that_asks_for_the_name_in_a_body_is_asked_of_each() -> None:
    rule = """
title: A resource called evil
id: 11111111-2222-4333-8444-555555555556
level: high
logsource: {product: azure, service: activitylogs}
detection:
  selection: {operationName: Microsoft.Web/sites/write, body.name: evil}
  condition: selection
"""
    rules, problems = read_rules({"own.yml": rule})
    assert not problems
    log = LogReview(RuleSet(rules), strict=False)
    found = [told_with("Microsoft.Web/sites/write", {"name": name}, n) for n, name in enumerate(["good", "evil"])]
    assert log.skim(DECODER.decode(json.dumps(found))) == []
    assert [finding.event_ids for finding in reviewed(log)[1]] == [("event-1",)]


def test_what_made_the_past_is_told_by_one_of_each_kind() -> None:
    found = list(events(3000))
    activity = reviewed(by_quick_way(found))[0]
    told, whole = list(activity.made_before()), list(activity.facts().made_before())
    assert len(told) < len(whole)
    assert {(one.name, one.region, one.properties.get("size"), one.created) for one in told} == {
        (one.name, one.region, one.properties.get("size"), one.created) for one in whole
    }


@pytest.mark.parametrize("spelled", ["HardwareProfile", "hardwareprofile"])
def test_a_size_is_seen_however_its_key_is_spelled(spelled: str) -> None:
    made = json.loads(json.dumps(EVERYDAY[0]))
    made["operationName"]["value"] = "Microsoft.Compute/virtualMachines/write"
    body = {
        "location": "westeurope",
        "sku": {"name": "Standard_B1s"},
        "properties": {spelled: {"VmSize": "Standard_ND96isr_H100_v5"}},
    }
    made["properties"]["requestbody"] = json.dumps(body)
    assert by_quick_way([made]).operations()[0].properties["size"] == "Standard_ND96isr_H100_v5"


def test_the_floor_of_the_benchmark_counts_every_event(tmp_path: Any) -> None:
    path = tmp_path / "log.json"
    write(path, 900)
    assert count_alone(path) == 900


def test_the_review_finds_the_attack_of_the_benchmark_and_says_what_it_missed(tmp_path: Any) -> None:
    path = tmp_path / "log.json"
    write(path, 3000)
    log = LogReview(strict=False)
    with path.open("rb") as stream:
        review_file(stream, path.name, log)
    activity, findings = reviewed(log)
    assert missed(findings, suspects(activity, findings)) == []
    assert "not named: person17@contoso.example from 185.220.101.4" in missed([], [])


def test_an_error_amid_a_long_log_is_told_as_what_it_is() -> None:
    """What was read of the piece still hangs on the error then; the piece cannot be let go, and that is not what is told."""

    class Broken(LogReview):
        def skim(self, page: Sequence[Seen]) -> Sequence[int]:
            super().skim(page)
            raise ZeroDivisionError("the real cause")

    text = json.dumps({"value": list(events(300, attack=False))}).encode()
    with pytest.raises(ZeroDivisionError, match="the real cause"):
        review_file(io.BytesIO(text), "log.json", Broken(strict=False))
