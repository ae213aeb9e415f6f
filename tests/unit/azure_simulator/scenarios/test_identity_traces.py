"""What the attacks leave in the directory, and what only looks like it: the truth, Graph and the activity log agree."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from azure_simulator import truth
from azure_simulator.scenarios import SCENARIOS
from azure_simulator.services.graph import store
from azure_simulator.world import Document, World
from tests.unit.azure_simulator.scenarios.test_directory import app, everything
from tests.unit.azure_simulator.scenarios.test_sign_in_log import OBJECT, sign_ins

Worlds = Callable[..., World]
V1 = "/graph/v1.0"
STOLEN = ("crypto-mining", "hijacked-owner", "quiet-persistence")
every_scenario = pytest.mark.parametrize("name", SCENARIOS)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text[:19] + "+00:00")


def traces(world: World) -> Document:
    found: Document = world.truth["identity"]
    return found


@every_scenario
def test_the_attackers_sign_ins_are_those_from_their_addresses_or_with_their_token(
    name: str, read_only: Worlds
) -> None:
    world = read_only(name)
    rows = {row["id"]: row for row in sign_ins(world)}
    theirs = set(traces(world)["sign_ins"])
    assert theirs <= set(rows)
    addresses = {a for row in world.truth["attackers"] for a in row["addresses"] if row["kind"] != "hijacked"}
    run = {row["token"] for row in world.truth["attackers"] if row["token"]}
    expected = {i for i, row in rows.items() if row["ipAddress"] in addresses or row["uniqueTokenIdentifier"] in run}
    assert theirs == expected
    used = {
        event["claims"]["uti"]
        for event in world.events
        if event["claims"].get(OBJECT) and event["claims"]["ipaddr"] in addresses
    }
    assert used <= {rows[i]["uniqueTokenIdentifier"] for i in theirs}
    assert bool(theirs) == (name != "false-alarm")


@pytest.mark.parametrize("name", STOLEN)
def test_a_burst_of_failures_ends_in_a_success_from_a_new_country(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    victim = next(row for row in world.truth["attackers"] if row["kind"] == "stolen")
    rows = [row for row in sign_ins(world, "interactiveUser") if row["userId"] == victim["principal_id"]]
    foreign = [row for row in reversed(rows) if row["ipAddress"] in victim["addresses"]]
    first = next(number for number, row in enumerate(foreign) if not row["status"]["errorCode"])
    failures, success = foreign[:first], foreign[first]
    assert {row["status"]["errorCode"] for row in failures} == {50126}
    assert len(failures) >= 3
    assert moment(success["createdDateTime"]) - moment(failures[0]["createdDateTime"]) < timedelta(minutes=30)
    # Some thieves take a token whose owner had already shown a second factor; the log of the subscription says the same of it.
    claims = [e["claims"] for e in world.events if e["claims"].get("uti") == success["uniqueTokenIdentifier"]]
    second = {"mfa" in one["http://schemas.microsoft.com/claims/authnmethodsreferences"] for one in claims}
    expected = "multiFactorAuthentication" if second == {True} else "singleFactorAuthentication"
    assert success["authenticationRequirement"] == expected
    if second != {True}:
        assert success["conditionalAccessStatus"] == "notApplied"
    assert success["deviceDetail"]["deviceId"] == ""
    assert success["riskState"] == "atRisk"
    others = [
        row for row in sign_ins(world) if row["id"] not in traces(world)["sign_ins"] and not row["status"]["errorCode"]
    ]
    country = success["location"]["countryOrRegion"]
    assert country
    assert country not in {row["location"]["countryOrRegion"] for row in others}
    assert {row["authenticationRequirement"] for row in rows if row not in foreign} == {"multiFactorAuthentication"}


@every_scenario
def test_what_the_truth_names_is_found_through_graph_and_was_made_during_the_attack(
    name: str, read_only: Worlds
) -> None:
    world = read_only(name)
    ask, found = app(world), traces(world)
    start, now = world.truth["attack_start"] or "", world.clock.now()
    for row in found["methods"]:
        listed = ask("GET", f"{V1}/users/{row['user']}/authentication/methods").body["value"]
        assert row["id"] in {each["id"] for each in listed if each["@odata.type"] == row["type"]}
    keys = {c["keyId"]: c for a in everything(ask, f"{V1}/applications") for c in a["passwordCredentials"]}
    assert all(start <= keys[each]["startDateTime"] <= now.isoformat() for each in found["credentials"])
    assert set(found["consents"]) <= {row["id"] for row in everything(ask, f"{V1}/oauth2PermissionGrants")}
    users = {
        row["id"]: row
        for row in everything(ask, f"{V1}/users?$select=id,userType,createdDateTime,otherMails,mobilePhone")
    }
    for each in found["guests"]:  # accounts that were brought in, guests and members
        kind = "Guest" if "#EXT#" in world.principals[each].upn else "Member"
        assert (users[each]["userType"], users[each]["createdDateTime"] >= start) == (kind, True)
    for row in found["contacts"]:
        assert {key: users[row["user"]][key] for key in row["after"]} == row["after"] != row["before"]
    given = {row["id"]: row for row in everything(ask, f"{V1}/roleManagement/directory/roleAssignments")}
    assert set(found["role_assignments"]) <= set(given)
    policies = {row["id"]: row for row in everything(ask, f"{V1}/identity/conditionalAccess/policies")}
    assert all(policies[each]["modifiedDateTime"] >= start for each in found["policies"])
    audits = {row["id"]: row for row in everything(ask, f"{V1}/auditLogs/directoryAudits")}
    assert all(audits[each]["activityDateTime"] >= start for each in found["audits"])
    attackers = {row["principal_id"] for row in world.truth["attackers"]}
    addresses = {address for row in world.truth["attackers"] for address in row["addresses"]}
    for each in found["audits"]:
        by = audits[each]["initiatedBy"]
        if by["user"]:
            assert by["user"]["id"] in attackers
            assert by["user"]["ipAddress"] in addresses


def test_detections_point_at_the_sign_ins_behind_them(read_only: Worlds) -> None:
    for name in ("hijacked-owner", "service-principal-abuse"):
        world = read_only(name)
        ask, kind = app(world), "riskDetections" if name == "hijacked-owner" else "servicePrincipalRiskDetections"
        rows = {row["id"]: row for row in sign_ins(world)}
        detections = [row for row in everything(ask, f"{V1}/identityProtection/{kind}") if row["riskState"] == "atRisk"]
        assert {row["id"] for row in detections} == set(traces(world)["detections"])
        for row in detections:
            behind = rows[row["requestId"]]
            assert row["requestId"] in traces(world)["sign_ins"]
            assert row["correlationId"] == behind["correlationId"]
        users = "riskyUsers" if name == "hijacked-owner" else "riskyServicePrincipals"
        risky = everything(ask, f"{V1}/identityProtection/{users}")
        assert {row["id"] for row in risky if row["riskState"] == "atRisk"} == set(traces(world)["at_risk"])


def test_each_story_has_its_own_ways_to_stay(read_only: Worlds) -> None:
    left = {name: {k for k, v in traces(read_only(name)).items() if v} - {"sign_ins", "audits"} for name in SCENARIOS}
    assert {"methods", "guests", "consents", "at_risk"} <= left["crypto-mining"]
    assert {"methods", "contacts", "guests", "role_assignments", "policies"} <= left["hijacked-owner"]
    assert {"credentials", "federated_credentials", "applications", "role_eligibilities"} <= left["quiet-persistence"]
    assert {"app_role_assignments", "consents", "methods", "policies"} <= left["quiet-persistence"]
    assert {"credentials", "at_risk"} <= left["service-principal-abuse"]
    assert left["insider-automation"] == set()
    assert left["false-alarm"] == {"lookalikes"}


def test_the_hijacked_run_signs_in_as_the_pipeline_always_does(read_only: Worlds) -> None:
    world = read_only("insider-automation")
    rows = {row["id"]: row for row in sign_ins(world, "servicePrincipal")}
    (mine,) = (rows[each] for each in traces(world)["sign_ins"])
    same = [row for row in rows.values() if row["servicePrincipalId"] == mine["servicePrincipalId"] and row is not mine]
    for key in ("ipAddress", "servicePrincipalCredentialKeyId", "location", "appId"):
        assert mine[key] in [row[key] for row in same]
    (refused,) = traces(world)["audits"]
    audit = app(world)("GET", f"{V1}/auditLogs/directoryAudits/{refused}").body
    assert audit["result"] == "failure"


def test_the_false_alarm_has_a_journey_a_new_phone_a_new_secret_and_a_consent_that_are_nobodys_attack(
    read_only: Worlds,
) -> None:
    world = read_only("false-alarm")
    found = traces(world)
    alike = found["lookalikes"]
    assert not any(value for name, value in found.items() if name != "lookalikes")
    (person,) = alike["people"]
    rows = [row for row in sign_ins(world, "interactiveUser") if row["userId"] == person]
    rows = [row for row in rows if not row["status"]["errorCode"]]
    home = rows[-1]["location"]["countryOrRegion"]
    abroad = [row for row in rows if row["location"]["countryOrRegion"] != home]
    assert abroad
    assert {row["authenticationRequirement"] for row in abroad} == {"multiFactorAuthentication"}
    assert len({row["deviceDetail"]["deviceId"] for row in rows}) == 1
    (key,) = alike["credentials"]
    used = [row for row in sign_ins(world, "servicePrincipal") if row["servicePrincipalCredentialKeyId"] == key]
    since = store.table(world, "credentials")[key]["startDateTime"]
    assert used
    assert all(row["createdDateTime"] > since for row in used)
    assert {row["ipAddress"] for row in used} <= {
        row["ipAddress"] for row in sign_ins(world, "servicePrincipal") if row["createdDateTime"] < since
    }


@pytest.mark.parametrize("name", ["hijacked-owner", "quiet-persistence"])
def test_taking_away_what_the_attacker_made_is_no_offence_and_anything_else_is(name: str, fresh: Worlds) -> None:
    world = fresh(name)
    found = traces(world)
    for row in found["methods"]:
        del store.table(world, "methods")[f"{row['user']}/{row['id']}"]
    for table, ids in (
        ("credentials", found["credentials"]),
        ("federatedIdentityCredentials", found["federated_credentials"]),
        ("oauth2PermissionGrants", found["consents"]),
        ("appRoleAssignments", found["app_role_assignments"]),
        ("roleEligibilities", found["role_eligibilities"]),
    ):
        for each in ids:
            del store.table(world, table)[each]
    for each in found["role_assignments"]:
        del store.table(world, "roleAssignments")[f"{world.tenant_id}/{each}"]
    for each in found["policies"]:
        store.table(world, "conditionalAccessPolicies")[each]["state"] = "enabled"
    for row in found["contacts"]:
        store.table(world, "users")[row["user"]].update(row["before"])
    assert truth.score(world)["protected_touched"] == []
    for table in ("methods", "oauth2PermissionGrants", "conditionalAccessPolicies", "roleAssignments"):
        key = next(k for k in store.table(world, table) if k not in str(found))
        del store.table(world, table)[key]
    assert len(truth.score(world)["protected_touched"]) == 4
