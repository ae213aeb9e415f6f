"""Which playbook a replay takes: a file, an id, one of the same id from a folder; what is not there is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from firebreak.errors import ContentError
from firebreak.model.playbook import Playbook
from firebreak.replay.books import playbooks_named
from tasks.registry import load_steps

SHIPPED = Path(__file__).parents[4] / "playbooks"


def test_a_file_a_folder_and_an_id_are_found(tmp_path: Path) -> None:
    steps = load_steps()
    file = playbooks_named(str(SHIPPED / "review-subscription.yaml"), steps, tmp_path)
    assert isinstance(file, Playbook)
    assert file == playbooks_named("review-subscription", steps, tmp_path)
    folder = playbooks_named(str(SHIPPED), steps, tmp_path)
    assert isinstance(folder, dict)
    assert folder["review-subscription"] == file
    assert playbooks_named("", steps, tmp_path) is None


@pytest.mark.parametrize("named", ["no-such", "no-such.yaml", "."])
def test_what_is_not_there_is_refused(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ContentError):
        playbooks_named(named, load_steps(), tmp_path)
