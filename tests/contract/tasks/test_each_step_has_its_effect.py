"""A mutation test made from a table: what is missing of the embedded Azure's records, findings and checks when a step is taken out.

`tests/data/effects_of_steps.yaml` names for every step what only it does, and for every row of the guidance that is automatic or gated the step
that is seen doing it. Here each course is gone through once and what each step did is kept apart; the slow half takes each step out and goes again.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from firebreak.errors import PlaybookError
from firebreak.model.check import checks_in
from firebreak.model.step import Effect
from firebreak.playbook import find_playbooks, load_playbook
from tasks.guidance import guidance_rows
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import STEPS
from tests.support.courses import COURSES, go_through, playbook_of
from tests.support.shares import Trial

pytestmark = pytest.mark.timeout(900)

TOP = Path(__file__).parents[3]
TABLE = YAML(typ="safe").load((TOP / "tests/data/effects_of_steps.yaml").read_text())
WAYS = ("shows", "asks", "tells")


class Effected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an effect is seen, and how it looks; `test` tries it otherwise. `together`: other steps make this request as well, about other things; `stage`: what
    a later stage does again does not count."""

    course: str = ""
    test: str = ""
    shows: str = ""
    asks: str = ""
    tells: str = ""
    together: bool = False
    stage: str = ""

    def seen_in(self, trial: Trial, step: str) -> set[str]:
        """What this step did, as far as it fits."""
        if self.tells:
            return {one for one in told_by(trial, step) if one.startswith(self.tells)}
        changed = trial.changed_in[self.stage, step] if self.stage else trial.changed[step]
        fits = re.compile(self.shows or self.asks, re.IGNORECASE | re.DOTALL)
        return {row for row in (changed if self.shows else trial.asked[step]) if fits.match(row)}


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who does a row of the guidance."""

    step: str = ""
    test: str = ""
    shows: str = ""
    asks: str = ""
    tells: str = ""
    together: bool = False

    @property
    def effect(self) -> Effected:
        own = EFFECTS[self.step]
        if self.shows or self.asks or self.tells:
            return Effected(
                course=own.course,
                shows=self.shows,
                asks=self.asks,
                tells=self.tells,
                together=self.together,
                stage=own.stage,
            )
        return own


EFFECTS: dict[str, Effected] = msgspec.convert(TABLE["steps"], dict[str, Effected])
ROWS: dict[str, Row] = msgspec.convert(TABLE["rows"], dict[str, Row])


def told_by(trial: Trial, step: str) -> set[str]:
    """Ids of the findings and checks that this step's facts give."""
    facts: Any = trial.facts.get(STEPS[step].produces)  # type: ignore[arg-type]
    if facts is None:
        return set()
    loaded = load_steps()[step]
    found = {one.id for one in loaded.assess(facts, trial.case())} if loaded.assess else set()
    return found | {check.id for check in checks_in([facts])}


@cache
def taken() -> frozenset[str]:
    """Every step that a shipped playbook takes."""
    playbooks = find_playbooks(steps=STEPS).values()
    return frozenset(step for one in playbooks for stage in one.stages for step in stage.steps)


def test_every_step_has_a_row() -> None:
    assert set(EFFECTS) == taken()
    for step, effect in EFFECTS.items():
        assert bool(effect.test) != bool(effect.course), step
        if effect.test:
            assert _is_a_test(effect.test), effect.test
            continue
        course = playbook_of(COURSES[effect.course])
        assert step in {name for stage in course.stages for name in stage.steps}, step
        assert sum(bool(getattr(effect, way)) for way in WAYS) == 1, step
        assert bool(effect.shows) == (STEPS[step].effect is not Effect.READ), step


def test_every_automatic_and_gated_row_of_the_guidance_is_seen_by_a_step_or_a_test() -> None:
    rows = {row.id: row for row in guidance_rows()}
    assert {one for one, row in rows.items() if row.mode in ("auto", "gate")} <= set(ROWS)
    assert not {one for one, row in rows.items() if row.mode == "none"}
    assert {one for one, row in rows.items() if one not in ROWS and row.asks is None} == set()
    for name, row in ROWS.items():
        assert bool(row.step) != bool(row.test), name
        if row.step:
            assert row.step in EFFECTS, name
            assert name in STEPS[row.step].guidance, f"{row.step} does not claim {name}"
            gated = rows[name].mode == "gate"
            assert not gated or STEPS[row.step].effect is not Effect.READ, f"{name} is gated, {row.step} only reads"
        else:
            assert _is_a_test(row.test), row.test


def _is_a_test(name: str) -> bool:
    file, _, function = name.partition("::")
    tree = ast.parse((TOP / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(node, kinds) and node.name == function for node in tree.body)


@cache
def comparable(effect: Effected) -> frozenset[str]:
    """The steps that could do the same. What a changing step looks at again before it acts is no reading of its own."""
    return frozenset(step for step in taken() if effect.shows or STEPS[step].effect is Effect.READ)


async def _alone(step: str, effect: Effected) -> None:
    """The step was seen doing it, and nobody else did the same: without the step it is missing."""
    trial = await go_through(effect.course)
    own = effect.seen_in(trial, step)
    assert own, sorted(told_by(trial, step) or trial.changed[step] or trial.asked[step])[:20]
    others = set().union(*(effect.seen_in(trial, other) for other in comparable(effect) - {step}))
    assert effect.together or not own & others, own & others


@pytest.mark.parametrize("step", sorted(step for step, effect in EFFECTS.items() if effect.course))
async def test_only_this_step_does_what_it_is_there_for(step: str) -> None:
    await _alone(step, EFFECTS[step])


@pytest.mark.parametrize("row", sorted(name for name, row in ROWS.items() if row.step))
async def test_a_row_of_the_guidance_is_seen_done_by_its_step(row: str) -> None:
    await _alone(ROWS[row].step, ROWS[row].effect)


@pytest.mark.slow
@pytest.mark.parametrize("step", sorted(step for step, effect in EFFECTS.items() if effect.course))
async def test_without_the_step_its_effect_is_missing(step: str) -> None:
    await _missing_without(step, EFFECTS[step])


@pytest.mark.slow
@pytest.mark.parametrize("row", sorted(name for name, row in ROWS.items() if row.step))
async def test_without_its_step_a_row_of_the_guidance_is_not_done(row: str) -> None:
    await _missing_without(ROWS[row].step, ROWS[row].effect)


async def _missing_without(step: str, effect: Effected) -> None:
    if refused := _why_refused(step, effect.course):
        assert f"needs what {step} finds out" in refused
        return
    with_it, without = await go_through(effect.course), await go_through(effect.course, without=step)
    left = {_place(row) for one in comparable(effect) for row in effect.seen_in(without, one)}
    assert {_place(row) for row in effect.seen_in(with_it, step)} - left


def _place(row: str) -> str:
    """Method and path: bodies may hold what is drawn anew each time."""
    return " ".join(row.split(" ")[:2])


def _why_refused(step: str, course: str) -> str:
    """What a playbook that leaves the step out is told when it is loaded; "" where it may be left out."""
    text = (TOP / "playbooks" / f"{COURSES[course].playbook}.yaml").read_text(encoding="utf-8")
    left = text.replace(f"      - {step}\n", "")
    assert left != text, step
    try:
        load_playbook(left.encode(), steps=STEPS)
    except PlaybookError as error:
        return str(error) if "needs what" in str(error) else ""
    return ""
