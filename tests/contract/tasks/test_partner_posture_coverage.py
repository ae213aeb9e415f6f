"""Every row of the guidance that the check of the partner claims is exercised against the embedded partner, and lost when its step is taken out."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from azure_simulator import build
from firebreak.errors import PlaybookError
from tasks.guidance import guidance_rows
from tasks.registry import load_steps
from tests.contract.tasks.test_partner_posture_on_the_simulator import CASES, NOW
from tests.support.partner_check import check_in, partner_room

SHIPPED = Path(__file__).parent.parent.parent.parent / "playbooks/partner-posture.yaml"
LOOKS = [line.strip("- \n") for line in SHIPPED.read_text().splitlines() if "- investigate.partner_" in line]
CHANGES = {"harden.enable_partner_defaults": "S104", "contain.end_relationships": "S100"}
SUMS = {"investigate.partner_summary": {"S116", "S117"}, "investigate.partner_model": {"S96", "S97"}}

# Later steps need what these find out: a playbook without them does not load.
NEEDED = {f"investigate.partner_{name}" for name in ("accounts", "customers", "policies", "sign_ins")}


def test_each_row_that_is_automatic_or_gated_has_a_case() -> None:
    mine = {row: step for step in (*LOOKS, *CHANGES) for row in load_steps()[step].step.guidance}
    done = {row.id for row in guidance_rows() if row.mode in ("auto", "gate")}
    exercised = {case[0] for case in CASES.values()} | set(CHANGES.values()) | set().union(*SUMS.values())
    # Row S64 is the same switch as S104.
    assert {row for row in mine if row in done} <= exercised | {"S64"}


@pytest.mark.slow
@pytest.mark.parametrize("step", [*LOOKS, *CHANGES])
def test_a_step_that_is_taken_out_is_missed(step: str, tmp_path: Path) -> None:
    world = copy.deepcopy(build("crypto-mining", seed=7, now=NOW))
    own = tmp_path / "playbooks"
    own.mkdir()
    text = SHIPPED.read_text()
    if step in CHANGES:
        start = text.index("  - id: defaults\n" if step.startswith("harden") else "  - id: relationships\n")
        end = text.index("  - id: relationships\n") if step.startswith("harden") else text.index("gates:\n")
        text = text[:start] + text[end:]
        gate = "defaults" if step.startswith("harden") else "relationships"
        at = text.index(f"  {gate}:\n    title")
        after = text.find("\n  relationships:\n", at) if gate == "defaults" else text.index("\nguard_rails:", at)
        text = text[:at] + text[after + 1 :]
    else:
        text = text.replace(f"      - {step}\n", "")
    (own / "partner-posture.yaml").write_text(text)
    with partner_room(world, tmp_path) as room:
        if step in NEEDED:
            with pytest.raises(PlaybookError, match=f"needs what {step} finds out"):
                room.playbook("partner-posture")
            return
        checked = check_in(room, world)
    stages = {plan.stage for plan in checked.ran.dossier.plans if plan.actions}
    if step in CHANGES:
        assert stages == {"relationships" if step.startswith("harden") else "defaults"}
        return
    expected = {name for name, case in CASES.items() if f"investigate.partner_{case[1]}" == step}
    rows = SUMS.get(step, set())
    assert expected or rows
    assert not expected & set(checked.checks)
    assert not rows & {check.row for check in checked.checks.values()}
