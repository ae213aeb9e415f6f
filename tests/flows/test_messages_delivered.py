"""People are told over real endpoints, through real blocks of a real Prefect server: what arrives, what a hostile name does there, what a
failure leaves behind.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import apprise.plugins.pagerduty
import httpx
import pytest
from apprise.plugins.slack import NotifySlack
from prefect.settings import PREFECT_API_URL, temporary_settings

from firebreak.approval import GateWatch, notices, tellings
from firebreak.engine import EngineRoom
from firebreak.engine.messages import messages_of
from firebreak.evidence import EvidenceStore
from firebreak.model.mode import Mode
from firebreak.report.told import failures
from firebreak.settings import Settings
from flows.blocks import Mail
from flows.deliveries import Deliveries
from flows.readings import read
from tests.flows.endpoints import (
    HOOK,
    HOSTILE,
    MAIL,
    PAGER,
    RUN,
    SLACK,
    TEAMS,
    TOKENS,
    UI,
    Ends,
    Installation,
    five_channels,
    prefect_server,
)
from tests.flows.stack import until
from tests.support.canaries import Canaries
from tests.support.receivers import HttpReceiver
from tests.unit.firebreak.execution.builders import FakeClock, Office, make_incident

pytestmark = [
    pytest.mark.flows,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:.imghdr. is deprecated:DeprecationWarning"),  # Apprise's import
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prefect_server(tmp_path_factory.mktemp("prefect-server")) as api:
        yield api


@pytest.fixture(autouse=True)
def _of_this_server(server: str) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: server}):
        yield


@pytest.fixture(scope="module")
def opened(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ends, Path]]:
    with five_channels(server, tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.fixture
def ends(opened: tuple[Ends, Path], monkeypatch: pytest.MonkeyPatch) -> Ends:
    """Real endpoints, empty: of Slack and PagerDuty the vendor's address is replaced, nothing else."""
    found, ca = opened
    found.forget()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca))
    monkeypatch.setattr(NotifySlack, "webhook_url", f"{found.slack.url}/services")
    monkeypatch.setitem(apprise.plugins.pagerduty.PAGERDUTY_API_LOOKUP, "us", f"{found.pager.url}/v2/enqueue")
    return found


Install = Callable[..., Installation]


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    with ExitStack() as stack:

        def make(*channels: str, urgent: tuple[str, ...] = ()) -> Installation:
            clock = FakeClock()
            office = Office(f"sqlite:///{tmp_path / 'store.db'}", clock).staff()
            stack.enter_context(office.store)
            notify = {"channels": channels, "urgent": urgent, "ui_url": UI}
            room = EngineRoom(
                settings=Settings.load(home=tmp_path, notify=notify),
                store=office.store,
                audit=office.audit,
                approvers=office.people,
                desk=office.desk,
                evidence=EvidenceStore((tmp_path / "evidence").as_uri()),
                steps={},
                clock=clock,
            )
            return Installation(room, office)

        yield make


def card(receiver: HttpReceiver, number: int = -1) -> str:
    """The texts of an Adaptive Card, as Teams reads them."""
    content = receiver.received[number].json["attachments"][0]["content"]
    assert not content["msteams"].get("entities"), "somebody is mentioned"
    return "\n".join(part["text"] for part in content["body"])


