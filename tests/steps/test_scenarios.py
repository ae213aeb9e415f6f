"""The whole investigation against the simulator's worlds, scored with their ground truth: nothing legitimate is ever the attacker's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from azure_simulator import build
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
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


async def look(world: World, steps: tuple[str, ...] = ORDER) -> tuple[Case, list[Finding]]:
    async with simulated(world, mode=Mode.DRY_RUN) as connection:
        return await investigate(connection.eyes, alert_of(world), steps=steps)


def rogue_in_truth(world: World) -> set[str]:
    truth = world.truth
    named = [*truth["rogue"], *truth["rogue_groups"], *truth["rogue_grants"], *truth["rogue_locks"]]
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
    names = {world.principals[row["principal_id"]].name.lower() for row in world.truth["attackers"]}
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
        "the tenant has no Entra ID P2, without which Graph tells few of them and hides their kind",
        "the tenant has no Workload Identities Premium, without which Graph tells few of them",
    }


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


async def test_spend_starts_with_the_attack() -> None:
    world = build("crypto-mining", seed=7, now=NOW + timedelta(days=3))
    world.clock.advance(3 * 86400)
    case, _ = await look(world)
    spend = case[SpendFacts]
    began = datetime.fromisoformat(world.truth["attack_start"][:26] + "+00:00").date()
    assert spend.status == "anomaly"
    assert spend.start_day is not None
    assert began <= spend.start_day <= began + timedelta(days=1)
