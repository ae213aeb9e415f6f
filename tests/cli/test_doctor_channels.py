"""The doctor says which channel does not take messages, what waits to be told, and where links lead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from firebreak.approval import Notice, notices, tellings
from firebreak.cli.doctor_channels import channel_checks
from firebreak.cli.services import Running
from firebreak.settings import Settings
from firebreak.store import Store
from tests.support.console import calling

SLACK, MAIL = "slack-webhook/responders", "firebreak-mail/oncall"
HERE = Running(ui_url="http://127.0.0.1:4200", api_url="http://127.0.0.1:4200/api")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(home=tmp_path, notify={"channels": [SLACK], "urgent": [MAIL]})


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings.database_url) as found:
        yield found


def notice(store: Store, *, age: timedelta = timedelta(0)) -> Notice:
    at = store.clock() - age
    found = Notice(about="INC-1", kind=notices.FAILED, number=0, incident="INC-1", text="", at=at)
    with store.write() as tx:
        notices.add(tx, found)
    return found


def test_without_channels_it_says_that_nobody_is_told(tmp_path: Path) -> None:
    (check,) = channel_checks(Settings.load(home=tmp_path), None)
    assert check.ok
    assert "nobody is told" in check.detail


def test_a_channel_is_judged_by_its_last_message(settings: Settings, store: Store) -> None:
    told = notice(store)
    tellings.note(store, told, channel=SLACK, route="channels", problem="Answered with status 404.")
    slack, mail, messages, links = channel_checks(settings, HERE)
    assert (slack.ok, mail.ok, messages.ok) == (False, True, True)
    assert "Answered with status 404." in slack.detail
    assert "notify test" in slack.hint
    assert "Nothing was sent over it yet" in mail.detail
    assert not links.ok
    assert "FIREBREAK_NOTIFY__UI_URL" in links.hint
    tellings.note(store, told, channel=SLACK, route="channels")
    assert channel_checks(settings, HERE)[0].ok


def test_what_nobody_was_told_for_long_is_a_failure(settings: Settings, store: Store) -> None:
    waiting = notice(store, age=timedelta(minutes=11))
    assert [one.ok for one in channel_checks(settings, HERE) if one.name == "messages"] == [False]
    notices.note_told(store, waiting)
    assert [one.ok for one in channel_checks(settings, HERE) if one.name == "messages"] == [True]


def test_links_lead_where_the_settings_say(tmp_path: Path) -> None:
    notify = {"channels": [SLACK], "ui_url": "https://ir.example.com/v2/"}
    *_, links = channel_checks(Settings.load(home=tmp_path, notify=notify), HERE)
    assert (links.ok, links.detail) == (True, "https://ir.example.com")


def test_a_test_message_without_channels_or_server_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = calling(monkeypatch, capsys)
    code, _, said = run("notify", "test")
    assert code == 1
    assert "FIREBREAK_NOTIFY__CHANNELS" in said
    monkeypatch.setenv("FIREBREAK_NOTIFY__CHANNELS", f'["{SLACK}"]')
    code, _, said = run("notify", "test")
    assert code == 1
    assert "firebreak up" in said