def test_a_waiting_gate_reaches_every_kind_of_channel_with_money_people_and_links(ends: Ends, install: Install) -> None:
    here = install()
    for number, channel in enumerate((SLACK, TEAMS, PAGER, HOOK, MAIL)):
        here.room = with_channels(here.room, channel)
        here.ask(f"INC-0000000{number}")
        assert here.tell() == 1, here.warned
    slack = ends.slack.received[0]
    assert slack.path == f"/services/{TOKENS['slack']}"
    attachment = slack.json["attachments"][0]
    texts = {
        "slack": attachment["title"] + "\n" + attachment["text"],
        "teams": card(ends.teams),
        "pager": ends.pager.received[0].json["payload"]["summary"],
        "hook": "{title}\n{text}".format(**ends.hook.received[0].json),
        "mail": f"{ends.mail.mails[0]['Subject']}\n{ends.mail.mails[0].get_content()}",
    }
    for name, text in texts.items():
        assert "Contain it waits for an answer" in text, name
        assert "Waiting costs 61.20 EUR an hour; lost so far 430.00 EUR." in text, name
        assert "May answer: Ann, Bob (1 needed)" in text, name
        assert f"{UI}/runs/flow-run/{RUN}" in text, name
        assert f"{UI}/v2/runs/flow-run/{RUN}" in text, name
    assert f"[Open in Prefect (Resume is at the top right)]({UI}/runs/flow-run/{RUN})" in texts["teams"]
    assert f"<{UI}/runs/flow-run/{RUN}|Open in Prefect (Resume is at the top right)>" in texts["slack"]
    assert ends.pager.received[0].json["routing_key"] == TOKENS["integration"]
    assert ends.hook.received[0].path == f"/{TOKENS['webhook']}"
    assert ends.mail.recipients == ["oncall@contoso.example", "boss@contoso.example"]


def with_channels(room: EngineRoom, *channels: str, urgent: tuple[str, ...] = ()) -> EngineRoom:
    notify = {"channels": channels, "urgent": urgent, "ui_url": UI}
    return replace(room, settings=Settings.load(home=room.settings.home, notify=notify))


def test_a_hostile_name_does_nothing_in_any_channel(ends: Ends, install: Install) -> None:
    here = install()
    for number, channel in enumerate((SLACK, TEAMS, PAGER, HOOK, MAIL)):
        here.room = with_channels(here.room, channel)
        here.ask(f"INC-0000000{number}", title=HOSTILE)
        with here.room.store.write() as tx:
            notices.add_opened(tx, f"INC-0000000{number}", HOSTILE, here.room.clock())
        assert here.tell() == 2, here.warned
    for received in ends.slack.received:
        attachment = received.json["attachments"][0]
        links = re.findall(r"<([^>]*)>", attachment["text"])
        assert len(links) == 2
        assert all(link.startswith(f"{UI}/") for link in links)
        assert not re.search(r"<|!channel&gt;|(?<!\w)[*_~`]", attachment["title"])
        harmless(attachment["title"] + re.sub(r"<[^>]*>", "", attachment["text"]))
    for number in range(len(ends.teams.received)):
        text = card(ends.teams, number)
        assert all(url.startswith(f"{UI}/") for url in re.findall(r"\]\(([^)]*)\)", text))
        harmless(re.sub(rf"\[[^\]]*\]\({re.escape(UI)}[^)]*\)", "", text))
    for received in ends.pager.received:
        assert len(received.json["payload"]["summary"]) <= 1024
        assert received.json["payload"]["summary"].endswith(RUN)
        harmless(received.json["payload"]["summary"])
    for received in ends.hook.received:
        assert received.json.keys() == {"title", "text"}
        harmless("{title} {text}".format(**received.json))
    for mail in ends.mail.mails:
        assert mail.get_content_type() == "text/plain"
        assert mail["Bcc"] is None
        harmless(f"{mail['Subject']} {mail.get_content()}")
    assert set(ends.mail.recipients) == {"oncall@contoso.example", "boss@contoso.example"}
    assert [len(one) for one in (ends.slack.received, ends.teams.received, ends.mail.mails)] == [2, 2, 4]


def harmless(text: str) -> None:
    """Nothing is left that Slack, Markdown, HTML or a template acts upon, and nothing that becomes a link of its own."""
    assert not re.search(r"[<>*`~\[\]{}|\\@\x1b\u202e]", text.replace("&lt;", "<").replace("&gt;", ">")), text
    assert not re.search(r"(?<!\w)_|_(?!\w)", text)
    for address in re.findall(r"\w+://[^\s]*", text):
        assert address.startswith(UI), address
    assert not re.search(r"\bwww\.", text)


