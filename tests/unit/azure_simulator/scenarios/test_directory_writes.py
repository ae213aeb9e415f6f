"""What a responder takes away in the directory is gone for everybody who reads, and stands in the audit log."""

from __future__ import annotations

from collections.abc import Callable

from azure_simulator import truth
from azure_simulator.services.graph import store
from azure_simulator.ways import ways_left
from azure_simulator.world import Document, World
from tests.unit.azure_simulator.scenarios.test_directory import app, everything, named, without

Worlds = Callable[..., World]
V1 = "/graph/v1.0"
KINDS = {
    "phoneAuthenticationMethod": "phoneMethods",
    "emailAuthenticationMethod": "emailMethods",
    "softwareOathAuthenticationMethod": "softwareOathMethods",
    "microsoftAuthenticatorAuthenticationMethod": "microsoftAuthenticatorMethods",
}


def test_everything_that_the_attacker_left_can_be_taken_away_and_nothing_else_is_touched(fresh: Worlds) -> None:
    world = fresh("quiet-persistence")
    ask, left = app(world), world.truth["identity"]
    paths = [
        f"users/{row['user']}/authentication/{KINDS[row['type'].rsplit('.', 1)[1]]}/{row['id']}"
        for row in left["methods"]
    ]
    paths += [f"oauth2PermissionGrants/{each}" for each in left["consents"]]
    for each in left["app_role_assignments"]:
        row = store.table(world, "appRoleAssignments")[each]
        paths.append(f"servicePrincipals/{row['principalId']}/appRoleAssignments/{each}")
    for each in left["federated_credentials"]:
        row = store.table(world, "federatedIdentityCredentials")[each]
        paths.append(f"applications/{row['_application']}/federatedIdentityCredentials/{each}")
    assert len(paths) >= 6
    for path in paths:
        assert ask("DELETE", f"{V1}/{path}").status == 204, path
        assert ask("DELETE", f"{V1}/{path}").status == 404, path
    assert truth.score(world)["protected_touched"] == []
    world.clock.advance(200)
    mine = named(world, "firebreak-responder").object_id
    rows = everything(ask, f"{V1}/auditLogs/directoryAudits")
    noted = [row for row in rows if (row["initiatedBy"]["app"] or {}).get("servicePrincipalId") == mine]
    assert len(noted) == len(paths)


def test_a_role_is_taken_away_but_never_the_last_administrator(fresh: Worlds) -> None:
    world = fresh("hijacked-owner")
    ask = app(world)
    path = f"{V1}/roleManagement/directory/roleAssignments"
    administrator = "62e90394-69f5-4237-9190-012177145e10"

    def held() -> list[Document]:
        return everything(ask, f"{path}?$filter=roleDefinitionId eq '{administrator}'")

    (given,) = world.truth["identity"]["role_assignments"]
    assert given in {row["id"] for row in held()}
    assert ask("DELETE", f"{path}/{given}").status == 204
    assert truth.score(world)["protected_touched"] == []
    *others, last = held()
    assert [ask("DELETE", f"{path}/{row['id']}").status for row in others] == [204] * len(others)
    assert ask("DELETE", f"{path}/{last['id']}").status == 400
    assert held() == [last]


def test_a_policy_is_switched_on_again(fresh: Worlds) -> None:
    world = fresh("hijacked-owner")
    ask = app(world)
    (policy,) = world.truth["identity"]["policies"]
    path = f"{V1}/identity/conditionalAccess/policies/{policy}"
    assert ask("GET", path).body["state"] == "disabled"
    assert ask("PATCH", path, {"state": "on"}).status == 400
    assert ask("PATCH", path, {"state": "enabled"}).status == 204
    assert ask("GET", path).body["state"] == "enabled"


def test_a_risk_is_confirmed_and_dismissed(fresh: Worlds) -> None:
    world = fresh("crypto-mining")
    ask = app(world)
    (user,) = world.truth["identity"]["at_risk"]
    path = f"{V1}/identityProtection/riskyUsers"
    for verb, state in (("confirmCompromised", "confirmedCompromised"), ("dismiss", "dismissed")):
        assert ask("POST", f"{path}/{verb}", {"userIds": [user]}).status == 204
        assert ask("GET", f"{path}/{user}").body["riskState"] == state
    assert ask("POST", f"{path}/dismiss", {"userIds": []}).status == 400


def test_nothing_is_taken_away_without_consent(fresh: Worlds) -> None:
    world = fresh("crypto-mining")
    (consent,) = world.truth["identity"]["consents"]
    without(world, "DelegatedPermissionGrant.ReadWrite.All")
    assert app(world)("DELETE", f"{V1}/oauth2PermissionGrants/{consent}").status == 403
    assert consent in store.table(world, "oauth2PermissionGrants")


