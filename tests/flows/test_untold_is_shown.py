"""A message that nobody could be told stands where people look: the case page, the report, the JSON of the run, `incidents show`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from firebreak.cli.rooms import dossier_of
from firebreak.report.case_page import case_page
from firebreak.report.dossier import run_json
from flows import notices
from flows.polling import poll_once
from tests.support.console import calling
from tests.support.polls import Place, polling_room, raise_alert

EVIL = "<img src=x onerror=alert(1)> [x](http://evil.example)"
SLACK = "slack-webhook/responders"


def untold(place: Place, monkeypatch: pytest.MonkeyPatch, problem: str) -> str:
    """An incident whose opening no channel takes; return it."""

    async def send(channel: str, message: object) -> str:
        return problem

    async def no_server(*_: object) -> None:
        """Events go to a Prefect server, which is not here; `test_messages_delivered` has one."""

    monkeypatch.setattr(notices, "send", send)
    monkeypatch.setattr(notices, "tell_prefect", no_server)
    notify = place.room.settings.notify.model_copy(update={"channels": (SLACK,)})
    object.__setattr__(place.room.settings, "notify", notify)
    raise_alert(place.world)
    asyncio.run(poll_once(place.room))
    asyncio.run(notices.tell_people(place.room, lambda *_: None))
    return place.started[0]


def test_it_is_on_the_page_in_the_json_and_in_incidents_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with polling_room(tmp_path / "home", monkeypatch) as place:
        incident = untold(place, monkeypatch, f"Answered with status 404. {EVIL}")
        dossier = dossier_of(place.room, incident)
        page = case_page(dossier)
        assert "### Messages that did not arrive" in page
        assert "NOBODY WAS TOLD" in page
        assert "<img" not in page
        assert "](http:" not in page
        (told,) = run_json(dossier)["messages"]
        assert (told["about"], told["told_over"], told["failed"][0]["channel"]) == (incident, [], SLACK)
    monkeypatch.setenv("FIREBREAK_HOME", str(tmp_path / "home"))
    run = calling(monkeypatch, capsys)
    code, said, _ = run("incidents", "show", incident)
    assert code == 0
    assert "NOBODY WAS TOLD" in said
    assert json.loads(run("incidents", "show", incident, "--json")[1])["messages"] == [told]


def test_what_arrived_is_not_shown_as_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with polling_room(tmp_path / "home", monkeypatch) as place:
        incident = untold(place, monkeypatch, "")
        dossier = dossier_of(place.room, incident)
        assert [one.is_untold for one in dossier.messages] == [False]
        assert "did not arrive" not in case_page(dossier)
