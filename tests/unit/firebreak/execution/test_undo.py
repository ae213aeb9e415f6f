"""Undo is a plan like any other: inverse actions from the journal, the last first, for what was really changed."""

from __future__ import annotations

from typing import Any

import msgspec

from firebreak.execution import JournalRow, inverse_plan
from firebreak.model.facts import AccessFacts, Inventory
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, action_id
from firebreak.model.step import Effect, LoadedStep, Step
from firebreak.planning import waves
from tests.unit.firebreak.execution.builders import NOON, make_action, make_case, make_machine, make_playbook

FACTS = (Inventory(machines=tuple(make_machine(n) for n in range(1, 9))), AccessFacts())


def start(action: Action, prior: dict[str, Any]) -> Action | None:
    if prior.get("power") != "running":
        return None
    new_id = action_id(action.step, "machine.start", action.target)
    return msgspec.structs.replace(action, id=new_id, kind="machine.start", after=(), title="Start again")


STEPS = {
    step: LoadedStep(step=Step(id=step, title=step, effect=Effect.REVERSIBLE, description=""), undo=undo)
    for step, undo in (("contain.stop", start), ("contain.other", start), ("contain.final", None))
}


def row(action: Action, position: int, state: ActionState = ActionState.DONE, **fields: Any) -> JournalRow:
    given = {"prior": {"power": "running"}, "round": 1, **fields}
    return JournalRow(
        incident="INC-1",
        plan_digest="d",
        stage="contain",
        position=position,
        action=action,
        state=state,
        intended_at=NOON,
        started_at=NOON,
        **given,
    )


def test_the_last_done_is_undone_first_and_dependencies_turn_round() -> None:
    one = make_action(1)
    two = make_action(2, after=(one.id,))
    three = make_action(3, step="contain.other")
    plan = inverse_plan(make_case(*FACTS), [row(one, 0), row(two, 1), row(three, 2)], STEPS, engine_version="test")
    assert [(a.kind, a.target[-1]) for a in plan.actions] == [("machine.start", n) for n in ("3", "2", "1")]
    assert plan.actions[2].after == (plan.actions[1].id,)
    assert [len(wave) for wave in waves(plan.actions)] == [1, 1, 1]
    assert (plan.stage, plan.applyable, plan.errored) == ("undo", True, False)


def test_only_what_was_changed_is_undone() -> None:
    rows = [row(make_action(n), n, state) for n, state in enumerate(ActionState, start=1)]
    plan = inverse_plan(make_case(*FACTS), rows, STEPS, engine_version="test")
    changed = [r.action.target for r in rows if r.state in (ActionState.DONE, ActionState.UNKNOWN)]
    assert sorted(a.target for a in plan.actions) == sorted(changed)


def test_what_cannot_be_undone_is_said() -> None:
    gone = make_action(1, step="contain.final", irreversible_because="A deleted disk does not come back.")
    rows = [row(gone, 0), row(make_action(2), 1, prior={})]
    plan = inverse_plan(make_case(*FACTS), rows, STEPS, engine_version="test")
    assert (plan.actions, plan.applyable) == ((), False)
    assert {n.target[-1] for n in plan.no_ops} == {"1", "2"}
    assert any("does not come back" in n.reason for n in plan.no_ops)


def test_guard_rails_hold_for_undo_too() -> None:
    case = make_case(*FACTS, playbook=make_playbook(protected_resources=("vm-1",)))
    assert inverse_plan(case, [row(make_action(1), 0)], STEPS, engine_version="test").actions == ()


def test_what_lay_in_something_that_was_deleted_for_good_is_not_tried_but_said() -> None:
    inside = make_action(1)
    group = inside.target.partition("/providers/")[0]
    ended = make_action(
        2,
        kind="group.delete",
        target=group,
        step="contain.final",
        effect=Effect.IRREVERSIBLE,
        irreversible_because="Its history goes with it.",
    )
    plan = inverse_plan(make_case(*FACTS), [row(inside, 0), row(ended, 1)], STEPS, engine_version="test")
    assert plan.actions == ()
    told = {one.target: one.reason for one in plan.no_ops}
    assert (
        told[inside.target]
        == f"Cannot be undone: what it lay in ({group}) was deleted in this incident. Its history goes with it."
    )


def test_what_an_identity_had_that_ended_with_its_machine_is_not_given_to_nobody_but_said() -> None:
    """Azure gives no role to a principal that is no more, and a machine made again has another one."""
    ended = "aaaaaaaa-0000-4000-8000-000000000001"
    took, other = make_action(1), make_action(3)
    removed = make_action(2, kind="resource.delete", step="contain.final", irreversible_because="It is made anew.")

    def give(action: Action, prior: dict[str, Any]) -> Action:
        who = {"principal_id": str(prior["who"])}
        return msgspec.structs.replace(
            action, id=action_id(action.step, "back", action.target), kind="back", params=who
        )

    steps = {
        **STEPS,
        "contain.stop": LoadedStep(
            step=Step(id="contain.stop", title="stop", effect=Effect.REVERSIBLE, description=""), undo=give
        ),
    }
    rows = [
        row(took, 0, prior={"who": ended.upper()}),
        row(other, 1, prior={"who": "somebody-else"}),
        row(removed, 2, prior={"principals": [ended]}),
    ]
    plan = inverse_plan(make_case(*FACTS), rows, steps, engine_version="test")
    assert [one.target for one in plan.actions] == [other.target]
    told = {one.target: one.reason for one in plan.no_ops}
    assert told[took.target] == (
        "Cannot be undone: the identity that had it ended with vm-2, which was deleted in this incident. It is made anew."
    )


def test_a_disk_that_azure_deleted_together_with_its_machine_comes_back_from_its_snapshot_and_once() -> None:
    """Its own deletion found nothing to do; whether a disk that nobody of this incident deleted comes back is not ours to say."""
    disk, foreign = make_action(7).target, make_action(8).target

    def back(action: Action, prior: dict[str, Any]) -> Action | None:
        kind = "disk.restore" if action.kind == "disk.delete" else ""
        return msgspec.structs.replace(action, id="restored", kind=kind, after=(), params=prior) if kind else None

    steps = {
        "contain.stop": LoadedStep(
            step=Step(id="contain.stop", title="stop", effect=Effect.REVERSIBLE, description=""), undo=back
        ),
    }
    rows = [
        row(make_action(7, kind="disk.snapshot"), 0, prior={"document": "as it was"}),
        row(make_action(8, kind="disk.snapshot"), 1, prior={"document": "another"}),
        row(make_action(1, kind="machine.delete", params={"disks": [disk.upper()]}), 2, prior={}),
        row(make_action(7, kind="disk.delete"), 3, ActionState.ALREADY_SO, prior={}),
        row(make_action(8, kind="disk.delete"), 4, ActionState.ALREADY_SO, prior={}),
    ]
    plan = inverse_plan(make_case(*FACTS), rows, steps, engine_version="test")
    assert [(one.kind, one.target, one.params["document"]) for one in plan.actions] == [
        ("disk.restore", disk, "as it was")
    ]
    assert {one.target for one in plan.no_ops} >= {foreign}
    done = row(plan.actions[0], 5, prior={})
    again = inverse_plan(make_case(*FACTS), [*rows, done], steps, round=2, engine_version="test")
    assert again.actions == ()
