"""The whole investigation against the simulator's worlds, scored with their ground truth: nothing legitimate is ever the attacker's."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from azure_simulator import build, call_as
from azure_simulator.services.graph.store import table
from azure_simulator.world import World
from firebreak.analysis.quota import asked_for
from firebreak.model.case import Case
from firebreak.model.facts import (
    ActivityFacts,
    AlertFacts,
    Attribution,
    BurnRate,
    Class,
    DiskFacts,
    Facts,
    QuotaFacts,
    SpendFacts,
    SubscriptionFacts,
)
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import (
    Administrators,
    Applications,
    DelegatedAccess,
    DirectoryChanges,
    IdentityRisk,
    SignIns,
    TenantProtection,
)
from firebreak.model.mode import Mode
from tests.steps.investigation import IDENTITY_STEPS, ORDER, alert_of, investigate
from tests.support.inprocess import responder, simulated

IDENTITY: tuple[type[Facts], ...] = (
    TenantProtection,
    DirectoryChanges,
    Administrators,
    Applications,
    SignIns,
    IdentityRisk,
    DelegatedAccess,
)
WAYS = (
    "app_role_assignments",
    "consents",
    "credentials",
    "federated_credentials",
    "role_assignments",
    "role_eligibilities",
)
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"


async def look(world: World, steps: tuple[str, ...] = ORDER) -> tuple[Case, list[Finding]]:
    async with simulated(world, mode=Mode.DRY_RUN) as connection:
        return await investigate(connection.eyes, alert_of(world), steps=steps)


def rogue_in_truth(world: World) -> set[str]:
    truth = world.truth
    kinds = ("rogue", "rogue_groups", "rogue_grants", "rogue_locks", "rogue_roles")
    named = [name for kind in kinds for name in truth[kind]]
    return {identity.lower() for identity in named}


def attackers_things(case: Case) -> set[str]:
    blobs = {
        blob.id.lower(): f"{blob.account_id.rsplit('/', 1)[-1]}/{blob.container}/{blob.name}".lower()
        for blob in case[DiskFacts].blobs
    }
    theirs = {j.id.lower() for j in case[Attribution].resources if j.cls is Class.ATTACKER}
    return {blobs.get(identity, identity) for identity in theirs}


@pytest.mark.parametrize(
    "scenario",
    [
        "crypto-mining",
        "service-principal-abuse",
        "insider-automation",
        pytest.param("hijacked-owner", marks=pytest.mark.slow),
        pytest.param("quiet-persistence", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("seed", [7, pytest.param(23, marks=pytest.mark.slow)])
async def test_the_attackers_things_are_found_and_nothing_else(scenario: str, seed: int) -> None:
    world = build(scenario, seed=seed, now=NOW)
    case, findings = await look(world)
    found, rogue = attackers_things(case), rogue_in_truth(world) | {key.lower() for key in world.truth["rogue_blobs"]}
    assert found - rogue == set()
    assert rogue - found == set()
    attribution = case[Attribution]
    assert attribution.verdict == world.truth["verdict"]
    sessions = {
        (name.lower(), address)
        for row in world.truth["attackers"]
        for name in (row["caller"], row["principal_id"])
        for address in row["addresses"]
    }
    accused = [actor for actor in attribution.actors if actor.cls is Class.ATTACKER]
    assert {(actor.id.lower(), actor.address) for actor in accused if actor.address} <= sessions
    brought_in = {world.role_assignments[key]["properties"]["principalId"] for key in world.truth["rogue_grants"]}
    attackers = {row["principal_id"] for row in world.truth["attackers"]}
    assert {actor.principal_id for actor in accused} == attackers | brought_in
    stolen = {row["principal_id"] for row in world.truth["attackers"] if row["kind"] != "created"}
    assert {a.principal_id for a in attribution.actors if a.cls is Class.ATTACKER and a.established} == stolen
    if world.truth["rogue_compute"]:
        assert case[BurnRate].rogue_per_hour > 0
        assert case[BurnRate].lost > case[BurnRate].rogue_per_hour
    known = case[AlertFacts].this_alert
    assert known is not None
    assert (known.id, known.status) == (next(iter(world.alerts.values()))["id"], "active")
    asked = asked_for(case[QuotaFacts], case[ActivityFacts])
    granted = [row for row in asked if row.state == "succeeded"]
    assert {row.id.lower() for row in granted} == set(world.quota_requests)
    assert all(row.operation is not None and attribution.did(row.operation) for row in asked)
    assert attribution.attack_start is not None
    assert abs(
        attribution.attack_start - datetime.fromisoformat(world.truth["attack_start"][:26] + "+00:00")
    ) < timedelta(minutes=5)
    grave = [
        finding for finding in findings if finding.severity in (Severity.HIGH, Severity.CRITICAL) and finding.actor
    ]
    acted = [finding for finding in grave if finding.actor not in brought_in - attackers]
    # The directory calls applications by name, and a credential or a risk has no address.
    # So are the accounts and applications that the attacker gave rights or ways in.
    told_apart = attackers | given_ways_in(world)
    names = {name.lower() for key in told_apart for name in (world.principals[key].name, world.principals[key].upn)}
    addresses = {address for _, address in sessions} | {""}
    of_directory = [f for f in acted if f.step not in ("investigate.activity_log", "investigate.attribution")]
    assert {(f.actor.lower(), f.address) for f in acted if f not in of_directory} <= sessions
    assert {f.actor.lower() for f in of_directory} <= names | {name for name, _ in sessions}
    assert {f.address for f in of_directory} <= addresses
    if scenario == "service-principal-abuse":
        told = {f.id.split(":")[0] for f in of_directory}
        assert {"app-credential", "credential-new", "application-sign-in", "identity-at-risk"} <= told
    # Everything of the directory was looked at, but for what this tenant has no licence for.
    assert {why.partition(" licence")[0] for kind in IDENTITY for why in (n.why for n in case[kind].not_looked_at)} <= {
        "the tenant lacks a",
        "not asked for: who is at risk was refused",
        "the tenant has no Entra ID P2, without which Graph tells few of them and hides their kind",
        "the tenant has no Workload Identities Premium, without which Graph tells few of them",
    }


def given_ways_in(world: World) -> set[str]:
    """The object ids of the accounts and applications that stand in a row of the directory which the attacker wrote."""
    left = world.truth["identity"]
    written = {name for kind in WAYS for name in left.get(kind, ())}
    found: set[str] = set()
    for name in [name for name in world.tables if name.startswith("graph.")]:
        for text in (json.dumps(row, default=str) for row in world.tables[name].values()):
            if any(one in text for one in written):
                found |= named(text)
    found |= {str(row["appId"]) for row in table(world, "applications").values() if row["id"] in found}
    return {one.object_id for one in world.principals.values() if {one.object_id, one.app_id} & found}


def named(text: str) -> set[str]:
    return set(GUID.findall(text))


@pytest.mark.parametrize("seed", [7, pytest.param(23, marks=pytest.mark.slow)])
async def test_a_false_alarm_accuses_nobody(seed: int) -> None:
    world = build("false-alarm", seed=seed, now=NOW)
    case, findings = await look(world)
    attribution = case[Attribution]
    assert attribution.verdict in ("legitimate", "not_enough_evidence")
    assert [j.id for j in (*attribution.actors, *attribution.resources) if j.cls is Class.ATTACKER] == []
    assert case[BurnRate].rogue_per_hour == 0
    assert [finding.title for finding in findings if finding.severity in (Severity.HIGH, Severity.CRITICAL)] == []


async def test_a_reading_round_changes_nothing_and_gives_the_same_facts_again() -> None:
    world = build("crypto-mining", seed=7, now=NOW)
    # Graph's pace takes seconds of the world's time, after which the log has another beginning: the directory apart.
    steps = tuple(name for name in ORDER if name not in IDENTITY_STEPS)
    first, _ = await look(world, steps)
    second, _ = await look(world, steps)
    assert {row.method for row in world.requests} <= {"GET", "POST"}
    for kind in (ActivityFacts, Attribution, BurnRate, SpendFacts, SubscriptionFacts, DiskFacts):
        assert first[kind] == second[kind]


async def test_the_responders_own_changes_accuse_nobody_in_the_next_round() -> None:
    world = build("service-principal-abuse", seed=7, now=NOW)
    group = next(iter(world.groups.values()))["id"]
    async with simulated(world) as connection:
        for number in range(30):
            await connection.hands.arm.put(
                f"{group}/providers/Microsoft.Authorization/locks/ours-{number}",
                "2020-05-01",
                {"properties": {"level": "CanNotDelete"}},
            )
        world.clock.advance(1200)
        case, findings = await investigate(connection.eyes, alert_of(world))
    me = responder(world).object_id
    mine = [actor for actor in case[Attribution].actors if actor.principal_id == me]
    assert mine
    assert {actor.cls for actor in mine} == {Class.LEGITIMATE}
    assert not [finding for finding in findings if finding.actor == me]
    locks = [j for j in case[Attribution].resources if "/locks/ours-" in j.id]
    assert len(locks) == 30
    assert {judgement.cls for judgement in locks} == {Class.LEGITIMATE}


@pytest.mark.slow
async def test_what_was_made_in_the_background_has_its_maker_the_thief_or_a_colleague_in_the_thiefs_own_group() -> None:
    """The creation of a disk is answered with 202 and ends with 200, that of a storage account may be answered with 200: so are updates."""
    world = build("crypto-mining", seed=7, now=NOW)
    steps = tuple(name for name in ORDER if name not in IDENTITY_STEPS)
    thief = next(row for row in world.truth["attackers"] if row["kind"] == "created")
    group = world.truth["rogue_groups"][0]
    old = "/".join(next(name for name in world.resources if "/disks/" in name.lower()).split("/")[:5])
    bad = {row["principal_id"] for row in world.truth["attackers"]}
    giving = {  # who may make things in the whole subscription
        row["properties"]["principalId"]
        for row in world.role_assignments.values()
        if str(row["properties"]["roleDefinitionId"]).rpartition("/")[2] == CONTRIBUTOR
        and row["properties"]["scope"] in world.subscriptions
    }
    colleague = next(world.principals[key] for key in sorted(giving - bad) if world.principals[key].upn)
    (usual,) = Counter(e["claims"]["ipaddr"] for e in world.events if e["caller"] == colleague.upn).most_common(1)
    disk = f"{old}/providers/Microsoft.Compute/disks/scratch-7"
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/forensics7"
    made = {
        disk: (thief["principal_id"], thief["addresses"][0], {"sku": {"name": "Premium_LRS"}}),
        account: (colleague.object_id, usual[0], {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}),
    }
    properties = {disk: {"creationData": {"createOption": "Empty"}, "diskSizeGB": 64}}
    for identity, (who, where, body) in made.items():
        world.clock.advance(60)
        said = {"location": "westeurope", "properties": properties.get(identity, {}), **body}
        answer = call_as(world, who, "PUT", f"{identity}?api-version=2024-07-01", said, address=where)
        assert answer.status == {disk: 202, account: 200}[identity]
    world.clock.advance(1800)
    world.settle()
    case, _ = await look(world, steps)
    judged = {one.id.lower(): one for one in case[Attribution].resources}
    assert (judged[disk.lower()].cls, judged[disk.lower()].created_by) == (Class.ATTACKER, thief["caller"])
    assert (judged[account.lower()].cls, judged[account.lower()].created_by) == (Class.LEGITIMATE, colleague.upn)
    assert judged[group.lower()].cls is not Class.ATTACKER


async def test_spend_starts_with_the_attack() -> None:
    world = build("crypto-mining", seed=7, now=NOW + timedelta(days=3))
    world.clock.advance(3 * 86400)
    case, _ = await look(world)
    spend = case[SpendFacts]
    began = datetime.fromisoformat(world.truth["attack_start"][:26] + "+00:00").date()
    assert spend.status == "anomaly"
    assert spend.start_day is not None
    assert began <= spend.start_day <= began + timedelta(days=1)
