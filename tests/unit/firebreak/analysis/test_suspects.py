"""Who is named from a log alone, and who never is."""

from __future__ import annotations

from typing import Any

from firebreak.analysis.logs import review_log
from firebreak.analysis.suspects import Suspect, suspects
from firebreak.model.facts import Class
from firebreak.model.finding import Severity

POLICY = "1d78a85d-813d-46f0-b496-dd72f50a3ec0"


def event(
    number: int, operation: str, caller: str, *, app: str = "", address: str = "203.0.113.7", day: int = 30
) -> dict[str, Any]:
    return {
        "eventDataId": f"e{number}",
        "correlationId": f"c{number}",
        "eventTimestamp": f"2026-11-{day:02}T09:{number:02}:00Z",
        "operationName": {"value": operation},
        "status": {"value": "Succeeded"},
        "caller": caller,
        "claims": {"ipaddr": address, "appid": app} if address else {"appid": app},
        "resourceId": f"/subscriptions/s/things/{number}",
    }


def judged(events: list[dict[str, Any]]) -> dict[str, Suspect]:
    activity, findings = review_log(events)
    return {one.id: one for one in suspects(activity, findings)}


def test_the_attacker_is_named_with_all_that_they_did() -> None:
    names = judged(
        [
            event(1, "Microsoft.Authorization/roleAssignments/write", "eve@contoso.example"),
            event(
                2, "Microsoft.Compute/virtualMachines/runCommand/action", "eve@contoso.example", address="203.0.113.8"
            ),
            event(3, "Microsoft.Resources/tags/write", "eve@contoso.example"),
            event(4, "Microsoft.Resources/tags/write", "ann@contoso.example", address="198.51.100.1"),
        ]
    )
    assert names["eve@contoso.example"].cls is Class.ATTACKER
    assert names["eve@contoso.example"].event_ids == ("e1", "e2", "e3")
    assert names["ann@contoso.example"].cls is Class.UNKNOWN


def test_an_application_of_microsofts_own_is_never_the_attacker() -> None:
    mixed = [
        event(1, "Microsoft.Authorization/elevateAccess/action", "eve@contoso.example"),
        event(
            2, "Microsoft.Compute/virtualMachines/extensions/write", "33a68b9d-63ce-484c-a97e-94aef4c89648", app=POLICY
        ),
        event(3, "Microsoft.Insights/diagnosticSettings/delete", "33a68b9d-63ce-484c-a97e-94aef4c89648", app=POLICY),
    ]
    activity, findings = review_log(mixed)
    by_policy = [finding for finding in findings if set(finding.event_ids) & {"e2", "e3"}]
    assert {finding.severity for finding in by_policy} == {Severity.INFORMATIONAL}
    names = {one.id: one for one in suspects(activity, findings)}
    assert names["33a68b9d-63ce-484c-a97e-94aef4c89648"].cls is Class.LEGITIMATE
    assert "e2" not in names["eve@contoso.example"].event_ids


def test_a_person_who_signs_in_through_such_an_application_is_a_person() -> None:
    names = judged([event(1, "Microsoft.Insights/diagnosticSettings/delete", "eve@contoso.example", app=POLICY)])
    assert names["eve@contoso.example"].cls is Class.ATTACKER


def test_an_identity_at_home_here_is_not_accused_where_the_log_does_not_say_from_where_it_worked() -> None:
    usual = [
        event(n, "Microsoft.Resources/tags/write", "ann@contoso.example", address="198.51.100.1", day=n)
        for n in range(1, 16)
    ]
    deed = "Microsoft.Authorization/elevateAccess/action"
    placeless = [event(40, deed, "ann@contoso.example", address=""), event(41, deed, "eve@contoso.example", address="")]
    activity, findings = review_log([*usual, *placeless])
    grave = {one.actor for one in findings if one.severity in (Severity.HIGH, Severity.CRITICAL)}
    assert grave >= {"ann@contoso.example", "eve@contoso.example"}
    names = {(one.id, one.address): one for one in suspects(activity, findings)}
    ann = names["ann@contoso.example", ""]
    assert ann.cls is Class.UNKNOWN
    assert any("does not name the address" in reason.text for reason in ann.reasons)
    assert names["eve@contoso.example", ""].cls is Class.ATTACKER
