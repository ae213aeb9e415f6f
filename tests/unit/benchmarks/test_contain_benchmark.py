from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.contain import floor_seconds


@pytest.mark.parametrize(("resources", "seconds"), [(5, 0.0), (200, 0.0), (201, 0.1), (600, 40.0)])
def test_the_floor_is_what_the_published_buckets_let_through(resources: int, seconds: float) -> None:
    assert floor_seconds(resources) == seconds


def test_the_benchmark_runs_and_prints_the_figures_of_the_contract() -> None:
    command = [sys.executable, "-m", "benchmarks.contain", "--resources", "5", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["unthrottled"]["engine_seconds"] > 0
    assert found["unthrottled"]["raw_seconds"] > 0
    assert found["throttled"]["engine_seconds"] > 0
    assert found["throttled"]["floor_seconds"] == 0
