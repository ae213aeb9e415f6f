"""The store keeps what it was given, exactly, and notices when somebody else wrote to it."""

from __future__ import annotations

import hashlib
import multiprocessing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, text

from firebreak import __version__
from firebreak.errors import ContentError, IntegrityError, SettingsError, StalePlanError
from firebreak.model.canonical import canonical_bytes
from firebreak.model.facts import BurnRate, Inventory
from firebreak.model.finding import Finding, NotLookedAt, Severity
from firebreak.store import Store
from firebreak.store.schema import metadata, plans
from tests.unit.firebreak.execution.builders import FakeClock, make_action, make_incident, make_machine, make_small_plan


def test_incident_is_opened_once_and_comes_back_equal(store_url: str) -> None:
    with Store.open(store_url, clock=FakeClock()) as store:
        incident = make_incident(details={"naïve": "\u202e\u0000"})
        assert store.incidents.add(incident, raw_alert_digest="aa") is True
        assert store.incidents.add(make_incident(title="Other"), raw_alert_digest="bb") is False
        assert store.incidents.get(incident.id) == incident
        assert store.incidents.raw_alert_digest(incident.id) == "aa"
        store.incidents.set_state(incident.id, "waiting", "gate")
        assert [(r.incident.id, r.state, r.note) for r in store.incidents.list()] == [(incident.id, "waiting", "gate")]


def test_unknown_incident_and_state_are_content_errors(store_url: str) -> None:
    with Store.open(store_url) as store:
        with pytest.raises(ContentError, match="INC-none"):
            store.incidents.get("INC-none")
        with pytest.raises(ContentError, match="paused"):
            store.incidents.set_state("INC-none", "paused")
        assert store.incidents.find("INC-none") is None


def test_everything_survives_a_restart(store_url: str) -> None:
    plan = make_small_plan()
    with Store.open(store_url) as store:
        digest = store.plans.save("INC-1", plan)
    with Store.open(store_url) as store:
        assert store.plans.load(digest) == plan
        assert store.plans.for_stage("INC-1", "contain", 1) == digest == plan.digest
        assert store.plans.for_stage("INC-1", "contain", 2) is None


def test_facts_keep_decimals_times_and_what_was_not_looked_at(store_url: str) -> None:
    created = datetime(2026, 11, 1, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=2)))
    facts = Inventory(
        machines=(make_machine(1, created_at=created, tags={"a": "\x00b"}),),
        not_looked_at=(NotLookedAt("disks", "403"),),
    )
    burn = BurnRate(per_hour=Decimal("0.1") + Decimal("0.2"), per_resource={"x": Decimal("1.10")})
    with Store.open(store_url) as store:
        store.facts.save("INC-1", 1, "investigate.inventory", facts)
        store.facts.save("INC-1", 1, "investigate.burn_rate", burn)
        store.facts.save("INC-1", 1, "investigate.burn_rate", burn)
        loaded = store.facts.load("INC-1", 1, "investigate.inventory", Inventory)
        assert loaded == facts
        assert str(store.facts.load("INC-1", 1, "investigate.burn_rate", BurnRate).per_resource["x"]) == "1.10"
        assert store.facts.load("INC-1", 2, "investigate.inventory", Inventory) is None


def test_facts_that_another_process_replaced_are_not_remembered(store_url: str) -> None:
    first, second = (BurnRate(per_hour=Decimal(n), per_resource={}) for n in ("1", "2"))
    with Store.open(store_url) as store, Store.open(store_url) as other:
        store.facts.save("INC-1", 1, "investigate.burn_rate", first)
        assert [store.facts.load("INC-1", 1, "investigate.burn_rate", BurnRate) for _ in range(2)] == [first, first]
        other.facts.save("INC-1", 1, "investigate.burn_rate", second)
        assert store.facts.load("INC-1", 1, "investigate.burn_rate", BurnRate) == second


def test_findings_tell_nothing_found_from_not_looked(store_url: str) -> None:
    finding = Finding(id="f", step="s", title="t", severity=Severity.HIGH, reasons=("r",))
    with Store.open(store_url) as store:
        assert store.facts.load_findings("INC-1", 1, "s") is None
        store.facts.save_findings("INC-1", 1, "s", [])
        assert store.facts.load_findings("INC-1", 1, "s") == ()
        store.facts.save_findings("INC-1", 1, "s", [finding])
        assert store.facts.findings("INC-1", 1) == (finding,)


