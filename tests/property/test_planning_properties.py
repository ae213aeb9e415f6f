"""Properties of plans that hold for any facts: order does not matter, protection always wins, any change shows in the digest."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from firebreak.model.canonical import canonical_bytes
from firebreak.model.facts import AccessFacts, Inventory
from firebreak.model.plan import Action, Plan
from firebreak.planning import make_plan, waves
from tests.unit.firebreak.execution.builders import make_action, make_case, make_machine, make_playbook, planning_step

STEPS = ("contain.first", "contain.second", "contain.third")


@st.composite
def proposals(draw: st.DrawFn) -> list[Action]:
    """Actions of several steps on several machines, some after others (never in a ring)."""
    keys = draw(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 12)), unique=True, max_size=14))
    made: list[Action] = []
    for step, number in sorted(keys):
        price = draw(st.none() | st.decimals(0, 50, places=2))
        after = draw(st.lists(st.sampled_from([a.id for a in made]), unique=True, max_size=2)) if made else []
        region = draw(st.sampled_from(["westeurope", "eastus"]))
        made.append(make_action(number, step=step, per_hour=price, after=tuple(after), region=region))
    return made


def plan_of(actions: list[Action], machines: list[Any] | None = None, **rails: Any) -> Plan:
    facts = Inventory(machines=tuple(machines or [make_machine(n) for n in range(1, 13)]))
    case = make_case(facts, AccessFacts(), playbook=make_playbook(**rails))
    steps = [planning_step([a for a in actions if a.step == step], step) for step in STEPS]
    return make_plan(case, stage="contain", steps=steps, round=1, engine_version="test")


@given(actions=proposals(), seed=st.randoms(use_true_random=False))
def test_the_order_of_facts_and_proposals_changes_no_byte(actions: list[Action], seed: Any) -> None:
    machines = [make_machine(n) for n in range(1, 13)]
    first = plan_of(actions, machines)
    seed.shuffle(actions)
    seed.shuffle(machines)
    assert canonical_bytes(plan_of(actions, machines)) == canonical_bytes(first)


@given(actions=proposals(), protected=st.sets(st.integers(1, 12)), how=st.sampled_from(["tag", "id", "case"]))
def test_what_is_protected_is_never_planned(actions: list[Action], protected: set[int], how: str) -> None:
    ids = {make_machine(n).id for n in protected}
    machines = [
        make_machine(n, tags={"Protect": "Yes"} if n in protected and how == "tag" else {}) for n in range(1, 13)
    ]
    rails: dict[str, Any] = {"protected_tags": ("protect=yes",)} if how == "tag" else {}
    if how != "tag":
        rails = {"protected_resources": tuple(i.lower() if how == "case" else i for i in sorted(ids))}
    plan = plan_of(actions, machines, **rails)
    assert not ids & {action.target for action in plan.actions}
    assert {a.target for a in actions} == {a.target for a in plan.actions} | {n.target for n in plan.no_ops}


@given(actions=proposals())
def test_waves_keep_dependencies_step_order_and_the_dearest_first(actions: list[Action]) -> None:
    plan = plan_of(actions)
    place = {action.id: number for number, wave in enumerate(waves(plan.actions)) for action in wave}
    assert len(place) == len(actions)
    for action in plan.actions:
        assert all(place[waited] < place[action.id] for waited in action.after)
    for wave in waves(plan.actions):
        assert len({action.step for action in wave}) == 1
        prices = [action.per_hour or Decimal(0) for action in wave]
        assert prices == sorted(prices, reverse=True)
    independent = [action for action in plan.actions if not any(a.after for a in actions)]
    assert [a.step for a in independent] == sorted(a.step for a in independent)


@given(actions=proposals())
def test_a_plan_comes_back_from_its_bytes_with_the_same_digest(actions: list[Action]) -> None:
    plan = plan_of(actions)
    again = msgspec.json.decode(canonical_bytes(plan), type=Plan)
    assert (again, again.digest) == (plan, plan.digest)


def _changed(value: Any) -> Any:
    """Some other value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, Decimal):
        return value + Decimal("0.01")
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, tuple):
        return (*value, "x")
    if isinstance(value, dict):
        return {**value, "x": "y"}
    return "x" if value is None else None


@settings(max_examples=300)
@given(actions=proposals().filter(len), data=st.data())
def test_any_changed_field_of_the_plan_or_an_action_changes_the_digest(actions: list[Action], data: Any) -> None:
    plan = plan_of(actions)
    name = data.draw(st.sampled_from(plan.__struct_fields__))
    if name in ("actions", "no_ops", "limits"):
        place = data.draw(st.integers(0, len(plan.actions) - 1))
        field = data.draw(st.sampled_from(Action.__struct_fields__))
        old = plan.actions[place]
        new = msgspec.structs.replace(old, **{field: _changed(getattr(old, field))})
        changed = msgspec.structs.replace(plan, actions=(*plan.actions[:place], new, *plan.actions[place + 1 :]))
    else:
        changed = msgspec.structs.replace(plan, **{name: _changed(getattr(plan, name))})
    assert changed.digest != plan.digest
