"""What-if: the plan of a recorded incident carried out on the embedded Azure, as a process of its own over TLS, started by the command.

What is asserted comes from the world's own state and from the ground truth of the scenario that was recorded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from firebreak.model.mode import Mode
from firebreak.replay.world.aftermath import WHY
from tests.flows.room_in_process import Ran
from tests.support.recorded import files_in, record, small_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TOP = Path(__file__).parents[2]
CHANGED = 2
# Put before the program: it ends when anything in it connects to another machine.
THIS_MACHINE = """
import sys
def watch(what, given):
    if what == "socket.connect" and given[1][0] not in ("127.0.0.1", "::1"):
        sys.exit(f"connected to {given[1]}")
sys.addaudithook(watch)
from firebreak.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    return record(small_world("service-principal-abuse"), tmp_path_factory.mktemp("dry"), mode=Mode.DRY_RUN)


def what_if(bundle: Path, *words: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", THIS_MACHINE, "replay", str(bundle), "--world", "--json", *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), "HOME": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_the_approved_plan_is_carried_out_and_its_effects_are_told(bundle: tuple[Path, Ran], tmp_path: Path) -> None:
    place, _ = bundle
    code, told = what_if(place, "--decide", "approve-all", "--out", str(tmp_path / "out"))
    assert code in (0, CHANGED)  # in the dry run nobody approved anything, so later plans were made otherwise
    found = told["what_if"]
    truth = YAML(typ="safe", pure=True).load(files_in(place)["expected.yaml"])
    rogue, legitimate = ({name.lower() for name in truth[kind]} for kind in ("rogue", "legitimate"))
    # Everything that was planned was tried or said not to be, and nothing of it was stale: the world is what the plan was made from.
    planned = {action["id"] for action in told["actions"]}
    assert {one["id"] for one in found["actions"]} | {one["id"] for one in found["not_tried"]} == planned
    assert [one for one in found["actions"] if "changed since" in one["reason"]] == []
    by_stage = {plan["stage"]: plan for plan in found["plans"]}
    assert set(by_stage["contain"]["ended"]) <= {"done", "already_so"}
    assert {one["kind"] for one in found["not_tried"]} >= {"entitlement.cancel"}
    assert all(one["why"] for one in found["not_tried"])
    # What stopped is the attacker's, and all the attacker's machines stopped.
    stopped = {one["id"].lower() for one in found["stops"]}
    assert not stopped & legitimate
    machines = {name for name in rogue if name.split("/")[-2] in ("virtualmachines", "virtualmachinescalesets")}
    assert machines
    assert machines <= stopped
    # A later create meets the policy; what needs no compute may still work.
    tried = found["attacker"]
    creates = [one for one in tried if one["operation"].lower().endswith(("/virtualmachines/write", "scalesets/write"))]
    assert creates
    assert {one["now"] for one in creates} == {"refused"}
    # Behind the account, which is closed, the policy stands in the way of a token that is still good.
    assert {one["with_token"] for one in creates} == {"refused"}
    why = {one["with_token_because"] for one in creates}
    assert "a policy denies it" in why
    assert why <= {WHY["RequestDisallowedByPolicy"], WHY["AuthorizationFailed"], WHY["InvalidResourceReference"]}
    doors = by_stage["close-doors"]["ended"]
    assert set(doors) == {"done"}, doors
    assert found["time"]["writes"] >= len(machines)
    assert 0 < found["time"]["to_block"] <= found["time"]["to_contain"] <= found["time"]["to_end"]
    money = found["money"]
    assert money["currency"] == "USD"
    assert 0 < float(money["saved"]) <= float(money["then"])
    assert found["world"]["by_name"]
    assert found["world"]["not_held"]
    report = next((tmp_path / "out").rglob("report.md")).read_text()
    assert "## What if it had been carried out" in report
    page = next((tmp_path / "out").rglob("report.html")).read_text()
    assert page.count('<h2 id="what-if">') == page.count('href="#what-if"') == 1
    assert page.index('<h2 id="what-if">') < page.index("</main>")
    # The replay itself is what it is without a world.
    assert {action["state"] for action in told["actions"]} == {"planned"}


def test_what_nobody_approved_is_not_carried_out(bundle: tuple[Path, Ran]) -> None:
    code, told = what_if(bundle[0])
    assert code == 1
    assert "no plan was approved" in told["error"]["message"]


def test_earlier_containment_tries_what_came_after_it(bundle: tuple[Path, Ran]) -> None:
    place, ran = bundle
    attribution = ran.dossier.attribution
    assert attribution is not None
    assert attribution.attack_start is not None
    code, told = what_if(place, "--decide", "approve-all", "--contained-at", attribution.attack_start.isoformat())
    assert code in (0, CHANGED)
    found = told["what_if"]
    assert found["attacker_mode"] == "later"
    assert all(one["at"] > found["since"] for one in found["attacker"])
    assert float(found["money"]["saved"]) > 0
