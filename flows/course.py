"""The order of a response, without Prefect: look, plan, ask, act, look again, report. `flows.respond` runs it in Prefect, the CLI without.

The course is walked from the top each time a run starts. What the store already holds is loaded, so a run that was suspended, killed or
retried goes on where it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from firebreak.analysis.documents import listed
from firebreak.engine import Engine, Question, pages
from firebreak.model.plan import UNDO
from firebreak.model.playbook import Stage

_DECIDED = ("approved", "rejected", "skipped")


class Runtime(Protocol):
    """What the course needs from where it runs: a place for steps, a way to ask people, a place for pages."""

    async def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Carry out one step (in Prefect: one task run)."""
        ...

    async def ask(self, question: Question) -> None:
        """Put the question to people; return when an answer has been handed to the gate desk.

        Raises:
            WaitingError: nobody is going to answer while this process lives; it is to be started again later.
        """
        ...

    async def show(self, key: str, page: str, title: str) -> None:
        """Show a Markdown page; the same key replaces it."""
        ...

    async def show_table(self, key: str, rows: list[dict[str, str]], title: str) -> None:
        """Show a table of evidence; the same key replaces it."""
        ...

    def say(self, text: str) -> None:
        """Tell whoever watches what happens now."""
        ...


async def respond_to(engine: Engine, runtime: Runtime) -> str:
    """Carry out the incident's playbook as far as it goes and return the incident's state: done, stopped by people, or failed (the attack goes on).

    Raises:
        WaitingError: a gate waits and this process is not to.
        ResponseError: the run cannot go on (credentials, network, a promise refused it); the state says so and a new run resumes.
    """
    if why := engine.why_undo_goes_first():
        raise why
    if engine.state in ("done", "stopped"):
        runtime.say(f"{engine.incident.id} has ended ({engine.state}); nothing to do.")
        return engine.state
    engine.begin_run()
    round_of_facts = 1
    waiting = list(engine.playbook.stages)
    while waiting:
        stage = engine.next_stage(waiting, round_of_facts)
        if stage is not waiting[0]:
            runtime.say(f"{stage.title}: goes before {waiting[0].title!r}, which asks people; this needs nobody.")
        waiting.remove(stage)
        if engine.reads(stage) and not engine.has_looked(stage, round_of_facts):
            engine.set_state("investigating", stage.title)
            await _look(engine, runtime, stage, round_of_facts)
            await runtime.show("case", pages.case_page(engine, round_of_facts), "What is happening")
            for key, (title, rows) in pages.evidence_tables(engine, round_of_facts).items():
                await runtime.show_table(key, rows, title)
        if engine.changes(stage):
            ended, round_of_facts = await _change(engine, runtime, stage, round_of_facts)
            if not ended:
                return await _close(engine, runtime, "stopped", round_of_facts)
    if engine.wants_last_look():
        round_of_facts = await _look_again(engine, runtime, round_of_facts, engine.next_round(round_of_facts))
    return await _close(engine, runtime, engine.end_state(round_of_facts), round_of_facts)


async def _look(engine: Engine, runtime: Runtime, stage: Stage, round_of_facts: int) -> None:
    """All reading steps of a stage, in order; each once per round."""
    engine.begin_round(round_of_facts)
    for step in engine.reads(stage):
        runtime.say(f"{engine.title(step)} ...")
        await runtime.run(engine.title(step), engine.reading(stage, step, round_of_facts))
    engine.note_looked(stage, round_of_facts)


async def _look_again(engine: Engine, runtime: Runtime, round_of_facts: int, number: int) -> int:
    """Look at everything in round `number`, unless that is the round whose facts are known."""
    if number != round_of_facts:
        engine.set_state("investigating", "Looking again")
        await look_in_every_stage(engine, runtime, number)
    return number


async def look_in_every_stage(engine: Engine, runtime: Runtime, round_of_facts: int) -> None:
    """All reading steps of the playbook for one round; the incident's state stays as it is."""
    runtime.say("Looking again ...")
    for stage in engine.playbook.stages:
        if engine.reads(stage) and not engine.has_looked(stage, round_of_facts):
            await _look(engine, runtime, stage, round_of_facts)


