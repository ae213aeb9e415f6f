"""`firebreak intake list, show, retry`: what was delivered can be seen, byte for byte, and tried again after what kept it was mended."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from firebreak.cli.main import main
from firebreak.intake.inbox import DONE, KEPT, Inbox
from firebreak.settings import Settings
from firebreak.store import Store
from tests.cli.conftest import Firebreak

BODIES = (b'{"a":1}', b"\xff\x00 raw \x1b[2J", b'{"b":2}')


@pytest.fixture
def ids(tmp_path: Path) -> list[str]:
    """One that waits, one that was kept for a hostile reason, one that is done."""
    with Store.open(Settings.load(home=tmp_path / "home").database_url) as store:
        inbox = Inbox(store)
        found = [one.id for one in inbox.take([("alerts", body) for body in BODIES])]
        inbox.settle(found[1], KEPT, reason="not JSON \x1b]0;owned\x07 [red]x[/]")
        inbox.settle(found[2], DONE, incident="INC-1")
        return found


def test_deliveries_are_listed_with_what_became_of_them(firebreak: Firebreak, ids: list[str]) -> None:
    code, out, _ = firebreak("intake", "list", "--json")
    rows = {row["id"]: row for row in json.loads(out)["deliveries"]}
    assert code == 0
    assert [(rows[one]["state"], rows[one]["incident"], rows[one]["bytes"]) for one in ids] == [
        ("waiting", "", 7),
        ("kept", "", len(BODIES[1])),
        ("done", "INC-1", 7),
    ]
    _, out, _ = firebreak("intake", "list", "--state", "kept", "--json")
    assert [row["id"] for row in json.loads(out)["deliveries"]] == [ids[1]]
    code, out, _ = firebreak("intake", "list")
    assert "INC-1" in out
    assert "\x1b" not in out
    assert "[red]" in out
    assert firebreak("intake", "list", "--state", "lost", "--json")[0] == 1


def test_the_raw_bytes_come_out_as_they_came(ids: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setenv("FIREBREAK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "argv", ["firebreak", "intake", "show", ids[1][:12]])
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(SystemExit):
        main()
    assert out.buffer.getvalue() == BODIES[1]  # type: ignore[attr-defined]


def test_what_was_kept_is_tried_again_and_nothing_else(firebreak: Firebreak, ids: list[str]) -> None:
    code, out, _ = firebreak("intake", "retry", ids[1], "--json")
    assert (code, json.loads(out)["state"]) == (0, "waiting")
    for one in ids:
        code, out, _ = firebreak("intake", "retry", one, "--json")
        assert (code, "Only what was kept" in json.loads(out)["error"]["hint"]) == (1, True)


@pytest.mark.parametrize("name", ["zz", "%", "_", ""])
def test_a_name_that_fits_none_is_said(firebreak: Firebreak, ids: list[str], name: str) -> None:
    code, out, _ = firebreak("intake", "retry", name, "--json")
    assert (code, json.loads(out)["error"]["hint"]) == (1, "See: firebreak intake list")
