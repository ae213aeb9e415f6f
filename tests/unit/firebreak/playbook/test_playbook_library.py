"""The shipped playbooks, the schema for editors, and which playbook answers which alert."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from firebreak.errors import PlaybookError
from firebreak.model.step import Effect
from firebreak.playbook import choose_playbook, find_playbooks, json_schema
from tasks.registry import load_steps

FOLDER = Path(__file__).parents[4] / "playbooks"
STEPS = {step_id: loaded.step for step_id, loaded in load_steps().items()}
SHIPPED = sorted(FOLDER.glob("*.yaml"))


def _plain(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


def test_the_schema_for_editors_is_current() -> None:
    assert json.loads((FOLDER / "schema.json").read_text()) == json_schema(), "run `python -m tasks.coverage`"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_a_shipped_playbook_fits_the_schema_and_loads(path: Path) -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(_plain(path))
    assert find_playbooks(steps=STEPS)[path.stem].id == path.stem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_a_folded_text_reads_as_one_line(path: Path) -> None:
    """ruamel.yaml marks folds with a control character where a document is to be written again."""
    book = find_playbooks(steps=STEPS)[path.stem]
    assert book.description.isprintable()
    assert book.description == _plain(path)["description"].strip()


@pytest.mark.parametrize(
    "wrong",
    [{"id": "Not A Name"}, {"version": 1.0}, {"extra": 1}, {"stages": []}, {"guard_rails": {}}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_the_schema_refuses_what_the_loader_refuses(wrong: dict[str, Any]) -> None:
    document = _plain(FOLDER / "review-subscription.yaml") | wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(document)


@pytest.mark.parametrize(
    ("alert_type", "playbook"),
    [
        ("CryptoMining", "compromised-subscription"),
        ("cryptomining", "compromised-subscription"),
        ("networkConnectionsToCryptoMiningPools", "compromised-subscription"),
        ("VM_AnomalousDeployment", "compromised-subscription"),
        ("QuotaIncreaseAnomaly", "compromised-subscription"),
        ("azure-fraud-event-detected", "compromised-subscription"),
        ("SomethingAddedYesterday", "review-subscription"),
        ("ServiceHealthSecurityAdvisory", "review-subscription"),
    ],
)
def test_an_alert_type_finds_its_playbook(alert_type: str, playbook: str) -> None:
    assert choose_playbook(alert_type, find_playbooks(steps=STEPS)).id == playbook


def test_no_fitting_playbook_is_an_error_with_a_way_out() -> None:
    only = {"a": find_playbooks(steps=STEPS)["compromised-subscription"]}
    with pytest.raises(PlaybookError, match="No playbook applies"):
        choose_playbook("SomethingElse", only)


def test_an_own_folder_adds_and_replaces(tmp_path: Path) -> None:
    text = (FOLDER / "review-subscription.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace('version: "1.0"', 'version: "9.9"'))
    (tmp_path / "other.yaml").write_text(text.replace("id: review-subscription", "id: other"))
    found = find_playbooks(tmp_path, steps=STEPS)
    assert found["review-subscription"].version == "9.9"
    assert list(found) == sorted(found)
    assert "other" in found


def test_two_files_of_one_folder_with_one_id_are_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text((FOLDER / "review-subscription.yaml").read_text())
    with pytest.raises(PlaybookError, match="already taken by"):
        find_playbooks(tmp_path, steps=STEPS)


def test_creation_is_blocked_before_anything_is_stopped() -> None:
    order = [step for stage in find_playbooks(steps=STEPS)["compromised-subscription"].stages for step in stage.steps]
    assert order.index("contain.block_creation") < order.index("contain.remove_access")
    assert order.index("contain.block_creation") < order.index("contain.deallocate_machines")


def test_the_review_changes_nothing_in_the_subscription() -> None:
    review = find_playbooks(steps=STEPS)["review-subscription"]
    steps = [STEPS[step] for stage in review.stages for step in stage.steps]
    assert all(step.effect is Effect.READ or step.id.startswith("notify.") for step in steps)


def test_every_step_is_used_by_a_shipped_playbook() -> None:
    used = {
        step for playbook in find_playbooks(steps=STEPS).values() for stage in playbook.stages for step in stage.steps
    }
    assert set(STEPS) == used
