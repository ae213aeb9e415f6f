"""The worlds that scenarios build: size, shape, and the same bytes for the same arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from azure_simulator.scenarios import SCENARIOS, build_world
from azure_simulator.scenarios.fingerprint import fingerprint
from azure_simulator.world import World

Worlds = Callable[..., World]
NOW = datetime(2026, 3, 3, 4, 30, tzinfo=UTC)
_PROGRAM = """
from datetime import UTC, datetime
import sys
from azure_simulator.scenarios import build_world
from azure_simulator.scenarios.fingerprint import fingerprint
for name in sys.argv[1:]:
    print(fingerprint(build_world(name, seed=5, now=datetime(2026, 3, 3, 4, 30, tzinfo=UTC))))
"""


@pytest.mark.parametrize(
    "names", [("crypto-mining", "quiet-persistence"), pytest.param(SCENARIOS, marks=pytest.mark.slow)]
)
def test_a_world_is_the_same_in_every_process(names: tuple[str, ...], read_only: Worlds) -> None:
    own = int(os.environ.get("PYTHONHASHSEED", "random").replace("random", "0"))
    made = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *names],
        env={**os.environ, "PYTHONHASHSEED": str(own + 4711)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.split() == [fingerprint(read_only(name)) for name in names]


def test_another_seed_is_another_company_with_other_resources(read_only: Worlds) -> None:
    one, other = read_only("crypto-mining"), build_world("crypto-mining", seed=2, now=NOW)
    assert fingerprint(one) != fingerprint(other)
    assert {row["name"] for row in one.resources.values()} != {row["name"] for row in other.resources.values()}


def test_a_larger_scale_has_more_machines_and_events(read_only: Worlds) -> None:
    small, large = read_only("false-alarm"), build_world("false-alarm", seed=5, now=NOW, scale=2)
    machine = "Microsoft.Compute/virtualMachines"
    assert len(large.resources.of_type(machine)) > 1.7 * len(small.resources.of_type(machine))
    assert len(large.events) > 1.4 * len(small.events)


@pytest.mark.parametrize(("name", "scale"), [("no-such", 1), ("crypto-mining", 0)])
def test_a_wrong_scenario_or_scale_is_refused(name: str, scale: int) -> None:
    with pytest.raises(ValueError, match=r"scenario|scale"):
        build_world(name, seed=1, now=NOW, scale=scale)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_has_the_promised_size(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    assert len(world.resources) >= 200
    assert len(world.groups) >= 15
    assert len(world.events) >= 20_000
    assert sum(1 for p in world.principals.values() if p.kind == "User" and p.tenant_id == world.tenant_id) >= 15
    assert len(world.alerts) == 1
