"""`firebreak posture` as it is typed, against an embedded partner behind TLS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.console import calling
from tests.support.partner import partnership


def test_a_dry_run_prints_checks_and_writes_the_report_without_changing_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with partnership(tmp_path) as place:
        place.consent(mfa=True)
        for name, value in place.environment().items():
            monkeypatch.setenv(name, value)
        run = calling(monkeypatch, capsys)
        code, out, _ = run("posture", "--dry-run", "--json")
        document = json.loads(out)
        assert code == 0
        assert document["mode"] == "dry-run"
        checks = {check["id"]: check for check in document["checks"]}
        assert checks["own-second-factor"]["status"] == "pass"
        assert checks["score"]["status"] == "not looked at", "this partner has none"
        assert document["counts"]["not looked at"] >= 1
        assert Path(document["report"]["html"]).is_file()
        code, out, err = run("posture", "--dry-run")
        assert code == 0
        assert "checks found something wrong" in out
        assert "report.html" in err
        code, out, err = run("incidents", "letter", document["incident"])
        assert code == 1
        assert "no attack to write about" in err
        code, out, err = run("posture", "--end-relationship", "../x")
        assert code == 1
        assert "no id of a delegated relationship" in err
        assert {row.method for row in place.world.requests if row.service != "login"} == {"GET"}
