"""The command line as a person calls it, in this process and with a home of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.console import calling

Firebreak = Callable[..., tuple[int, str, str]]


@pytest.fixture
def firebreak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firebreak:
    """Calls `firebreak WORDS...` and returns exit code, standard output and standard error."""
    monkeypatch.setenv("FIREBREAK_HOME", str(tmp_path / "home"))

    return calling(monkeypatch, capsys)
