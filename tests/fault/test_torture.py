"""The crash test in small, on either database; `make torture` runs it at full size. And its judge, which must see what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.torture.databases import has_postgresql
from tests.torture.oracle import Oracle
from tests.torture.scene import Scene, estate

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(280)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_and_disturbed_nothing_is_done_twice_lost_or_outside_the_plan(database: str) -> None:
    if database == "postgresql" and not has_postgresql():
        pytest.skip("no PostgreSQL at 127.0.0.1:5432, database test, user postgres")
    words = [
        "--database",
        database,
        "--transitions",
        "4",
        "--instants",
        "2",
        "--faults",
        "4",
        "--workers",
        "2",
        "--json",
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.torture", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=270,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    result = json.loads(ran.stdout)
    assert result["actions"] >= 60
    assert result["failed"] == 0
    assert {part["part"] for part in result["parts"]} == {"transitions", "instants", "faults"}
    for part in result["parts"]:
        assert part["kills"] > 0
        # The estate's actions are exactly as many requests.
        assert part["writes_with_effect"] == part["trials"] * result["actions"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return estate(tmp_path_factory.mktemp("scene") / "home", machines=2, disks=2, left_out=1)


def row(request: str, *, status: int = 202, fault: str = "") -> dict[str, Any]:
    method, path = request.split(" ", 1)
    return {"method": method, "url": f"{path}?api-version=1", "status": status, "service": "arm", "fault": fault}


def test_the_judge_accepts_each_approved_write_once(scene: Scene) -> None:
    oracle = Oracle(scene)
    rows = [row(request) for request in oracle.requests.values()]
    assert len(rows) == 5
    assert oracle.judge(rows, scene.world.resources).problems == []


def test_the_judge_sees_what_was_done_twice_lost_and_not_approved(scene: Scene) -> None:
    oracle = Oracle(scene)
    first, second, *rest = oracle.requests.values()
    (left_out,) = [a.target.lower() for a in scene.plan.actions if a.id in scene.left_out]
    rows = [row(first), row(first, status=0, fault="drop_after"), row(f"DELETE {left_out}", status=403)]
    verdict = oracle.judge([*rows, *(row(r) for r in rest)], scene.world.resources)
    assert verdict.twice == (f"{first} x2",)
    assert verdict.lost == (second,)
    assert verdict.outside == (f"DELETE {left_out}",)


@pytest.mark.parametrize(
    ("status", "fault"),
    [(429, "throttle"), (503, "status"), (0, "drop_before"), (401, "expired_token"), (202, "fail_operation")],
)
def test_what_had_no_effect_does_not_count(scene: Scene, status: int, fault: str) -> None:
    oracle = Oracle(scene)
    first, *rest = oracle.requests.values()
    rows = [row(first, status=status, fault=fault), *(row(r) for r in rest)]
    assert oracle.judge(rows, scene.world.resources).lost == (first,)
    assert oracle.judge([*rows, row(first)], scene.world.resources).problems == []
