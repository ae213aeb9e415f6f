"""What is handed to Prefect (pages, tables, the message of a failed run) has its secrets taken out at the last moment (P11)."""

from __future__ import annotations

from typing import Any

import pytest

from firebreak.errors import ResponseError
from flows import respond
from flows.respond import PrefectRuntime, failed

SECRET = "cAnArYsEcReT0123456789"
DIRTY = f"see https://x.blob.core.windows.net/b?sv=2024-11-04&sig={SECRET}%3D with Bearer {SECRET}"


async def test_no_artifact_holds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []

    async def keep(**artifact: Any) -> None:
        sent.append(artifact)

    # The door to Prefect's server: everything on this side of it is ours.
    monkeypatch.setattr(respond, "acreate_markdown_artifact", keep)
    monkeypatch.setattr(respond, "acreate_table_artifact", keep)
    course = object.__new__(PrefectRuntime)
    course._incident = "INC-1"
    await course.show("case", f"# {DIRTY}", "What is happening")
    await course.show_table("machines", [{"name": "vm-1", "tags": DIRTY}], "Machines")
    assert [artifact["key"] for artifact in sent] == ["inc-1-case", "inc-1-machines"]
    for artifact in sent:
        assert SECRET not in repr(artifact)
        assert repr(artifact).count("[redacted]") == 2


def test_no_final_state_holds_one() -> None:
    message = str(failed(ResponseError(DIRTY, hint=DIRTY)).message)
    assert SECRET not in message
    assert "[redacted]" in message
