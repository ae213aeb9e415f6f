"""One run executes at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from firebreak.errors import IntegrityError, LeaseLostError
from firebreak.execution import Journal, Lease
from firebreak.execution.journal import Change
from firebreak.model.outcome import ActionState
from tests.unit.firebreak.execution.builders import FakeClock, Office, make_small_plan


@pytest.fixture
def office(store_url: str) -> Iterator[Office]:
    office = Office(store_url, FakeClock())
    with office.store:
        yield office


def acquire(office: Office, run_id: str, **how: object) -> Lease:
    return Lease.acquire(office.store, "INC-1", run_id, clock=office.clock, **how)  # type: ignore[arg-type]


def test_a_living_run_keeps_its_lease(office: Office) -> None:
    first = acquire(office, "a")
    office.clock.forward(seconds=100)
    first.heartbeat()
    office.clock.forward(seconds=100)
    with pytest.raises(LeaseLostError, match="run a"):
        acquire(office, "b")
    first.check()


def test_a_silent_run_loses_its_lease_to_a_newer_one(office: Office) -> None:
    first = acquire(office, "a")
    office.clock.forward(seconds=120)
    second = acquire(office, "b")
    second.check()
    with pytest.raises(LeaseLostError, match="b does"):
        first.check()
    first.release()
    second.check()


def test_a_lease_can_be_taken_over_and_given_back(office: Office) -> None:
    first, second = acquire(office, "a"), acquire(office, "b", take_over=True)
    with pytest.raises(LeaseLostError):
        first.heartbeat()
    second.release()
    assert acquire(office, "c").term == 3


def test_another_incident_is_not_concerned(office: Office) -> None:
    acquire(office, "a")
    Lease.acquire(office.store, "INC-2", "b", clock=office.clock)


def test_of_runs_that_start_together_one_gets_the_lease(office: Office) -> None:
    def attempt(number: int) -> bool:
        try:
            acquire(office, f"run-{number}")
        except LeaseLostError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]


@pytest.mark.parametrize(
    "last", [state for state in ActionState if state.is_final and state is not ActionState.LEFT_OUT]
)
def test_the_journal_never_goes_backwards(office: Office, last: ActionState) -> None:
    journal, lease, plan = Journal(office.store, office.audit, office.clock), acquire(office, "a"), make_small_plan()
    action = plan.actions[0].id
    journal.intend(plan, (), lease)
    if last is not ActionState.ALREADY_SO:
        journal.apply([Change(action_id=action, state=ActionState.STARTED, attempt=1)], lease)
    journal.apply([Change(action_id=action, state=last, reason="r")], lease)
    for state in ActionState:
        if state is not ActionState.INTENDED:
            with pytest.raises(IntegrityError, match=last.value):
                journal.apply([Change(action_id=action, state=state)], lease)
    assert journal.outcomes("INC-1")[action].state is last
    assert len([r for r in office.audit.records("INC-1") if r.kind == "action.ended"]) == 1


def test_a_run_without_the_lease_moves_nothing(office: Office) -> None:
    journal, lease, plan = Journal(office.store, office.audit, office.clock), acquire(office, "a"), make_small_plan()
    journal.intend(plan, (), lease)
    acquire(office, "b", take_over=True)
    with pytest.raises(LeaseLostError):
        journal.apply([Change(action_id=plan.actions[0].id, state=ActionState.STARTED, attempt=1)], lease)
    assert {row.state for row in journal.rows("INC-1")} == {ActionState.INTENDED}
    assert office.audit.records("INC-1") == []
