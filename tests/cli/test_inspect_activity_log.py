"""`firebreak inspect activity-log`: every form of a log, the JSON contract, and what bad input is told."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from firebreak.analysis import log_files
from firebreak.analysis.log_review import LogReview
from firebreak.cli.main import app
from firebreak.errors import ContentError

NAME = "Microsoft.Compute/virtualMachines/write"


def event(number: int, status: str = "Succeeded", correlation: str = "", name: str = NAME) -> dict[str, Any]:
    return {
        "eventDataId": f"e{number}",
        "correlationId": correlation or f"c{number}",
        "eventTimestamp": f"2026-11-01T09:00:{number % 60:02}Z",
        "operationName": {"value": name, "localizedValue": "Create or Update"},
        "status": {"value": status},
        "caller": "ann@contoso.example",
        "resourceId": "/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/virtualMachines/m",
    }


def reviewed(text: str | bytes, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "log.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = CliRunner().invoke(app, ["inspect", "activity-log", str(path), "--json"], standalone_mode=False)
    if result.exception:
        raise result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


EVENTS = [event(n) for n in range(40)]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"value": EVENTS}),
        json.dumps({"value": EVENTS, "nextLink": "https://x"}, indent=2),
        json.dumps({"nextLink": "https://x", "value": EVENTS}),
        json.dumps(EVENTS),
        json.dumps(EVENTS, indent=4),
        "\n".join(json.dumps(one) for one in EVENTS),
        "\n".join(json.dumps({"records": EVENTS[at : at + 8]}) for at in range(0, 40, 8)),
        json.dumps({"records": EVENTS}, separators=(",", ":")),
        json.dumps([{"records": EVENTS[:20]}, {"records": EVENTS[20:]}]),
        "\ufeff" + json.dumps({"value": EVENTS}),
    ],
    ids=[
        "reply",
        "indented",
        "value last",
        "list",
        "indented list",
        "lines",
        "lines of records",
        "compact",
        "nested",
        "mark",
    ],
)
@pytest.mark.parametrize("piece", [1 << 20, 700, 4000])
def test_every_form_of_a_file_gives_the_same_events(
    text: str, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "PIECE", piece)
    found = reviewed(text, tmp_path)
    assert sorted(e for one in found["operations"] for e in one["event_ids"]) == sorted(f"e{n}" for n in range(40))


class Piecewise(io.BytesIO):
    """A file that nobody may read at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 <= size <= 4000, "the whole file was asked for"
        return super().read(size)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"nextLink": 'https://x/\\"value": [', "count": 40, "value": EVENTS}),
        json.dumps({"value": EVENTS, "nextLink": "https://x"}),
        json.dumps(EVENTS),
        "\n".join(json.dumps(one) for one in EVENTS),
    ],
    ids=["value last", "reply", "list", "lines"],
)
def test_a_long_log_is_never_read_at_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "PIECE", 4000)
    log = LogReview(strict=False)
    log_files.review_file(Piecewise(text.encode()), "log.json", log)
    assert log.events == 40


def test_events_of_one_operation_are_one_operation_and_a_failure_is_none_of_success(tmp_path: Path) -> None:
    events = [
        event(1, "Started", "a", "Microsoft.Authorization/locks/delete"),
        event(2, "Failed", "a", "Microsoft.Authorization/locks/delete"),
        event(3, "Started", "b"),
        event(4, "Accepted", "b"),
        event(5, "Succeeded", "b"),
    ]
    found = reviewed(json.dumps({"value": events}), tmp_path)
    assert {one["name"]: (one["status"], sorted(one["event_ids"])) for one in found["operations"]} == {
        "Microsoft.Authorization/locks/delete": ("failed", ["e1", "e2"]),
        NAME: ("succeeded", ["e3", "e4", "e5"]),
    }
    told = next(one for one in found["findings"] if "lock" in one["title"])
    assert told["severity"] == "low"
    assert told["title"].endswith("(attempted)")
    assert told["operations"] == [one["id"] for one in found["operations"] if one["status"] == "failed"]


def test_upper_case_names_and_missing_claims_change_no_answer(tmp_path: Path) -> None:
    name = "Microsoft.Compute/disks/beginGetAccess/action"
    plain = reviewed(json.dumps([event(1, name=name)]), tmp_path)
    shouting = event(1, name=name.upper())
    shouting["operationName"] = name.upper()
    shouted = reviewed(json.dumps([shouting]), tmp_path)
    told = [[(one["title"], one["severity"], one["event_ids"]) for one in d["findings"]] for d in (plain, shouted)]
    assert told[0] == told[1]
    assert plain["findings"][0]["severity"] == "high"


@pytest.mark.parametrize("kept", [("operationName",), ("operationName", "status"), ("operationName", "eventTimestamp")])
def test_an_event_of_few_fields_is_reviewed_all_the_same(kept: tuple[str, ...], tmp_path: Path) -> None:
    whole = event(1, name="Microsoft.Authorization/elevateAccess/action")
    found = reviewed(json.dumps({key: whole[key] for key in kept}), tmp_path)
    assert [(one["severity"], one["event_ids"]) for one in found["findings"]] == [("critical", ["#1"])]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty"),
        (b"not json", ":1:1"),
        (b'{"a": 1}', "no activity log"),
        (json.dumps({"value": EVENTS}).encode()[:-300], "ends in the middle"),
        (json.dumps({"value": EVENTS}, indent=1).encode().replace(b'"e30"', b"e30", 1), "no JSON"),
        (b"[" * 5000, "no JSON|too deep|in the middle"),
        (b'{"operationName": "a/b"}\n{"operationName": \n', ":2:"),
    ],
)
def test_bad_input_is_told_with_its_place(text: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=said):
        reviewed(text, tmp_path)


def test_elements_that_are_no_events_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    found = reviewed(json.dumps([event(1), None, 7, "x", {"a": 1}]), tmp_path)
    assert len(found["operations"]) == 1
    assert found["not_looked_at"][0]["what"].startswith("4 events")


def test_a_log_from_standard_input_is_shown_as_a_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hostile = event(1, name="Microsoft.Authorization/elevateAccess/action")
    hostile["caller"] = "[red]eve[/red]\x1b[31m@contoso.example"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps([hostile]).encode())))
    result = CliRunner().invoke(app, ["inspect", "activity-log", "-"], input=json.dumps([hostile]))
    assert "Attacker:" in result.stdout
    assert "CRITICAL" in result.stdout
    assert "\x1b[31m@" not in result.stdout
    assert "[red]eve" in result.stdout
