"""What the cloud refuses is said: as not looked at with the reason, as a check that is not passed, as an action that failed. Never "nothing there".

The cases are the rows of `tests/data/refusals.yaml`; each refuses one list, or one write, on the embedded Azure, whose clock moves instead of waiting.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from azure_simulator.faults import Fault
from azure_simulator.world import World
from firebreak.clients import Connection
from firebreak.errors import ResponseError
from firebreak.execution import Patience
from firebreak.execution.flight import Flight
from firebreak.execution.journal import Change
from firebreak.execution.looking import Looker
from firebreak.execution.wave import Wave
from firebreak.model.check import Check, CheckStatus, checks_in
from firebreak.model.mode import Mode
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, Plan
from firebreak.model.step import Effect
from firebreak.planning import make_plan
from tasks.registry import load_steps
from tests.contract.tasks.test_each_step_has_its_effect import EFFECTS
from tests.support.courses import COURSES, SETTINGS, Course, copied, playbook_of
from tests.support.inprocess import sleeping
from tests.support.shares import Trial

pytestmark = pytest.mark.timeout(600)

TABLE = YAML(typ="safe").load((Path(__file__).parents[2] / "data/refusals.yaml").read_text(encoding="utf-8"))
KINDS: dict[str, dict[str, Any]] = TABLE["kinds"]
QUICK = ("hardening", "partner")
_BESIDE = (
    *("investigate.eligible_access", "investigate.directory_changes", "investigate.applications"),
    *("investigate.identity_risk", "investigate.delegated_access", "investigate.network", "notify.support_catalogue"),
)
_READ_POSTS = r"(?i)^(?!.*(/listkeys|/query|/getbyids|\$batch))"


@dataclasses.dataclass(frozen=True)
class Row:
    """One list that a step asks for, refused in one way."""

    step: str
    kind: str
    course: str
    asks: str
    untold: str = ""
    fails: bool = False
    unseen: tuple[str, ...] = ()

    @property
    def fault(self) -> Fault:
        method, _, path = self.asks.rpartition(" ")
        return Fault(method=method or "GET", url=_pattern(path), **KINDS[self.kind]["fault"])


def _pattern(path: str) -> str:
    return "(?i)^" + re.escape(path).replace(r"\*", r"[^/?]+") + r"(\?|$)"


def _rows() -> Iterator[Row]:
    for step, rows in TABLE["reads"].items():
        for row in rows:
            fields = {name: value for name, value in row.items() if name != "licence"}
            fields["unseen"] = tuple(fields.get("unseen", ()))
            for kind in KINDS:
                if kind == "role" and "/partnercenter/" not in row["asks"]:
                    continue
                if kind != "licence" or row.get("licence"):
                    yield Row(step=step, kind=kind, **fields)


def _marked(values: Sequence[Any], course: Any, name: Any) -> list[Any]:
    """Parameters, those of the large worlds marked as slow."""
    return [pytest.param(one, id=name(one), marks=[] if course(one) in QUICK else pytest.mark.slow) for one in values]


@dataclasses.dataclass
class Seen:
    """A course that was read, with the facts that each step saw before its own, and the requests that each step made."""

    course: Course
    world: World
    trial: Trial
    before: dict[str, dict[type[Any], Any]]
    requests: dict[str, list[tuple[str, str]]]

    def reads_after(self, step: str) -> list[str]:
        """The steps that conclude from what others read, after this one."""
        order = list(self.before)
        return [one for one in order[order.index(step) + 1 :] if load_steps()[one].conclude]


_SEEN: dict[str, Seen] = {}


def _course(name: str) -> Course:
    return COURSES["unprotected" if name == "hardening" else name]


async def seen(name: str) -> Seen:
    """The course as read once, with nothing refused; worlds are not changed by reading."""
    if name not in _SEEN:
        course = _course(name)
        world = course.world()
        trial = Trial(world, playbook_of(course), course.alert(world), SETTINGS)
        found = _SEEN[name] = Seen(course, world, trial, {}, {})
        steps = [step for stage in trial.playbook.stages for step in stage.steps]
        async with course.connects(world, Mode.DRY_RUN) as connection:
            for step in dict.fromkeys([*steps, *(_BESIDE if name == "hardening" else ())]):
                if load_steps()[step].step.effect is not Effect.READ:
                    continue
                found.before[step], since = dict(trial.facts), len(world.requests)
                await trial.read(connection, only=(step,))
                rows = (row for row in world.requests[since:] if row.service != "login")
                found.requests[step] = list(dict.fromkeys((row.method, row.url.partition("?")[0]) for row in rows))
    return _SEEN[name]


async def refused(row: Row) -> tuple[Trial, str]:
    """What the step finds out while the list is refused, and everything concluded from it; or how it failed."""
    found = await seen(row.course)
    trial = dataclasses.replace(found.trial, facts=dict(found.before[row.step]), asked=dict(found.trial.asked))
    loaded, fault = load_steps()[row.step], row.fault
    assert loaded.collect is not None
    found.world.faults.append(fault)
    try:
        async with found.course.connects(found.world, Mode.DRY_RUN) as connection:
            made = await loaded.collect(connection.eyes, trial.case())
    except ResponseError as error:
        return trial, str(error)
    finally:
        found.world.faults.remove(fault)
    assert fault.used, "The step asks for something else."
    trial.facts = found.trial.facts | {type(made): made}
    for step in found.reads_after(row.step):
        conclude = load_steps()[step].conclude
        assert conclude is not None
        concluded = conclude(trial.case())
        trial.facts[type(concluded)] = concluded
    return trial, ""


def checks_of(facts: Mapping[type[Any], Any]) -> dict[str, Check]:
    return {check.id: check for check in checks_in(facts.values())}


@cache
def _never() -> re.Pattern[str]:
    return re.compile("|".join(re.escape(one) for one in TABLE["never"]), re.IGNORECASE)


@pytest.mark.parametrize(
    "row", _marked(list(_rows()), lambda row: row.course, lambda row: f"{row.step}:{row.asks}:{row.kind}")
)
async def test_what_a_read_was_refused_is_named_with_the_reason_and_nothing_passes_for_it(row: Row) -> None:
    trial, failed = await refused(row)
    says = re.compile(KINDS[row.kind]["says"])
    if row.fails:
        assert says.search(failed), failed
        return
    assert not failed
    whole = (await seen(row.course)).trial
    kind = load_steps()[row.step].step.produces
    assert kind is not None
    notes = [one for one in trial.facts[kind].not_looked_at if one not in whole.facts[kind].not_looked_at]
    assert any(one.what.startswith(row.untold) and says.search(one.why) for one in notes), notes

    then, now = checks_of(whole.facts), checks_of(trial.facts)
    assert {now[name].status for name in row.unseen} <= {CheckStatus.NOT_LOOKED_AT}
    assert all(says.search(now[name].reason) for name in row.unseen if now[name].step == row.step)
    passed = {name for name, check in now.items() if check.status is CheckStatus.PASSED}
    assert passed <= {name for name, check in then.items() if check.status is CheckStatus.PASSED}

    found = load_steps()[row.step].assess
    findings = found(trial.facts[kind], trial.case()) if found else []
    texts = [*(one.why for one in notes), *(check.reason for check in now.values())]
    texts += [text for one in findings for text in (one.title, *one.reasons)]
    assert not [text for text in texts if _never().search(text)]


@pytest.mark.parametrize("course", _marked([*QUICK, "platform-services", "leaked-pipeline", "stolen-owner"], str, str))
async def test_every_list_that_a_reading_step_asks_for_has_a_row(course: str) -> None:
    found = await seen(course)
    without = {
        f"{step} {method} {path}"
        for step, rows in found.requests.items()
        for method, path in rows
        if not path.startswith("/prices/")  # the public price list asks nobody for rights
        and not any(re.search(_pattern(row["asks"].rpartition(" ")[2]), path) for row in TABLE["reads"].get(step, ()))
    }
    assert not without


@pytest.mark.parametrize(
    "row", _marked(TABLE["services"], lambda row: row["course"], lambda row: f"{row['course']}:{row['service']}")
)
async def test_when_a_whole_service_refuses_no_step_that_would_act_is_silent(row: dict[str, Any]) -> None:
    found = await seen(row["course"])
    trial = dataclasses.replace(found.trial, facts={})
    fault = Fault(kind="status", status=403, url=row["service"])
    found.world.faults.append(fault)
    try:
        async with found.course.connects(found.world, Mode.DRY_RUN) as connection:
            for step in found.before:
                try:
                    await trial.read(connection, only=(step,))
                except ResponseError:
                    continue
    finally:
        found.world.faults.remove(fault)
    whole, blind = _plans(found.trial), _plans(trial)
    acts = {action.step for plan in whole for action in plan.actions}
    still = {action.step for plan in blind for action in plan.actions}
    assert set(row["left"]) <= acts - still
    said: dict[str, list[str]] = {}
    for plan in blind:
        for no_op in plan.no_ops:
            said.setdefault(no_op.step, []).append(no_op.reason)
        for problem in plan.problems:
            said.setdefault(problem.partition(":")[0], []).append(problem)
    for step in acts - still:
        unread = [trial.facts[kind] for kind in load_steps()[step].step.needs if kind in trial.facts]
        told = any(facts.not_looked_at for facts in unread)  # the stage then says what was not looked at
        assert said.get(step) or told, step
    for step, words in row["left"].items():
        assert any(words in reason for reason in said[step]), said[step]
    assert not [reason for reasons in said.values() for reason in reasons if _never().search(reason)]


def _plans(trial: Trial) -> list[Plan]:
    return [
        make_plan(
            trial.case(),
            stage=stage.id,
            steps=[load_steps()[step] for step in stage.steps if load_steps()[step].step.effect is not Effect.READ],
            round=1,
            engine_version="test",
        )
        for stage in trial.playbook.stages
    ]


class _Kept:
    """The journal of one wave, in memory."""

    def __init__(self) -> None:
        self.last: dict[str, Change] = {}

    async def write(self, change: Change) -> None:
        self.last[change.action_id] = change

    async def heartbeat(self) -> None:
        return


class Refusing(Trial):
    """A trial in which each step's first write of a stage is refused, as the executor sees it, before it is let through."""

    refusals: dict[tuple[str, str], tuple[Change, list[str]]]

    async def _wave(self, wave: Sequence[Action], connection: Connection) -> None:
        for kind in ("forbidden", "throttled", "second-factor"):
            if (wave[0].step, kind) not in self.refusals:
                await self._refuse(wave[0], kind, connection)
        await super()._wave(wave, connection)

    async def _refuse(self, action: Action, kind: str, connection: Connection) -> None:
        kept, world = _Kept(), self.world
        fault = Fault(method="PUT|POST|PATCH|DELETE", url=_READ_POSTS, **KINDS[kind]["fault"])
        look = Looker(load_steps(), connection.eyes, sleeping(world), Patience())
        wave = Wave(
            steps=load_steps(), looker=look, hands=connection.hands, writer=kept, clock=world.clock.now,  # type: ignore[arg-type]
            sleep=sleeping(world), patience=Patience(), concurrency=1, ended=lambda *_: None,
        )  # fmt: skip
        world.faults.append(fault)
        since = len(world.requests)
        try:
            await wave.carry_out([Flight(action)], [])
        finally:
            world.faults.remove(fault)
        taken = [f"{row.method} {row.url}" for row in world.requests[since:] if row.status < 300 and not _is_read(row)]
        if fault.used:
            self.refusals[action.step, kind] = kept.last[action.id], taken