def test_what_the_first_channel_does_not_take_goes_to_the_next_and_both_are_on_record(
    ends: Ends, install: Install
) -> None:
    ends.slack.status = 404
    here = install(SLACK, "slack-webhook/nobody-made-it", MAIL, HOOK)
    here.ask()
    assert here.tell() == 1
    assert len(ends.mail.mails) == 2, "one for each recipient"
    assert not ends.hook.received
    assert here.records() == [
        ("notice.undelivered", SLACK),
        ("notice.undelivered", "slack-webhook/nobody-made-it"),
        ("notice.delivered", MAIL),
    ]
    assert any("Answered with status 404." in line for line in here.warned)
    (row,) = messages_of(here.room.audit.records("INC-1a2b3c4d"))
    assert (row.kind, row.told_over, row.is_untold) == ("waiting", (MAIL,), False)
    assert (
        "told over firebreak-mail/oncall only. slack-webhook/responders: Answered with status 404."
        in failures([row])[0]
    )
    newest = tellings.newest_by_channel(here.room.store)
    assert newest["slack-webhook/nobody-made-it"].problem == "The Prefect server has no such notification block."
    assert (newest[MAIL].state, newest[SLACK].state) == (tellings.DELIVERED, tellings.FAILED)
    assert here.tell() == 0
    assert len(ends.mail.mails) == 2


def test_what_no_channel_takes_is_tried_again_later_and_told_once_each_has_it(ends: Ends, install: Install) -> None:
    ends.slack.status, ends.mail.refuses = 500, True
    here = install(SLACK, MAIL, urgent=(PAGER,))
    here.ask()
    assert here.tell() == 0
    here.office.clock.forward(seconds=59)
    assert here.tell() == 0
    assert len(ends.slack.received) == 1
    here.office.clock.forward(seconds=2)
    ends.slack.status = 200
    assert here.tell() == 1
    assert [len(ends.slack.received), len(ends.pager.received), len(ends.mail.mails)] == [2, 1, 0]
    assert here.records() == [
        ("notice.undelivered", SLACK),
        ("notice.undelivered", MAIL),
        ("notice.delivered", PAGER),
        ("notice.delivered", SLACK),
    ]


def test_after_a_day_it_is_given_up_and_that_is_on_record(ends: Ends, install: Install) -> None:
    ends.slack.status = 500
    here = install(SLACK)
    here.office.add(make_incident())
    with here.room.store.write() as tx:
        notices.add_end(tx, "INC-1a2b3c4d", "failed", "It went wrong.", here.room.clock())
    for _ in range(30):
        here.tell()
        here.office.clock.forward(hours=1)
    assert here.records()[-1] == ("notice.given_up", "")
    (line,) = failures(messages_of(here.room.audit.records("INC-1a2b3c4d")))
    assert line.startswith("NOBODY WAS TOLD")
    assert "slack-webhook/responders: Answered with status 500. Nobody tries any more." in line
    assert notices.untold(here.room.store) == (0, None)
    assert len(ends.slack.received) == 25


def test_expiry_and_escalation_are_told_and_exercises_are_not(ends: Ends, install: Install) -> None:
    here = install(HOOK)
    here.ask("INC-exercise", mode=Mode.DRY_RUN)
    view = here.ask()
    watch = GateWatch(here.room.store, here.room.desk, here.room.audit)
    here.tell()
    for minutes in (31, 24, 6):
        here.office.clock.forward(minutes=minutes)
        watch.look()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("flows.notices.wake", no_run_waits)
            here.tell()
    titles = [received.json["title"] for received in ends.hook.received]
    assert titles == [
        f"{view.incident}: Contain it {what}"
        for what in (
            "waits for an answer",
            "was escalated",
            "expires soon",
            "expired and is asked again",
        )
    ]


async def no_run_waits(room: EngineRoom, incident: str) -> bool:
    """There is no flow run in these tests that could be woken."""
    return False


