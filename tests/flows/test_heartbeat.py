"""Every process that carries out a run beats as often as the automation for silent runs expects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, get_current_settings, temporary_settings
from ruamel.yaml import YAML

from firebreak.cli.services import prefect_environment
from flows.automations import TAG, silent_runs
from flows.heartbeat import HEARTBEAT_SECONDS, SILENT_SECONDS, beating
from flows.replay_in_prefect import TAGS

NAME = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"


@pytest.mark.parametrize(("given", "then"), [(None, 30), (180, 30), (30, 30)])
def test_runs_beat_often_enough_whatever_the_environment_says(given: int | None, then: int) -> None:
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: given}), beating():
        assert get_current_settings().flows.heartbeat_frequency == then
        # The runner hands its settings on to the processes that it starts.
        assert get_current_settings().to_environment_variables(exclude_unset=True)[NAME] == str(then)


def test_one_machine_workers_and_automation_have_the_same_number(tmp_path: Path) -> None:
    assert prefect_environment({}, tmp_path, "http://127.0.0.1:4200/api")[NAME] == str(HEARTBEAT_SECONDS)
    declared: Any = YAML(typ="safe").load((Path(__file__).parents[2] / "prefect.yaml").read_text())
    for deployment in declared["deployments"]:
        assert deployment["work_pool"]["job_variables"]["env"][NAME] == str(HEARTBEAT_SECONDS), deployment["name"]
        assert TAG in deployment["tags"], deployment["name"]
    assert TAG in TAGS
    assert SILENT_SECONDS >= 3 * HEARTBEAT_SECONDS
    trigger: Any = silent_runs().trigger
    assert trigger.within.total_seconds() == SILENT_SECONDS
