"""The shipped incidents: each is whole, has its story, and is planned and concluded today as it was accepted, without any connection."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firebreak.bundle import open_bundle
from tests.flows.test_replay import NO_NETWORK
from tests.library.recipes import RECIPES
from tests.support.recorded import entries_of, files_in

pytestmark = pytest.mark.timeout(600)

TOP = Path(__file__).parent.parent.parent
LIBRARY = TOP / "incidents"
SMALL = ("public-recorded-estate", "false-alarm", "batch-and-machine-learning")
_MOST_BYTES = 20_000_000


def replayed(*bundles: Path, jobs: int = 0) -> tuple[int, list[dict[str, Any]]]:
    """Replay with the shipped playbooks, as `make replay` does, in a process that ends when anything in it uses the network."""
    program = NO_NETWORK + "if __name__ == '__main__':\n    from firebreak.cli.main import main; main()"
    options = ("--playbook", str(TOP / "playbooks"), "--json", "--jobs", str(jobs))
    done = subprocess.run(
        [sys.executable, "-c", program, "replay", *map(str, bundles), *options],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), "HOME": "/nowhere"},
        capture_output=True,
        timeout=500,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)["replays"]


def test_every_recipe_has_its_bundle_and_its_page_and_the_index_names_them_all() -> None:
    names = {path.stem for path in LIBRARY.glob("*.zip")}
    assert names == set(RECIPES) == {path.stem for path in LIBRARY.glob("*.md")} - {"README"}
    assert len(names) >= 10
    index = (LIBRARY / "README.md").read_text(encoding="utf-8")
    for name in names:
        assert f"({name}.md)" in index, name
    assert sum(path.stat().st_size for path in LIBRARY.rglob("*") if path.is_file()) < _MOST_BYTES


@pytest.mark.parametrize("name", RECIPES)
def test_every_bundle_is_whole_and_says_what_is_expected(name: str) -> None:
    with open_bundle(LIBRARY / f"{name}.zip") as bundle:
        assert bundle.verify().records > 0
        assert bundle.expected is not None
        assert bundle.expected.verdict
        assert bundle.accepted is not None
        assert bundle.accepted.last.concluded is not None


def check(one: dict[str, Any]) -> None:
    assert (one["changed"], one["compared_with"], one["not_recorded"]) == (False, "accepted", []), one["bundle"]
    assert {action["state"] for action in one["actions"]} <= {"planned"}, one["bundle"]  # nothing was sent
    assert one["score"]["protected_touched"] == [], one["bundle"]


def test_three_small_ones_are_planned_as_accepted() -> None:
    code, told = replayed(*(LIBRARY / f"{name}.zip" for name in SMALL))
    assert (code, len(told)) == (0, 3)
    for one in told:
        check(one)


@pytest.mark.slow
def test_all_are_planned_as_accepted_within_a_minute_of_two_processors() -> None:
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, told = replayed(LIBRARY)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime
    assert (code, len(told)) == (0, len(RECIPES))
    for one in told:
        check(one)
    assert took < 100, took  # seconds of the processor; a fifth is left for the end, when one of two has nothing to do


@pytest.mark.slow
def test_a_recording_is_the_same_in_another_time_zone_and_with_another_hash_seed(tmp_path: Path) -> None:
    """But for the order of reads that went on side by side."""
    found = []
    for seed, zone in (("1", "UTC"), ("2", "Asia/Kathmandu")):
        subprocess.run(
            [sys.executable, "-m", "tests.library", str(tmp_path / seed), "--only", "false-alarm", "--jobs", "1"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), "PYTHONHASHSEED": seed, "TZ": zone},
            cwd=TOP,
            capture_output=True,
            timeout=500,
            check=True,
        )
        found.append(files_in(tmp_path / seed / "false-alarm.zip"))
    one, other = found
    assert one.keys() == other.keys()
    assert {name for name in one if one[name] != other[name]} <= {"evidence/manifest.jsonl", "incident.yaml"}
    assert unordered(one) == unordered(other)


def unordered(files: dict[str, bytes]) -> list[str]:
    """The manifest's lines without their place."""
    return sorted(json.dumps({**entry, "order": 0}, sort_keys=True) for entry in entries_of(files))