def test_the_ends_of_an_incident_are_told_with_what_to_do_then(ends: Ends, install: Install) -> None:
    here = install(HOOK, urgent=(PAGER,))
    here.office.add(make_incident())
    for state in ("done", "stopped", "failed"):
        with here.room.store.write() as tx:
            notices.add_end(tx, "INC-1a2b3c4d", state, f"Why it is {state}.", here.room.clock())
            notices.add_end(tx, "INC-1a2b3c4d", "open", "", here.room.clock())
            here.room.store.incidents.set_state("INC-1a2b3c4d", state, tx=tx)
            notices.add_end(tx, "INC-1a2b3c4d", state, "The same again.", here.room.clock())
        here.tell()
    told = [(received.json["title"], received.json["text"].splitlines()) for received in ends.hook.received]
    assert [title for title, _ in told] == [
        "INC-1a2b3c4d is contained",
        "INC-1a2b3c4d was stopped by people",
        "INC-1a2b3c4d has failed: a person has to look",
    ]
    assert told[2][1][0] == "Why it is failed."
    assert told[2][1][-1] == "Then: firebreak respond --incident INC-1a2b3c4d"
    assert len(ends.pager.received) == 1


async def deliver(room: EngineRoom, bodies: list[bytes]) -> None:
    async with Deliveries(room, read) as deliveries:
        for body in bodies:
            taken = await deliveries.take("azure-monitor", body)
            await deliveries.process(taken.id)


def test_refused_alerts_are_told_once_in_ten_minutes(ends: Ends, install: Install) -> None:
    here = install(HOOK)
    asyncio.run(deliver(here.room, [b'{"number": %d}' % number for number in range(20)]))
    assert here.tell() == 1
    here.office.clock.forward(minutes=11)
    asyncio.run(deliver(here.room, [b'{"number": 21}']))
    assert here.tell() == 1
    assert [received.json["title"] for received in ends.hook.received] == [
        "An alert over azure-monitor opened no incident"
    ] * 2


def test_no_secret_of_a_channel_is_left_anywhere(
    ends: Ends, install: Install, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Delivered, refused and unreachable; at the most talkative level of every logger."""
    caplog.set_level(logging.DEBUG)
    Mail(
        host="127.0.0.1",
        port=ends.mail.port,
        security="none",
        user="firebreak",
        password=TOKENS["password"],
        sender="f@contoso.example",
        recipients=["a@contoso.example"],
    ).save("oncall", overwrite=True)
    here = install(HOOK, SLACK, TEAMS, PAGER, MAIL)
    here.ask("INC-00000001")
    here.tell()
    for receiver in (ends.hook, ends.slack, ends.teams, ends.pager):
        receiver.status = 500
    here.ask("INC-00000002")
    here.tell()
    assert [kind for kind, _ in here.records("INC-00000002")] == ["notice.undelivered"] * 5
    canaries = Canaries({**TOKENS, "slack's last part": TOKENS["slack"].rpartition("/")[2]})
    canaries.look("log", caplog.text)
    said = capfd.readouterr()
    canaries.look("output", said.out + said.err)
    canaries.look("warnings", "\n".join(here.warned))
    canaries.look("store", (tmp_path / "store.db").read_bytes())
    for row in httpx.post(f"{PREFECT_API_URL.value()}/events/filter", json={"limit": 50}).json()["events"]:
        canaries.look("event", str(row))
    assert canaries.found == []
    assert len(caplog.records) > 10


def test_events_and_messages_say_the_same_once(server: str, ends: Ends, install: Install) -> None:
    here = install(HOOK)
    view = here.ask("INC-0e0e0e0e")
    here.tell()
    wanted = {"filter": {"resource": {"id": [f"firebreak.gate.{view.id}"]}, "order": "ASC"}, "limit": 50}

    def names() -> list[Any]:
        answer = httpx.post(f"{server}/events/filter", json=wanted, timeout=60).raise_for_status()
        found = [event["event"] for event in answer.json()["events"]]
        return found if len(found) == 2 else []

    assert sorted(until("both events", names, seconds=30)) == ["firebreak.gate.told", "firebreak.gate.waiting"]
