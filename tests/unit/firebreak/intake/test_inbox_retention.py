"""How long raw bytes stay in the inbox: settled ones for their time, those of an open incident and those that wait for longer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from firebreak.intake.inbox import DONE, KEPT, Inbox
from firebreak.settings import Settings
from firebreak.store import Store
from tests.support.console import calling
from tests.unit.firebreak.execution.builders import FakeClock, make_incident

CANARY = b"personal-CANARY-of-a-customer"
DAYS = timedelta(days=60)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'firebreak.db'}") as opened:
        opened.clock = clock
        yield opened


def settled(store: Store, body: bytes, state: str, incident: str = "") -> str:
    inbox = Inbox(store)
    (taken,) = inbox.take([("alerts", body)])
    inbox.settle(taken.id, state, incident=incident, reason="because")
    return taken.id


def bodies(store: Store, *ids: str) -> list[bytes]:
    return [found.body for one in ids if (found := Inbox(store).get(one)) is not None]


def test_old_bytes_go_and_what_became_of_them_stays(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    inbox = Inbox(store)
    old = settled(store, b"old " + CANARY, KEPT)
    clock.forward(days=59)
    young = settled(store, b"young", KEPT)
    assert inbox.purge(DAYS) == 0
    clock.forward(days=2)
    assert inbox.expired(DAYS) == [old]
    assert inbox.purge(DAYS) == 1
    assert inbox.purge(DAYS) == 0
    assert bodies(store, old, young) == [b"", b"young"]
    found = inbox.get(old)
    assert found is not None
    assert (found.state, found.reason, found.is_purged) == (KEPT, "because", True)
    assert inbox.take([("alerts", b"old " + CANARY)])[0].is_new is False  # it was seen, whatever is left of it
    assert not inbox.retry(old)
    store.close()
    assert not any(CANARY in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize("state", ["open", "investigating", "waiting", "executing", "failed"])
def test_the_bytes_of_an_open_incident_stay_however_old(store: Store, clock: FakeClock, state: str) -> None:
    incident = make_incident()
    store.incidents.add(incident, raw_alert_digest="x")
    mine = settled(store, b"of the incident", DONE, incident.id)
    store.incidents.set_state(incident.id, state, "")
    clock.forward(days=4000)
    assert Inbox(store).purge(DAYS) == 0
    store.incidents.set_state(incident.id, "done", "")
    assert Inbox(store).purge(DAYS) == 1
    assert bodies(store, mine) == [b""]


def test_a_delivery_about_two_incidents_stays_while_either_is_open(store: Store, clock: FakeClock) -> None:
    first, second = make_incident("INC-1"), make_incident("INC-2")
    mine = settled(store, b"about both", DONE, "INC-1")
    found = Inbox(store).get(mine)
    assert found is not None
    with store.write() as tx:
        store.incidents.add(first, raw_alert_digest="x", tx=tx)
    digest = hashlib.sha256(b"about both").hexdigest()
    with store.write() as tx:
        store.cases.claim(tx, second, raw_alert_digest=digest, join_within=None)
    store.incidents.set_state("INC-1", "done", "")
    clock.forward(days=100)
    assert Inbox(store).purge(DAYS) == 0
    store.incidents.set_state("INC-2", "stopped", "")
    assert Inbox(store).purge(DAYS) == 1


def test_what_waits_stays(store: Store, clock: FakeClock) -> None:
    (taken,) = Inbox(store).take([("alerts", b"not processed yet")])
    clock.forward(days=4000)
    assert Inbox(store).purge(DAYS) == 0
    assert bodies(store, taken.id) == [b"not processed yet"]


def test_the_command_removes_nothing_unless_told_so(
    tmp_path: Path, store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.forward(days=-400)  # the command has the machine's clock
    settled(store, b"old", KEPT)
    monkeypatch.setenv("FIREBREAK_HOME", str(tmp_path))
    run = calling(monkeypatch, capsys)
    assert run("intake", "purge", "--older-than", "7")[0] != 0
    code, said, _ = run("intake", "purge", "--older-than", "30")
    assert (code, "Nothing was" in said) == (2, True)
    (kept,) = Inbox(store).newest()
    assert kept.body == b"old"
    code, said, _ = run("intake", "purge", "--older-than", "30", "--yes", "--json")
    assert (code, said.strip().replace("\n", "").replace(" ", "")) == (0, '{"expired":1,"removed":1}')
    code, _, problem = run("intake", "show", kept.id[:12])
    assert (code, "were removed" in problem) == (1, True)


@pytest.mark.parametrize(("days", "fine"), [(0, True), (30, True), (29, False), (-1, False)])
def test_a_time_that_polls_could_not_live_with_is_refused(
    monkeypatch: pytest.MonkeyPatch, days: int, fine: bool
) -> None:
    monkeypatch.setenv("FIREBREAK_INTAKE__KEEP_DAYS", str(days))
    if fine:
        assert Settings.load().intake.keep_days == days
    else:
        with pytest.raises(ValueError, match="KEEP_DAYS"):
            Settings.load()