def test_a_second_plan_for_the_same_stage_and_round_is_refused(store_url: str) -> None:
    first, second = make_small_plan(), make_small_plan(make_action(3))
    with Store.open(store_url) as store:
        store.plans.save("INC-1", first)
        assert store.plans.save("INC-1", first) == first.digest
        with pytest.raises(StalePlanError) as caught:
            store.plans.save("INC-1", second)
        assert (caught.value.expected, caught.value.found) == (first.digest, second.digest)
        with pytest.raises(IntegrityError, match="no plan"):
            store.plans.load(second.digest)
        assert store.plans.save("INC-1-dry", first) == first.digest


@pytest.mark.parametrize(
    ("old", "new"), [("vm-2", "vm-3"), ('"round":1', '"round":2'), ('"actions":[', '"actions":[ ')]
)
def test_a_plan_changed_in_the_database_is_not_loaded(store_url: str, old: str, new: str) -> None:
    plan = make_small_plan()
    with Store.open(store_url) as store:
        store.plans.save("INC-1", plan)
        with store.write() as tx:
            changed = tx.execute(text("UPDATE plans SET body = replace(body, :old, :new)"), {"old": old, "new": new})
            assert changed.rowcount == 1
        with pytest.raises(IntegrityError, match=plan.digest[:12]):
            store.plans.load(plan.digest)


@pytest.mark.parametrize(
    ("field", "version", "said"),
    [
        ('"later": 1', "9.1.0", "by version 9.1.0 of Firebreak; this is"),
        ('"later": 1', __version__, "in a form that this Firebreak does not write"),
        ('"round": "first"', "9.1.0", "by version 9.1.0 of Firebreak; this is"),
    ],
)
def test_a_plan_that_another_version_wrote_is_not_called_changed(
    store_url: str, field: str, version: str, said: str
) -> None:
    name, value = (part.strip(' "') for part in field.split(":"))
    document = {**msgspec.to_builtins(make_small_plan()), "engine_version": version, name: value}
    body = canonical_bytes(document).decode()
    digest = hashlib.sha256(body.encode()).hexdigest()
    with Store.open(store_url) as store:
        with store.write() as tx:
            tx.execute(insert(plans), {"digest": digest, "body": body, "saved_at": store.clock()})
        with pytest.raises(IntegrityError) as caught:
            store.plans.load(digest)
    assert "is unchanged" in caught.value.message
    assert said in caught.value.message


def test_steps_are_timed_and_listed_in_order(store_url: str) -> None:
    clock = FakeClock()
    with Store.open(store_url, clock=clock) as store:
        store.steps.begin("INC-1", 1, "investigate", "b", state="pending")
        store.steps.begin("INC-1", 1, "investigate", "a")
        clock.forward(seconds=2.5)
        store.steps.finish("INC-1", 1, "investigate", "a", note="ok")
        store.steps.begin("INC-1", 1, "investigate", "b")
        store.steps.finish("INC-1", 1, "investigate", "b", "failed", seconds=7)
        store.steps.finish("INC-1", 1, "contain", "c", "skipped")
        rows = [(r.step, r.state, r.seconds) for r in store.steps.list("INC-1")]
    assert rows == [("b", "failed", 7), ("a", "done", 2.5), ("c", "skipped", None)]


def test_values_are_replaced(store_url: str) -> None:
    with Store.open(store_url) as store:
        assert store.values.get("INC-1", "url", "none") == "none"
        store.values.set("INC-1", "url", {"a": [1]})
        store.values.set("INC-1", "url", "b")
        assert store.values.all("INC-1") == {"url": "b"}


def test_migrations_build_what_the_schema_says(store_url: str) -> None:
    with Store.open(store_url) as store, store.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx), metadata) == []


def test_a_newer_schema_is_refused(store_url: str) -> None:
    with Store.open(store_url) as store, store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match="does not know"):
        Store.open(store_url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "nonsense"])
def test_a_url_that_cannot_keep_incidents_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        Store.open(url)


def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(SettingsError) as caught:
        Store.open("mysql://me:s3cret@host/db")
    assert "s3cret" not in str(caught.value)


def test_times_without_zone_are_refused(store_url: str) -> None:
    bare = msgspec.structs.replace(make_incident(), opened_at=datetime(2026, 1, 1))  # noqa: DTZ001
    with Store.open(store_url) as store, pytest.raises(Exception, match="no time zone"):
        store.incidents.add(bare, raw_alert_digest="00")


def _open_and_add(url: str, number: int) -> None:
    with Store.open(url) as store:
        store.incidents.add(make_incident(f"INC-{number}", detected_at=datetime.now(UTC)), raw_alert_digest="00")


def test_processes_may_open_a_new_store_together(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'store.db'}"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_open_and_add, args=(url, n)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with Store.open(url) as store:
        assert len(store.incidents.list()) == 3
