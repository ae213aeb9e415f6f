"""The console script's entry point in this process: what a person types, and what comes back.

run = calling(monkeypatch, capsys)
code, out, err = run("gates", "list", "--json")
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firebreak.cli.main import main

Calling = Callable[..., tuple[int, str, str]]


def calling(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Calling:
    """Calls `firebreak WORDS...` and returns exit code, standard output and standard error."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["firebreak", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run
