"""The registry loads every step and refuses one that does not keep the contract."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from firebreak.model.facts import Inventory
from firebreak.model.step import Effect, Step
from tasks.registry import PHASES, StepError, load_steps, loaded_step


def module(step: Step | None, **functions: Any) -> ModuleType:
    made = ModuleType("tasks.investigate.example")
    for name, function in ({"STEP": step} if step else {}).items():
        setattr(made, name, function)
    for name, function in functions.items():
        setattr(made, name, function)
    return made


def reading(**changes: Any) -> Step:
    fields: dict[str, Any] = {
        "id": "investigate.example",
        "title": "Read an example",
        "effect": Effect.READ,
        "description": "Reads.",
        "produces": Inventory,
    }
    return Step(**(fields | changes))


def nothing(*_: Any) -> None:
    return None


def test_every_step_of_the_product_loads_under_its_own_name() -> None:
    steps = load_steps()
    assert {"investigate.activity_log", "investigate.attribution", "investigate.spend"} <= set(steps)
    assert all(name == loaded.step.id and name.split(".")[0] in PHASES for name, loaded in steps.items())


def test_what_a_step_needs_is_produced_by_some_step() -> None:
    produced = {loaded.step.produces for loaded in load_steps().values()}
    for loaded in load_steps().values():
        assert set(loaded.step.needs) <= produced, loaded.step.id


def test_loading_is_cached() -> None:
    assert load_steps() is load_steps()


@pytest.mark.parametrize(
    ("step", "functions", "message"),
    [
        (None, {"collect": nothing}, "declares no STEP"),
        (reading(id="investigate.other"), {"collect": nothing}, "the id is 'investigate.other'"),
        (reading(), {}, "either collect or conclude"),
        (reading(), {"collect": nothing, "conclude": nothing}, "either collect or conclude"),
        (reading(), {"collect": nothing, "apply": nothing}, "change something"),
        (reading(produces=None), {"collect": nothing}, "produces a Facts type"),
        (reading(produces=int), {"collect": nothing}, "produces a Facts type"),
        (reading(guidance=("S118",)), {"collect": nothing}, "no row of the guidance"),
        (reading(guidance=("S00",)), {"collect": nothing}, "no row of the guidance"),
        (reading(guidance=("4",)), {"collect": nothing}, "no row of the guidance"),
        (reading(title=" "), {"collect": nothing}, "title is empty"),
        (reading(description=""), {"collect": nothing}, "description is empty"),
        (reading(permissions=("everything",)), {"collect": nothing}, "no ARM permission"),
        (reading(effect=Effect.REVERSIBLE, produces=None), {"plan": nothing, "look": nothing}, "lacks apply"),
        (
            reading(effect=Effect.IRREVERSIBLE),
            {"plan": nothing, "look": nothing, "apply": nothing},
            "produces no facts",
        ),
    ],
)
def test_a_step_that_breaks_the_contract_is_refused(step: Step | None, functions: dict[str, Any], message: str) -> None:
    with pytest.raises(StepError, match=message) as caught:
        loaded_step(module(step, **functions), "investigate.example")
    assert caught.value.step == "investigate.example" or caught.value.step == "investigate.other"
    assert isinstance(caught.value, ValueError)


def test_importing_the_registry_imports_no_step() -> None:
    code = "import sys, tasks.registry; print([m for m in sys.modules if m.startswith('tasks.investigate')])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "[]"


def test_no_step_imports_another() -> None:
    code = (
        "import sys, tasks.registry as r\n"
        "import importlib, pkgutil\n"
        "for phase in r.PHASES:\n"
        "    package = importlib.import_module('tasks.' + phase)\n"
        "    for found in pkgutil.iter_modules(package.__path__):\n"
        "        name = f'tasks.{phase}.{found.name}'\n"
        "        for old in [m for m in sys.modules if m.startswith('tasks.') and m.count('.') == 2]: del sys.modules[old]\n"
        "        importlib.import_module(name)\n"
        "        others = [m for m in sys.modules if m.startswith('tasks.') and m.count('.') == 2 and m != name]\n"
        "        assert not others, (name, others)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
