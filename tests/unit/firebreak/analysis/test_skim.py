"""The quick way through a log gives what the slow way gives, and steps aside for what it does not know."""

from __future__ import annotations

import json
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
    "change", [{"operationName": {"value": None}}, {"eventDataId": ""}, {"resourceId": ""}, {"properties": []}]
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
    log = LogReview(own, strict=False)
    assert log.skim(DECODER.decode(json.dumps(EVERYDAY[:1]))) == [0]
    log.add_left(1, {0: EVERYDAY[0]})
    assert [finding.title for finding in reviewed(log)[1]] == [title]


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
