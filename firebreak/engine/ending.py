"""How a response ends. "done" is never said while compute of the attacker's is known to run: people and scripts would go home.

failed: it runs against the will of those who were asked, or nobody could ask them (an action that failed, a guard rail, a thing that came
back). stopped: people left it out at a gate, or passed the stage over. A new run of a failed incident looks again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from firebreak.analysis.running import attackers_compute
from firebreak.model.facts import Attribution, Inventory
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.platform import PlatformCompute
from firebreak.report.kinds import kind_in_words

if TYPE_CHECKING:
    from firebreak.engine.engine import Engine

_STOPS = (".deallocate", ".stop", ".scale_to_zero", ".delete")
_MAY_STOP = ("/deallocate/action", "/stop/action", "/pools/write")


def end_state(engine: Engine, number: int) -> str:
    """How a response ends whose last look is round `number`: done, stopped (people let the attacker's compute run) or failed."""
    running = still_running(engine, number)
    if not running or not _was_to_stop_compute(engine):
        return "done"
    return "stopped" if set(running) <= _left_by_people(engine) else "failed"


def closing_note(engine: Engine, state: str, number: int) -> str:
    """What is said beside the state: who stopped it, what did not end well, what of the attacker's still runs."""
    said: list[str] = []
    rejected = [v for v in engine.desk.list() if v.incident == engine.incident.id and v.state == "rejected"]
    if state == "stopped" and rejected:
        said.append("A person rejected a plan; nothing after it was done.")
        said += [f"{view.closed_by} at {view.id}: {view.closing_reason}" for view in rejected]
    ended = [row for row in engine.journal_rows() if row.state.is_final]
    bad = [row.action for row in ended if _is_bad(row.outcome)]
    if bad and not rejected:
        kinds = Counter(kind_in_words(action.kind) for action in bad)
        told = ", ".join(f"{kind} ({count})" for kind, count in sorted(kinds.items()))
        said.append(f"{len(bad)} of {len(ended)} actions did not end well: {told}; the report says why.")
    if not engine.incident.mode.may_write:
        said.append(f"{engine.incident.mode}: nothing was changed.")
    if running := still_running(engine, number):
        by_people = " People left it out at a gate." if set(running) <= _left_by_people(engine) else ""
        said.append(f"The attacker's compute still runs and is billed ({len(running)}): see the report.{by_people}")
    return " ".join(said)


def still_running(engine: Engine, number: int) -> tuple[str, ...]:
    """Ids, in lower case, of the attacker's compute that is billed as of round `number`.

    Where that round could not be read, an earlier one counts, without what was stopped since: not seen is not gone.
    """
    for earlier in sorted({number, *(n for n in engine.rounds() if n < number)}, reverse=True):
        case = engine.case(earlier)
        attribution, inventory = case.get(Attribution), case.get(Inventory)
        if attribution is None or inventory is None:
            continue
        found = tuple(
            identity.lower() for identity in attackers_compute(attribution, inventory, case.get(PlatformCompute))
        )
        if earlier == number:
            return found
        newest = _newest_stops(engine)
        return tuple(one for one in found if one not in newest or not newest[one].is_good)
    return ()


def _was_to_stop_compute(engine: Engine) -> bool:
    """Whether this was a response that stops things: not a test, a dry run, or a playbook that only looks."""
    if engine.incident.alert.is_test or not (engine.incident.mode.may_write or engine.anything_was_changed()):
        return False
    steps = (loaded.step for stage in engine.playbook.stages for loaded in engine.changes(stage))
    return any(permission.endswith(_MAY_STOP) for step in steps for permission in step.permissions)


def _left_by_people(engine: Engine) -> set[str]:
    """Targets, in lower case, that people let run: left out at a gate, or in a stage that was passed over, and not tried in vain before."""
    newest = _newest_stops(engine)
    views = [v for v in engine.desk.list() if v.incident == engine.incident.id and v.state == "skipped"]
    plans = [engine.room.store.plans.load(view.plan_digest) for view in views]
    passed = {a.target.lower() for plan in plans for a in plan.actions if a.kind.endswith(_STOPS)}
    left_out = {target for target, state in newest.items() if state is ActionState.LEFT_OUT}
    return left_out | (passed - newest.keys())


def _newest_stops(engine: Engine) -> dict[str, ActionState]:
    """How the last action that was to stop or delete each target ended."""
    rows = sorted(engine.journal_rows(), key=lambda row: (row.intended_at, row.position))
    return {row.action.target.lower(): row.state for row in rows if row.action.kind.endswith(_STOPS)}


def _is_bad(outcome: Outcome) -> bool:
    return not outcome.state.is_good and outcome.state is not ActionState.LEFT_OUT
