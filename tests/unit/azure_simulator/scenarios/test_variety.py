"""A seed changes who is hit, when, how and with what, within what the script allows; the same seed changes nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from azure_simulator.chance import Chance
from azure_simulator.scenarios import SCENARIOS, variety
from azure_simulator.scenarios.prices import read_yaml

ATTACKS = [name for name in SCENARIOS if name != "false-alarm"]


def variations(name: str, count: int = 60) -> list[dict[str, Any]]:
    return [variety.chosen(read_yaml(f"{name}.yaml"), Chance(seed)) for seed in range(count)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_chance_gives_the_same_script_and_leaves_the_original_alone(name: str) -> None:
    before = repr(read_yaml(f"{name}.yaml"))
    assert variations(name, 5) == variations(name, 5)
    assert repr(read_yaml(f"{name}.yaml")) == before


@pytest.mark.parametrize("name", ATTACKS)
def test_fifty_seeds_are_hardly_ever_the_same_attack(name: str) -> None:
    made = [repr((one["attackers"], one["regions"], one["steps"])) for one in variations(name, 50)]
    assert len(set(made)) >= 49


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_choice_is_left_and_nobody_is_both_victim_and_bystander_by_name(name: str) -> None:
    for script in variations(name):
        victims = {row["actor"] for row in script["attackers"].values() if "actor" in row}
        assert all(isinstance(victim, str) for victim in victims)
        assert all(isinstance(row["addresses"], int) for row in script["attackers"].values())
        for row in [*script["steps"], *script["legitimate"]]:
            assert isinstance(row["by"], str)
            assert row["by"] != "victim"
            assert not victims & set(row.get("of", ()))
        assert not {row["by"] for row in script["legitimate"] if row["do"] == "newcomer"} & victims


@pytest.mark.parametrize("name", ATTACKS)
def test_nobody_acts_before_the_role_was_given(name: str) -> None:
    for script in variations(name):
        given = {row["to"]: row["after"] for row in script["steps"] if row["do"] in ("grant", "custom_role")}
        for row in script["steps"]:
            assert row["after"] >= given.get(row["by"], 0)


def test_what_may_be_is_there_about_as_often_as_the_script_says() -> None:
    scripts = variations("crypto-mining", 300)
    kept = Counter(row["do"] for script in scripts for row in script["legitimate"])
    assert 80 < kept["traveller"] < 160  # 0.4 of 300
    assert 60 < sum(script["attackers"]["stolen"]["second_factor"] for script in scripts) < 150  # 0.35
    assert {script["regions"] for script in scripts} == {2, 3, 4}