def test_what_was_taken_away_can_be_given_back_and_is_refused_twice(fresh: Worlds) -> None:
    world = fresh("quiet-persistence")
    ask, left = app(world), world.truth["identity"]
    consent, right = left["consents"][0], left["app_role_assignments"][0]
    trust = store.table(world, "federatedIdentityCredentials")[left["federated_credentials"][0]]
    eligible = store.table(world, "roleEligibilities")[left["role_eligibilities"][0]]
    grant = dict(store.table(world, "oauth2PermissionGrants")[consent])
    given = dict(store.table(world, "appRoleAssignments")[right])
    rights = f"{V1}/servicePrincipals/{given['principalId']}/appRoleAssignments"
    trusts = f"{V1}/applications/{trust['_application']}/federatedIdentityCredentials"
    requests = f"{V1}/roleManagement/directory/roleEligibilityScheduleRequests"
    pim = {key: eligible[key] for key in ("principalId", "roleDefinitionId", "directoryScopeId")}
    for path in (f"{V1}/oauth2PermissionGrants/{consent}", f"{rights}/{right}", f"{trusts}/{trust['id']}"):
        assert ask("DELETE", path).status == 204
    assert ask("POST", requests, pim | {"action": "adminRemove"}).status == 201
    assert ask("POST", requests, pim | {"action": "adminRemove"}).status == 404
    kept = {key: value for key, value in grant.items() if key not in ("id", "_tenant")}
    wanted = {key: given[key] for key in ("principalId", "resourceId", "appRoleId")}
    issuer = {key: trust[key] for key in ("name", "issuer", "subject", "audiences")}
    bodies = ((f"{V1}/oauth2PermissionGrants", kept), (rights, wanted), (trusts, issuer))
    for path, body in bodies:
        assert ask("POST", path, body).status == 201, path
        assert ask("POST", path, body).status in (400, 409), path
    assert ask("POST", requests, pim | {"action": "adminAssign"}).status == 201
    listed = everything(ask, f"{V1}/roleManagement/directory/roleEligibilityScheduleInstances")
    assert [r["principalId"] for r in listed].count(pim["principalId"]) == 1
    assert consent in store.table(world, "oauth2PermissionGrants")


def test_a_password_is_set_by_rule_noted_by_its_time_and_never_answered(fresh: Worlds) -> None:
    world = fresh("crypto-mining")
    ask = app(world)
    (user,) = world.truth["identity"]["at_risk"]
    path, read = (
        f"{V1}/users/{user}",
        "?$select=lastPasswordChangeDateTime,passwordProfile,signInSessionsValidFromDateTime",
    )
    before = ask("GET", path + read).body
    for poor in ("short1A", "alllowercaseletters", world.principals[user].upn.partition("@")[0] + "1A"):
        assert ask("PATCH", path, {"passwordProfile": {"password": poor}}).status == 400
    assert ask("GET", path + read).body == before
    world.clock.advance(60)
    good = {"passwordProfile": {"password": "Correct-Horse-9", "forceChangePasswordNextSignIn": True}}
    assert ask("PATCH", path, good).status == 204
    after = ask("GET", path + read).body
    assert after["lastPasswordChangeDateTime"] > before["lastPasswordChangeDateTime"]
    assert after["signInSessionsValidFromDateTime"] == before["signInSessionsValidFromDateTime"]
    assert after["passwordProfile"] == {
        "forceChangePasswordNextSignIn": True,
        "forceChangePasswordNextSignInWithMfa": False,
        "password": None,
    }
    assert "passwordProfile" not in ask("GET", path).body


def test_contact_data_and_methods_are_put_back(fresh: Worlds) -> None:
    world = fresh("hijacked-owner")
    ask = app(world)
    (row,) = world.truth["identity"]["contacts"]
    path = f"{V1}/users/{row['user']}"
    assert {way["kind"] for way in ways_left(world)} >= {"contact", "session", "password", "method", "role", "account"}
    assert ask("PATCH", path, {"otherMails": "x@mail.example"}).status == 400
    assert ask("PATCH", path, row["before"]).status == 204
    assert {k: ask("GET", f"{path}?$select=otherMails,mobilePhone").body[k] for k in row["before"]} == row["before"]
    assert "contact" not in {way["kind"] for way in ways_left(world)}
    phones = f"{path}/authentication/phoneMethods"
    office = {"phoneNumber": "+44 2079460123", "phoneType": "office"}
    assert ask("POST", phones, {"phoneNumber": "call me", "phoneType": "office"}).status == 400
    assert ask("POST", phones, office).status == 201
    assert ask("POST", phones, office).status == 400
    assert "+44 2079460123" in {each["phoneNumber"] for each in ask("GET", phones).body["value"]}


def test_a_certificate_is_removed_by_naming_those_that_stay(fresh: Worlds) -> None:
    world = fresh("quiet-persistence")
    ask = app(world)
    application, key = next(
        (row, key)
        for row in everything(ask, f"{V1}/applications")
        for key in row["keyCredentials"]
        if len(row["keyCredentials"]) == 1
    )
    path = f"{V1}/applications/{application['id']}"
    assert ask("PATCH", path, {"keyCredentials": [{"keyId": "11111111-0000-4000-8000-000000000000"}]}).status == 400
    assert ask("PATCH", path, {"keyCredentials": [{"keyId": key["keyId"]}]}).status == 204
    assert len(ask("GET", path).body["keyCredentials"]) == 1
    assert ask("PATCH", path, {"keyCredentials": []}).status == 204
    assert ask("GET", path).body["keyCredentials"] == []


def test_eligibility_is_not_changed_without_consent(fresh: Worlds) -> None:
    world = fresh("crypto-mining")
    without(world, "RoleManagement.ReadWrite.Directory")
    body = {"action": "adminRemove", "principalId": "x", "roleDefinitionId": "y"}
    path = f"{V1}/roleManagement/directory/roleEligibilityScheduleRequests"
    assert app(world)("POST", path, body).status == 403
