"""What a responder takes away in the directory is gone for everybody who reads, and stands in the audit log."""

from __future__ import annotations

from collections.abc import Callable

from azure_simulator import truth
from azure_simulator.services.graph import store
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
