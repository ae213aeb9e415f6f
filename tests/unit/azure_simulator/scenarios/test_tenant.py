"""The tenant is believable: things hang together, people keep hours, the bill follows the resources."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from azure_simulator.scenarios import SCENARIOS
from azure_simulator.services.compute.quota import usage
from azure_simulator.services.compute.sizes import SIZES
from azure_simulator.world import Document, World

Worlds = Callable[..., World]
MACHINE = "Microsoft.Compute/virtualMachines"
every_scenario = pytest.mark.parametrize("name", SCENARIOS)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text[:26] + "+00:00")


@every_scenario
def test_every_resource_lives_in_a_group_that_exists_and_its_id_says_what_it_is(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    for row in world.resources.values():
        group, _, rest = row["id"].partition("/providers/")
        assert group in world.groups, row["id"]
        namespace, *pairs = rest.split("/")
        assert "/".join([namespace, *pairs[0::2]]) == row["type"]
        assert row["name"] == pairs[-1]


@every_scenario
def test_machines_disks_and_interfaces_point_at_each_other(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    for machine in world.resources.of_type(MACHINE):
        storage = machine["properties"]["storageProfile"]
        for slot in [storage["osDisk"], *storage["dataDisks"]]:
            disk = world.resources[slot["managedDisk"]["id"]]
            assert disk["managedBy"] == machine["id"]
            wanted = "Reserved" if machine["_power"] == "deallocated" else "Attached"
            assert disk["properties"]["diskState"] == wanted
        interface = world.resources[machine["properties"]["networkProfile"]["networkInterfaces"][0]["id"]]
        assert interface["properties"]["virtualMachine"]["id"] == machine["id"]
        subnet = interface["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
        assert subnet.rsplit("/subnets/", 1)[0] in world.resources
    for disk in world.resources.of_type("Microsoft.Compute/disks"):
        if "managedBy" in disk:
            owner = (
                disk["managedBy"].split("/virtualMachines/")[0]
                if "ScaleSets" in disk["managedBy"]
                else disk["managedBy"]
            )
            assert owner in world.resources


def creation_of(world: World) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for row in world.events:
        if row["status"]["value"] == "Started" and row["operationName"]["value"].endswith("/write"):
            found.setdefault(row["resourceId"].lower(), row)
    return found


def made_with_a_machine(disk: Document) -> bool:
    from_image = disk["properties"]["creationData"]["createOption"] == "FromImage"
    return from_image or "/virtualMachines/" in disk.get("managedBy", "")


@every_scenario
def test_whatever_is_younger_than_the_log_has_its_creation_in_it(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    creations = creation_of(world)
    oldest = world.clock.now() - timedelta(days=89)
    for row in world.resources.values():
        if moment(row["_created"]) < oldest:
            continue
        if row["type"] == "Microsoft.Compute/disks" and made_with_a_machine(row):
            continue
        event = creations.get(row["id"].lower())
        assert event is not None, row["id"]
        assert abs(moment(event["eventTimestamp"]) - moment(row["_created"])) < timedelta(hours=1)


@every_scenario
def test_the_log_is_ninety_days_in_order_and_knows_no_future(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    stamps = [row["eventTimestamp"] for row in world.events]
    assert stamps == sorted(stamps)
    now = world.clock.now()
    assert moment(stamps[-1]) <= now
    assert now - timedelta(days=90) <= moment(stamps[0]) < now - timedelta(days=88)
    assert len({row["eventDataId"] for row in world.events}) == len(world.events)


def test_operations_have_two_to_four_events_with_one_correlation_id(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    administrative = [row for row in world.events if row["category"]["value"] == "Administrative"]
    sizes = Counter(Counter(row["correlationId"] for row in administrative).values())
    # Operations cut off by the beginning or the end of the log have fewer events.
    assert sum(sizes[n] for n in (2, 3, 4)) > 0.99 * sum(sizes.values())


def test_bodies_are_json_in_strings_and_name_the_size(read_only: Worlds) -> None:
    world = read_only("crypto-mining")
    created = [
        row
        for row in world.events
        if row["operationName"]["value"] == f"{MACHINE}/write" and row["status"]["value"] == "Accepted"
    ]
    assert len(created) > 30
    started = {row["correlationId"]: row for row in world.events if row["status"]["value"] == "Started"}
    for row in created:
        asked = json.loads(started[row["correlationId"]]["properties"]["requestbody"])
        answered = json.loads(row["properties"]["responseBody"])
        for body in (asked, answered):
            assert body["properties"]["hardwareProfile"]["vmSize"] in SIZES
            assert body["location"]
        assert answered["properties"]["vmId"]


def test_people_work_on_weekdays_and_machines_always(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    by_day: dict[bool, Counter[bool]] = {True: Counter(), False: Counter()}
    for row in world.events:
        weekend = moment(row["eventTimestamp"]).weekday() > 4
        by_day["idtyp" in row["claims"] and row["claims"]["idtyp"] == "user"][weekend] += 1
    assert by_day[True][True] < 0.1 * by_day[True][False]  # people
    assert by_day[False][True] > 0.1 * by_day[False][False]  # services


def test_known_people_always_have_their_second_factor(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    methods = {
        row["claims"]["http://schemas.microsoft.com/claims/authnmethodsreferences"]
        for row in world.events
        if row["claims"].get("idtyp") == "user"
    }
    assert methods == {"pwd,mfa"}


@every_scenario
def test_partner_break_glass_and_responder_own_the_subscription_and_production_is_locked(
    name: str, read_only: Worlds
) -> None:
    world = read_only(name)
    owners = {
        world.principals[row["properties"]["principalId"]].name: row["properties"]["principalType"]
        for row in world.role_assignments.values()
        if row["properties"]["roleDefinitionId"].endswith("8e3af657-a8ff-443c-a75c-2fe8c4bcb635")
    }
    thrown_out = {
        row["properties"]["principalId"] for row in world.truth["removed"] if "principalId" in row["properties"]
    }
    owners |= {world.principals[each].name: world.principals[each].kind for each in thrown_out}
    assert owners["AdminAgents"] == "ForeignGroup"
    assert owners["Emergency Access 1"] == "User"
    assert owners["firebreak-responder"] == "ServicePrincipal"
    assert sum(row["properties"]["level"] == "CanNotDelete" for row in world.locks.values()) >= 4
    assert not any("ea-admin" in row["caller"] for row in world.events)


@every_scenario
def test_there_are_orphaned_disks_that_are_nobodys_waste(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    rogue = {each.lower() for each in world.truth["rogue"]}
    kept = [
        row
        for row in world.resources.of_type("Microsoft.Compute/disks")
        if "managedBy" not in row and row["id"].lower() not in rogue
    ]
    assert any("kubernetes.io-created-for-pvc-name" in row.get("tags", {}) for row in kept)
    assert any(row["name"].endswith("ASRReplica") for row in kept)
    assert any(row["properties"]["diskState"] == "ActiveSAS" for row in kept)
    month_ago = world.clock.now() - timedelta(days=30)
    assert any(row["properties"]["diskState"] == "Unattached" and moment(row["_created"]) < month_ago for row in kept)


@every_scenario
def test_quota_covers_what_runs(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    subscription = next(iter(world.subscriptions.values()))["subscriptionId"]
    for (region, family), used in usage(world, subscription).items():
        row = world.quotas.get(f"{subscription}/{region}/{family}")
        if row is not None:
            assert used <= row["limit"], (region, family)


@every_scenario
def test_every_machine_and_scale_set_has_a_price_where_it_runs(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    priced = {
        (
            row["armRegionName"],
            row["armSkuName"],
            row["productName"].endswith("Windows"),
            row["skuName"].endswith("Spot"),
        ): row
        for row in world.prices
        if row["serviceName"] == "Virtual Machines"
    }
    for row in world.resources.of_type(MACHINE):
        properties = row["properties"]
        windows = properties["storageProfile"]["osDisk"]["osType"] == "Windows"
        key = (row["location"], properties["hardwareProfile"]["vmSize"], windows, properties.get("priority") == "Spot")
        assert priced[key]["retailPrice"] > 0
    for row in world.resources.of_type("Microsoft.Compute/virtualMachineScaleSets"):
        assert priced[(row["location"], row["sku"]["name"], False, False)]["unitOfMeasure"] == "1 Hour"


def test_the_bill_has_weekdays_and_the_newest_day_is_partial_and_late(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    now = world.clock.now()
    whole: Counter[int] = Counter()
    seen: dict[object, Decimal] = {}
    for row in world.costs:
        seen[row.day] = seen.get(row.day, Decimal(0)) + (row.cost if row.available_at <= now else Decimal(0))
    days = sorted(seen)
    assert len(days) == 91
    older = [day for day in days[:-4] if day in seen]
    for day in older:
        whole[day.weekday() > 4] += int(seen[day])  # type: ignore[attr-defined]
    weekdays = sum(day.weekday() < 5 for day in older)  # type: ignore[attr-defined]
    assert whole[True] / (len(older) - weekdays) < 0.97 * whole[False] / weekdays
    assert seen[days[-1]] == 0  # nothing of today is known yet
    assert Decimal(0) < seen[days[-2]] < Decimal("0.9") * seen[days[-5]]  # and of yesterday only a part
    assert any(row.available_at > now for row in world.costs)
