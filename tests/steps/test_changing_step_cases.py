"""Facts in, actions and no-ops out: every case of `tests/steps/<phase>/*.yaml` for the changing steps."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from firebreak.guardrails import why_protected
from firebreak.model.canonical import canonical_bytes
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect
from tasks.registry import load_steps
from tests.steps.changing_cases import Builder

HERE = Path(__file__).parent
PHASES = ("contain", "eradicate", "recover", "harden", "notify")


def _cases() -> list[Any]:
    found = []
    for phase in PHASES:
        for path in sorted((HERE / phase).glob("*.yaml")):
            for case in YAML(typ="safe").load(path.read_text()):
                step = f"{phase}.{path.stem}"
                found.append(pytest.param(step, case, id=f"{step}: {case['name']}"))
    return found


def _names(target: str, name: str) -> bool:
    return target == name or target.endswith("/" + name)


@pytest.mark.parametrize(("step", "case"), _cases())
def test_a_step_plans_what_the_case_says(step: str, case: dict[str, Any]) -> None:
    loaded = load_steps()[step]
    assert loaded.plan is not None
    planned: list[Action | NoOp] = loaded.plan(Builder(case["facts"]).case())
    actions = [entry for entry in planned if isinstance(entry, Action)]
    no_ops = [entry for entry in planned if isinstance(entry, NoOp)]
    shown = [(a.kind, a.target, a.title) for a in actions] + [(n.target, n.reason) for n in no_ops]

    for wanted in case.get("actions", ()):
        fitting = [a for a in actions if a.kind == wanted["kind"] and _names(a.target, wanted["target"])]
        assert len(fitting) == 1, (wanted, shown)
        action = fitting[0]
        assert wanted.get("title", "") in action.title
        assert wanted.get("because", "") in " | ".join(action.reasons)
        assert list(action.reasons) == wanted.get("reasons", list(action.reasons))
        assert wanted.get("irreversible", "") in action.irreversible_because
        for key, value in wanted.get("fingerprint", {}).items():
            assert action.fingerprint[key] == value
        for key, value in wanted.get("params", {}).items():
            assert action.params[key] == value
        if "per_hour" in wanted:
            assert str(action.per_hour) == str(wanted["per_hour"])
        after = [next(a for a in actions if a.id == waited) for waited in action.after]
        if "after" in wanted:
            assert sorted(f"{a.kind} {a.target.rsplit('/', 1)[-1]}" for a in after) == sorted(wanted["after"])
    assert len(actions) == len(case.get("actions", ())), shown

    for wanted in case.get("no_ops", ()):
        fitting_no_ops = [n for n in no_ops if _names(n.target, wanted["target"]) and wanted["reason"] in n.reason]
        assert len(fitting_no_ops) == 1, (wanted, shown)
    assert len(no_ops) == len(case.get("no_ops", ())), shown


@pytest.mark.parametrize(("step", "case"), _cases())
def test_what_every_plan_of_every_step_keeps(step: str, case: dict[str, Any]) -> None:
    loaded = load_steps()[step]
    assert loaded.plan is not None
    built = Builder(case["facts"]).case()
    planned: list[Action | NoOp] = loaded.plan(built)
    again: list[Action | NoOp] = loaded.plan(Builder(_shuffled(case["facts"])).case())
    assert canonical_bytes(sorted(map(canonical_bytes, planned))) == canonical_bytes(
        sorted(map(canonical_bytes, again))
    )
    actions = [entry for entry in planned if isinstance(entry, Action)]
    assert len({action.id for action in actions}) == len(actions)
    for action in actions:
        assert action.step == step
        assert action.reasons
        assert 0 < len(action.title) <= 200
        assert not why_protected(action, built)
        assert (action.effect is Effect.IRREVERSIBLE) <= bool(action.irreversible_because)
        assert msgspec.json.decode(msgspec.json.encode(action), type=Action) == action
    for entry in planned:
        assert not isinstance(entry, NoOp) or entry.reason


def _shuffled(facts: dict[str, Any]) -> dict[str, Any]:
    order = random.Random(7)  # noqa: S311 - an order, not a secret
    return {key: order.sample(value, len(value)) if isinstance(value, list) else value for key, value in facts.items()}
