"""Execution does what was approved, to exactly what was approved, and says how each action ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from firebreak.errors import ApprovalError, IntegrityError, MissingPermissionError, ScopeError
from firebreak.execution import Journal, Patience
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, Plan
from firebreak.model.step import Effect, LoadedStep, Sent, Step, Target
from tests.unit.firebreak.execution.builders import (
    SUBSCRIPTION,
    FakeClock,
    Office,
    make_action,
    make_case,
    make_gate,
    make_incident,
    make_playbook,
    make_small_plan,
)
from tests.unit.firebreak.execution.cloud_double import Cloud, states
from tests.unit.firebreak.execution.running import run
from tests.unit.firebreak.store.databases import sqlite_url

DONE, REFUSED, FAILED = ActionState.DONE, ActionState.REFUSED, ActionState.FAILED


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(sqlite_url(tmp_path), FakeClock()).staff()
    with office.store:
        office.add(make_incident())
        yield office


async def go(office: Office, plan: Plan, cloud: Cloud, **how: Any) -> dict[str, Any]:
    approval = {"leave_out": how.pop("leave_out", ())}
    approved = office.approved(make_incident(), plan, **approval)
    return {outcome.action_id: outcome for outcome in await run(office, approved, cloud, **how)}


async def test_everything_is_looked_at_journalled_sent_and_read_back(office: Office) -> None:
    plan = make_small_plan(*(make_action(n) for n in range(1, 6)))
    cloud = Cloud(plan.actions)

    def started_first(kind: str, target: str) -> None:
        if kind == "before":
            (row,) = [r for r in journal.rows("INC-1a2b3c4d") if r.action.target == target]
            assert (row.state, row.prior, row.attempt) == (ActionState.STARTED, {"power": "running"}, 1)

    journal = Journal(office.store, office.audit, office.clock)
    cloud.hooks.append(started_first)
    seen: list[tuple[int, int, str]] = []
    outcomes = await go(office, plan, cloud, concurrency=1, progress=lambda *told: seen.append(told))
    assert [outcomes[a.id].state for a in plan.actions] == [DONE] * 5
    assert {o.state_read_back for o in outcomes.values()} == {"stopped"}
    assert [target[-1] for target in cloud.log] == ["5", "4", "3", "2", "1"]
    assert [told[:2] for told in seen] == [(n, 5) for n in range(1, 6)]
    assert len(cloud.looks) == 2
    kinds = [record.kind for record in office.audit.records("INC-1a2b3c4d")]
    assert kinds.count("action.started") == kinds.count("action.ended") == 5
    assert kinds[-1] == "execution.ended"


async def test_not_more_than_asked_for_are_under_way_at_once(office: Office) -> None:
    plan = make_small_plan(*(make_action(n) for n in range(1, 10)))
    cloud = Cloud(plan.actions)
    await go(office, plan, cloud, concurrency=3)
    assert 1 < cloud.most_at_once <= 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda cloud, target: cloud.vm_ids.update({target: "another"}), "vmId is another (was vmid-1"),
        (lambda cloud, target: cloud.vm_ids.update({target: ""}), "vmId is unknown"),
    ],
)
async def test_a_target_that_is_no_longer_the_approved_one_is_refused_in_words(
    office: Office, change: Any, words: str
) -> None:
    plan = make_small_plan(make_action(1), make_action(2))
    cloud = Cloud(plan.actions)
    change(cloud, make_action(1).target)
    outcomes = await go(office, plan, cloud)
    refused = outcomes[make_action(1).id]
    assert refused.state is REFUSED
    assert words in refused.reason
    assert outcomes[make_action(2).id].state is DONE
    assert cloud.log == [make_action(2).target]


async def test_what_is_so_already_is_not_written(office: Office) -> None:
    plan = make_small_plan(make_action(1))
    cloud = Cloud(plan.actions)
    cloud.power[plan.actions[0].target] = "stopped"
    (outcome,) = (await go(office, plan, cloud)).values()
    assert (outcome.state, outcome.state_read_back, cloud.log) == (ActionState.ALREADY_SO, "stopped", [])


async def test_what_an_approver_left_out_is_not_touched_nor_what_waits_for_it(office: Office) -> None:
    one, two = make_action(1), make_action(2, after=(make_action(1).id,))
    plan = make_small_plan(one, two, make_action(3))
    cloud = Cloud(plan.actions)
    outcomes = await go(office, plan, cloud, leave_out=(one.id,))
    assert [outcomes[a].state for a in (one.id, two.id)] == [ActionState.LEFT_OUT, REFUSED]
    assert "left out" in outcomes[two.id].reason
    assert cloud.log == [make_action(3).target]


async def test_what_waits_for_a_failed_action_is_refused_with_the_reason(office: Office) -> None:
    one = make_action(1)
    plan = make_small_plan(one, make_action(2, after=(one.id,)))
    cloud = Cloud(plan.actions)

    def forbidden(kind: str, target: str) -> None:
        if kind == "before":
            raise MissingPermissionError("AuthorizationFailed: no write on vm-1.")

    cloud.hooks.append(forbidden)
    outcomes = await go(office, plan, cloud)
    assert "AuthorizationFailed" in outcomes[one.id].reason
    assert (outcomes[make_action(2).id].state, outcomes[one.id].state) == (REFUSED, FAILED)
    assert one.id in outcomes[make_action(2).id].reason


async def test_a_target_busy_with_something_else_is_waited_for(office: Office) -> None:
    plan = make_small_plan(make_action(1))
    cloud, target = Cloud(plan.actions), plan.actions[0].target
    cloud.power[target], cloud.slow[target] = "stopping", 4
    (outcome,) = (await go(office, plan, cloud)).values()
    assert (outcome.state, cloud.log) == (ActionState.ALREADY_SO, [])


async def test_an_operation_that_azure_says_failed_is_failed_with_its_words(office: Office) -> None:
    plan = make_small_plan(make_action(1))
    cloud, target = Cloud(plan.actions), plan.actions[0].target
    cloud.slow[target] = 10**6
    cloud.operations[f"https://operations/{target}"] = {
        "status": "Failed",
        "error": {"code": "X", "message": "host down"},
    }
    (outcome,) = (await go(office, plan, cloud)).values()
    assert outcome.state is FAILED
    assert "X: host down" in outcome.reason


async def test_an_effect_never_seen_is_unknown_and_not_sent_again(office: Office) -> None:
    plan = make_small_plan(make_action(1))
    cloud, target = Cloud(plan.actions), plan.actions[0].target
    cloud.slow[target] = 10**6
    outcomes = await go(office, plan, cloud, patience=Patience(confirm=100))
    (outcome,) = outcomes.values()
    assert outcome.state is ActionState.UNKNOWN
    assert len(cloud.log) == 1
    approved = office.desk.bind("INC-1a2b3c4d.contain.1", plan)
    assert states(await run(office, approved, cloud)) == [ActionState.UNKNOWN]
    assert len(cloud.log) == 1


async def test_one_target_that_may_not_be_read_does_not_hide_the_others(office: Office) -> None:
    plan = make_small_plan(make_action(1), make_action(2))
    cloud = Cloud(plan.actions)
    hidden = make_action(1).target

    def forbidden(kind: str, target: str) -> None:
        if kind == "look" and hidden in target:
            raise MissingPermissionError("AuthorizationFailed: no read.")

    cloud.hooks.append(forbidden)
    outcomes = await go(office, plan, cloud)
    assert outcomes[make_action(1).id].state is FAILED
    assert "no read" in outcomes[make_action(1).id].reason
    assert outcomes[make_action(2).id].state is DONE


async def test_a_slow_wave_looks_again_before_it_sends_more(office: Office) -> None:
    plan = make_small_plan(*(make_action(n) for n in range(1, 5)))
    cloud = Cloud(plan.actions)
    cloud.hooks.append(lambda kind, _target: office.clock.forward(seconds=31) if kind == "after" else None)
    outcomes = await go(office, plan, cloud, concurrency=1)
    assert {o.state for o in outcomes.values()} == {DONE}
    assert [len(look) for look in cloud.looks] == [4, 3, 2, 1, 4]


async def test_a_guard_in_the_transport_stops_the_run(office: Office) -> None:
    plan = make_small_plan(make_action(1), make_action(2))
    cloud = Cloud(plan.actions)

    def out_of_scope(kind: str, target: str) -> None:
        if kind == "before":
            raise ScopeError("not here")

    cloud.hooks.append(out_of_scope)
    with pytest.raises(ScopeError):
        await go(office, plan, cloud, concurrency=1)
    rows = Journal(office.store, office.audit, office.clock).rows("INC-1a2b3c4d")
    assert [row.state for row in rows] == [REFUSED, ActionState.INTENDED]
    assert not cloud.log


async def test_what_was_protected_since_the_approval_is_refused_and_the_rest_goes_on(office: Office) -> None:
    plan = make_small_plan()
    cloud = Cloud(plan.actions)
    case = make_case(playbook=make_playbook(protected_resources=(plan.actions[0].target,)))
    outcomes = await go(office, plan, cloud, case=case)
    first, second = (outcomes[action.id] for action in plan.actions)
    assert (first.state, first.is_stale) == (REFUSED, True)
    assert "playbook protects" in first.reason
    assert second.state is DONE
    assert cloud.log == [plan.actions[1].target]


async def test_what_a_fresh_reading_protects_is_refused_and_what_waits_for_it_too(office: Office) -> None:
    first = make_action(1)
    second = make_action(1, step="contain.remove", kind="machine.remove", after=(first.id,))
    plan = make_small_plan(first, second, make_action(2))
    cloud = Cloud(plan.actions)
    asked: list[set[str]] = []

    async def recheck(actions: Sequence[Action]) -> dict[str, str]:
        asked.append({action.id for action in actions})
        return {first.id: "It has a lock by now."}

    outcomes = await go(office, plan, cloud, recheck=recheck)
    assert outcomes[first.id].is_stale
    assert "lock by now" in outcomes[first.id].reason
    assert outcomes[second.id].state is ActionState.REFUSED
    assert cloud.log == [make_action(2).target]
    assert asked == [{first.id, make_action(2).id}]


async def test_an_approval_of_another_incident_is_refused(office: Office) -> None:
    plan = make_small_plan()
    office.add(make_incident("INC-2"))
    approved = office.approved(make_incident("INC-2"), plan)
    cloud = Cloud(plan.actions)
    with pytest.raises(ApprovalError) as caught:
        await run(office, approved, cloud)
    assert caught.value.reason == "wrong_incident"
    assert not cloud.log


async def test_an_expired_approval_is_refused(office: Office) -> None:
    plan = make_small_plan()
    approved = office.approved(make_incident(), plan, make_gate(expires_after_minutes=10))
    office.clock.forward(minutes=11)
    cloud = Cloud(plan.actions)
    with pytest.raises(ApprovalError) as caught:
        await run(office, approved, cloud)
    assert caught.value.reason == "expired"
    assert not cloud.log


async def test_something_that_is_not_an_approved_plan_is_refused(office: Office) -> None:
    cloud = Cloud([])
    with pytest.raises(ApprovalError):
        await run(office, make_small_plan(), cloud)  # type: ignore[arg-type]


async def test_an_approval_whose_gate_was_asked_again_meanwhile_is_refused(office: Office) -> None:
    plan = make_small_plan()
    approved = office.approved(make_incident(), plan, make_gate(expires_after_minutes=10))
    office.people.revoke("Ann")
    with pytest.raises(ApprovalError):
        office.desk.bind(approved.gate, plan)
    with pytest.raises(ApprovalError) as caught:
        await run(office, approved, Cloud(plan.actions))
    assert caught.value.reason == "not_approved"


async def test_a_plan_changed_in_the_store_is_not_carried_out(office: Office) -> None:
    plan = make_small_plan()
    approved = office.approved(make_incident(), plan)
    with office.store.write() as tx:
        tx.exec_driver_sql("UPDATE plans SET body = replace(body, 'vm-1', 'vm-9')")
    with pytest.raises(IntegrityError):
        await run(office, approved, Cloud(plan.actions))


async def test_what_failed_is_done_under_a_new_approval_and_what_is_done_is_not_repeated(office: Office) -> None:
    first = make_small_plan(make_action(1), make_action(2))
    cloud = Cloud(first.actions)

    def forbidden(kind: str, target: str) -> None:
        if kind == "before" and target.endswith("1"):
            raise MissingPermissionError("not yet")

    cloud.hooks.append(forbidden)
    await go(office, first, cloud)
    cloud.hooks.clear()
    second = make_small_plan(make_action(1), make_action(2), round=2)
    outcomes = await go(office, second, cloud, run_id="run-2")
    assert {o.state for o in outcomes.values()} == {DONE}
    assert set(cloud.writes.values()) == {1}


async def test_an_action_that_creates_its_target_needs_no_fingerprint(office: Office) -> None:
    target = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments/firebreak"
    step = Step(id="contain.block", title="Block", effect=Effect.REVERSIBLE, description="")
    made: list[str] = []

    async def look(actions: Sequence[Action], _eyes: Any) -> dict[str, Target]:
        return {
            a.id: Target(exists=bool(made), already_so=bool(made), state="assigned" if made else "absent")
            for a in actions
        }

    async def apply(action: Action, _hands: Any) -> Sent:
        made.append(action.target)
        return Sent(status=201)

    action = make_action(1, step=step.id, kind="policy.deny", target=target, fingerprint={}, region="")
    plan = make_small_plan(action)
    outcomes = await go(office, plan, Cloud([]), steps={step.id: LoadedStep(step=step, look=look, apply=apply)})
    assert [o.state for o in outcomes.values()] == [DONE]
    assert made == [target]
