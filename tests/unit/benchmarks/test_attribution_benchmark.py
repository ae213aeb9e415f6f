"""Attribution on seeded variations: a few each time, fifty of each scenario among the slow tests, and a benchmark that can tell a mistake."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from azure_simulator import build
from azure_simulator.scenarios import SCENARIOS
from benchmarks import attribution
from benchmarks.attribution import meets, moment_of, summary, trial
from benchmarks.attribution_score import attackers_things, score
from benchmarks.investigation import look, plans_of
from firebreak.model.facts import Attribution, Class


@pytest.mark.parametrize(("scenario", "seed"), [("hijacked-owner", 3)])
def test_a_variation_is_told_right(scenario: str, seed: int) -> None:
    done = trial(scenario, seed)
    assert done.score.failures == ()
    assert meets(summary([done]))
    assert done.score.counts["proposed"] > 20


def test_the_score_sees_what_is_accused_missed_and_proposed_wrongly() -> None:
    world = build("quiet-persistence", seed=4, now=moment_of(4))
    case = asyncio.run(look(world))
    theirs = attackers_things(world)
    assert score(world, case, plans_of(case).values()).failures == ()
    told = case[Attribution]
    # Turned round: what is theirs is said to be the customer's, and a role assignment of the customer's to be theirs.
    innocent = next(
        one for one in told.resources if "/roleassignments/" in one.id.lower() and one.id.lower() not in theirs
    )
    turned = tuple(
        msgspec.structs.replace(
            one, cls=Class.ATTACKER if one is innocent else Class.UNKNOWN if one.cls is Class.ATTACKER else one.cls
        )
        for one in told.resources
    )
    wrong = case.with_facts(msgspec.structs.replace(told, resources=turned))
    found = score(world, wrong, plans_of(wrong).values())
    assert found.counts.get("found", 0) == 0
    assert found.counts["accused"] == found.counts["wrong"] == 1
    assert {f.thing for f in found.failures if f.what.startswith("proposed")} == {innocent.id.lower()}
    assert not meets(summary([attribution.Trial(scenario="", seed=4, score=found, seconds=0)]))


@pytest.mark.parametrize(("one_in", "seed"), [(100, 3)])
def test_a_false_alarm_with_a_thin_past_destroys_nothing(one_in: int, seed: int) -> None:
    done = trial("false-alarm", seed, one_in, without_identities=True)
    assert done.score.counts.get("proposed", 0) == done.score.counts.get("accused", 0) == 0
    assert [one.what for one in done.score.failures] == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("without_identities", [False, True], ids=["with identities", "without"])
@pytest.mark.parametrize("one_in", [0, 10, 30, 100])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_thin_past_accuses_nobody_who_is_innocent(scenario: str, one_in: int, without_identities: bool) -> None:
    for seed in (1, 2, 3):
        done = trial(scenario, seed, one_in, without_identities)
        assert done.score.counts.get("wrong", 0) == done.score.counts.get("accused", 0) == 0, done.score.failures
        # A hijacked pipeline at its own address is known by its past alone: without one it stays unknown.
        if scenario not in ("false-alarm", "insider-automation") and not without_identities:
            assert done.score.counts["found"] >= 0.98 * done.score.counts["attackers"], done.score.failures


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_fifty_variations_of_each_scenario_keep_what_is_promised(
    scenario: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = attribution.main(["--scenario", scenario, "--seeds", "50", "--json"])
    told = json.loads(capsys.readouterr().out)
    (tmp_path / "told.json").write_text(json.dumps(told, indent=1))
    assert [one for one in told["failures"] if one["what"].startswith(("proposed", "taken for"))] == []
    assert told["scenarios"][scenario]["trials"] == 50
    assert code == 0
