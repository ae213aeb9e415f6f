"""The command line as a person calls it, in this process and with a home of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firebreak.cli.main import main

Firebreak = Callable[..., tuple[int, str, str]]


@pytest.fixture
def firebreak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firebreak:
    """Calls `firebreak WORDS...` and returns exit code, standard output and standard error."""
    monkeypatch.setenv("FIREBREAK_HOME", str(tmp_path / "home"))

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["firebreak", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run
