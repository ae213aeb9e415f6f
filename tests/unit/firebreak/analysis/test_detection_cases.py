"""The table of own-made events: how grave each must be told, in the forms in which events reach us. The table says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firebreak.analysis.logs import review_log
from firebreak.model.finding import Severity

CASES = [
    tuple(line.split("|", 3)[:3]) + tuple(line.split("|", 3)[3].rsplit("|", 1))
    for line in (Path(__file__).parent / "data" / "detection_cases.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
ORDER = list(Severity)
AT = "2026-03-04T05:06:07.1234567Z"
GROUP = "/subscriptions/0000/resourceGroups/rg1/providers/Microsoft.Thing/things/t1"


def event_of(shape: str, operation: str, facts: dict[str, Any]) -> dict[str, Any]:
    """An event in one of the forms in which it leaves Azure."""
    body = json.dumps(facts["body"]) if "body" in facts else None
    properties: dict[str, Any] = {"message": operation, **({"requestbody": body} if body else {})}
    resource = facts.get("resource", GROUP)
    if shape == "bare":
        return {"operationName": operation}
    if shape == "rest":
        return {
            "eventDataId": "e1",
            "eventTimestamp": AT,
            "operationName": {"value": operation, "localizedValue": "Something"},
            "status": {"value": facts.get("status", "Succeeded")},
            "category": {"value": facts.get("category", "Administrative")},
            "caller": "someone@contoso.example",
            "resourceId": resource,
            "correlationId": "c1",
            "properties": properties,
        }
    if shape == "law":
        return {
            "TimeGenerated": AT,
            "OperationName": "Something",
            "OperationNameValue": operation,
            "ActivityStatusValue": facts.get("status", "Success"),
            "CategoryValue": facts.get("category", "Administrative"),
            "Caller": "someone@contoso.example",
            "CallerIpAddress": "198.51.100.7",
            "_ResourceId": resource.lower(),
            "CorrelationId": "c1",
            "Properties": json.dumps(properties),
        }
    if shape == "export":
        return {
            "time": AT,
            "operationName": operation,
            "resultType": facts.get("status", "Success"),
            "category": facts.get("category", "Administrative"),
            "callerIpAddress": "198.51.100.7",
            "resourceId": resource.upper(),
            "correlationId": "c1",
            "identity": {"claims": {"upn": "someone@contoso.example"}},
            "properties": properties,
        }
    changed = [{"displayName": n, "oldValue": old, "newValue": new} for n, old, new in facts.get("modified", [])]
    rest = {key: value for key, value in facts.items() if key not in {"modified", "status"}}
    return {
        "time": AT,
        "operationName": operation,
        "category": "AuditLogs" if shape == "audit" else "SignInLogs",
        "resultType": facts.get("status", "0" if shape == "signin" else "Success"),
        "callerIpAddress": "198.51.100.7",
        "correlationId": "c1",
        "properties": {
            "activityDisplayName": operation,
            "userPrincipalName": "someone@contoso.example",
            "targetResources": [{"displayName": "x", "modifiedProperties": changed}],
            **rest,
        },
    }


def test_the_table_is_as_large_as_it_claims() -> None:
    benign = [case for case in CASES if case[0] in {"quiet", "never"}]
    assert len(CASES) - len(benign) >= 150
    assert len(benign) >= 60


@pytest.mark.parametrize(("expected", "shape", "operation", "facts", "why"), CASES, ids=lambda value: str(value)[:60])
def test_each_event_is_told_as_gravely_as_it_is(
    expected: str, shape: str, operation: str, facts: str, why: str
) -> None:
    _, findings = review_log(event_of(shape, operation, json.loads(facts) if facts else {}))
    worst = max((ORDER.index(finding.severity) for finding in findings), default=-1)
    told = [(str(finding.severity), finding.title) for finding in findings]
    if expected == "never":
        assert worst <= ORDER.index(Severity.INFORMATIONAL), (why, told)
    elif expected == "quiet":
        assert worst < ORDER.index(Severity.MEDIUM), (why, told)
    else:
        least = ORDER.index(Severity.INFORMATIONAL if expected == "any" else Severity(expected))
        assert worst >= least, (why, told)
