"""The order of an undo, without Prefect: look again, plan the inverses, ask, act, look once more, report. `flows.undo` runs it in Prefect.

Like the course of a response it is walked from the top each time a run starts, and loads what the store already holds.
"""

from __future__ import annotations

from firebreak.engine import Undoing, pages
from firebreak.engine.undoing import closing_words
from firebreak.model.plan import Plan
from flows.course import Runtime, ask_at_gate, look_in_every_stage


async def take_back(undoing: Undoing, runtime: Runtime) -> str:
    """Carry out one undo as far as it goes and return how it ended: done, failed, rejected or nothing.

    Raises:
        WaitingError: the gate waits and this process is not to.
        GuardRailError: the plan was refused as a whole.
        ResponseError: the run cannot go on; the undo stays open and a new run goes on with it.
    """
    engine, name = undoing.engine, f"{undoing.engine.incident.id}, undo {undoing.number}"
    if undoing.undo.has_ended:
        runtime.say(f"{name} has ended ({undoing.undo.state}); nothing to do.")
        return undoing.undo.state
    plan = undoing.kept() or await plan_undo(undoing, runtime)
    if not plan.actions:
        runtime.say(f"{name}: nothing to take back.")
        return await _close(undoing, runtime, plan, "nothing", "no change stands that could be taken back")
    if not plan.applyable and not plan.over_limits:
        raise undoing.refused(plan)
    stage = undoing.stage(plan)
    if await ask_at_gate(engine, runtime, stage, undoing.number, undoing.before) != "approved":
        return await _close(undoing, runtime, plan, "rejected", "rejected in the gate")
    if not engine.has_acted(stage, undoing.number):
        work = engine.acting(stage, undoing.number, undoing.before, runtime.say)
        await runtime.run(f"Carry out: {stage.title}", work)
        engine.note_acted(stage, undoing.number)
    await look_in_every_stage(engine, runtime, undoing.after)
    state, note = closing_words(undoing.outcomes(plan))
    return await _close(undoing, runtime, plan, state, note)


async def plan_undo(undoing: Undoing, runtime: Runtime) -> Plan:
    """Look at the subscription as it is now, then plan."""
    await look_in_every_stage(undoing.engine, runtime, undoing.before)
    plan = undoing.plan()
    page = pages.plan_page(undoing.engine, plan, undoing.before)
    await runtime.show(f"plan-undo-{undoing.number}", page, f"Plan: take back, undo {undoing.number}")
    return plan


async def _close(undoing: Undoing, runtime: Runtime, plan: Plan, state: str, note: str) -> str:
    undoing.end(state, note)
    engine, number = undoing.engine, undoing.after if state in ("done", "failed") else undoing.before
    if plan.actions:
        page = pages.write_report(engine, number, engine.state)
        await runtime.show("report", page, "Report")
    runtime.say(f"{engine.incident.id}, undo {undoing.number}: {state} ({note}).")
    return state
