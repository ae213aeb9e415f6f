"""The worked example of CONTRIBUTING.md is taken from the page and carried out against the embedded Azure."""

from __future__ import annotations

import re
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML

from firebreak.model.case import Case
from firebreak.model.mode import Mode
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import LoadedStep
from firebreak.planning import make_plan
from firebreak.playbook import read_playbook
from tasks.registry import load_steps, loaded_step
from tests.contract.tasks.changing_steps import world_of
from tests.steps.changing_cases import Builder
from tests.steps.investigation import alert_of, investigate
from tests.support.inprocess import sent, simulated

PAGE = (Path(__file__).parent.parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAME = "contain.tag_subscription"


def block(language: str, begins: str) -> str:
    """The one code block of the page that begins so."""
    found = [
        b for b in re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if b.startswith(begins)
    ]
    assert len(found) == 1, (language, begins, len(found))
    return str(found[0])


@pytest.fixture(scope="module")
def step(tmp_path_factory: pytest.TempPathFactory) -> LoadedStep:
    """The step of the page, written to a file and loaded as the registry loads one."""
    file = tmp_path_factory.mktemp("contain") / "tag_subscription.py"
    file.write_text(block("python", '"""Mark the subscription'), encoding="utf-8")
    spec = util.spec_from_file_location("contributed_tag_subscription", file)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return loaded_step(module, NAME)


def test_the_page_names_the_file_that_the_registry_would_find() -> None:
    assert "`tasks/contain/tag_subscription.py`" in PAGE
    assert f'id="{NAME}"' in PAGE


def test_the_playbook_of_the_page_is_valid_with_the_step(step: LoadedStep) -> None:
    steps = {name: loaded.step for name, loaded in load_steps().items()}
    text = block("yaml", "id: mark-subscription").encode()
    playbook, problems = read_playbook(text, file="mark.yaml", steps=steps | {NAME: step.step})
    assert not problems
    assert playbook is not None
    _, without = read_playbook(text, file="mark.yaml", steps=steps)
    assert [NAME in p.message for p in without] == [True]


@pytest.mark.parametrize("number", [0, 1])
def test_the_cases_of_the_page_hold(step: LoadedStep, number: int) -> None:
    case: dict[str, Any] = YAML(typ="safe").load(block("yaml", "- name: the subscription"))[number]
    assert step.plan is not None
    planned = step.plan(Builder(case["facts"]).case())
    actions = [p for p in planned if isinstance(p, Action)]
    no_ops = [p for p in planned if isinstance(p, NoOp)]
    assert [(a.kind, a.target.rsplit("/", 1)[-1], a.params) for a in actions] == [
        (w["kind"], w["target"], w["params"]) for w in case.get("actions", ())
    ]
    assert all(w["title"] in a.title for w, a in zip(case.get("actions", ()), actions, strict=True))
    assert all(w["reason"] in n.reason for w, n in zip(case.get("no_ops", ()), no_ops, strict=True))


async def test_the_step_of_the_page_plans_acts_once_proves_it_and_takes_it_back(step: LoadedStep) -> None:
    assert step.look is not None
    assert step.apply is not None
    assert step.undo is not None
    steps = load_steps() | {NAME: step}
    declared = {name: loaded.step for name, loaded in steps.items()}
    playbook, _ = read_playbook(block("yaml", "id: mark-subscription").encode(), file="mark.yaml", steps=declared)
    assert playbook is not None
    world = world_of("false-alarm")
    subscription = next(iter(world.subscriptions.values()))
    async with simulated(world, mode=Mode.LIVE) as connection:
        found, _ = await investigate(connection.eyes, alert_of(world), steps=playbook.stages[0].steps)
        kind = declared["investigate.subscription"].produces
        assert kind is not None
        case = Case(incident=found.incident, playbook=playbook, now=found.now, facts={kind: found[kind]})
        plan = make_plan(case, stage="contain", steps=[step], round=1, engine_version="test")
        assert plan.applyable, plan.problems
        (action,) = plan.actions

        before = (await step.look([action], connection.eyes))[action.id]
        assert not before.already_so
        assert not sent(world, "PATCH")
        await step.apply(action, connection.hands)
        after = (await step.look([action], connection.eyes))[action.id]
        assert after.already_so
        assert subscription["tags"]["firebreak-incident"] == case.incident.case
        assert len(sent(world, "PATCH")) == 1

        inverse = step.undo(action, before.prior)
        assert inverse is not None
        await step.apply(inverse, connection.hands)
        assert (await step.look([inverse], connection.eyes))[inverse.id].already_so
        assert "firebreak-incident" not in subscription["tags"]
