"""One alert is in one incident, and alerts of one subscription in the one that runs, whoever comes at once; the inbox keeps bytes as they came."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec

from firebreak.intake.inbox import DONE, KEPT, WAITING, Inbox
from firebreak.model.alert import Incident
from firebreak.store import Claimed, Store
from tests.unit.firebreak.execution.builders import make_incident

WITHIN = timedelta(hours=1)


def incident(name: str, alert: str) -> Incident:
    made = make_incident(name, detected_at=datetime.now(UTC))
    changed = msgspec.structs.replace(made.alert, id=alert)
    return msgspec.structs.replace(made, alert=changed, opened_at=datetime.now(UTC))


def claim(store: Store, wanted: Incident, within: timedelta | None = WITHIN) -> Claimed:
    with store.write() as tx:
        return store.cases.claim(tx, wanted, raw_alert_digest="00", join_within=within)


def test_whoever_comes_at_once_finds_the_same_incident(store_url: str) -> None:
    with Store.open(store_url) as store, ThreadPoolExecutor(8) as pool:
        wanted = [incident(f"INC-{number}", f"alert-{number % 6}") for number in range(24)]
        found = list(pool.map(lambda one: claim(store, one), wanted))
        (opened,) = [one for one in found if one.is_new]
        assert {one.incident for one in found} == {opened.incident}
        assert sum(one.is_joined for one in found) == 5
        assert [row.incident.id for row in store.incidents.list()] == [opened.incident]
        assert sorted(one.alert_id for one in store.cases.alerts(opened.incident)) == [f"alert-{n}" for n in range(6)]


def test_an_incident_joins_only_while_it_runs_and_when_it_is_asked_to(store_url: str) -> None:
    with Store.open(store_url) as store:
        assert claim(store, incident("INC-1", "a")).is_new
        assert claim(store, incident("INC-2", "b"), None) == Claimed("INC-2", True, False)
        assert claim(store, incident("INC-3", "c")) == Claimed("INC-2", False, True)
        store.incidents.set_state("INC-2", "done")
        assert claim(store, incident("INC-4", "c")) == Claimed("INC-2", False, False)
        assert claim(store, incident("INC-5", "d")) == Claimed("INC-5", True, False)


def test_an_alert_is_known_under_each_form_of_its_id(store_url: str) -> None:
    with Store.open(store_url) as store:
        opened = incident("INC-1", "")
        subscription, own = opened.alert.subscription_id, "aaaaaaaa-0000-4000-8000-000000000001"
        forms = [own, f"{subscription}-{own}", f"{subscription.upper()}_{own.upper()}"]
        first = claim(store, incident("INC-1", forms[1]))
        store.incidents.set_state("INC-1", "done")
        assert [claim(store, incident("INC-2", form)).incident for form in forms] == [first.incident] * 3
        assert claim(store, incident("INC-3", subscription)).is_new


def test_the_inbox_keeps_what_came(store_url: str) -> None:
    body = bytes(range(256)) * 10
    with Store.open(store_url) as store:
        inbox = Inbox(store)
        first, other, again = inbox.take([("a", body), ("b", body), ("a", body)])
        assert (first.is_new, other.is_new, again) == (True, True, (first.id, False))
        kept = inbox.get(first.id)
        assert kept is not None
        assert (bytes(kept.body), kept.state, kept.attempts) == (body, WAITING, 0)
        assert inbox.get("none") is None
        assert set(inbox.due(kept.due_at)) == {first.id, other.id}
        inbox.put_off(kept, "not now\x00")
        assert inbox.due(kept.due_at) == [other.id]
        inbox.settle(other.id, KEPT, reason="no alert")
        assert (inbox.waiting().number, inbox.waiting().oldest) == (1, kept.received_at)
        assert inbox.oldest_seconds() > 0
        inbox.settle(first.id, DONE, incident="INC-1")
        assert inbox.counts() == {("a", DONE): 1, ("b", KEPT): 1}
        assert inbox.oldest_seconds() == 0


def test_a_further_playbook_has_an_incident_of_its_own_that_takes_no_other_alert_in(store_url: str) -> None:
    def under(store: Store, wanted: Incident, playbook: str) -> Claimed:
        with store.write() as tx:
            return store.cases.claim(tx, wanted, raw_alert_digest="00", join_within=None, beside=playbook)

    with Store.open(store_url) as store, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: under(store, incident(f"INC-{n}", "a"), "harden-subscription"), range(8)))
        assert [one.is_new for one in found].count(True) == 1
        assert len({one.incident for one in found}) == 1
        # The alert itself still has none, and another alert does not end in a check of the subscription.
        assert claim(store, incident("INC-own", "a")) == Claimed("INC-own", True, False)
        assert claim(store, incident("INC-next", "b")) == Claimed("INC-own", False, True)
