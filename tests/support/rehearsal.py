"""A recorded incident kept open, so that many changed playbooks can be tried on it: what was collected is kept, and what a change touches is done anew.

    with rehearsal(Path("incidents/false-alarm.zip")) as tried:
        tried.differs(changed, {"investigate.spend"})          # what is seen of it, "" for nothing

Only the first look is rehearsed, and every stage is planned from it: enough to see whether a change shows, at a tenth of the time of a replay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firebreak import __version__
from firebreak.bundle import Concluded, open_bundle
from firebreak.engine.eyes import EyesOfRound
from firebreak.errors import NotCollectedError
from firebreak.model.facts import Attribution, SpendFacts
from firebreak.model.finding import Finding
from firebreak.model.plan import Plan
from firebreak.model.playbook import Playbook
from firebreak.planning import make_plan
from firebreak.replay import Point, stage_replay
from firebreak.replay.concluded import concluded_from, conclusions_changed
from firebreak.replay.differences import compare
from firebreak.replay.engine import ReplayEngine
from tasks.registry import load_steps

Outcome = tuple[dict[Point, Plan], Concluded]


class Rehearsal:
    """One bundle, its first look taken. Built by `rehearsal`."""

    def __init__(self, engine: ReplayEngine, loop: asyncio.Runner, playbook: Playbook) -> None:
        self._engine, self._loop, self.playbook = engine, loop, playbook
        self._before: dict[frozenset[str], Outcome] = {}

    def differs(self, changed: Playbook, collected: Collection[str] = ()) -> str:
        """What a replay would say of a changed playbook, "" when nothing shows. `collected` are reading steps that read anew."""
        touched = frozenset(collected)
        if touched not in self._before:
            self._before[touched] = self._outcome(self.playbook, touched)
        (plans, concluded), (now, concludes) = self._before[touched], self._outcome(changed, touched)
        for change in compare(plans, now):
            if change.is_change:
                return f"the plan of {change.stage}"
        return next((change.what for change in conclusions_changed(concluded, concludes)), "")

    def acted_on(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Targets of the plans of the first look, and the principals whose access they take."""
        if frozenset() not in self._before:
            self._before[frozenset()] = self._outcome(self.playbook, frozenset())
        actions = [action for plan in self._before[frozenset()][0].values() for action in plan.actions]
        principals = {str(action.fingerprint.get("principalId", "")) for action in actions} - {""}
        return tuple(sorted({action.target for action in actions})), tuple(sorted(principals))

    def _outcome(self, playbook: Playbook, touched: frozenset[str]) -> Outcome:
        return self._loop.run(self._look(playbook, touched))

    async def _look(self, playbook: Playbook, touched: frozenset[str]) -> Outcome:
        engine = self._engine
        engine.playbook = playbook
        case = engine.case(1)
        reads = [engine.room.steps[name] for stage in playbook.stages for name in engine.reads(stage)]
        for loaded in reads:
            facts: Any = None
            try:
                if loaded.collect is not None and loaded.step.id in touched:
                    engine._clouds.note_step(loaded.step.id, 1)
                    facts = await loaded.collect(EyesOfRound(engine._clouds.eyes, case.now), case)
                elif loaded.collect is None and loaded.conclude is not None:
                    facts = loaded.conclude(case)
            except NotCollectedError:
                continue
            case = case if facts is None else case.with_facts(facts)
        findings: list[Finding] = []
        for loaded in reads:
            kind = loaded.step.produces
            found = case.get(kind) if kind else None
            if loaded.assess is not None and found is not None:
                findings += loaded.assess(found, case)
        plans = {
            Point(stage.id, 1): make_plan(
                case, stage=stage.id, steps=engine.changes(stage), round=1, engine_version=__version__
            )
            for stage in playbook.stages
            if engine.changes(stage)
        }
        return plans, concluded_from(findings, case.get(Attribution), case.get(SpendFacts))


@contextmanager
def rehearsal(bundle: Path) -> Iterator[Rehearsal]:
    """Open a bundle and take its first look with the playbook of then."""
    with open_bundle(bundle) as opened, stage_replay(opened, load_steps()) as staged, asyncio.Runner() as loop:
        connected = staged.engine()
        engine = loop.run(connected.__aenter__())
        try:
            loop.run(_first_look(engine))
            yield Rehearsal(engine, loop, opened.playbook)
        finally:
            loop.run(connected.__aexit__(None, None, None))


async def _first_look(engine: ReplayEngine) -> None:
    engine.begin_run()
    engine.begin_round(1)
    for stage in engine.playbook.stages:
        for step in engine.reads(stage):
            await engine.reading(stage, step, 1)()
