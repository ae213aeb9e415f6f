"""Who is in and what they left, against the ground truth of whole worlds: everything of the attacker's is found, and nothing else is accused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from azure_simulator import build
from azure_simulator.world import World
from firebreak.model.intrusion import Intrusion, TraceKind
from firebreak.model.mode import Mode
from tests.steps.investigation import ORDER, alert_of, investigate
from tests.support.inprocess import simulated

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
NEEDLESS = ("investigate.spend", "investigate.quota", "investigate.prices", "investigate.burn_rate")
STEPS = (*(step for step in ORDER if step not in NEEDLESS), "investigate.intruders")
BY_ID = {
    TraceKind.ISSUER: "federated_credentials",
    TraceKind.CONSENT: "consents",
    TraceKind.RIGHT: "app_role_assignments",
    TraceKind.ROLE: "role_assignments",
    TraceKind.ELIGIBLE: "role_eligibilities",
    TraceKind.POLICY: "policies",
}


async def followed(world: World) -> Intrusion:
    async with simulated(world, mode=Mode.DRY_RUN) as connection:
        case, _ = await investigate(connection.eyes, alert_of(world), steps=STEPS)
    return case[Intrusion]


def ends(facts: Intrusion, kind: TraceKind) -> set[str]:
    return {trace.target.rsplit("/", 1)[-1] for trace in facts.of_kind(kind)}


@pytest.mark.parametrize(
    ("scenario", "seed"),
    [
        *(("quiet-persistence", 7), ("hijacked-owner", 23), ("crypto-mining", 23), ("service-principal-abuse", 7)),
        *(
            ("identity-only", 7),
            ("identity-only", 11),
            ("insider-automation", 7),
            ("false-alarm", 8),
            ("false-alarm", 23),
        ),
    ],
)
async def test_everything_that_the_attacker_left_is_found_and_nobody_else_is_accused(scenario: str, seed: int) -> None:
    world = build(scenario, seed=seed, now=NOW)
    facts, truth = await followed(world), world.truth
    left: dict[str, Any] = truth["identity"]
    for kind, name in BY_ID.items():
        assert ends(facts, kind) == set(left[name]), kind
    assert ends(facts, TraceKind.METHOD) == {row["id"] for row in left["methods"]}
    assert ends(facts, TraceKind.CONTACT) == {row["user"] for row in left["contacts"]}
    keys = {trace.document["keyId"] for trace in facts.of_kind(TraceKind.SECRET, TraceKind.CERTIFICATE)}
    assert keys == set(left["credentials"])
    attackers = {row["principal_id"] for row in truth["attackers"]}
    brought_in = {world.role_assignments[key]["properties"]["principalId"] for key in truth["rogue_grants"]}
    known = attackers | set(left["guests"]) | set(left["service_principals"])
    found = {one.id for one in facts.intruders}
    assert known <= found <= known | brought_in
    stolen = {row["principal_id"] for row in truth["attackers"] if row["kind"] != "created"}
    assert {one.id for one in facts.intruders if not one.own} == stolen
    assert [trace.problem for trace in facts.traces if trace.problem] == []
