"""The step registry: finds every step under `tasks/`, checks its declaration, and hands out `LoadedStep`s by id.

    load_steps()["investigate.spend"].step.title

Nothing is read or called on import; loading imports the step modules once and is cached.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any

from firebreak.errors import ContentError
from firebreak.model.facts import Facts
from firebreak.model.step import Effect, LoadedStep, Step

PHASES = ("investigate", "contain", "eradicate", "recover", "harden", "notify")
_GUIDANCE = re.compile(r"S(\d{2,3})")
_LAST_GUIDANCE_ROW = 117
_FUNCTIONS = ("collect", "conclude", "assess", "plan", "look", "apply", "undo", "whose", "in_time")
_PERMISSION = re.compile(r"[A-Za-z0-9.*]+(/[A-Za-z0-9._*-]+)+")


class StepError(ContentError):
    """A step's file does not keep the contract of `firebreak.model.step`; `step` is its dotted name."""

    code = "bad_step"

    def __init__(self, message: str, *, step: str, hint: str = "") -> None:
        super().__init__(f"{step}: {message}", hint=hint)
        self.step = step


@cache
def load_steps() -> Mapping[str, LoadedStep]:
    """Return all steps by id, in order of phase and name.

    Raises:
        StepError: a step does not keep the contract.
    """
    steps: dict[str, LoadedStep] = {}
    for phase in PHASES:
        try:
            package = importlib.import_module(f"tasks.{phase}")
        except ModuleNotFoundError as exc:
            if exc.name == f"tasks.{phase}":
                continue  # a phase without steps has no package
            raise
        for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
            module = importlib.import_module(f"tasks.{phase}.{found.name}")
            loaded = loaded_step(module, f"{phase}.{found.name}")
            steps[loaded.step.id] = loaded
    return MappingProxyType(steps)


def loaded_step(module: ModuleType, expected_id: str) -> LoadedStep:
    """Check one step module against the contract and return it loaded.

    Raises:
        StepError: no STEP, another id than the file's, a missing function for its effect, an unknown guidance row, an empty text.
    """
    step = getattr(module, "STEP", None)
    if not isinstance(step, Step):
        raise StepError(
            "the module declares no STEP.", step=expected_id, hint="One module is one step: STEP = Step(...)."
        )
    if step.id != expected_id:
        raise StepError(f"the id is {step.id!r}.", step=expected_id, hint="The id is <phase>.<file name>.")
    functions: dict[str, Any] = {name: getattr(module, name, None) for name in _FUNCTIONS}
    _check_texts(step)
    _check_functions(step, {name for name, function in functions.items() if callable(function)})
    return LoadedStep(step=step, **functions)


def _check_texts(step: Step) -> None:
    if not step.title.strip() or len(step.title) > 150:
        raise StepError("the title is empty or longer than 150 characters.", step=step.id)
    if not step.description.strip():
        raise StepError("the description is empty.", step=step.id)
    for row in step.guidance:
        match = _GUIDANCE.fullmatch(row)
        if not match or not 1 <= int(match[1]) <= _LAST_GUIDANCE_ROW:
            raise StepError(f"{row!r} is no row of the guidance.", step=step.id, hint="Rows are S01 to S117.")
    for permission in step.permissions:
        if not _PERMISSION.fullmatch(permission):
            raise StepError(f"{permission!r} is no ARM permission.", step=step.id)


def _check_functions(step: Step, present: set[str]) -> None:
    if step.effect is Effect.READ:
        if present & {"plan", "look", "apply", "undo", "whose", "in_time"}:
            raise StepError("a reading step has functions that change something.", step=step.id)
        if len(present & {"collect", "conclude"}) != 1:
            raise StepError("a reading step has either collect or conclude.", step=step.id)
        if not (isinstance(step.produces, type) and issubclass(step.produces, Facts)):
            raise StepError("a reading step produces a Facts type.", step=step.id)
        return
    missing = sorted({"plan", "look", "apply"} - present)
    if missing:
        raise StepError(f"a changing step lacks {', '.join(missing)}.", step=step.id)
    if step.produces is not None:
        raise StepError("a changing step produces no facts.", step=step.id)