async def _change(engine: Engine, runtime: Runtime, stage: Stage, round_of_facts: int) -> tuple[bool, int]:
    """Plan, ask, act, look again, until nothing new is found. False: a person or a guard rail stopped the run."""
    attempt = 0
    while True:
        attempt += 1
        wanted = engine.round_for(stage, attempt, round_of_facts)
        round_of_facts = await _look_again(engine, runtime, round_of_facts, wanted)
        known = engine.has_planned(stage, attempt)
        plan = engine.plan(stage, attempt, round_of_facts)
        if not known:
            await runtime.show(
                f"plan-{stage.id}-{attempt}", pages.plan_page(engine, plan, round_of_facts), f"Plan: {stage.title}"
            )
        if not plan.actions:
            text = "nothing to do"
            if plan.errored or not plan.complete:
                # What may be passed over by people does not stop the rest either when it cannot be seen.
                if not engine.gate_of(stage).optional:
                    raise engine.blind(plan)
                text = f"could not be planned, nothing was changed: {' '.join(plan.problems)}"
            elif unseen := engine.unseen(stage, round_of_facts):
                text = f"nothing to do in what could be read; not looked at: {listed(unseen)}"
            runtime.say(f"{stage.title}: {text}.")
            engine.note_stage(stage, attempt, "skipped", text)
            return True, round_of_facts
        if not engine.asks(stage, attempt):
            text = f"{len(plan.actions)} actions planned, none carried out ({engine.incident.mode})"
            runtime.say(f"{stage.title}: {text}.")
            engine.note_stage(stage, attempt, "skipped", text)
            return True, round_of_facts
        # A plan that is only over its limits goes to the gate, which asks for a typed override.
        if not plan.applyable and not plan.over_limits:
            raise engine.refused(plan)
        state = await ask_at_gate(engine, runtime, stage, attempt, round_of_facts)
        if state == "rejected":
            engine.note_stage(stage, attempt, "skipped", "rejected in the gate")
            return False, round_of_facts
        if state == "skipped":
            engine.note_stage(stage, attempt, "skipped", "skipped in the gate")
            return True, round_of_facts
        await _act(engine, runtime, stage, attempt, round_of_facts)
        more = engine.wants_more(stage, attempt)
        if more or stage.rounds > 1:
            wanted = engine.next_round(round_of_facts, (stage, attempt))
            round_of_facts = await _look_again(engine, runtime, round_of_facts, wanted)
        if not more:
            return True, round_of_facts


async def ask_at_gate(engine: Engine, runtime: Runtime, stage: Stage, attempt: int, round_of_facts: int) -> str:
    """Ask until the gate is decided, and return how; an expired or refused answer is asked again."""
    while True:
        question = engine.question(stage, attempt, round_of_facts, pages.gate_page)
        if question.view.state in _DECIDED:
            if any(approval.pre_authorised for approval in question.view.approvals):
                runtime.say(f"{stage.title}: NOBODY WAS ASKED at gate {question.view.id}: {question.view.closed_by}.")
            return question.view.state
        if stage.id != UNDO:  # an undo leaves the state of the response as it is
            engine.set_state("waiting", f"gate {question.view.id}")
        runtime.say(f"{stage.title}: waiting for an answer to gate {question.view.id} (question {question.view.ask}).")
        await runtime.ask(question)


async def _act(engine: Engine, runtime: Runtime, stage: Stage, attempt: int, round_of_facts: int) -> None:
    """Carry out the approved plan once; nothing is sent when that was done before."""
    if not engine.has_acted(stage, attempt):
        engine.set_state("executing", stage.title)
        await runtime.run(f"Carry out: {stage.title}", engine.acting(stage, attempt, round_of_facts, runtime.say))
        engine.note_acted(stage, attempt)


async def _close(engine: Engine, runtime: Runtime, state: str, round_of_facts: int) -> str:
    # The report first: whoever sees that the incident has ended finds it.
    page = pages.write_report(engine, round_of_facts, state)
    await runtime.show("case", pages.case_page(engine, round_of_facts), "What is happening")
    await runtime.show("report", page, "Report")
    engine.set_state(state, engine.closing_note(state, round_of_facts))
    runtime.say(f"{engine.incident.id}: {state}.")
    return state
