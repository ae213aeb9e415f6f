"""The siege tries each way in by itself, and finds out whom of the tenant a response left outside."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from azure_simulator.kept import Kept, ways_ever
from azure_simulator.services.graph.store import table
from azure_simulator.services.storage import models as storage
from azure_simulator.siege import Siege, besiege
from azure_simulator.world import World

Fresh = Callable[[str], World]
STEP = 6  # hours
QUIET = {
    "session",
    "password",
    "account",
    "method",
    "credential",
    "issuer",
    "consent",
    "right",
    "schedule",
    "logic app",
    "storage key",
}


def kinds(siege: Siege) -> set[str]:
    return {entry.kind for entry in siege.entered}


def siege_of(world: World, ways: list[Kept], *, days: int = 2) -> Siege:
    return besiege(world, ways, days=days, every_hours=STEP)


def shut_everything(world: World) -> None:
    """A response without a fault, made of the world's state."""
    now = world.clock.now()
    for row in world.truth["attackers"]:
        principal = world.principals[row["principal_id"]]
        principal.enabled, principal.sessions_revoked_at = False, now
        if principal.kind == "User":
            table(world, "users")[principal.object_id]["lastPasswordChangeDateTime"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    left = world.truth["identity"]
    for identity in (*left["guests"], *left["service_principals"]):
        world.principals[identity].enabled = False
    for name, rows in (
        ("credentials", "credentials"),
        ("federated_credentials", "federatedIdentityCredentials"),
        ("consents", "oauth2PermissionGrants"),
        ("app_role_assignments", "appRoleAssignments"),
    ):
        for identity in left[name]:
            del table(world, rows)[identity]
    for row in left["methods"]:
        del table(world, "methods")[f"{row['user']}/{row['id']}"]
    for row in left["contacts"]:
        table(world, "users")[row["user"]].update(row["before"])
    for identity in world.truth["rogue"]:
        del world.resources[identity]
    for account in dict.fromkeys(world.truth["told_keys"]):
        for name in storage.KEY_NAMES:
            storage.regenerate(world, world.resources[account], name)
    for grant in world.truth["rogue_grants"]:
        del world.role_assignments[grant]
    for removed in world.truth["removed"]:
        if "/roleAssignments/" in removed["id"]:
            world.role_assignments[removed["id"]] = removed


@pytest.mark.parametrize("scenario", ["identity-only", "hijacked-owner", "service-principal-abuse"])
def test_without_a_response_every_way_lets_the_attacker_in_and_something_runs(fresh: Fresh, scenario: str) -> None:
    world = fresh(scenario)
    ways = list(ways_ever(world))
    siege = siege_of(world, ways, days=1)
    assert {(one.kind, one.who, one.id) for one in siege.entered} == {(one.kind, one.who, one.id) for one in ways}
    assert siege.rogue_at_work
    assert siege.attempts == len(ways) * 24 // STEP
    assert any("runs containers" in one.did for one in siege.entered)


def test_the_kinds_of_ways_are_those_that_the_script_left(fresh: Fresh) -> None:
    assert {way.kind for way in ways_ever(fresh("quiet-persistence"))} == QUIET
    assert {way.kind for way in ways_ever(fresh("service-principal-abuse"))} == {"secret", "credential", "storage key"}
    assert list(ways_ever(fresh("false-alarm"))) == []


@pytest.mark.parametrize("scenario", ["identity-only", "hijacked-owner", "service-principal-abuse"])
def test_after_a_faultless_response_nobody_comes_in_and_everybody_works(fresh: Fresh, scenario: str) -> None:
    world = fresh(scenario)
    ways = list(ways_ever(world))
    shut_everything(world)
    siege = siege_of(world, ways, days=3)
    assert siege.entered == []
    assert siege.rogue_at_work == []
    assert siege.hindered == []
    assert siege.works > 0
    assert len(siege.given_back) == 1


def test_a_password_that_was_not_changed_lets_in_on_the_day_the_account_is_given_back(fresh: Fresh) -> None:
    world = fresh("hijacked-owner")
    ways, thief = list(ways_ever(world)), world.truth["attackers"][0]["principal_id"]
    before = table(world, "users")[thief].get("lastPasswordChangeDateTime")
    shut_everything(world)
    table(world, "users")[thief]["lastPasswordChangeDateTime"] = before
    siege = siege_of(world, ways)
    assert kinds(siege) == {"password"}
    assert siege.entered[0].first_hour > 0


def test_whoever_lost_an_account_a_role_or_a_secret_is_hindered(fresh: Fresh) -> None:
    world = fresh("service-principal-abuse")
    ways = list(ways_ever(world))
    shut_everything(world)
    stolen = {row["principal_id"] for row in world.truth["attackers"]}
    pipeline = next(p for p in world.principals.values() if p.name.endswith("-cicd-shop") and p.object_id not in stolen)
    holders = {row["properties"]["principalId"]: key for key, row in world.role_assignments.items()}
    blocked, robbed = [p for p in world.principals.values() if p.kind == "User" and p.object_id in holders][:2]
    blocked.enabled, pipeline.secrets = False, []
    del world.role_assignments[holders[robbed.object_id]]
    told = {(row["who"], row["what"].split("/")[0]) for row in siege_of(world, ways).hindered}
    assert told == {
        (blocked.upn, "cannot sign in: the account is disabled"),
        (robbed.upn, "no longer has the role assignment "),
        (pipeline.name, "has no secret of its own"),
    }
