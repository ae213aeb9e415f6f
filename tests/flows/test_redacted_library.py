"""Redacted bundles of recorded incidents: the same plans when the pseudonyms are turned back, and nothing of the original's names in any spelling."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from firebreak.bundle import open_bundle, write_bundle
from firebreak.cli.main import main
from flows.redact import redact
from tasks.registry import load_steps
from tests.support.recorded import files_in
from tests.support.redacted import found_again, isomorphic, public

pytestmark = pytest.mark.timeout(1200)

LIBRARY = Path(__file__).parent.parent.parent / "incidents"
ALL = pytest.mark.parametrize("name", sorted(path.stem for path in LIBRARY.glob("*.zip")))


@pytest.mark.slow
def test_the_command_reports_and_the_owner_keeps_key_and_mapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = LIBRARY / "public-recorded-estate.zip", tmp_path / "shared.zip"
    key, mapping = tmp_path / "key", tmp_path / "who.json"
    words = ["firebreak", "incidents", "redact", str(source), "--out", str(out), "--key-file", str(key)]
    monkeypatch.setattr(sys, "argv", [*words, "--mapping", str(mapping), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    told = json.loads(capsys.readouterr().out)
    assert (ended.value.code or 0, told["same_plans"], told["differs"]) == (0, True, [])
    assert min(told["replaced"]["words"], told["replaced"]["ids"]) > 0
    assert {path.stat().st_mode & 0o077 for path in (key, mapping)} == {0}
    table = json.loads(mapping.read_bytes())
    with open_bundle(out) as shared, open_bundle(source) as original:
        assert table[shared.incident.subscription_id] == original.incident.subscription_id
    key.write_text("c0ffee")
    monkeypatch.setattr(sys, "argv", [*words, "--force", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, "3 bytes" in capsys.readouterr().out) == (1, True)


@pytest.mark.slow
@ALL
def test_a_redacted_bundle_gives_the_same_plans_and_holds_no_name(name: str, tmp_path: Path) -> None:
    original = LIBRARY / f"{name}.zip"
    with open_bundle(original) as bundle:
        done = redact(bundle, b"k" * 32, load_steps(), lambda _: None)
    assert done.differs == ()
    assert done.now.concluded == done.then.concluded
    assert done.now.missing == done.then.missing == 0
    assert isomorphic(done.then.plans, done.now.plans, done.redaction.names.table()) > 0
    out = write_bundle(done.files, tmp_path / "shared.zip")
    with open_bundle(out) as shared:
        assert shared.verify().records > 0
        assert shared.head.derived is not None
        assert shared.head.derived.same_plans is True
        assert {p.digest for p in shared.plans.values()} == {part.digest for part in shared.head.plans}
        assert shared.accepted is not None
        assert set(shared.accepted.plans) == {plan.digest for plan in done.now.plans.values()}
    left = set(done.redaction.left(done.files))
    assert all(public(one) for one in left), left
    assert found_again(files_in(original), done.files, left) == []
