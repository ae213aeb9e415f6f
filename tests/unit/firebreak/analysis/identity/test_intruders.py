"""Who counts as the attacker in the directory, and which of a stolen identity's changes are the attacker's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from firebreak.analysis.identity import traces
from firebreak.analysis.identity.intruders import Deed, deeds_of, known_intruders
from firebreak.model.facts import Attribution, Class, Judgement
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import SignIn, SignIns
from firebreak.model.intrusion import Intruder, TraceKind

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
THEIRS, HOME = "203.0.113.9", "198.51.100.4"
ADA = Intruder(id="p-ada", name="ada@contoso.example", kind="user", own=False, addresses=(THEIRS,))


def record(name: str, *, by: str = "p-ada", address: str = THEIRS, at: datetime = NOON, **more: Any) -> dict[str, Any]:
    user = {"id": by, "userPrincipalName": f"{by}@contoso.example", "ipAddress": address}
    base = {
        "id": f"{name}|{by}|{address}|{at}",
        "activityDisplayName": name,
        "activityDateTime": at.isoformat(),
        "result": "success",
        "initiatedBy": {"user": user, "app": None},
        "targetResources": [{"id": "p-new", "type": "User", "userPrincipalName": "new@contoso.example"}],
    }
    return base | more


def by_application(at: datetime) -> dict[str, Any]:
    app = {"displayName": "deploy", "servicePrincipalId": "p-pipe"}
    return record("Update application", at=at, initiatedBy={"user": None, "app": app})


def deeds(*records: Any, known: Intruder = ADA, **more: Any) -> tuple[list[str], list[str]]:
    intruders, found = deeds_of([known], records, attack_start=NOON, **more)
    return [one.id for one in intruders], [deed.change.name for deed in found]


def test_a_stolen_identity_is_the_attacker_at_the_attackers_address_alone() -> None:
    assert deeds(record("Update user"), record("Add group", address=HOME)) == (["p-ada"], ["Update user"])


def test_who_was_invited_is_the_attackers_own_wherever_they_act_and_so_is_whom_they_invite() -> None:
    later, last = NOON + timedelta(minutes=5), NOON + timedelta(minutes=9)
    second = [{"id": "p-third", "type": "User", "userPrincipalName": "third@contoso.example"}]
    invited = record("Invite external user", by="p-new", address=HOME, at=later, targetResources=second)
    found = deeds(record("Update user", by="p-third", address="", at=last), invited, record("Invite external user"))
    assert found == (["p-ada", "p-new", "p-third"], ["Invite external user", "Invite external user", "Update user"])


def test_whom_the_subscription_knows_by_object_id_alone_is_the_person_whom_the_directory_names() -> None:
    guessed = Intruder(id="p-new", name="p-new", kind="servicePrincipal", own=True)
    intruders, _ = deeds_of([ADA, guessed], [record("Invite external user")], attack_start=NOON)
    found = next(one for one in intruders if one.id == "p-new")
    assert (found.kind, found.name, found.own) == ("user", "new@contoso.example", True)


def test_what_failed_and_what_the_responder_did_is_nobodys_deed() -> None:
    assert deeds(record("Update user", result="failure")) == (["p-ada"], [])
    assert deeds(record("Update user"), own={"p-ada"}) == ([], [])


def test_a_stolen_applications_changes_count_from_the_attack_on_unless_it_always_made_them() -> None:
    pipe = Intruder(id="p-pipe", name="p-pipe", kind="servicePrincipal", own=False, addresses=(THEIRS,))
    early, late = by_application(NOON - timedelta(days=1)), by_application(NOON + timedelta(minutes=1))
    assert deeds(early, late, known=pipe)[1] == ["Update application"]
    assert deeds(early, late, known=pipe, usual={late["id"]})[1] == []


def signed_in(*unfamiliar: str) -> SignIns:
    row = SignIn(
        kind="interactive",
        who="ada@contoso.example",
        principal_id="p-ada",
        first=NOON,
        last=NOON,
        address=THEIRS,
        known=True,
        unfamiliar=unfamiliar,
    )
    return SignIns(window_start=NOON, from_time=NOON, sign_ins=(row,))


GRAVE = Finding(
    id="x",
    step="investigate.directory_changes",
    title="Roles given",
    severity=Severity.HIGH,
    reasons=("x",),
    actor="Ada@contoso.example",
    address=THEIRS,
)


def test_a_strange_sign_in_or_a_grave_change_alone_accuses_nobody_and_both_together_do() -> None:
    nobody = Attribution()
    assert known_intruders(nobody, signed_in("country"), []) == []
    assert known_intruders(nobody, signed_in(), [GRAVE]) == []
    assert known_intruders(nobody, signed_in("address"), [GRAVE]) == []
    (found,) = known_intruders(nobody, signed_in("country"), [GRAVE])
    assert (found.id, found.own, found.addresses) == ("p-ada", False, (THEIRS,))


def test_the_log_and_the_directory_together_name_all_addresses() -> None:
    actor = Judgement(
        id="ada@contoso.example", cls=Class.ATTACKER, score=90, principal_id="P-ADA", address=HOME, established=True
    )
    (found,) = known_intruders(Attribution(actors=(actor,)), signed_in("country"), [GRAVE])
    assert found.addresses == (HOME, THEIRS)
    assert not found.own


def deed_of(**more: Any) -> Deed:
    (found,) = deeds_of([ADA], [record("User registered security info", **more)], attack_start=NOON)[1]
    return found


def method(kind: str, identity: str, **more: Any) -> dict[str, Any]:
    return {
        "@odata.type": f"#microsoft.graph.{kind}AuthenticationMethod",
        "id": identity,
        "createdDateTime": None,
    } | more


def test_a_telephone_that_cannot_be_told_from_the_owners_is_left_to_a_person() -> None:
    details = [{"key": "AuthenticationMethod", "value": "Mobile Phone Call and SMS"}]
    deed = deed_of(additionalDetails=details)
    phones = [method("phone", "m-1", phoneNumber="+44 1"), method("phone", "m-2", phoneNumber="+44 2")]
    (both,) = traces.method(deed, phones, frozenset())
    assert "ask the owner" in both.problem
    assert both.target == "/v1.0/users/p-new"
    (one,) = traces.method(deed, phones, frozenset({"+44 1"}))
    assert (one.target.rsplit("/", 1)[-1], one.problem) == ("m-2", "")


def test_a_method_with_a_date_is_the_one_of_that_time() -> None:
    deed = deed_of(additionalDetails=[{"key": "AuthenticationMethod", "value": "Authenticator App"}])
    old = method("microsoftAuthenticator", "old", createdDateTime="2025-01-01T00:00:00Z")
    new = method("microsoftAuthenticator", "new", createdDateTime=(NOON + timedelta(seconds=5)).isoformat())
    assert [one.target.rsplit("/", 1)[-1] for one in traces.method(deed, [old, new], frozenset())] == ["new"]
    assert list(traces.method(deed, [old], frozenset())) == []


def test_contact_data_that_the_owner_changed_since_are_not_put_back() -> None:
    changed = [{"displayName": "Mobile", "oldValue": '["+44 1"]', "newValue": '["+44 2"]'}]
    target = [{"id": "p-ada", "type": "User", "userPrincipalName": "ada", "modifiedProperties": changed}]
    (deed,) = deeds_of([ADA], [record("Update user", targetResources=target)], attack_start=NOON)[1]
    assert traces.kind_of(deed) is TraceKind.CONTACT
    (found,) = traces.contact(deed, {"mobilePhone": "+44 2"})
    assert found.document == {"before": {"mobilePhone": "+44 1"}, "after": {"mobilePhone": "+44 2"}}
    assert list(traces.contact(deed, {"mobilePhone": "+44 3"})) == []


def test_a_grant_that_held_rights_before_is_not_deleted_with_the_attackers() -> None:
    changed = [{"displayName": "DelegatedPermissionGrant.Scope", "oldValue": None, "newValue": '"Mail.Read"'}]
    client = {"id": "p-app", "type": "ServicePrincipal", "displayName": "metrics"}
    graph = {"id": "p-graph", "type": "ServicePrincipal", "modifiedProperties": changed}
    given = record("Add delegated permission grant", targetResources=[graph, client])
    (deed,) = deeds_of([ADA], [given], attack_start=NOON)[1]
    about = deed.change.targets[1]
    row = {
        "id": "g-1",
        "clientId": "p-app",
        "resourceId": "p-graph",
        "consentType": "AllPrincipals",
        "scope": "Mail.Read",
    }
    assert [one.problem for one in traces.consents(deed, about, [row])] == [""]
    (mixed,) = traces.consents(deed, about, [row | {"scope": "Mail.Read User.Read"}])
    assert "rights from before" in mixed.problem


def test_what_the_attacker_changed_twice_goes_back_to_before_the_first_change() -> None:
    def changed(old: str, new: str, at: datetime) -> dict[str, Any]:
        what = [{"displayName": "Mobile", "oldValue": f'["{old}"]', "newValue": f'["{new}"]'}]
        target = [{"id": "p-ada", "type": "User", "userPrincipalName": "ada", "modifiedProperties": what}]
        return record("Update user", at=at, targetResources=target)

    rows = [changed("+44 1", "+44 2", NOON), changed("+44 2", "+44 3", NOON + timedelta(minutes=1))]
    first, second = deeds_of([ADA], rows, attack_start=NOON)[1]
    assert list(traces.contact(first, {"mobilePhone": "+44 3"}, [first, second])) == []
    (found,) = traces.contact(second, {"mobilePhone": "+44 3"}, [first, second])
    assert found.document["before"] == {"mobilePhone": "+44 1"}

    def state(old: str, new: str, at: datetime) -> dict[str, Any]:
        what = {
            "displayName": "ConditionalAccessPolicy",
            "oldValue": f'{{"state":"{old}"}}',
            "newValue": f'{{"state":"{new}"}}',
        }
        target = [{"id": "c-1", "type": "Policy", "displayName": "MFA", "modifiedProperties": [what]}]
        return record("Update conditional access policy", at=at, targetResources=target)

    report = "enabledForReportingButNotEnforced"
    rows = [state("enabled", report, NOON), state(report, "disabled", NOON + timedelta(minutes=1))]
    first, second = deeds_of([ADA], rows, attack_start=NOON)[1]
    (policy,) = traces.policy(second, {"state": "disabled"}, [first, second])
    assert policy.document == {"before": {"state": "enabled"}, "after": {"state": "disabled"}}
