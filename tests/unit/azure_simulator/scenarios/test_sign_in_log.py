"""The logs of the directory through Graph: sign-ins that agree with the activity log, audits that agree with the directory, risks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest

from azure_simulator.app import dispatch
from azure_simulator.http import Request
from azure_simulator.services.graph import store
from azure_simulator.world import Document, Principal, World
from tests.unit.azure_simulator.scenarios.test_directory import app, everything, named, without

Worlds = Callable[..., World]
V1, BETA = "/graph/v1.0", "/graph/beta"
KINDS = ("interactiveUser", "nonInteractiveUser", "servicePrincipal", "managedIdentity")
OBJECT = "http://schemas.microsoft.com/identity/claims/objectidentifier"
MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text[:19] + "+00:00")


def sign_ins(world: World, *kinds: str, more: str = "") -> list[Document]:
    """Every sign-in of some kinds, all kinds when none are named."""
    wanted = " or ".join(f"t eq '{kind}'" for kind in kinds or KINDS)
    text = f"signInEventTypes/any(t: {wanted})" + (f" and {more}" if more else "")
    return everything(app(world), f"{BETA}/auditLogs/signIns?$filter={quote(text)}")


def sign_in_at(world: World, principal: Principal, secret: str) -> int:
    form = f"grant_type=client_credentials&client_id={principal.app_id}&client_secret={secret}"
    return dispatch(world, Request("POST", f"/{world.tenant_id}/oauth2/v2.0/token", {}, {}, form.encode())).status


@pytest.mark.parametrize("name", ["insider-automation", "hostile-names"])
def test_every_token_of_the_activity_log_was_issued_by_one_sign_in(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    found: dict[str, list[Document]] = {}
    for row in sign_ins(world):
        found.setdefault(row["uniqueTokenIdentifier"], []).append(row)
    oldest = world.clock.now() - timedelta(days=29)
    newest = world.clock.now() - timedelta(minutes=5)
    first: dict[str, Document] = {}
    for event in world.events:
        if oldest < moment(event["eventTimestamp"]) < newest and "uti" in event["claims"]:
            first.setdefault(event["claims"]["uti"], event)
    compared = 0
    for token, event in first.items():
        claims = event["claims"]
        profile = store.table(world, "servicePrincipals").get(claims[OBJECT]) or {}
        if claims[OBJECT] not in world.principals or profile.get("appOwnerOrganizationId") == MICROSOFT:
            continue
        (row,) = found[token]
        assert claims[OBJECT] in (row["userId"], row["servicePrincipalId"])
        assert row["appId"] == claims["appid"]
        assert row["ipAddress"] == ("" if row["signInEventTypes"] == ["managedIdentity"] else claims["ipaddr"])
        assert row["resourceDisplayName"] == "Windows Azure Service Management API" or name == "hostile-names"
        assert timedelta(0) <= moment(event["eventTimestamp"]) - moment(row["createdDateTime"]) < timedelta(minutes=2)
        if row["userId"]:
            mfa = "mfa" in claims["http://schemas.microsoft.com/claims/authnmethodsreferences"]
            assert (row["authenticationRequirement"] == "multiFactorAuthentication") == mfa
        compared += 1
    assert compared > 1000


def test_v1_and_beta_without_a_filter_answer_interactive_sign_ins_alone(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    ask = app(world)
    interactive = {row["id"] for row in sign_ins(world, "interactiveUser")}
    assert {row["id"] for row in everything(ask, f"{V1}/auditLogs/signIns")} == interactive
    assert {row["id"] for row in everything(ask, f"{BETA}/auditLogs/signIns?$top=500")} == interactive
    assert {row["signInEventTypes"][0] for row in sign_ins(world)} == set(KINDS)
    plain = ask("GET", f"{V1}/auditLogs/signIns?$top=1").body["value"][0]
    assert "uniqueTokenIdentifier" not in plain
    assert "authenticationRequirement" not in plain


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (V1, "createdDateTime gt 2026-03-01T00:00:00Z"),
        (V1, "signInEventTypes/any(t: t eq 'servicePrincipal')"),
        (V1, "authenticationRequirement eq 'singleFactorAuthentication'"),
        (BETA, "createdDateTime lt 2026-03-01T00:00:00Z"),
        (BETA, "authenticationDetails/any(d: d/succeeded eq true)"),
        (BETA, "createdDateTime"),
    ],
)
def test_filters_that_the_log_does_not_take_are_refused(version: str, text: str, read_only: Worlds) -> None:
    answer = app(read_only("false-alarm"))("GET", f"{version}/auditLogs/signIns?$filter={quote(text)}")
    assert (answer.status, answer.body["error"]["code"]) == (400, "BadRequest")


def test_a_window_and_a_person_are_filtered_together(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    every = [row for row in sign_ins(world, "interactiveUser") if "2026-02-20" <= row["createdDateTime"] < "2026-02-25"]
    user = every[0]["userId"]
    text = f"createdDateTime ge 2026-02-20T00:00:00Z and createdDateTime le 2026-02-25T00:00:00Z and userId eq '{user}'"
    found = everything(app(world), f"{V1}/auditLogs/signIns?$filter={quote(text)}")
    assert {row["id"] for row in found} == {row["id"] for row in every if row["userId"] == user}
    assert found == sorted(found, key=lambda row: row["createdDateTime"], reverse=True)


def test_pages_go_on_where_they_ended_while_new_sign_ins_arrive(fresh: Worlds) -> None:
    world = fresh("false-alarm")
    ask = app(world)
    before = {row["id"] for row in sign_ins(world, "servicePrincipal")}
    text = quote("signInEventTypes/any(t: t eq 'servicePrincipal')")
    path, found = f"{BETA}/auditLogs/signIns?$top=100&$filter={text}", []
    while path:
        body = ask("GET", path).body
        found += [row["id"] for row in body["value"]]
        link = urlsplit(body.get("@odata.nextLink", ""))
        path = f"{link.path}?{link.query}" if link.path else ""
        principal = named(world, "firebreak-responder")
        assert sign_in_at(world, principal, principal.secrets[0]) == 200
        world.clock.advance(240)
    assert len(found) == len(set(found))
    # Some of the oldest may have left the log meanwhile.
    assert len(before - set(found)) <= 2


def test_the_log_is_minutes_behind_and_keeps_thirty_days(fresh: Worlds) -> None:
    world = fresh("false-alarm")
    oldest = min(row["createdDateTime"] for row in sign_ins(world))
    assert timedelta(days=29) < world.clock.now() - moment(oldest) <= timedelta(days=30)
    principal = named(world, "firebreak-responder")
    count = len(sign_ins(world, "servicePrincipal"))
    assert sign_in_at(world, principal, "wrong") == 401
    assert sign_in_at(world, principal, principal.secrets[0]) == 200
    assert len(sign_ins(world, "servicePrincipal")) == count
    world.clock.advance(181)
    new = sign_ins(world, "servicePrincipal", more=f"servicePrincipalId eq '{principal.object_id}'")[:2]
    assert {row["status"]["errorCode"] for row in new} == {0, 7000215}
    good = next(row for row in new if not row["status"]["errorCode"])
    credential = store.table(world, "credentials")[good["servicePrincipalCredentialKeyId"]]
    assert credential["_secret"] == principal.secrets[0]
    world.clock.advance(timedelta(days=30).total_seconds())
    assert sign_ins(world, "interactiveUser") == []


def test_people_use_their_second_factor_for_azure_and_policies_agree(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    rows = [row for row in sign_ins(world, "interactiveUser", "nonInteractiveUser") if not row["status"]["errorCode"]]
    azure = [row for row in rows if row["resourceDisplayName"] == "Windows Azure Service Management API"]
    assert len(azure) > 500
    assert {row["authenticationRequirement"] for row in azure} == {"multiFactorAuthentication"}
    assert {row["conditionalAccessStatus"] for row in azure} == {"success"}
    for row in rows:
        assert not [each for each in row["appliedConditionalAccessPolicies"] if each["result"] == "failure"]


def test_a_printer_signs_in_by_an_old_protocol_and_emergency_accounts_not_at_all(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    rows = sign_ins(world, "interactiveUser")
    printer, emergency = named(world, "Scan to mail"), {named(world, f"Emergency Access {n}").object_id for n in (1, 2)}
    own = [row for row in rows if row["userId"] == printer.object_id and not row["status"]["errorCode"]]
    assert len(own) > 20
    assert {(row["clientAppUsed"], len({row["ipAddress"]})) for row in own} == {("Authenticated SMTP", 1)}
    assert not emergency & {row["userId"] for row in rows}
    noise = [row for row in rows if row["ipAddress"].startswith("2001:db8:bad:")]
    assert len(noise) > 30
    assert 0 not in {row["status"]["errorCode"] for row in noise}


def test_risks_are_hidden_without_the_dearer_licence_and_logs_refused_without_any(fresh: Worlds) -> None:
    world = fresh("false-alarm")
    ask = app(world)
    skus = store.table(world, "subscribedSkus")
    for row in skus.values():
        if row["_tenant"] == world.tenant_id:
            row["servicePlans"] = [p for p in row["servicePlans"] if p["servicePlanName"] == "AAD_PREMIUM"]
    assert {row["riskLevelDuringSignIn"] for row in sign_ins(world, "interactiveUser")} == {"hidden"}
    detections = everything(ask, f"{V1}/identityProtection/riskDetections")
    assert {row["riskEventType"] for row in detections} == {"generic"}
    for path in ("riskyUsers", "riskyServicePrincipals", "servicePrincipalRiskDetections"):
        refused = ask("GET", f"{V1}/identityProtection/{path}")
        assert (refused.status, refused.body["error"]["code"]) == (403, "Forbidden")
        assert "licensed" in refused.body["error"]["message"]
    assert len(everything(ask, f"{V1}/auditLogs/directoryAudits")) > 30
    skus.clear()
    refused = ask("GET", f"{V1}/auditLogs/signIns")
    code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
    assert (refused.status, refused.body["error"]["code"]) == (403, code)
    assert ask("GET", f"{V1}/users?$select=id,signInActivity").body["error"]["code"] == code
    week = everything(ask, f"{V1}/auditLogs/directoryAudits")
    assert week
    assert min(moment(row["activityDateTime"]) for row in week) > world.clock.now() - timedelta(days=7)


def test_what_conditional_access_did_is_told_to_those_who_may_read_policies(fresh: Worlds) -> None:
    world = fresh("false-alarm")
    assert any(row["appliedConditionalAccessPolicies"] for row in sign_ins(world, "interactiveUser")[:50])
    without(world, "Policy.Read.All", "Policy.ReadWrite.ConditionalAccess")
    assert not any(row["appliedConditionalAccessPolicies"] for row in sign_ins(world, "interactiveUser")[:50])


def test_the_last_sign_in_of_a_user_is_told_when_it_is_asked_for(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    ask = app(world)
    newest = sign_ins(world, "interactiveUser")[0]
    path = f"{V1}/users/{newest['userId']}"
    assert "signInActivity" not in ask("GET", path).body
    activity = ask("GET", f"{path}?$select=id,signInActivity").body["signInActivity"]
    assert activity["lastSignInDateTime"] == newest["createdDateTime"]
    assert activity["lastSignInRequestId"] == newest["id"]
    emergency = named(world, "Emergency Access 1").object_id
    assert ask("GET", f"{V1}/users/{emergency}?$select=signInActivity").body["signInActivity"] is None
    text = quote("signInActivity/lastSignInDateTime le 2026-02-01T00:00:00Z")
    assert ask("GET", f"{V1}/users?$select=id,signInActivity&$filter={text}").status == 200


def test_audits_agree_with_the_directory(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    rows = everything(app(world), f"{V1}/auditLogs/directoryAudits")
    by_activity: dict[str, list[Document]] = {}
    for row in rows:
        by_activity.setdefault(row["activityDisplayName"], []).append(row)
    methods = store.table(world, "methods").values()
    for row in by_activity["User registered security info"]:
        user = row["targetResources"][0]["id"]
        assert any(m["_user"] == user and m["_created"] == row["activityDateTime"] for m in methods)
    credentials = store.table(world, "credentials")
    for row in by_activity["Update application – Certificates and secrets management"]:
        (change,) = row["targetResources"][0]["modifiedProperties"]
        assert change["displayName"] == "KeyDescription"
        key = change["newValue"].partition("KeyIdentifier=")[2][:36]
        assert credentials[key]["startDateTime"] == row["activityDateTime"]
    users = store.table(world, "users")
    for row in by_activity["Add user"]:
        assert users[row["targetResources"][0]["id"]]["createdDateTime"][:16] == row["activityDateTime"][:16]
    for row in by_activity["Change user password"]:
        assert users[row["targetResources"][0]["id"]]["lastPasswordChangeDateTime"] == row["activityDateTime"]
    assert by_activity["Add member to role completed (PIM activation)"]


def test_audits_are_filtered_by_target_and_initiator_and_note_what_a_responder_does(fresh: Worlds) -> None:
    world = fresh("false-alarm")
    ask = app(world)
    user = named(world, "Robin Castor")
    text = quote(f"targetResources/any(t: t/id eq '{user.object_id}')")
    rows = everything(ask, f"{V1}/auditLogs/directoryAudits?$filter={text}")
    assert {row["activityDisplayName"] for row in rows} == {"Disable account", "Remove member from group"}
    printer = named(world, "Scan to mail")
    assert ask("PATCH", f"{V1}/users/{printer.object_id}", {"accountEnabled": False}).status == 204
    world.clock.advance(200)
    text = quote(f"targetResources/any(t: t/id eq '{printer.object_id}') and activityDateTime ge 2026-03-03T04:00:00Z")
    (row,) = everything(ask, f"{V1}/auditLogs/directoryAudits?$filter={text}")
    assert (row["activityDisplayName"], row["result"]) == ("Disable account", "success")
    assert row["initiatedBy"]["app"]["servicePrincipalId"] == named(world, "firebreak-responder").object_id
    refused = ask("GET", f"{V1}/auditLogs/directoryAudits?$filter=resultReason eq 'x'")
    assert refused.status == 400


def test_risky_users_and_detections_are_paged_and_named(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    ask = app(world)
    users = everything(ask, f"{V1}/identityProtection/riskyUsers?$top=1")
    detections = everything(ask, f"{V1}/identityProtection/riskDetections?$top=1")
    assert {row["riskState"] for row in users} == {"remediated", "dismissed"}
    assert {row["userId"] for row in detections} == {row["id"] for row in users}
    assert all(world.principals[row["id"]].upn.lower() == row["userPrincipalName"] for row in users)
    assert ask("GET", f"{V1}/identityProtection/riskyUsers?$filter=riskState eq 'atRisk'").body["value"] == []
    one = ask("GET", f"{V1}/identityProtection/riskyUsers/{users[0]['id']}")
    assert one.body["riskState"] == users[0]["riskState"]