def _is_read(row: Any) -> bool:
    return row.service == "login" or row.method in ("GET", "HEAD") or not re.match(_READ_POSTS, row.url)


@pytest.mark.parametrize("name", _marked(["unprotected", *(one for one in COURSES if one != "unprotected")], lambda one: "hardening" if one == "unprotected" else one, str))  # fmt: skip
async def test_a_write_that_is_refused_ends_as_failed_with_the_reason_and_nothing_was_changed(name: str) -> None:
    found = await seen("hardening" if name == "unprotected" else name)
    world = copied(found.world)
    trial = Refusing(world, found.trial.playbook, found.trial.alert, SETTINGS, facts=dict(found.trial.facts))
    trial.refusals = {}
    async with found.course.connects(world, Mode.LIVE) as connection:
        for stage in found.course.stages:
            if stage.startswith("+"):
                world.clock.advance(1200)
                await trial.read(connection, only=(stage[1:],))
            else:
                await trial.carry(stage, connection)
    mine = {step for step, effect in EFFECTS.items() if effect.course == name and effect.shows}
    assert mine <= {step for step, _ in trial.refusals}, mine - {step for step, _ in trial.refusals}
    for (step, kind), (change, taken) in trial.refusals.items():
        assert change.state is ActionState.FAILED, (step, kind, change)
        assert re.search(KINDS[kind]["says"], change.reason), (step, kind, change.reason)
        assert not taken, (step, kind, taken)
