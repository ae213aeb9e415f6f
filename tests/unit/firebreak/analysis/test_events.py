"""One event, read whatever is missing from it."""

from __future__ import annotations

from typing import Any

import pytest

from firebreak.analysis.events import read_event

VM = "/subscriptions/33333333-3333-4333-8333-333333333333/resourceGroups/rg9/providers/Microsoft.Compute/virtualMachines/m1"


def document(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "eventDataId": "6f0c",
        "caller": "eve@contoso.example",
        "correlationId": "B1F2",
        "operationName": {"value": "Microsoft.Compute/virtualMachines/write", "localizedValue": "Create"},
        "status": {"value": "Succeeded"},
        "subStatus": {"value": "Created", "localizedValue": "Created (HTTP Status Code: 201)"},
        "claims": {"ipaddr": "203.0.113.7", "appid": "APP", "oid": "9999"},
        "resourceId": VM,
        "eventTimestamp": "2026-11-20T02:11:05.1234567Z",
    }
    return {key: value for key, value in (base | changes).items() if value is not None}


def test_the_rest_form_is_read_in_full() -> None:
    event = read_event(document())
    assert event is not None
    assert (event.status, event.address, event.principal_id, event.created) == (
        "succeeded",
        "203.0.113.7",
        "9999",
        True,
    )
    assert event.at.microsecond == 123456
    assert event.correlation_id == "b1f2"


def test_the_exported_form_with_capitals_is_read() -> None:
    event = read_event(
        {
            "time": "2026-11-20T02:11:05Z",
            "operationName": "MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE",
            "resourceId": VM.upper(),
            "resultType": "Failure",
            "callerIpAddress": "203.0.113.7:51234",
            "identity": {"claims": {"oid": "9999"}},
        }
    )
    assert event is not None
    assert (event.status, event.address, event.caller) == ("failed", "203.0.113.7", "9999")


@pytest.mark.parametrize("missing", ["caller", "claims", "status", "correlationId", "subStatus", "resourceId"])
def test_a_missing_field_reads_as_empty(missing: str) -> None:
    event = read_event(document(**{missing: None}))
    assert event is not None
    assert event.id == "6f0c"


@pytest.mark.parametrize("junk", [None, [], "text", {}, {"eventTimestamp": "yesterday"}, {"operationName": "x"}])
def test_what_has_no_time_or_operation_is_no_event(junk: Any) -> None:
    assert read_event(junk) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": {"value": "Failed"}},
        {"status": {"value": "Succeeded"}, "subStatus": {"value": "Conflict"}},
        {"status": None, "subStatus": {"value": "Forbidden (HTTP Status Code: 403)"}},
        {"status": None, "subStatus": None, "level": "Error"},
    ],
)
def test_a_failure_is_never_told_as_success(changes: dict[str, Any]) -> None:
    event = read_event(document(**changes))
    assert event is not None
    assert event.status == "failed"


def test_the_body_gives_size_region_and_grant_in_any_case_of_keys() -> None:
    body = '{"Location": "East US", "Properties": {"hardwareProfile": {"vmSize": "Standard_NC6s_v3"}, "PrincipalId": "AB"}}'
    event = read_event(document(properties={"requestbody": body}))
    assert event is not None
    assert event.body["region"] == "eastus"
    assert event.body["size"] == "Standard_NC6s_v3"
    assert event.body["granted_to"] == "ab"


def test_a_region_that_is_no_region_is_dropped() -> None:
    event = read_event(document(properties={"requestbody": '{"location": "../../subscriptions/x?a=b"}'}))
    assert event is not None
    assert "region" not in event.body


@pytest.mark.parametrize(
    ("claim", "expected"), [("pwd,mfa", True), ("pwd", False), (["pwd", "mfa"], True), ("", None), (7, None)]
)
def test_multi_factor_is_read_from_the_claims(claim: Any, expected: bool | None) -> None:
    claims = {"http://schemas.microsoft.com/claims/authnmethodsreferences": claim}
    event = read_event(document(claims=claims))
    assert event is not None
    assert event.mfa is expected
