"""Each place where something is kept or shown takes secrets out by itself, whatever those before it did (P11).

A whole run cannot tell whether the second of two such places works: here each is handed the secret alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from firebreak.approval import Answer
from firebreak.approval.answers import readable
from firebreak.audit import Entry
from firebreak.cli.output import print_error
from firebreak.errors import ResponseError
from firebreak.execution.journal import Change, Journal
from firebreak.execution.lease import Lease
from firebreak.intake.alerts import parse_alert
from firebreak.model.facts import Inventory
from firebreak.model.finding import NotLookedAt
from firebreak.model.outcome import ActionState
from flows.gate_form import gate_form
from tests.support.canaries import Canaries
from tests.unit.firebreak.execution.builders import (
    NOON,
    SUBSCRIPTION,
    FakeClock,
    Office,
    make_gate,
    make_incident,
    make_machine,
    make_small_plan,
)
from tests.unit.firebreak.store.databases import store_url

__all__ = ["store_url"]

SECRET = "cAnArYsEcReT0123456789"
DIRTY = f"see https://x.blob.core.windows.net/b?sv=2024-11-04&sig={SECRET}%3D with Bearer {SECRET}"


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    made = Office(store_url, FakeClock())
    yield made
    made.store.close()


def found_in(url: str) -> list[str]:
    planted = Canaries({"it": SECRET})
    planted.look_into_database(url)
    assert planted.looked_at > 20
    return planted.found


def test_no_table_of_the_store_keeps_one(office: Office, store_url: str) -> None:
    incident, plan, store = make_incident(), make_small_plan(), office.store
    office.add(incident)
    store.incidents.set_state(incident.id, "failed", DIRTY)
    store.steps.begin(incident.id, 1, "investigate", "one")
    store.steps.finish(incident.id, 1, "investigate", "one", "failed", note=DIRTY)
    store.steps.finish(incident.id, 1, "investigate", "never begun", "failed", note=DIRTY)
    facts = Inventory(machines=(make_machine(1, tags={"a": DIRTY}),), not_looked_at=(NotLookedAt("disks", DIRTY),))
    store.facts.save(incident.id, 1, "investigate.inventory", facts)
    office.audit.append(incident.id, "note", who=DIRTY, data={"text": DIRTY, "more": [{"text": DIRTY}]})
    journal = Journal(store, office.audit, office.clock)
    lease = Lease.acquire(store, incident.id, "run", clock=office.clock, take_over=True)
    journal.intend(plan, (), lease, [Entry(kind="note", who="engine", data={"text": DIRTY})])
    action = plan.actions[0].id
    journal.apply([Change(action_id=action, state=ActionState.STARTED, attempt=1, prior={"tags": {"a": DIRTY}})], lease)
    ended = Change(action_id=action, state=ActionState.FAILED, reason=DIRTY, state_read_back=DIRTY)
    journal.apply([ended], lease)
    assert found_in(store_url) == []
    (row,) = [row for row in journal.rows(incident.id) if row.action.id == action]
    assert all("[redacted]" in text for text in (row.reason, row.state_read_back, row.prior["tags"]["a"]))


def test_no_approval_keeps_one(office: Office, store_url: str) -> None:
    office.staff()
    office.approved(office.add(make_incident()), make_small_plan(), reason=DIRTY)
    assert found_in(store_url) == []
    kept = readable(Answer(approver="Ann", code="1", decision="reject", plan_digest="", reason=DIRTY))
    assert "[redacted]" in kept.reason


def test_no_alert_brings_one_in() -> None:
    details = {"note": DIRTY, "password": SECRET}
    alert = {"id": "a", "title": DIRTY, "severity": DIRTY, "subscriptionId": SUBSCRIPTION, "additionalDetails": details}
    read = parse_alert(json.dumps(alert).encode(), place="test", now=NOON, default_tenant=SUBSCRIPTION)
    assert SECRET not in repr(read)
    assert read.details["password"] == "[redacted]"
    assert read.subscription_id == SUBSCRIPTION


def test_no_form_shows_one() -> None:
    form = gate_form(make_small_plan(), make_gate(), page=f"| {DIRTY} |", approvers=["Ann"])
    told = json.dumps(form.model_json_schema()) + str(form.__doc__) + repr(vars(form))
    assert SECRET not in told
    assert "[redacted]" in told


@pytest.mark.parametrize("as_json", [True, False])
def test_no_command_prints_one(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    print_error(ResponseError(DIRTY, hint=DIRTY), as_json=as_json)
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert (said.out + said.err).count("[redacted]") == 4
