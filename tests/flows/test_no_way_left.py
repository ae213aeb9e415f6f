"""After a whole response the attacker tries every way they ever had, each hour for thirty days; the tenant goes on with its work meanwhile.

What the plans asked of people is done before: a way that is open and was named to nobody fails the test.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from azure_simulator import build
from azure_simulator.kept import ways_ever
from azure_simulator.services.graph.store import table
from azure_simulator.siege import besiege
from azure_simulator.truth import score
from azure_simulator.ways import ways_left
from azure_simulator.world import World
from firebreak.model.mode import Mode
from tests.flows.room_in_process import Ran, alert_bytes, engine_room_of, go_on
from tests.support.whole_response import NAME, whole_response

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
DAYS = 30
# Ids with marks that nobody sees, which Azure itself would not have, are never written into an address: so many machines people stop by hand.
BY_HAND = {"hostile-names": 2}


def world_of(scenario: str, seed: int) -> World:
    """The scenario; `throttled` is a stolen Owner's in a cloud that counts requests and refuses those beyond its limits."""
    world = build("hijacked-owner" if scenario == "throttled" else scenario, seed=seed, now=NOW)
    world.throttling = scenario == "throttled"
    return world


def respond(world: World, home: Path) -> Ran:
    (home / "playbooks").mkdir(parents=True)
    (home / "playbooks" / f"{NAME}.yaml").write_text(whole_response())
    with engine_room_of(world, home) as room:
        opened = room.open(alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake", playbook=NAME)
        return go_on(room, world, opened.incident.id)


def asked(ran: Ran) -> dict[str, str]:
    """What the plans left to people, by target."""
    return {row.target.lower(): row.reason for plan in ran.dossier.plans for row in plan.no_ops}


def do_what_was_asked(world: World, ran: Ran) -> list[str]:
    """Carry out what people were asked to do about ways that are still open; returns the reasons they were given."""
    told, done = asked(ran), []
    for way in ways_left(world):
        assert way["kind"] == "method", way  # one of several telephones: only its owner knows which
        reason = next((text for target, text in told.items() if target.endswith(str(way["who"]).lower())), "")
        assert "ask the owner" in reason, f"Nobody was told of {way}."
        del table(world, "methods")[f"{way['who']}/{way['id']}"]
        done.append(reason)
    return done


def stop_what_still_runs(world: World, ran: Ran) -> int:
    """Stop by hand what the report says still runs; returns how many those are."""
    told = [item for item in ran.dossier.todo if "Stop it by hand." in item.text]
    assert len(told) == len(ran.dossier.still_running)
    for name in ran.dossier.still_running:
        world.resources[name]["_power"] = "deallocated"
    return len(told)


@pytest.mark.parametrize(
    ("scenario", "seed"),
    [
        ("crypto-mining", 7),
        ("hijacked-owner", 7),
        ("hijacked-owner", 23),
        ("hostile-names", 7),
        ("identity-only", 7),
        ("identity-only", 23),
        ("insider-automation", 7),
        ("quiet-persistence", 7),
        ("quiet-persistence", 23),
        ("service-principal-abuse", 7),
        ("throttled", 7),
    ],
)
def test_nothing_of_the_attackers_comes_back_in_thirty_days_and_everybody_works(
    scenario: str, seed: int, tmp_path: Path
) -> None:
    world = world_of(scenario, seed)
    ways = list(ways_ever(world))
    assert ways
    assert all(way.is_open(world) for way in ways)
    ran = respond(world, tmp_path / "home")
    by_hand = BY_HAND.get(scenario, 0)
    assert ran.state == ("failed" if by_hand else "done"), ran.dossier.note
    assert stop_what_still_runs(world, ran) == by_hand
    do_what_was_asked(world, ran)
    siege = besiege(world, ways, days=DAYS)
    assert siege.attempts == len(ways) * DAYS * 24
    assert siege.entered == []
    assert siege.rogue_at_work == []
    known = {str(one["id"]).lower() for one in world.truth["removed"]}
    told = asked(ran)
    for row in siege.hindered:  # a role that the attacker took away and that nobody can know is a question to people
        lost = row["what"].rpartition(" ")[2].lower()
        assert lost in known, row
        assert lost in told, row
    assert score(world)["legitimate_stopped"] == []


def test_a_false_alarm_costs_nobody_anything_for_thirty_days(tmp_path: Path) -> None:
    """Nobody attacked: everything that people and pipelines do goes on, and nothing of theirs was changed."""
    world = world_of("false-alarm", 7)
    assert list(ways_ever(world)) == []
    ran = respond(world, tmp_path / "home")
    assert ran.state == "done", ran.dossier.note
    assert [plan.stage for plan in ran.dossier.plans if plan.actions and plan.stage not in ("notify", "close")] == []
    siege = besiege(world, [], days=DAYS)
    assert siege.works > 0
    assert (siege.hindered, siege.rogue_at_work, siege.given_back) == ([], [], [])
    told = score(world)
    assert (told["protected_touched"], told["legitimate_stopped"]) == ([], [])
