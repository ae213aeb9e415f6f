"""A whole run while every list of resources is a minute behind: containment ends as it should, by reading single resources again."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from azure_simulator import build
from azure_simulator.truth import score
from tests.flows.room_in_process import alert_bytes, engine_room_of, respond_in, writes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
LAG = 60


def path_of(url: str) -> str:
    return urlsplit(url).path.lower()


def test_late_lists_neither_break_containment_nor_repeat_a_write(tmp_path: Path) -> None:
    world = build("service-principal-abuse", seed=7, now=NOW)
    world.list_lag_seconds = LAG
    stopped: dict[str, int] = {}
    still_listed_as_running: set[str] = set()

    def note(what: str, document: dict[str, Any]) -> None:
        if what == "machine.stopped":
            identity = str(document["id"]).lower()
            stopped[identity] = len(world.requests)
            if world.listed(world.resources)[identity]["_power"] == "running":
                still_listed_as_running.add(identity)

    world.on_change.append(note)
    with engine_room_of(world, tmp_path) as room:
        ran = respond_in(room, world, alert_bytes(world))

    assert ran.state == "done"
    truth = score(world)
    assert truth["rogue_running"] == []
    assert truth["protected_touched"] == []
    assert truth["legitimate_stopped"] == []
    assert truth["comebacks"] == []

    # What was done is not asked for again because a list still shows it undone.
    asked = Counter(question.plan.stage for question in ran.runtime.asked if question.view.approvals == ())
    assert asked["contain"] == asked["eradicate"] == 1
    assert {action["state"] for action in ran.json["actions"] if action["kind"].endswith(".deallocate")} == {"done"}

    sent = Counter((row.method, path_of(row.url)) for row in writes(world))
    assert {request: times for request, times in sent.items() if times > 1} == {}

    # The lists were wrong when it mattered, and each machine was read by its own id.
    assert stopped
    assert still_listed_as_running == set(stopped)
    for identity, since in stopped.items():
        read = {path_of(row.url) for row in world.requests[since:] if row.method == "GET" and row.status == 200}
        assert {identity, f"{identity}/instanceview"} & read, f"{identity} was not read again"
