"""What the attacks leave behind, and that it can be told from what was always there only by looking."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from azure_simulator.world import Document, World

Worlds = Callable[..., World]
FRAUD = ("crypto-mining", "service-principal-abuse")
MACHINE = "microsoft.compute/virtualmachines"
fraud = pytest.mark.parametrize("name", FRAUD)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text[:26] + "+00:00")


def attackers(world: World) -> dict[str, Document]:
    return {row["principal_id"]: row for row in world.truth["attackers"]}


def acted(world: World, principal_id: str) -> list[Document]:
    key = "http://schemas.microsoft.com/identity/claims/objectidentifier"
    return [row for row in world.events if row["claims"].get(key) == principal_id]


@fraud
def test_what_the_attacker_made_was_made_during_the_attack_from_the_attackers_addresses(
    name: str, read_only: Worlds
) -> None:
    world = read_only(name)
    start = moment(world.truth["attack_start"])
    addresses = {address for row in attackers(world).values() for address in row["addresses"]}
    by_resource = {
        row["resourceId"].lower(): row
        for row in reversed(world.events)
        if row["status"]["value"] == "Started" and row["operationName"]["value"].endswith("/write")
    }
    for identity in world.truth["rogue"]:
        document = world.resources[identity]
        assert start <= moment(document["_created"]) <= world.clock.now()
        from_image = document["properties"].get("creationData", {}).get("createOption") == "FromImage"
        if from_image or "/virtualMachines/" in document.get("managedBy", ""):
            continue  # a disk that its machine's creation made
        event = by_resource[identity.lower()]
        assert event["claims"]["ipaddr"] in addresses


@fraud
def test_the_attack_begins_six_to_thirty_hours_ago_in_regions_that_but_for_one_nobody_used(
    name: str, read_only: Worlds
) -> None:
    world = read_only(name)
    begun = world.clock.now() - moment(world.truth["attack_start"])
    assert timedelta(hours=6) <= begun <= timedelta(hours=30)
    rogue = {identity.lower() for identity in world.truth["rogue"]}
    home = {row["location"] for key, row in world.resources.items() if key not in rogue}
    compute = [world.resources[identity] for identity in world.truth["rogue_compute"]]
    assert 2 <= len({row["location"] for row in compute}) <= 4
    assert len({row["location"] for row in compute} & home) <= 1


@fraud
def test_no_name_of_the_attackers_gives_them_away(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    for identity in [*world.truth["rogue"], *world.truth["rogue_groups"], *world.truth["rogue_blobs"]]:
        assert not any(word in identity.lower() for word in ("rogue", "xmr", "miner", "attack", "evil", "hack"))


@pytest.mark.parametrize(("name", "kind"), [("crypto-mining", "stolen"), ("service-principal-abuse", "leaked")])
def test_the_victim_goes_on_working_from_known_addresses_on_the_same_day(
    name: str, kind: str, read_only: Worlds
) -> None:
    world = read_only(name)
    row = next(row for row in world.truth["attackers"] if row["kind"] == kind)
    events = acted(world, row["principal_id"])
    start = moment(world.truth["attack_start"])
    own = [event for event in events if event["claims"]["ipaddr"] not in row["addresses"]]
    foreign = [event for event in events if event["claims"]["ipaddr"] in row["addresses"]]
    assert len({event["eventTimestamp"][:10] for event in own if moment(event["eventTimestamp"]) < start}) > 40
    assert any(moment(event["eventTimestamp"]) > start for event in own)
    assert foreign
    assert all(moment(event["eventTimestamp"]) >= start for event in foreign)


def test_mining_prepares_itself_with_role_policy_quota_and_lock(read_only: Worlds) -> None:
    world = read_only("crypto-mining")
    guest = next(row for row in world.truth["attackers"] if row["kind"] == "created")
    start = world.truth["attack_start"]
    after = [row for row in world.events if row["eventTimestamp"] >= start]
    names = {row["operationName"]["value"] for row in after}
    assert {
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/policyAssignments/delete",
        "Microsoft.Authorization/locks/write",
        "Microsoft.Quota/quotas/write",
        "Microsoft.Quota/register/action",
    } <= names
    assignment = world.role_assignments[world.truth["rogue_grants"][0]]
    assert assignment["properties"]["principalId"] == guest["principal_id"]
    assert not any("allowed-locations" in key for key in world.policy_assignments)
    assert world.truth["rogue_locks"][0] in world.locks
    assert acted(world, guest["principal_id"])[0]["eventTimestamp"] >= start


def test_mining_uses_many_gpu_machines_and_one_scale_set_that_autoscale_restores(read_only: Worlds) -> None:
    world = read_only("crypto-mining")
    compute = [world.resources[identity] for identity in world.truth["rogue_compute"]]
    machines = [row for row in compute if row["type"].lower() == MACHINE]
    assert len(machines) >= 12
    assert all(
        row["properties"]["hardwareProfile"]["vmSize"].startswith(("Standard_NC", "Standard_ND")) for row in machines
    )
    sets = [row for row in compute if row["type"].lower() != MACHINE]
    settings = [world.resources[i] for i in world.truth["rogue"] if "autoscaleSettings" in i]
    assert [row["properties"]["targetResourceUri"] for row in settings] == [sets[0]["id"]]


def test_mining_leaves_disks_between_the_tenants_own_orphans(read_only: Worlds) -> None:
    world = read_only("crypto-mining")
    rogue = {identity.lower() for identity in world.truth["rogue"]}
    left = [
        row
        for row in world.resources.of_type("Microsoft.Compute/disks")
        if row["id"].lower() in rogue and row["properties"]["diskState"] == "Unattached"
    ]
    assert len(left) == 5
    groups = {row["id"].split("/")[4] for row in left}
    assert len(groups) == 1
    own = [
        row
        for row in world.resources.of_type("Microsoft.Compute/disks")
        if row["id"].split("/")[4] in groups and row["id"].lower() not in rogue and "managedBy" not in row
    ]
    assert len(own) >= 2


def test_legitimate_gpu_machine_and_deployment_happen_on_the_same_day(read_only: Worlds) -> None:
    world = read_only("crypto-mining")
    machines = [
        world.resources[each] for each in world.truth["lookalikes"] if world.resources[each]["type"].lower() == MACHINE
    ]
    assert sum("NC4as_T4" in row["properties"]["hardwareProfile"]["vmSize"] for row in machines) == 1
    assert len(machines) >= 5
    assert all(moment(row["_created"]) > moment(world.truth["attack_start"]) for row in machines)


def test_the_leaked_secret_leaves_scale_sets_in_several_regions_and_unleased_blobs(read_only: Worlds) -> None:
    world = read_only("service-principal-abuse")
    sets = [i for i in world.truth["rogue_compute"] if "virtualMachineScaleSets" in i]
    assert 2 <= len({world.resources[i]["location"] for i in sets}) <= 4
    assert len(world.truth["rogue_blobs"]) >= 5
    assert not any(world.blobs[key]["leased"] for key in world.truth["rogue_blobs"])
    rogue = {key.lower() for key in world.truth["rogue_blobs"]}
    legitimate = [row for key, row in world.blobs.items() if key not in rogue]
    assert sum(row["leased"] for row in legitimate) >= 4
    assert sum(not row["leased"] for row in legitimate) == 1  # an old left-over that is not the attacker's


def test_the_false_alarm_is_a_ticketed_burst_by_known_hands(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    truth = world.truth
    assert (truth["verdict"], truth["rogue"], truth["attackers"]) == ("legitimate", [], [])
    burst = [world.resources[i] for i in truth["lookalikes"] if world.resources[i]["type"].lower() == MACHINE]
    assert len(burst) >= 20
    assert all(row["tags"]["change"].startswith("CHG") for row in burst)
    made = {row["id"] for row in burst}
    creators = {event["caller"] for event in world.events if event["resourceId"] in made}
    assert creators <= {event["caller"] for event in world.events[: len(world.events) // 2]}


@pytest.mark.parametrize("name", [*FRAUD, "false-alarm"])
def test_the_alert_is_active_and_names_a_few_existing_machines(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    (alert,) = world.alerts.values()
    assert alert["status"] == "active"
    assert alert["isTest"] is False
    age = world.clock.now() - moment(alert["detectedDateTime"])
    assert timedelta(minutes=85) < age < timedelta(minutes=100)
    named = [row["resourceId"] for row in alert["affectedResources"]]
    assert 2 <= len(named) <= 4
    expected = world.truth["rogue_compute"] or world.truth["lookalikes"]
    assert set(named) <= set(expected)


def test_the_hijacked_owner_throws_others_out_and_locks_the_own_group(read_only: Worlds) -> None:
    world = read_only("hijacked-owner")
    gone = [row for row in world.truth["removed"] if "roleAssignments" in row["id"]]
    assert {world.principals[row["properties"]["principalId"]].name for row in gone} >= {"Emergency Access 1"}
    assert len(gone) == 2
    assert not any(row["id"] in world.role_assignments for row in gone)
    (lock,) = (world.locks[key] for key in world.truth["rogue_locks"])
    assert lock["properties"]["level"] == "ReadOnly"
    assert lock["id"].split("/providers/Microsoft.Authorization")[0] in world.truth["rogue_groups"]
    assert len(world.truth["rogue_grants"]) == 2
    assert len([row for row in world.truth["attackers"] if row["kind"] == "created"]) == 2


def test_the_insiders_run_and_the_pipelines_share_address_and_hour_but_not_the_token(read_only: Worlds) -> None:
    world = read_only("insider-automation")
    (row,) = world.truth["attackers"]
    events = acted(world, row["principal_id"])
    start = moment(world.truth["attack_start"])
    mine = [event for event in events if event["claims"]["uti"] == row["token"]]
    others = [event for event in events if event["claims"]["uti"] != row["token"]]
    assert {event["claims"]["ipaddr"] for event in mine} <= {event["claims"]["ipaddr"] for event in others}
    hours = {event["eventTimestamp"][:13] for event in mine}
    assert any(event["eventTimestamp"][:13] in hours for event in others if moment(event["eventTimestamp"]) > start)
    rogue = {world.resources[key]["location"] for key in world.truth["rogue_compute"]}
    rest = {row["location"] for key, row in world.resources.items() if row["id"] not in world.truth["rogue"]}
    assert rogue <= rest


def test_the_quiet_attack_has_ways_back_and_no_compute(read_only: Worlds) -> None:
    world = read_only("quiet-persistence")
    assert world.truth["rogue_compute"] == []
    kinds = {world.resources[key]["type"] for key in world.truth["rogue"]}
    assert kinds == {
        "Microsoft.Automation/automationAccounts",
        "Microsoft.Automation/automationAccounts/runbooks",
        "Microsoft.Automation/automationAccounts/schedules",
        "Microsoft.Logic/workflows",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
    }
    assert len(world.truth["rogue_grants"]) == 2
    (role,) = world.truth["rogue_roles"]
    assert world.role_definitions[role]["properties"]["permissions"][0]["actions"] == ["*"]
